"""News from Amazon SES: event publishing of a configuration set, carried by SNS, which signs each message with RSA.

"Verifying the signatures of Amazon SNS messages" (SNS guide), "Contents of event data" (SES guide). The certificates come
from Amazon over the network, which configuration asks for by naming a topic.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.errors import ConfigurationError, ProviderFault
from pipeline.providers.base import Forged
from pipeline.providers.mailgun_answers import without_addresses

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LATE = timedelta(hours=2)
"""SNS tries to deliver for an hour at most; what is older is a replay."""
EARLY = timedelta(minutes=5)

Fetch = Callable[[str], bytes]
"""Reads an ``https`` address of Amazon's. Raises ProviderFault."""

_ARN = re.compile(r"arn:aws(?:-[a-z]+)*:sns:([a-z]{2,3}(?:-[a-z]+)+-\d{1,2}):\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?")
_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_CERTIFICATES = 8
_ANSWER_LIMIT = 64 * 1024
_DROPPED = ("Open", "Click")


def fetch_https(url: str) -> bytes:
    """GET, 10 s, no redirects, 64 KiB at most."""
    try:
        with httpx.stream("GET", url, timeout=10.0, follow_redirects=False) as response:
            body = b""
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _ANSWER_LIMIT:
                    break
    except httpx.HTTPError as error:
        raise ProviderFault(f"Amazon SNS cannot be reached ({type(error).__name__})") from None
    if response.status_code != 200 or len(body) > _ANSWER_LIMIT:
        raise ProviderFault(f"Amazon SNS answered {response.status_code} where it should have shown a certificate or a confirmation")
    return body


class Topic:
    """The one SNS topic that is listened to. Safe from several threads."""

    def __init__(self, arn: str, fetch: Fetch) -> None:
        """ConfigurationError when that is no topic."""
        found = _ARN.fullmatch(arn)
        if found is None:
            raise ConfigurationError(
                "provider.ses.topic_arn is not of the form arn:aws:sns:region:account:name", hint="Copy it from the topic's page at SNS."
            )
        self.arn = arn
        # One partition, one region: a certificate or a confirmation from anywhere else is not this topic's.
        self.host = f"sns.{found[1]}.amazonaws.com{'.cn' if arn.startswith('arn:aws-cn:') else ''}"
        self._fetch = fetch
        self._certificates: dict[str, Certificate] = {}

    def __repr__(self) -> str:
        return f"Topic(host={self.host!r})"

    def certificate(self, url: str) -> Certificate:
        """The certificate at an address of this topic's region. Raises Forged, ProviderFault."""
        from cryptography import x509

        if not re.fullmatch(rf"https://{re.escape(self.host)}/SimpleNotificationService-[A-Za-z0-9]+\.pem", url):
            raise Forged("the certificate's address is not one of Amazon SNS in the topic's region")
        if url not in self._certificates:
            pem = self._fetch(url)
            try:
                certificate = x509.load_pem_x509_certificate(pem)
            except ValueError:
                raise ProviderFault("Amazon SNS showed something that is not a certificate") from None
            if len(self._certificates) >= _CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = certificate
        return self._certificates[url]

    def confirm(self, url: str) -> None:
        """Says yes to the subscription. ValueError when the address is not this topic's; ProviderFault when it fails."""
        if not re.fullmatch(rf"https://{re.escape(self.host)}/\?[!-~]+", url):
            raise ValueError("the confirmation's address is not one of Amazon SNS in the topic's region")
        self._fetch(url)


class SesEvents:
    """What Amazon SNS sends to ``POST /hooks/ses`` for one topic (``providers.base.Listening``)."""

    def __init__(self, topic_arn: str, fetch: Fetch = fetch_https) -> None:
        """``fetch`` reads certificates and confirms the subscription. Raises ConfigurationError."""
        self._topic = Topic(topic_arn, fetch)

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Topic, age and signature of an SNS message. Raises Forged; ProviderFault when the certificate cannot be had."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        try:
            message = json.loads(body)
            fields = {str(name): value for name, value in message.items() if isinstance(value, str)}
            signature = base64.b64decode(fields["Signature"], validate=True)
            # Version 1 is what a topic has unless it is told otherwise.
            digest = {"1": SHA1, "2": SHA256}[fields["SignatureVersion"]]()
            signed = "".join(
                f"{name}\n{fields[name]}\n" for name in _FIELDS[fields["Type"]] if name in fields or name != "Subject"
            ).encode()
            topic_arn, at = fields["TopicArn"], _instant(fields["Timestamp"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise Forged("not a message as Amazon SNS documents it") from None
        if topic_arn != self._topic.arn:
            raise Forged("the message is of another topic than provider.ses.topic_arn")
        if not now - LATE <= at <= now + EARLY:
            raise Forged("it was signed too long ago, or the clocks differ")
        certificate = self._topic.certificate(fields.get("SigningCertURL", ""))
        key = certificate.public_key()
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc or not isinstance(key, RSAPublicKey):
            raise Forged("the certificate is not valid now")
        try:
            key.verify(signature, signed, PKCS1v15(), digest)
        except InvalidSignature:
            raise Forged("the signature does not fit") from None

    def sample(self, now: datetime, *, forged: bool = False) -> tuple[Mapping[str, str], bytes] | None:
        """Only Amazon can sign; a forged one names a certificate of nobody's, so that none is asked for."""
        if not forged:
            return None
        at = f"{now:%Y-%m-%dT%H:%M:%S}.000Z"
        call = {"Type": "Notification", "MessageId": "0", "TopicArn": self._topic.arn, "Message": "{}", "Timestamp": at}
        call |= {"SignatureVersion": "2", "Signature": "AAAA", "SigningCertURL": "https://sns.invalid/x.pem"}
        return {"content-type": "text/plain; charset=UTF-8"}, json.dumps(call).encode()

    def parse(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        """The event of a message; none for an open or a click. Confirms the subscription of our topic when asked to.

        Besides what the protocol says, raises ProviderFault when confirming fails.
        """
        try:
            message = json.loads(body)
            kind = str(message["Type"])
            if kind == "Notification":
                return _event(str(message["MessageId"]), str(message["Timestamp"]), str(message["Message"]))
            url, arn = str(message["SubscribeURL"]), str(message["TopicArn"])
        except (LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError("not a message as Amazon SNS documents it") from None
        # An UnsubscribeConfirmation carries an address, too: following it would subscribe again against somebody's will.
        if kind == "SubscriptionConfirmation" and arn == self._topic.arn:
            self._topic.confirm(url)
        return ()


def _event(id: str, stamp: str, text: str) -> Sequence[Event]:
    """The one event of a notification: a message of ours has one recipient."""
    if text.startswith("Successfully validated SNS topic"):
        return ()
    document = json.loads(text)
    kind = str(document.get("eventType") or document["notificationType"])
    if kind in _DROPPED:
        return ()
    mail = document.get("mail") or {}
    # "Rendering Failure" keeps its words under "failure", every other kind under its own name.
    said = document.get("failure" if kind == "Rendering Failure" else kind[:1].lower() + kind[1:]) or {}
    type_, reason, final, detail = _meaning(kind, said)
    tags = mail.get("tags") or {}
    subscriber = _first(tags.get("subscriber"))
    event = Event(
        id=id,
        type=type_,
        at=_instant(str(said.get("timestamp") or stamp)),
        batch_key=_first(tags.get("batch")),
        subscriber_id=int(subscriber) if subscriber.isascii() and subscriber.isdecimal() and len(subscriber) < 19 else None,
        receipt=str(mail.get("messageId", "")),
        address=_address(said, mail),
        reason=reason,
        final=final,
        detail=without_addresses(detail) if detail else "",
    )
    return (event,)


def _meaning(kind: str, said: Mapping[str, Any]) -> tuple[EventType, RejectReason | None, bool, str]:
    """What a kind means: the type, the reason, whether a deferral is the last word, and the words for people."""
    match kind:
        case "Bounce":
            detail = ": ".join([str(said.get("bounceType", "")), str(said.get("bounceSubType", "")), *_codes(said, "bouncedRecipients")])
            # "Transient" and "Undetermined" are soft: SES has given up on this message, the address may be well.
            if said.get("bounceType") != "Permanent":
                return EventType.DEFERRED, None, True, detail
            # RFC 3463: 5.7 is a matter of policy. It is our mail that is not wanted there; the mailbox may be well.
            policy = any(str(one.get("status", "")).startswith("5.7.") for one in said.get("bouncedRecipients") or ())
            return EventType.BOUNCED, RejectReason.BLOCKED if policy else RejectReason.BOUNCED, True, detail
        case "Complaint":
            if said.get("complaintFeedbackType") == "not-spam":  # a mail program's user took it out of the spam folder
                return EventType.OTHER, None, False, "not-spam"
            # "OnAccountSuppressionList": SES did not try, because of an older complaint. It happened to this account.
            return (
                EventType.COMPLAINED,
                RejectReason.SPAM,
                False,
                str(said.get("complaintSubType") or said.get("complaintFeedbackType") or ""),
            )
        case "Reject":
            return EventType.REJECTED, RejectReason.BLOCKED, False, str(said.get("reason", ""))
        case "Rendering Failure":
            return EventType.FAILED, RejectReason.OTHER, False, str(said.get("errorMessage", ""))
        case "DeliveryDelay":
            return EventType.DEFERRED, None, False, ": ".join([str(said.get("delayType", "")), *_codes(said, "delayedRecipients")])
        case "Delivery":
            return EventType.DELIVERED, None, False, str(said.get("smtpResponse", ""))
        case "Send":
            return EventType.SENT, None, False, ""
        case _:
            return EventType.OTHER, None, False, kind


def _codes(said: Mapping[str, Any], name: str) -> list[str]:
    return [str(one["diagnosticCode"]) for one in said.get(name) or () if one.get("diagnosticCode")]


def _address(said: Mapping[str, Any], mail: Mapping[str, Any]) -> str:
    """The recipient that the event names, else the message's."""
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        if said.get(name):
            return str(said[name][0].get("emailAddress", ""))
    return _first(said.get("recipients")) or _first(mail.get("destination"))


def _first(values: object) -> str:
    return str(values[0]) if isinstance(values, list) and values else ""


def _instant(text: str) -> datetime:
    """ISO 8601 with a zone, in UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("the time names no zone")
    return at.astimezone(UTC)
