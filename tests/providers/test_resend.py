"""The Resend adapter: what it puts on the wire, what it makes of every answer, and its webhooks. Real HTTP over loopback."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from svix.webhooks import Webhook

from pipeline.core.event import EventType
from pipeline.core.message import Accepted, Batch, Content, Outcome, Recipient, Refused, RejectReason, TryLater, Unknown
from pipeline.core.settlement import settle
from pipeline.errors import ConfigurationError, CredentialsRefused, ProviderFault
from pipeline.providers.base import Forged
from pipeline.providers.registry import LISTENERS, make_provider
from pipeline.providers.resend import Resend, messages
from pipeline.providers.resend_events import ResendEvents
from tests.conftest import SHARED
from tests.providers.test_mailgun import answer, answering

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
KEY = "re_s3cret"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOCUMENT = SHARED / "providers" / "openapi" / "resend-1.5.0.yaml"
CONTENT = Content(
    from_name="Редакция",
    from_address="briefing@news.example.org",
    reply_to="desk@example.org",
    subject="100% — Здравствуйте",
    html='<p class="a">5% &amp; Здравствуйте</p>\n\r\n\t"\\" \u2028 </p>',
    text="5% Здравствуйте\n",
    list_id="cie.news.example.org",
    list_name="China In Eurasia",
    language="ru",
    archive_url="https://news.example.org/cie/railway",
)


def batch(count: int = 1, **changes: Any) -> Batch:
    recipients = (
        Recipient(subscriber_id=i, address=f"reader{i}@example.com", unsubscribe_url=f"https://news.example.org/u/{i}")
        for i in range(1, count + 1)
    )
    return Batch(key="c12-b3-g0", campaign="12", content=dataclasses.replace(CONTENT, **changes), recipients=tuple(recipients))


def resend(base_url: str, **more: Any) -> Resend:
    return Resend(api_key=KEY, base_url=base_url, now=lambda: NOW, **more)


def outcomes_of(raw: bytes, given: Batch | None = None) -> tuple[Outcome, ...]:
    with answering(raw) as server:
        provider = resend(server.url, timeout_s=10)
        try:
            return tuple(provider.send(given or batch()))
        finally:
            provider.close()


def said(status: int, name: str, message: str = "words", *headers: str) -> bytes:
    return answer(status, {"statusCode": str(status), "name": name, "message": message}, *headers)


def listed(*ids: str, errors: Sequence[Mapping[str, object]] = ()) -> bytes:
    return answer(200, {"data": [{"id": id} for id in ids], **({"errors": list(errors)} if errors else {})})  # type: ignore[dict-item]


# What goes out


def test_the_request_read_back() -> None:
    given = batch(2)
    with answering(listed("a", "b")) as server:
        provider = resend(server.url)
        provider.send(given)
        provider.close()
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /emails/batch HTTP/1.1\r\n")
    lines = {line.partition(b":")[0].lower(): line.partition(b": ")[2] for line in head.split(b"\r\n")[1:]}
    assert lines[b"authorization"] == f"Bearer {KEY}".encode()
    assert lines[b"idempotency-key"] == b"c12-b3-g0"
    assert lines[b"x-batch-validation"] == b"permissive"
    assert lines[b"content-type"] == b"application/json"
    assert json.loads(body) == [
        {
            "from": "Редакция <briefing@news.example.org>",
            "to": [f"reader{i}@example.com"],
            "subject": CONTENT.subject,
            "html": CONTENT.html,
            "text": CONTENT.text,
            "reply_to": "desk@example.org",
            "headers": {
                "List-Id": "China In Eurasia <cie.news.example.org>",
                "List-Unsubscribe": f"<https://news.example.org/u/{i}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                "Content-Language": "ru",
                "Archived-At": "<https://news.example.org/cie/railway>",
            },
            "tags": [{"name": "batch", "value": "c12-b3-g0"}, {"name": "subscriber", "value": str(i)}],
        }
        for i in (1, 2)
    ]


def test_the_same_batch_is_the_same_bytes_for_ever() -> None:
    """A repeat under the key must be what was sent: a change of these bytes holds every batch in doubt across an upgrade."""
    assert messages(batch(100)) == messages(batch(100))
    assert hashlib.sha256(messages(batch(3))).hexdigest() == "76f697a21226f3a11d865f416c75db35a25aaee9209caebf3de7cfa54fc7b3e3"


def test_a_name_that_needs_quotes() -> None:
    (one,) = json.loads(messages(batch(from_name='Radio "Free", Europe')))
    assert one["from"] == '"Radio \\"Free\\", Europe" <briefing@news.example.org>'
    (one,) = json.loads(messages(batch(from_name="", reply_to="")))
    assert one["from"] == "briefing@news.example.org"
    assert "reply_to" not in one


def test_a_key_that_fits_no_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="tag"):
        messages(dataclasses.replace(batch(), key="a.b"))


def test_a_call_above_the_limit_is_refused_before_it_is_made() -> None:
    with pytest.raises(ValueError, match="40000000"):
        resend("http://127.0.0.1:1").compose(batch(100, html="x" * 400_000))


@pytest.mark.skipif(not DOCUMENT.exists(), reason=f"Resend's OpenAPI document is not at {DOCUMENT} (BRIEFING_SHARED)")
def test_the_call_against_resends_own_document() -> None:
    validator = schema("SendEmailRequest")
    known = set(document()["components"]["schemas"]["SendEmailRequest"]["properties"])
    for one in json.loads(messages(batch(3))):
        validator.validate(one)
        assert set(one) <= known  # the document lets unknown fields pass; Resend would drop them
    with pytest.raises(Exception, match="required"):
        validator.validate({"from": "a@example.org"})


@cache
def document() -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.load(DOCUMENT.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def schema(name: str) -> Any:
    jsonschema: Any = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator({**document(), "$ref": f"#/components/schemas/{name}"})


# What comes back


def test_one_id_each_in_order() -> None:
    assert outcomes_of(listed("a", "b", "c"), batch(3)) == (Accepted("a"), Accepted("b"), Accepted("c"))


def test_one_bad_address_costs_itself_only() -> None:
    outcomes = outcomes_of(listed("a", "c", errors=[{"index": 1, "message": "Invalid `to` field: reader2@example.com"}]), batch(3))
    assert outcomes[0] == Accepted("a")
    assert outcomes[2] == Accepted("c")
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].reason is RejectReason.INVALID
    assert "@" not in outcomes[1].detail


def test_a_fault_of_ours_does_not_mark_readers_invalid_and_is_looked_for_by_halves() -> None:
    errors = [{"index": place, "message": "Invalid `from` field."} for place in range(4)]
    outcomes = outcomes_of(listed(errors=errors), batch(4))
    assert [isinstance(one, Refused) and one.reason for one in outcomes] == [RejectReason.OTHER] * 4
    assert settle([1, 2, 3, 4], outcomes).halves == ((1, 2), (3, 4))


@pytest.mark.parametrize(
    "raw",
    [
        listed("a"),
        listed("a", "b", "c"),
        listed("a", ""),
        listed("a", errors=[{"index": 7, "message": "?"}]),
        listed(),
        answer(200, {"object": "list"}),
        answer(200, {"data": "x"}),
    ],
)
def test_a_200_that_does_not_add_up_is_a_doubt(raw: bytes) -> None:
    assert all(isinstance(one, Unknown) for one in outcomes_of(raw, batch(2)))


@pytest.mark.parametrize(
    "raw", [answer(200, "<html>Welcome</html>"), answer(302, "", "Location: /x"), said(404, "not_found"), answer(405, "")]
)
def test_a_page_that_is_no_mail_interface(raw: bytes) -> None:
    with pytest.raises(ProviderFault, match="no mail was taken") as caught:
        outcomes_of(raw)
    assert not isinstance(caught.value, CredentialsRefused)
    assert "provider.resend.base_url" in caught.value.hint


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (said(401, "missing_api_key"), "BRIEFING_RESEND_API_KEY"),
        (said(401, "restricted_api_key"), "BRIEFING_RESEND_API_KEY"),
        (said(403, "invalid_api_key"), "BRIEFING_RESEND_API_KEY"),
        (said(403, "validation_error", "The news.example.org domain is not verified."), "domain"),
    ],
)
def test_refused_credentials_say_where_to_look(raw: bytes, hint: str) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        outcomes_of(raw)
    assert hint in caught.value.hint
    assert KEY not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("name", ["invalid_idempotent_request", "concurrent_idempotent_requests"])
def test_a_key_at_work_elsewhere_is_a_doubt(name: str) -> None:
    assert isinstance(outcomes_of(said(409, name))[0], Unknown)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (said(429, "rate_limit_exceeded", "slow", "Retry-After: 2", "RateLimit-Reset: 7"), 2),
        (said(429, "rate_limit_exceeded", "slow", "RateLimit-Reset: 7"), 7),
        (said(429, "rate_limit_exceeded"), 60),
        (said(429, "daily_quota_exceeded"), 3600),
        (said(429, "daily_quota_exceeded", "no", "Retry-After: 1"), 3600),
        (said(429, "daily_quota_exceeded", "no", "Retry-After: 40000"), 40_000),
        (said(429, "monthly_quota_exceeded"), 21_600),
    ],
)
def test_throttled(raw: bytes, seconds: float) -> None:
    (outcome,) = outcomes_of(raw)
    assert isinstance(outcome, TryLater)
    assert outcome.after_s == seconds
    assert ("quota is used up" in outcome.detail) == (b"quota" in raw)


@pytest.mark.parametrize(
    ("status", "name"), [(400, "validation_error"), (413, ""), (422, "missing_required_field"), (451, "security_error")]
)
def test_other_refusals(status: int, name: str) -> None:
    (outcome,) = outcomes_of(said(status, name, "about reader1@example.com"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is RejectReason.OTHER
    assert "@" not in outcome.detail


@pytest.mark.parametrize("status", [202, 500, 502, 503, 504])
def test_what_may_have_been_taken_is_in_doubt(status: int) -> None:
    assert isinstance(outcomes_of(said(status, "application_error"))[0], Unknown)


@pytest.mark.parametrize(("raw", "kind"), [(b"", Unknown), (listed("a")[:-3], Unknown), (answer(408, ""), TryLater)])
def test_broken_off(raw: bytes, kind: type[Outcome]) -> None:
    assert isinstance(outcomes_of(raw)[0], kind)


def test_nobody_there_may_be_tried_again() -> None:
    with answering(b"") as server:
        url = server.url
    provider = resend(url)
    assert isinstance(provider.send(batch())[0], TryLater)
    provider.close()


# Webhooks


def signed(body: bytes, at: datetime = NOW, secret: str = WHSEC) -> dict[str, str]:
    """Headers by Svix's own library."""
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    return {"svix-id": "msg_1", "svix-timestamp": str(int(at.timestamp())), "svix-signature": signature}


def event(kind: str, **data: object) -> bytes:
    common = {"email_id": "56761188", "to": ["reader1@example.com"], "tags": {"batch": "c12-b3-g0", "subscriber": "7"}}
    return json.dumps({"type": kind, "created_at": "2026-11-25T05:59:58.126Z", "data": {**common, **data}}).encode()


def test_what_svix_signs_is_believed() -> None:
    body = event("email.delivered")
    provider = ResendEvents(WHSEC)
    provider.verify(signed(body), body, NOW + timedelta(minutes=4, seconds=59))
    both = signed(body)
    both["svix-signature"] = f"v1,bm9ub25l v2,x {both['svix-signature']}"  # while a secret is being renewed there are two
    provider.verify(both, body, NOW)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda h, b: (h, b + b" ", NOW),
        lambda h, b: (h, b, NOW + timedelta(seconds=301)),
        lambda h, b: (h, b, NOW - timedelta(seconds=301)),
        lambda h, b: ({**h, "svix-id": "msg_2"}, b, NOW),
        lambda h, b: ({**h, "svix-timestamp": str(int(NOW.timestamp()) + 1)}, b, NOW),
        lambda h, b: ({**h, "svix-timestamp": "soon"}, b, NOW),
        lambda h, b: ({**h, "svix-timestamp": "²"}, b, NOW),
        lambda h, b: ({**h, "svix-signature": ""}, b, NOW),
        lambda h, b: ({**h, "svix-signature": "v1,é"}, b, NOW),
        lambda h, b: ({**h, "svix-signature": h["svix-signature"].replace("v1,", "v2,")}, b, NOW),
        lambda h, b: ({}, b, NOW),
        lambda h, b: (signed(b, secret="whsec_" + "A" * 32), b, NOW),
    ],
)
def test_what_is_forged_is_not(spoil: Any) -> None:
    body = event("email.bounced")
    headers, body, now = spoil(signed(body), body)
    with pytest.raises(Forged) as caught:
        ResendEvents(WHSEC).verify(headers, body, now)
    assert "reader1" not in str(caught.value)


EVENTS: list[tuple[bytes, EventType, RejectReason | None, bool]] = [
    (event("email.sent"), EventType.SENT, None, False),
    (event("email.delivered"), EventType.DELIVERED, None, False),
    (event("email.delivery_delayed"), EventType.DEFERRED, None, False),
    (
        event("email.bounced", bounce={"type": "Permanent", "subType": "General", "message": "m", "diagnosticCode": ["550 a@b.c"]}),
        EventType.BOUNCED,
        RejectReason.BOUNCED,
        True,
    ),
    (
        event("email.bounced", bounce={"type": "Permanent", "subType": "General", "diagnosticCode": ["smtp; 554 5.7.1 spam"]}),
        EventType.BOUNCED,
        RejectReason.BLOCKED,
        True,
    ),
    (event("email.bounced", bounce={"type": "Transient", "subType": "MailboxFull", "message": "m"}), EventType.DEFERRED, None, True),
    (event("email.bounced", bounce={"type": "Undetermined", "subType": "Undetermined", "message": "m"}), EventType.DEFERRED, None, True),
    (event("email.bounced"), EventType.BOUNCED, RejectReason.BOUNCED, True),
    (event("email.complained"), EventType.COMPLAINED, RejectReason.SPAM, False),
    (event("email.failed", failed={"reason": "reached_daily_quota"}), EventType.FAILED, RejectReason.OTHER, False),
    (
        event("email.suppressed", suppressed={"type": "OnAccountSuppressionList", "reason": "previous_bounce", "message": "m"}),
        EventType.BOUNCED,
        RejectReason.BOUNCED,
        False,
    ),
    (event("email.suppressed", suppressed={"reason": "previous_complaint"}), EventType.COMPLAINED, RejectReason.SPAM, False),
    (event("email.suppressed", suppressed={"type": "Suppressed", "message": "m"}), EventType.REJECTED, RejectReason.BLOCKED, False),
    (event("email.scheduled"), EventType.OTHER, None, False),
    (event("contact.created"), EventType.OTHER, None, False),
]


@pytest.mark.parametrize(("body", "type_", "reason", "final"), EVENTS)
def test_events(body: bytes, type_: EventType, reason: RejectReason | None, final: bool) -> None:
    (found,) = ResendEvents(WHSEC).parse({"svix-id": "msg_1"}, body)
    assert (found.id, found.type, found.reason, found.final) == ("msg_1", type_, reason, final)
    assert found.at == datetime(2026, 11, 25, 5, 59, 58, 126_000, tzinfo=UTC)
    assert (found.batch_key, found.subscriber_id, found.receipt) == ("c12-b3-g0", 7, "56761188")
    assert found.address == "reader1@example.com"
    assert "@" not in found.detail


def test_tags_as_a_list_are_read_too() -> None:
    (found,) = ResendEvents(WHSEC).parse({}, event("email.sent", tags=[{"name": "subscriber", "value": "9"}]))
    assert (found.subscriber_id, found.batch_key) == (9, "")


@pytest.mark.parametrize("kind", ["email.opened", "email.clicked"])
def test_opens_and_clicks_are_dropped(kind: str) -> None:
    assert list(ResendEvents(WHSEC).parse({}, event(kind))) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"[" * 100_000, b'{"type": "email.sent"}', b'{"type":"x","created_at":"soon","data":{}}']
)
def test_nonsense_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="documents"):
        ResendEvents(WHSEC).parse({}, body)


@pytest.mark.skipif(not DOCUMENT.exists(), reason=f"Resend's OpenAPI document is not at {DOCUMENT} (BRIEFING_SHARED)")
def test_every_event_of_resends_document_is_known() -> None:
    """Each kind about an email has a meaning of its own here, and one that was added since then shows as a failure."""
    kinds = [kind for kind in document()["webhooks"] if kind.startswith("email.")]
    other = []
    for kind in kinds:
        found = ResendEvents(WHSEC).parse({}, event(kind))
        other += [kind for one in found if one.type is EventType.OTHER]
    assert other == ["email.scheduled", "email.received"]


# Settings


def test_settings() -> None:
    with pytest.raises(ConfigurationError, match=r"provider\.resend\.api_key"):
        make_provider("resend", {}, lambda: NOW)
    for wrong in ("nonsense", "whsec_", "whsec_ä", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        with pytest.raises(ConfigurationError, match="signing_key"):
            LISTENERS["resend"]({"signing_key": wrong})
    assert LISTENERS["resend"]({}) is None
    assert isinstance(LISTENERS["resend"]({"signing_key": WHSEC}), ResendEvents)
    shown = repr(make_provider("resend", {"api_key": KEY}, lambda: NOW))
    assert KEY not in shown
    assert "api.resend.com" in shown
