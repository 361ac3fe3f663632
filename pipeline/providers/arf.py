"""A complaint by mail -> an event (RFC 5965, the Abuse Reporting Format). Pure: bytes in, events out.

Anybody can write such a mail, so only our signed return address (``bounces``), which it repeats, says whose complaint it is.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime

from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.providers.bounces import Bounces

LARGEST = 1_000_000
_REPORT = "message/feedback-report"
_RETURNED = ("message/rfc822", "text/rfc822-headers")
_MEANING = {
    # Section 7.3 of RFC 5965, RFC 6430 and 6591.
    "abuse": EventType.COMPLAINED,
    "fraud": EventType.COMPLAINED,
    "virus": EventType.COMPLAINED,
    "opt-out": EventType.UNSUBSCRIBED,
    "opt-out-list": EventType.UNSUBSCRIBED,
}


def read_complaint(raw: bytes, *, bounces: Bounces | None, now: datetime) -> Sequence[Event]:
    """The event in one mail; none when it is no such report. The same bytes give the same event. Nothing in a mail raises."""
    mail = email.message_from_bytes(raw[:LARGEST], policy=email.policy.compat32)
    report = next((part for part in mail.walk() if part.get_content_type() == _REPORT), None)
    if report is None:
        return ()
    fields = _inner(report)
    kind = str(fields.get("Feedback-Type", "")).strip().lower()
    own = _own(mail, fields, bounces)
    type_ = _MEANING.get(kind, EventType.OTHER)
    at = _date(fields.get("Arrival-Date")) or _date(fields.get("Received-Date")) or _date(mail.get("Date")) or now
    return [
        Event(
            id=f"arf-{hashlib.sha256(raw).hexdigest()[:32]}",
            type=type_,
            at=min(at, now),
            batch_key=own[0] if own else "",
            subscriber_id=own[1] if own else None,
            reason=RejectReason.SPAM if type_ is EventType.COMPLAINED else None,
            detail=f"feedback of type {kind}" if kind.isascii() and kind.replace("-", "").isalpha() else "feedback of an unknown type",
        )
    ]


def _inner(part: Message) -> Message:
    """The fields of a part: the parser reads what is in a message part as a message; a strange encoding leaves it text."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        inner = payload[0]
        if inner.keys():
            return inner
        part = inner
    body = part.get_payload(decode=True)
    return email.message_from_string(body.decode("utf-8", "replace").lstrip() if isinstance(body, bytes) else "")


def _own(mail: Message, fields: Message, bounces: Bounces | None) -> tuple[str, int] | None:
    """What our return address says, which a report repeats as ``Original-Mail-From`` or in the message that it returns."""
    if bounces is None:
        return None
    values = [str(value) for value in fields.get_all("Original-Mail-From", [])]
    for part in mail.walk():
        if part.get_content_type() in _RETURNED:
            values += [str(value) for value in _inner(part).get_all("Return-Path", [])]
    found = (bounces.read(parseaddr(value)[1]) for value in values)
    return next(filter(None, found), None)


def _date(value: object) -> datetime | None:
    try:
        found = parsedate_to_datetime(str(value)) if value else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if found is None else found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
