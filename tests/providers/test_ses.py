"""The Amazon SES adapter: the request against botocore's model and signer, every status, and events carried by SNS."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.validate import ParamValidator
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.event import EventType
from pipeline.core.message import Accepted, Batch, Outcome, Refused, RejectReason, TryLater, Unknown
from pipeline.core.settlement import settle
from pipeline.errors import ConfigurationError, CredentialsRefused, ProviderFault
from pipeline.providers.base import Forged
from pipeline.providers.registry import LISTENERS, make_provider
from pipeline.providers.ses import PATH, Ses, bulk_email
from pipeline.providers.ses_events import SesEvents, fetch_https
from pipeline.providers.sigv4 import Credentials, signed_headers
from tests.providers.capture import capturing
from tests.providers.test_mailgun import answer, answering
from tests.providers.test_resend import CONTENT, batch

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
REGION = "eu-central-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:briefing"
CERTIFICATE_URL = f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-0a1b2c.pem"


def ses(base_url: str = "", **more: Any) -> Ses:
    return Ses(access_key_id="AKIDEXAMPLE", secret_access_key="s3cret", region=REGION, base_url=base_url, now=lambda: NOW, **more)


def outcomes_of(raw: bytes, given: Batch | None = None) -> tuple[Outcome, ...]:
    with answering(raw) as server:
        provider = ses(server.url, timeout_s=10)
        try:
            return tuple(provider.send(given or batch()))
        finally:
            provider.close()


def results(*entries: Mapping[str, str]) -> bytes:
    return answer(200, {"BulkEmailEntryResults": list(entries)})  # type: ignore[dict-item]


def fault(status: int, kind: str, message: str = "words") -> bytes:
    return answer(status, {"message": message}, f"x-amzn-ErrorType: {kind}:http://internal.amazon.com/coral/")


@cache
def model() -> Any:
    return botocore.session.Session().get_service_model("sesv2")


# What goes out


def test_the_request_fits_botocores_model() -> None:
    request = bulk_email(batch(3), "newsletter")
    shape = model().operation_model("SendBulkEmail").input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    assert model().operation_model("SendBulkEmail").http["requestUri"] == PATH
    headers = request["DefaultContent"]["Template"]["Headers"]  # type: ignore[index]
    entries: Any = request["BulkEmailEntries"]
    for one in [*headers, *entries[0]["ReplacementHeaders"]]:
        assert len(one["Value"]) <= model().shape_for("MessageHeaderValue").metadata["max"]
    assert unknown(request, shape) == []


def unknown(value: Any, shape: Any) -> list[str]:
    """Members that the model does not have; ParamValidator names them too, but only on its way."""
    if shape.type_name == "structure":
        out = [name for name in value if name not in shape.members]
        return out + [x for name, inner in value.items() if name in shape.members for x in unknown(inner, shape.members[name])]
    if shape.type_name == "list":
        return [x for inner in value for x in unknown(inner, shape.member)]
    return []


def test_what_is_in_the_request() -> None:
    request: Any = bulk_email(batch(2), "newsletter")
    template = request["DefaultContent"]["Template"]
    assert template["TemplateContent"] == {"Subject": CONTENT.subject, "Html": CONTENT.html, "Text": CONTENT.text}
    assert {one["Name"]: one["Value"] for one in template["Headers"]} == {
        "List-Id": "China In Eurasia <cie.news.example.org>",
        "Content-Language": "ru",
        "Archived-At": "<https://news.example.org/cie/railway>",
    }
    assert request["FromEmailAddress"] == "=?utf-8?b?0KDQtdC00LDQutGG0LjRjw==?= <briefing@news.example.org>"
    assert request["ReplyToAddresses"] == ["desk@example.org"]
    assert request["ConfigurationSetName"] == "newsletter"
    assert request["ConfigurationOverrides"] == {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}}
    second = request["BulkEmailEntries"][1]
    assert second["Destination"] == {"ToAddresses": ["reader2@example.com"]}
    assert second["ReplacementTags"] == [{"Name": "batch", "Value": "c12-b3-g0"}, {"Name": "subscriber", "Value": "2"}]
    assert second["ReplacementHeaders"] == [
        {"Name": "List-Unsubscribe", "Value": "<https://news.example.org/u/2>"},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
    ]
    plain: Any = bulk_email(batch(reply_to=""), "")
    assert not {"ReplyToAddresses", "ConfigurationSetName"} & set(plain)


def test_the_same_batch_is_the_same_bytes() -> None:
    assert ses().compose(batch(50)).digest == ses().compose(batch(50)).digest


@pytest.mark.parametrize("field", ["subject", "html", "text"])
def test_what_ses_would_take_for_a_variable_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} contains {{{{"):
        bulk_email(batch(1, **{field: "before {{name}} after"}), "")
    assert bulk_email(batch(1, **{field: "before { {name} } after }}"}), "")


def test_what_does_not_fit_is_refused_and_not_cut() -> None:
    with pytest.raises(ValueError, match="995"):
        bulk_email(batch(archive_url="https://news.example.org/" + "x" * 980), "")
    with pytest.raises(ValueError, match="1000000"):
        ses().compose(batch(html="x" * 1_000_000))
    with pytest.raises(ValueError, match="tag"):
        bulk_email(dataclasses.replace(batch(), key="a.b"), "")


@settings(max_examples=40, deadline=None)
@given(
    key=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=20),
    secret=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=40),
    body=st.binary(max_size=200),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
)
def test_the_signature_is_botocores(key: str, secret: str, body: bytes, at: datetime) -> None:
    host = "email.eu-central-1.amazonaws.com"
    ours = signed_headers(
        Credentials(access_key_id=key, secret_access_key=secret, region=REGION, service="ses"),
        host=host, path=PATH, content_type="application/json", body=body, now=at.replace(tzinfo=UTC),
    )  # fmt: skip
    theirs = AWSRequest("POST", f"https://{host}{PATH}", headers={"content-type": "application/json"}, data=body)
    theirs.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    theirs.headers["X-Amz-Date"] = theirs.context["timestamp"]
    signer = SigV4Auth(BotoCredentials(key, secret), "ses", REGION)
    signature = signer.signature(signer.string_to_sign(theirs, signer.canonical_request(theirs)), theirs)
    assert ours["x-amz-date"] == theirs.context["timestamp"]
    assert ours["authorization"].endswith(f"Signature={signature}")
    assert (
        f"Credential={key}/{signer.credential_scope(theirs)}, SignedHeaders={signer.signed_headers(signer.headers_to_sign(theirs))},"
        in (ours["authorization"])
    )


def test_the_address_is_the_regions_or_the_given_one() -> None:
    assert "email.eu-central-1.amazonaws.com" in repr(ses())
    china = Ses(access_key_id="a", secret_access_key="b", region="cn-north-1", now=lambda: NOW)
    assert "email.cn-north-1.amazonaws.com.cn" in repr(china)


# What comes back: the whole call


def test_one_id_each_in_order() -> None:
    entries = [{"Status": "SUCCESS", "MessageId": id} for id in "abc"]
    assert outcomes_of(results(*entries), batch(3)) == (Accepted("a"), Accepted("b"), Accepted("c"))


@pytest.mark.parametrize("raw", [results(), results({"Status": "SUCCESS"}), answer(200, {}), answer(200, {"BulkEmailEntryResults": "x"})])
def test_a_200_that_does_not_add_up_is_a_doubt(raw: bytes) -> None:
    assert isinstance(outcomes_of(raw)[0], Unknown)


@pytest.mark.parametrize("raw", [answer(200, "<html>"), answer(302, "", "Location: /x"), answer(404, "no"), answer(405, "no")])
def test_a_page_that_is_no_mail_interface(raw: bytes) -> None:
    with pytest.raises(ProviderFault, match="no mail was taken") as caught:
        outcomes_of(raw)
    assert "provider.ses.region" in caught.value.hint


@pytest.mark.parametrize("kind", ["SignatureDoesNotMatch", "InvalidClientTokenId", "AccessDeniedException"])
def test_refused_credentials_name_the_variables(kind: str) -> None:
    with pytest.raises(CredentialsRefused, match=kind) as caught:
        outcomes_of(fault(403, kind))
    assert "BRIEFING_SES_SECRET_ACCESS_KEY" in caught.value.hint
    assert "s3cret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (fault(400, "AccountSuspendedException"), "suspended"),
        (fault(400, "SendingPausedException"), "paused"),
        (fault(400, "MailFromDomainNotVerifiedException"), "from_address"),
        (fault(400, "MessageRejected", "Email address is not verified: a@b.example"), "from_address"),
        (fault(404, "NotFoundException"), "configuration_set"),
        (answer(404, {"__type": "com.amazon.ses#NotFoundException", "Message": "none"}), "configuration_set"),
    ],
)
def test_what_only_a_person_can_mend_stops_the_campaign(raw: bytes, hint: str) -> None:
    with pytest.raises(ProviderFault) as caught:
        outcomes_of(raw)
    assert hint in caught.value.hint
    assert "@" not in caught.value.message


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (fault(429, "TooManyRequestsException"), 5),
        (fault(400, "ThrottlingException", "Maximum sending rate exceeded."), 5),
        (fault(400, "Throttling", "Daily message quota exceeded."), 3600),
        (fault(429, "TooManyRequestsException", "Daily sending quota exceeded"), 3600),
        (fault(400, "LimitExceededException"), 3600),
        (answer(429, {"message": "slow"}, "Retry-After: 33"), 33),
        (fault(408, "RequestTimeoutException"), 10),
    ],
)
def test_throttled(raw: bytes, seconds: float) -> None:
    (outcome,) = outcomes_of(raw)
    assert isinstance(outcome, TryLater)
    assert outcome.after_s == seconds


def test_every_error_of_the_model_has_a_row() -> None:
    """None of the operation's own errors ends as a doubt: they all say that nothing was taken."""
    for shape in model().operation_model("SendBulkEmail").error_shapes:
        raw = fault(shape.metadata["error"]["httpStatusCode"], shape.name)
        try:
            outcomes = outcomes_of(raw)
        except ProviderFault:
            continue
        assert all(isinstance(one, Refused | TryLater) for one in outcomes), shape.name


@pytest.mark.parametrize(
    "raw", [fault(400, "BadRequestException", "bad reader1@example.com"), fault(400, "MessageRejected"), answer(413, "")]
)
def test_other_refusals(raw: bytes) -> None:
    (outcome,) = outcomes_of(raw)
    assert isinstance(outcome, Refused)
    assert outcome.reason is RejectReason.OTHER
    assert "@" not in outcome.detail


@pytest.mark.parametrize("raw", [answer(202, {}), fault(500, "InternalFailure"), fault(503, "ServiceUnavailable"), answer(504, ""), b""])
def test_what_may_have_been_taken_is_in_doubt(raw: bytes) -> None:
    assert isinstance(outcomes_of(raw)[0], Unknown)


def test_nobody_there_may_be_tried_again() -> None:
    with answering(b"") as server:
        url = server.url
    provider = ses(url)
    assert isinstance(provider.send(batch())[0], TryLater)
    provider.close()


# What comes back: one entry

ENTRIES: dict[str, tuple[str, type[Outcome], RejectReason | float | None]] = {
    "SUCCESS": ("", Unknown, None),  # without an id
    "MESSAGE_REJECTED": ("virus", Refused, RejectReason.OTHER),
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": ("", TryLater, 10),
    "CONFIGURATION_SET_NOT_FOUND": ("", TryLater, 10),
    "TEMPLATE_NOT_FOUND": ("", Refused, RejectReason.OTHER),
    "ACCOUNT_SUSPENDED": ("", TryLater, 10),
    "ACCOUNT_THROTTLED": ("", TryLater, 5),
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": ("", TryLater, 3600),
    "INVALID_SENDING_POOL_NAME": ("", TryLater, 10),
    "ACCOUNT_SENDING_PAUSED": ("", TryLater, 10),
    "CONFIGURATION_SET_SENDING_PAUSED": ("", TryLater, 10),
    "INVALID_PARAMETER": ("Local address contains control or whitespace: x@example.com", Refused, RejectReason.INVALID),
    "TRANSIENT_FAILURE": ("", TryLater, 10),
    "FAILED": ("", Refused, RejectReason.OTHER),
}


def test_the_table_has_every_status_of_the_model() -> None:
    assert set(ENTRIES) == set(model().shape_for("BulkEmailStatus").enum)


@pytest.mark.parametrize("status", [*ENTRIES, "SOMETHING_NEW"])
def test_an_entry_beside_one_that_was_taken(status: str) -> None:
    error, kind, what = ENTRIES.get(status, ("", Unknown, None))
    first, second = outcomes_of(results({"Status": "SUCCESS", "MessageId": "a"}, {"Status": status, "Error": error}), batch(2))
    assert first == Accepted("a")
    assert isinstance(second, kind)
    if isinstance(second, Refused):
        assert second.reason is what
        assert "@" not in second.detail
    if isinstance(second, TryLater):
        assert second.after_s == what


def test_an_unverified_address_of_the_sandbox_is_no_invalid_reader() -> None:
    raw = results({"Status": "SUCCESS", "MessageId": "a"}, {"Status": "INVALID_PARAMETER", "Error": "Email address is not verified."})
    assert isinstance(refused := outcomes_of(raw, batch(2))[1], Refused)
    assert refused.reason is RejectReason.OTHER


def test_when_no_entry_was_taken_because_of_the_account_the_campaign_stops() -> None:
    entry = {"Status": "ACCOUNT_SENDING_PAUSED", "Error": "paused for a@b.example"}
    with pytest.raises(ProviderFault, match="ACCOUNT_SENDING_PAUSED") as caught:
        outcomes_of(results(entry, entry), batch(2))
    assert "@" not in caught.value.message


def test_refusals_of_all_for_no_reader_are_looked_for_by_halves() -> None:
    outcomes = outcomes_of(results(*[{"Status": "FAILED", "Error": "no"}] * 4), batch(4))
    assert settle([1, 2, 3, 4], outcomes).halves == ((1, 2), (3, 4))


# News, as SNS carries it


class Amazon:
    """A key of our own that stands for Amazon's, and what its two addresses answer."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=30))
            .sign(self.key, hashes.SHA256())
        )
        self.pages = {CERTIFICATE_URL: certificate.public_bytes(serialization.Encoding.PEM)}
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        return self.pages.get(url, b"ok")

    def message(self, text: str, *, version: str = "2", at: datetime = NOW, **changes: str) -> dict[str, str]:
        """An SNS message, signed over the fields in the order that Amazon documents."""
        fields = {
            "Type": "Notification",
            "MessageId": "id-1",
            "TopicArn": TOPIC,
            "Message": text,
            "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
            **changes,
        }
        signed = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{fields[name]}\n" for name in signed if name in fields)
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()
        return {**fields, "Signature": base64.b64encode(self.key.sign(text.encode(), PKCS1v15(), digest)).decode()}


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


def listening(amazon: Amazon) -> SesEvents:
    amazon.asked.clear()
    return SesEvents(TOPIC, amazon.fetch)


def dumped(message: Mapping[str, str]) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize("more", [{}, {"Subject": "Amazon SES"}, {"version": "1"}])
def test_what_amazon_signs_is_believed(amazon: Amazon, more: dict[str, str]) -> None:
    provider = listening(amazon)
    body = dumped(amazon.message('{"eventType": "Delivery"}', **more))  # type: ignore[arg-type]
    provider.verify({}, body, NOW + timedelta(minutes=119))
    provider.verify({}, body, NOW)
    assert amazon.asked == [CERTIFICATE_URL]  # once: it is kept


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a, m: {**m, "Message": "{}"},
        lambda a, m: {**m, "MessageId": "id-2"},
        lambda a, m: {**m, "Subject": "new"},
        lambda a, m: {**m, "Signature": "bm9uZQ=="},
        lambda a, m: {**m, "Signature": "é"},
        lambda a, m: {**m, "SignatureVersion": "1"},
        lambda a, m: {**m, "SignatureVersion": "3"},
        lambda a, m: {**m, "SigningCertURL": CERTIFICATE_URL.replace("https", "http")},
        lambda a, m: {**m, "SigningCertURL": CERTIFICATE_URL.replace(".amazonaws.com", ".amazonaws.com.evil.example")},
        lambda a, m: {**m, "SigningCertURL": CERTIFICATE_URL.replace(REGION, "us-east-1")},
        lambda a, m: {**m, "SigningCertURL": f"https://evil.example/@sns.{REGION}.amazonaws.com/SimpleNotificationService-0.pem"},
        lambda a, m: {**m, "SigningCertURL": CERTIFICATE_URL + "?x"},
        lambda a, m: {name: value for name, value in m.items() if name != "SigningCertURL"},
        lambda a, m: {name: value for name, value in m.items() if name != "Timestamp"},
        lambda a, m: {**m, "Type": "Other"},
        lambda a, m: a.message("{}", at=NOW - timedelta(minutes=121)),
        lambda a, m: a.message("{}", at=NOW + timedelta(minutes=6)),
        lambda a, m: a.message("{}", TopicArn=TOPIC + "2"),
        lambda a, m: Amazon().message("{}"),
    ],
)
def test_what_is_forged_is_not(amazon: Amazon, spoil: Any) -> None:
    with pytest.raises(Forged):
        listening(amazon).verify({}, dumped(spoil(amazon, amazon.message('{"eventType": "Delivery"}'))), NOW)
    assert all(url == CERTIFICATE_URL for url in amazon.asked)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"Type": "Notification"}'])
def test_nonsense_is_forged(amazon: Amazon, body: bytes) -> None:
    with pytest.raises(Forged, match="documents"):
        listening(amazon).verify({}, body, NOW)


def test_a_certificate_that_is_out_of_date(amazon: Amazon) -> None:
    later = NOW + timedelta(days=31)
    with pytest.raises(Forged, match="certificate"):
        listening(amazon).verify({}, dumped(amazon.message("{}", at=later)), later)


def test_a_message_that_moto_signed() -> None:
    """Recorded from moto's SNS: another's idea of what is signed, and in which order."""
    recorded = json.loads((Path(__file__).parent / "sns_by_moto.json").read_text("utf-8"))
    message: dict[str, str] = recorded["message"]
    at = datetime.fromisoformat(message["Timestamp"])
    provider = SesEvents(message["TopicArn"], lambda url: recorded["certificate"].encode())
    provider.verify({}, dumped(message), at)
    with pytest.raises(Forged, match="signature"):
        provider.verify({}, dumped({**message, "Message": message["Message"] + " "}), at)
    assert [one.type for one in provider.parse({}, dumped(message))] == [EventType.DELIVERED]


def subscription(amazon: Amazon, kind: str = "SubscriptionConfirmation", **changes: str) -> bytes:
    url = f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336"
    return dumped(amazon.message("You have chosen to subscribe.", **{"Type": kind, "SubscribeURL": url, "Token": "2336", **changes}))  # type: ignore[arg-type]


def test_the_subscription_of_our_own_topic_is_confirmed(amazon: Amazon) -> None:
    provider, body = listening(amazon), subscription(amazon)
    provider.verify({}, body, NOW)
    assert list(provider.parse({}, body)) == []
    assert len(amazon.asked) == 2
    assert amazon.asked[1].startswith(f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription")


def test_nothing_else_is_confirmed(amazon: Amazon) -> None:
    provider = listening(amazon)
    provider.parse({}, subscription(amazon, "UnsubscribeConfirmation"))
    provider.parse({}, subscription(amazon, TopicArn=TOPIC + "2"))
    for url in ("https://evil.example/?x", f"http://sns.{REGION}.amazonaws.com/?x", "https://sns.us-east-1.amazonaws.com/?x"):
        with pytest.raises(ValueError, match="address"):
            provider.parse({}, subscription(amazon, SubscribeURL=url))
    assert amazon.asked == []


@pytest.mark.parametrize(("status", "text"), [(404, ""), (302, ""), (500, ""), (200, "x" * 70_000)])
def test_reading_from_amazon_over_http(status: int, text: str) -> None:
    with capturing(lambda _: (200, "PEM")) as capture:
        assert fetch_https(f"{capture.url}/SimpleNotificationService-0.pem") == b'"PEM"'
    with pytest.raises(ProviderFault, match="cannot be reached"):
        fetch_https(capture.url)
    with capturing(lambda _: (status, text)) as capture, pytest.raises(ProviderFault, match=f"answered {status}"):
        fetch_https(capture.url)
    assert [request.method for request in capture.requests] == ["GET"]


def news(kind: str, name: str = "", **said: object) -> dict[str, object]:
    """An event record with the fields that the SES guide names."""
    mail = {
        "timestamp": "2026-11-25T05:59:50.000Z",
        "messageId": "0100-1",
        "destination": ["reader1@example.com"],
        "tags": {"batch": ["c12-b3-g0"], "subscriber": ["7"], "ses:configuration-set": ["newsletter"]},
    }
    return {"eventType": kind, "mail": mail, name or kind[:1].lower() + kind[1:]: said}


EVENTS: list[tuple[dict[str, object], EventType, RejectReason | None, bool]] = [
    (news("Send"), EventType.SENT, None, False),
    (news("Delivery", recipients=["reader1@example.com"], smtpResponse="250 ok"), EventType.DELIVERED, None, False),
    (
        news("DeliveryDelay", delayType="MailboxFull", delayedRecipients=[{"emailAddress": "reader1@example.com"}]),
        EventType.DEFERRED,
        None,
        False,
    ),
    (
        news(
            "Bounce",
            bounceType="Permanent",
            bounceSubType="General",
            bouncedRecipients=[{"emailAddress": "reader1@example.com", "diagnosticCode": "smtp; 550 <reader1@example.com> unknown"}],
        ),
        EventType.BOUNCED,
        RejectReason.BOUNCED,
        True,
    ),
    (news("Bounce", bounceType="Permanent", bounceSubType="OnAccountSuppressionList"), EventType.BOUNCED, RejectReason.BOUNCED, True),
    (
        news("Bounce", bounceType="Permanent", bouncedRecipients=[{"emailAddress": "reader1@example.com", "status": "5.7.1"}]),
        EventType.BOUNCED,
        RejectReason.BLOCKED,
        True,
    ),
    (news("Bounce", bounceType="Transient", bounceSubType="MailboxFull"), EventType.DEFERRED, None, True),
    (news("Bounce", bounceType="Undetermined", bounceSubType="Undetermined"), EventType.DEFERRED, None, True),
    (news("Complaint", complaintFeedbackType="abuse"), EventType.COMPLAINED, RejectReason.SPAM, False),
    (news("Complaint"), EventType.COMPLAINED, RejectReason.SPAM, False),
    (news("Complaint", complaintSubType="OnAccountSuppressionList"), EventType.COMPLAINED, RejectReason.SPAM, False),
    (news("Complaint", complaintFeedbackType="not-spam"), EventType.OTHER, None, False),
    (news("Reject", reason="Bad content"), EventType.REJECTED, RejectReason.BLOCKED, False),
    (news("Rendering Failure", "failure", errorMessage="no", templateName="t"), EventType.FAILED, RejectReason.OTHER, False),
    (news("Subscription"), EventType.OTHER, None, False),
    (news("Something New"), EventType.OTHER, None, False),
]


@pytest.mark.parametrize(("record", "type_", "reason", "final"), EVENTS)
def test_events(amazon: Amazon, record: dict[str, object], type_: EventType, reason: RejectReason | None, final: bool) -> None:
    (found,) = listening(amazon).parse({}, dumped(amazon.message(json.dumps(record))))
    assert (found.id, found.type, found.reason, found.final) == ("id-1", type_, reason, final)
    assert found.at == NOW
    assert (found.batch_key, found.subscriber_id, found.receipt, found.address) == ("c12-b3-g0", 7, "0100-1", "reader1@example.com")
    assert "@" not in found.detail


def test_an_event_has_its_own_time(amazon: Amazon) -> None:
    record = news("Delivery", timestamp="2026-11-25T05:59:58.126Z")
    (found,) = listening(amazon).parse({}, dumped(amazon.message(json.dumps(record))))
    assert found.at == datetime(2026, 11, 25, 5, 59, 58, 126_000, tzinfo=UTC)


def test_a_plain_notification_without_tags_is_read_too(amazon: Amazon) -> None:
    record = {
        "notificationType": "Bounce",
        "bounce": {"bounceType": "Permanent"},
        "mail": {"messageId": "x", "destination": ["a@b.example"]},
    }
    (found,) = listening(amazon).parse({}, dumped(amazon.message(json.dumps(record))))
    assert (found.type, found.receipt, found.address, found.subscriber_id) == (EventType.BOUNCED, "x", "a@b.example", None)


@pytest.mark.parametrize("text", [json.dumps(news("Open")), json.dumps(news("Click")), "Successfully validated SNS topic for Amazon SES."])
def test_opens_clicks_and_greetings_are_dropped(amazon: Amazon, text: str) -> None:
    assert list(listening(amazon).parse({}, dumped(amazon.message(text)))) == []


@pytest.mark.parametrize("text", ["words", "[]", "{}", '{"eventType": "Send", "mail": 3}'])
def test_nonsense_inside_is_a_value_error(amazon: Amazon, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        listening(amazon).parse({}, dumped(amazon.message(text)))


# Settings


def test_settings() -> None:
    whole = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s3cret", "region": REGION}
    for name in ("access_key_id", "secret_access_key", "region"):
        with pytest.raises(ConfigurationError, match=rf"provider\.ses\.{name}"):
            make_provider("ses", {**whole, name: ""}, lambda: NOW)
    for name in ("region", "configuration_set", "base_url"):
        with pytest.raises(ConfigurationError, match=name):
            make_provider("ses", {**whole, name: "no such thing!"}, lambda: NOW)
    shown = repr(make_provider("ses", whole, lambda: NOW))
    assert "s3cret" not in shown
    assert "AKIDEXAMPLE" not in shown
    assert not re.search("s3cret|AKID", repr(Credentials(access_key_id="AKID", secret_access_key="s3cret", region="r", service="s")))


def test_a_listener_needs_a_topic() -> None:
    assert LISTENERS["ses"]({}) is None
    assert isinstance(LISTENERS["ses"]({"topic_arn": TOPIC}), SesEvents)
    with pytest.raises(ConfigurationError, match="topic_arn"):
        LISTENERS["ses"]({"topic_arn": "arn:aws:sqs:x"})


def test_a_path_in_the_base_url_is_signed_too() -> None:
    """A proxy of the newsroom's own may stand under a path; what is signed is what is asked for."""
    from tests.providers.capture import SesServer

    server = SesServer("AKIDEXAMPLE", "s3cret", REGION)
    with capturing(server) as capture:
        provider = ses(f"{capture.url}/mail/")
        assert isinstance(provider.send(batch())[0], Accepted)
        provider.close()
    assert capture.requests[0].path == f"/mail{PATH}"
