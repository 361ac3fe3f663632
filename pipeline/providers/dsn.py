"""A mail from a bounce mailbox -> events (RFC 3464 delivery status notifications; RFC 6533 for addresses beyond ASCII).

Pure: bytes in, events out. A signed return address (``bounces``) says for certain which message it is about. Without one the
Message-ID of the returned message does, and the address that failed; both can be forged, so they come as ``receipt`` and
``address`` only. Who fetches the mails from the mailbox is no concern of this module.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.providers.bounces import Bounces
from pipeline.providers.mailgun_answers import without_addresses
from pipeline.providers.smtp_answers import enhanced_status, reject_reason

LARGEST = 1_000_000
"""Octets of a mail that are read; a report stands at the beginning, what it returns may be long."""

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
_ARRIVED_AT = ("Delivered-To", "X-Original-To", "Envelope-To", "To")
_MESSAGE_ID = re.compile(r"^message-id:\s*<([^<>\s]+@[^<>\s]+)>", re.IGNORECASE | re.MULTILINE)
_EXIM_RETURNED = re.compile(r"^-{4,} (?:This is a copy of|The body of).*$", re.MULTILINE | re.IGNORECASE)
_STATUS = re.compile(r"\d\.\d{1,3}\.\d{1,3}")


def read_dsn(raw: bytes, *, bounces: Bounces | None, now: datetime) -> Sequence[Event]:
    """The events in one mail, in its order; none when it is no report (an answer by a person or a machine, for instance).

    The same bytes give the same event ids, so a mail that is read twice counts once. Nothing in a mail raises.
    """
    mail = email.message_from_bytes(raw[:LARGEST], policy=email.policy.compat32)
    identity = hashlib.sha256(raw).hexdigest()[:32]
    own = _own(mail, bounces)
    receipt = _message_id_of_returned(mail)
    blocks = list(_recipient_blocks(mail)) or list(_exim_blocks(mail))
    return [_event(block, f"dsn-{identity}-{number}", own, receipt, _date(mail.get("Date")), now) for number, block in enumerate(blocks)]


def _event(block: Message, id: str, own: tuple[str, int] | None, receipt: str, sent: datetime | None, now: datetime) -> Event:
    action = _text(block, "Action").lower()
    diagnostic = _text(block, "Diagnostic-Code").partition(";")[2].strip() or _text(block, "Diagnostic-Code")
    status = _status(_text(block, "Status"), diagnostic)
    type_, final, reason = _meaning(action, status, diagnostic)
    at = _date(block.get("Last-Attempt-Date")) or sent or now
    batch_key, subscriber_id = own or ("", None)
    return Event(
        id=id,
        type=type_,
        at=min(at, now),  # a report cannot be about the future, whatever its clock says
        batch_key=batch_key,
        subscriber_id=subscriber_id,
        receipt=receipt,
        address="" if own else _address(_text(block, "Original-Recipient")) or _address(_text(block, "Final-Recipient")),
        reason=reason,
        final=final,
        detail=without_addresses(f"{action or 'no action'}, {status or 'no status'}: {diagnostic}"),
    )


def _meaning(action: str, status: str, diagnostic: str) -> tuple[EventType, bool, RejectReason | None]:
    """RFC 3464 section 2.3.3 and 2.3.4: what a report says, whether it is the last word, and why."""
    match action:
        case "failed" if status.startswith("4."):  # given up after trying: the mailbox may be well again next week
            return EventType.DEFERRED, True, reject_reason(status, diagnostic) or RejectReason.TIMED_OUT
        case "failed":
            return EventType.BOUNCED, False, reject_reason(status, diagnostic) or RejectReason.BOUNCED
        case "delayed":
            return EventType.DEFERRED, False, None
        case "delivered":
            return EventType.DELIVERED, False, None
        case _:  # relayed and expanded: nobody will say more
            return EventType.OTHER, False, None


def _status(said: str, diagnostic: str) -> str:
    """The status; where it is the general x.0.0, the server's own words often have a better one of the same class."""
    found = _STATUS.search(said)
    status, better = found[0] if found else "", enhanced_status(diagnostic)
    return better if better and (not status or (status.endswith(".0.0") and better[0] == status[0])) else status


def _own(mail: Message, bounces: Bounces | None) -> tuple[str, int] | None:
    """What the return address says to which the report came."""
    if bounces is None:
        return None
    values = [str(value) for name in _ARRIVED_AT for value in mail.get_all(name, [])]
    found = (bounces.read(address) for _, address in getaddresses(values))
    return next(filter(None, found), None)


def _recipient_blocks(mail: Message) -> Iterator[Message]:
    """The groups of fields about one recipient each; the first group is about the report."""
    for part in mail.walk():
        if part.get_content_type() in _STATUS_TYPES:
            payload = part.get_payload()
            blocks = [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
            if part.get_content_type() != _STATUS_TYPES[0] or not blocks:
                blocks = _blocks_of_text(blocks[0] if blocks else part)
            yield from (block for block in blocks if "Final-Recipient" in block or "Action" in block)
            return  # a returned message may hold a report of its own


def _blocks_of_text(part: Message) -> list[Message]:
    """The groups of a part that Python's parser does not take apart."""
    head = "\n".join(f"{name}: {value}" for name, value in part.items()) if part.get_content_type() not in _STATUS_TYPES else ""
    body = part.get_payload(decode=True)
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
    return [email.message_from_string(group) for group in [head, *re.split(r"\r?\n[ \t]*\r?\n", text)] if group.strip()]


def _exim_blocks(mail: Message) -> Iterator[Message]:
    """Exim before 4.85 and some others name the failed addresses in a header and say the rest in words."""
    failed = [address for _, address in getaddresses([str(value) for value in mail.get_all("X-Failed-Recipients", [])]) if address]
    words = _EXIM_RETURNED.split(_plain_text(mail))[0]
    for address in failed:
        block = Message()
        about = words.partition(address)[2].partition("\n\n")[0] if address in words else words
        block["Action"], block["Final-Recipient"] = "failed", f"rfc822; {address}"
        block["Diagnostic-Code"] = "smtp; " + " ".join(about.split())[:500]
        yield block


def _message_id_of_returned(mail: Message) -> str:
    """The Message-ID of our message, from what the report returns; never the report's own."""
    for part in mail.walk():
        if part.get_content_type() in _RETURNED_TYPES:
            payload = part.get_payload()
            inner = payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Message) else None
            value = str(inner.get("Message-ID", "")) if inner is not None else ""
            body = part.get_payload(decode=True) if inner is None else b""
            text = body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
            found = _MESSAGE_ID.search(f"Message-ID: {value.strip()}" if value else text)
            return found[1] if found else ""
    returned = _EXIM_RETURNED.split(_plain_text(mail), maxsplit=1)
    found = _MESSAGE_ID.search(returned[1]) if len(returned) == 2 else None
    return found[1] if found else ""


def _plain_text(mail: Message) -> str:
    part = next((part for part in mail.walk() if part.get_content_type() == "text/plain"), None)
    body = part.get_payload(decode=True) if part is not None else b""
    return body.decode("utf-8", "replace").replace("\r\n", "\n") if isinstance(body, bytes) else ""


def _text(block: Message, name: str) -> str:
    return " ".join(str(block.get(name, "")).split())


def _address(field: str) -> str:
    """``rfc822; reader@example.org`` -> the address (RFC 3464 section 2.3.1)."""
    kind, _, value = field.partition(";")
    value = value.strip().strip("<>")
    return value if kind.strip().lower() in ("rfc822", "utf-8") and "@" in value else ""


def _date(value: object) -> datetime | None:
    try:
        found = parsedate_to_datetime(str(value)) if value else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if found is None else found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
