"""The same batch sent by others: the official SDKs and django-anymail say to a server what our adapters say.

What they send stands beside what we send, to one server, and is read by the same code. Where they differ, the difference is
named here with its reason.
"""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import boto3
import pytest
import resend as resend_sdk
from botocore.config import Config

from pipeline.core.event import EventType
from pipeline.core.headers import list_headers
from pipeline.core.message import Accepted, Batch, InlinePicture, Unknown
from pipeline.providers.mailgun import Mailgun
from pipeline.providers.resend import Resend, messages
from pipeline.providers.resend_events import ResendEvents
from pipeline.providers.ses import Ses, bulk_email
from tests.providers import test_resend, test_ses
from tests.providers.capture import Request, ResendServer, SesServer, capturing, message, rendered
from tests.providers.test_resend import batch

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
REGION = "eu-central-1"
IDS = ("AKIDEXAMPLE", "s3cret", REGION)
# SES takes a name in encoded words only, Resend in Unicode; both mean this.
SENDER = "Редакция"


@pytest.fixture(scope="module", autouse=True)
def _django() -> None:
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_TZ=True, DEFAULT_CHARSET="utf-8", EMAIL_USE_LOCALTIME=False, ANYMAIL={})


@pytest.fixture(scope="module")
def amazon() -> test_ses.Amazon:
    return test_ses.Amazon()


@pytest.fixture
def given() -> Batch:
    return batch(3)


def meaning(mails: Sequence[EmailMessage]) -> list[dict[str, object]]:
    """What readers would see and their programs act upon; the last is the order of the batch."""
    out = []
    for mail in mails:
        read = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
        html, text = read.get_body(("html",)), read.get_body(("plain",))
        assert html is not None and text is not None
        names = ("To", "Subject", "Reply-To", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Language", "Archived-At")
        sender = read["From"].addresses[0]
        out.append(
            {name: str(read[name]) for name in names}
            | {"From": (sender.display_name, sender.addr_spec), "html": html.get_content(), "text": text.get_content()}
        )
    return out


def anymail(backend: str, given: Batch, **more: Any) -> Any:
    """A message of django-anymail's with the content and the headers of the batch, one for each recipient."""
    from anymail.message import AnymailMessage
    from django.core.mail import get_connection

    content = given.content
    constant = list_headers(content, given.recipients[0].unsubscribe_url)
    for name in ("Reply-To", "List-Unsubscribe"):
        constant.pop(name)
    mail = AnymailMessage(
        subject=content.subject,
        body=content.text,
        from_email=f"{content.from_name} <{content.from_address}>",
        to=[one.address for one in given.recipients],
        reply_to=[content.reply_to],
        headers=constant,
    )
    mail.attach_alternative(content.html, "text/html")
    mail.merge_data = {one.address: {} for one in given.recipients}
    mail.merge_headers = {one.address: {"List-Unsubscribe": f"<{one.unsubscribe_url}>"} for one in given.recipients}
    mail.connection = get_connection(f"anymail.backends.{backend}.EmailBackend", **more)
    return mail


# Resend


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(resend_sdk, "api_key", "re_s3cret")
    return resend_sdk


def test_resends_own_sdk_sends_the_same_call(given: Batch, sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ResendServer("re_s3cret")
    with capturing(server) as capture:
        provider = Resend(api_key="re_s3cret", base_url=capture.url, now=lambda: NOW)
        ours = provider.send(given)
        provider.close()
        monkeypatch.setattr(sdk, "api_url", capture.url)
        # Another key, since the SDK writes the same JSON with other blanks: to Resend that is another payload.
        options = {"idempotency_key": "c12-b3-g1", "batch_validation": "permissive"}
        theirs = sdk.Batch.send(json.loads(messages(given)), options)
    mine, other = capture.requests
    assert (mine.path, mine.json()) == (other.path, other.json())
    for name in ("authorization", "x-batch-validation", "content-type"):
        assert mine.headers[name] == other.headers[name]
    assert (mine.headers["idempotency-key"], other.headers["idempotency-key"]) == ("c12-b3-g0", "c12-b3-g1")
    assert meaning(server.mails[:3]) == meaning(server.mails[3:])
    assert len(ours) == len(theirs["data"]) == 3


def test_our_key_with_other_bytes_is_a_doubt(given: Batch, sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody was mailed under the key before; whether with this content we cannot tell."""
    with capturing(ResendServer("re_s3cret")) as capture:
        monkeypatch.setattr(sdk, "api_url", capture.url)
        sdk.Batch.send(json.loads(messages(given)), {"idempotency_key": given.key})
        provider = Resend(api_key="re_s3cret", base_url=capture.url, now=lambda: NOW)
        assert all(isinstance(one, Unknown) for one in provider.send(given))
        provider.close()


def test_anymail_sends_the_same_mails_through_resend(given: Batch) -> None:
    server = ResendServer("re_s3cret")
    with capturing(server) as capture:
        provider = Resend(api_key="re_s3cret", base_url=capture.url, now=lambda: NOW)
        provider.send(given)
        provider.close()
        mail = anymail("resend", given, api_key="re_s3cret", api_url=f"{capture.url}/")
        assert mail.send() == 1
    assert meaning(server.mails[:3]) == meaning(server.mails[3:])
    assert meaning(server.mails[:1])[0]["From"] == (SENDER, given.content.from_address)
    mine, other = (request.json()[0] for request in capture.requests)
    # anymail has no tags of Resend's own and no key; it gives Reply-To as a list.
    assert set(mine) - set(other) == {"tags"}
    assert "idempotency-key" not in capture.requests[1].headers


# Amazon SES


def test_boto3_sends_the_same_call(given: Batch) -> None:
    server = SesServer(*IDS)
    with capturing(server) as capture:
        provider = Ses(access_key_id=IDS[0], secret_access_key=IDS[1], region=REGION, base_url=capture.url, now=lambda: NOW)
        ours = provider.send(given)
        provider.close()
        client = boto3.client(
            "sesv2", endpoint_url=capture.url, region_name=REGION, aws_access_key_id=IDS[0], aws_secret_access_key=IDS[1],
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        theirs = client.send_bulk_email(**bulk_email(given, ""))
        client.close()
    mine, other = capture.requests
    assert (mine.path, mine.json()) == (other.path, other.json())
    assert mine.headers["content-type"] == other.headers["content-type"]
    assert meaning(server.mails[:3]) == meaning(server.mails[3:])
    assert server.tags[:3] == server.tags[3:] == [{"batch": given.key, "subscriber": str(number)} for number in (1, 2, 3)]
    assert all(isinstance(one, Accepted) for one in ours)
    # botocore reads the answer by its model: the statuses and ids that we read are the model's.
    assert [one["Status"] for one in theirs["BulkEmailEntryResults"]] == ["SUCCESS"] * 3


def test_boto3_puts_pictures_into_the_same_call(given: Batch) -> None:
    picture = InlinePicture(
        content_id="ferry-0123.jpg@cie.example.org", name="ferry-0123.jpg", media_type="image/jpeg", data=bytes(range(256))
    )
    given = replace(given, content=replace(given.content, inline=(picture,)))
    with capturing(SesServer(*IDS)) as capture:
        provider = Ses(access_key_id=IDS[0], secret_access_key=IDS[1], region=REGION, base_url=capture.url, now=lambda: NOW)
        provider.send(given)
        provider.close()
        client = boto3.client(
            "sesv2", endpoint_url=capture.url, region_name=REGION, aws_access_key_id=IDS[0], aws_secret_access_key=IDS[1],
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        request: Any = bulk_email(given, "")
        for one in request["DefaultContent"]["Template"]["Attachments"]:
            one["RawContent"] = picture.data  # botocore encodes it by the model
        client.send_bulk_email(**request)
        client.close()
    mine, other = capture.requests
    assert mine.json() == other.json()


def test_anymail_sends_the_same_mails_through_ses(given: Batch) -> None:
    """anymail can send a batch only with a template that is stored at SES, so the server has one."""
    content = given.content
    server = SesServer(*IDS, templates={"stored": {"Subject": content.subject, "Html": content.html, "Text": content.text}})
    with capturing(server) as capture:
        provider = Ses(access_key_id=IDS[0], secret_access_key=IDS[1], region=REGION, base_url=capture.url, now=lambda: NOW)
        provider.send(given)
        provider.close()
        parameters = {
            "endpoint_url": capture.url, "region_name": REGION, "aws_access_key_id": IDS[0], "aws_secret_access_key": IDS[1],
        }  # fmt: skip
        mail = anymail("amazon_ses", given, client_params=parameters)
        mail.template_id, mail.subject, mail.body, mail.alternatives = "stored", "", "", []
        assert mail.send() == 1
    assert meaning(server.mails[:3]) == meaning(server.mails[3:])
    assert meaning(server.mails[:1])[0]["From"] == (SENDER, content.from_address)
    assert server.tags[3:] == [{}] * 3  # it has no tags for each recipient


# Mailgun


class MailgunServer:
    """POST /v3/{domain}/messages: a form, repeated ``to``, and recipient variables put in place."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.options: list[dict[str, str]] = []

    def __call__(self, request: Request) -> tuple[int, Any]:
        """Answers one request."""
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        if "multipart" in request.headers["content-type"]:
            parts = email.message_from_bytes(head + request.body, policy=email.policy.HTTP).iter_parts()
            fields = [(str(p.get_param("name", header="content-disposition")), p.get_payload(decode=True).decode()) for p in parts]  # type: ignore[union-attr]
        else:
            from urllib.parse import parse_qsl

            fields = parse_qsl(request.body.decode(), keep_blank_values=True)
        one = dict(fields)
        variables = json.loads(one["recipient-variables"])
        for to in (value for name, value in fields if name == "to"):
            own = {f"%recipient.{name}%": value for name, value in variables[to].items()}

            def put(text: str, own: dict[str, str] = own) -> str:
                for name, value in own.items():
                    text = text.replace(name, value)
                return text

            headers = {name[2:]: put(value) for name, value in one.items() if name.startswith("h:")}
            reply_to = headers.pop("Reply-To", None)
            headers.pop("Message-Id", None)
            self.mails.append(
                message(
                    "id@x",
                    sender=one["from"],
                    to=to,
                    reply_to=reply_to,
                    subject=one["subject"],
                    html=one["html"],
                    text=one["text"],
                    headers=headers,
                )
            )
            self.options.append({name: put(value) for name, value in one.items() if name[:2] in ("v:", "o:")})
        return 200, {"id": "<id@x>", "message": "Queued. Thank you."}


def test_anymail_sends_the_same_mails_through_mailgun(given: Batch) -> None:
    server = MailgunServer()
    with capturing(server) as capture:
        provider = Mailgun(api_key="key-s3cret", domain="news.example.org", base_url=capture.url, now=lambda: NOW)
        provider.send(given)
        provider.close()
        mail = anymail("mailgun", given, api_key="key-s3cret", sender_domain="news.example.org", api_url=f"{capture.url}/v3")
        mail.merge_metadata = {one.address: {"subscriber": str(one.subscriber_id)} for one in given.recipients}
        mail.metadata = {"batch": given.key, "campaign": given.campaign}
        mail.track_opens = mail.track_clicks = False
        mail.tags = [given.campaign]
        assert mail.send() == 1
    mine, other = capture.requests
    assert mine.path == other.path
    assert mine.headers["authorization"] == other.headers["authorization"]
    assert meaning(server.mails[:3]) == meaning(server.mails[3:])
    for ours, theirs in zip(server.options[:3], server.options[3:], strict=True):
        assert ours.pop("o:tracking") == "no"  # anymail has no word for all tracking together
        assert ours == theirs


def test_the_reader_of_templates_reads() -> None:
    assert rendered("a {{b}} {{ c }}", {"b": "1", "c": "2"}) == "a 1 2"
    with pytest.raises(KeyError):
        rendered("{{x}}", {})


# News: what anymail's webhook views make of the calls that ours are tested with


def by_anymail(view: Any, body: bytes, headers: dict[str, str]) -> tuple[str, str | None, str | None, str | None]:
    """Type, receipt, recipient and id; anymail's view verifies what it can before."""
    from django.test import RequestFactory

    request = RequestFactory().post("/", data=body, content_type="application/json", headers=headers)
    view.validate_request(request)
    (event,) = view.parse_events(request)
    return event.event_type, event.message_id, event.recipient, event.event_id


# Ours beside theirs, where the words differ. A soft bounce is "bounced" there, and here a deferral that is the last word; what the
# provider did not try because of an older bounce or complaint of the account counts as that here.
DIFFERENT = {
    ("email.bounced", EventType.DEFERRED): "bounced",
    ("email.failed", EventType.FAILED): "unknown",
    ("email.suppressed", EventType.BOUNCED): "unknown",
    ("email.suppressed", EventType.COMPLAINED): "unknown",
    ("email.suppressed", EventType.REJECTED): "unknown",
    ("Bounce", EventType.DEFERRED): "bounced",
    ("DeliveryDelay", EventType.DEFERRED): "unknown",
    ("Complaint", EventType.OTHER): "complained",
}


@pytest.mark.parametrize("body", [one[0] for one in test_resend.EVENTS])
def test_anymail_reads_resends_news_as_we_do(body: bytes) -> None:
    from anymail.webhooks.resend import ResendTrackingWebhookView

    headers = test_resend.signed(body, at=datetime.now(UTC))  # anymail asks the system what time it is
    (ours,) = ResendEvents(test_resend.WHSEC).parse(headers, body)
    view = ResendTrackingWebhookView(signing_secret=test_resend.WHSEC)
    theirs = by_anymail(view, body, headers)
    assert theirs[1:] == (ours.receipt, ours.address, ours.id)
    wanted = DIFFERENT.get((json.loads(body)["type"], ours.type), "unknown" if ours.type is EventType.OTHER else ours.type.value)
    assert theirs[0] == wanted


@pytest.mark.parametrize("record", [one[0] for one in test_ses.EVENTS if one[0]["eventType"] != "Something New"])
def test_anymail_reads_the_news_of_ses_as_we_do(amazon: test_ses.Amazon, record: dict[str, Any]) -> None:
    from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView

    kind = record["eventType"]
    said: dict[str, Any] = next(value for name, value in record.items() if name not in ("eventType", "mail"))
    # anymail wants what is optional to us.
    whole = {"bounceSubType": "General", "bouncedRecipients": [{"emailAddress": "reader1@example.com"}]} if kind == "Bounce" else {}
    whole |= {"complainedRecipients": [{"emailAddress": "reader1@example.com"}]} if kind == "Complaint" else {}
    whole |= {"recipients": ["reader1@example.com"]} if kind == "Delivery" else {}
    name = next(name for name in record if name not in ("eventType", "mail"))
    message = amazon.message(json.dumps({**record, name: {**whole, **said}}))
    body = json.dumps(message).encode()
    listener = test_ses.listening(amazon)
    listener.verify({}, body, test_ses.NOW)
    (ours,) = listener.parse({}, body)
    headers = {"x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": message["MessageId"]}
    theirs = by_anymail(AmazonSESTrackingWebhookView(webhook_secret="name:word"), body, headers)
    assert theirs[1:] == (ours.receipt, ours.address, ours.id)
    assert theirs[0] == DIFFERENT.get((kind, ours.type), "unknown" if ours.type is EventType.OTHER else ours.type.value)
