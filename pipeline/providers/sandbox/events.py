"""What becomes of the sandbox's mail, in Mailgun's words. It follows from the address, so nothing of it need be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pipeline.providers.sandbox.store import Mail

_FULL = {"code": 452, "enhanced-code": "4.2.2", "message": "452 4.2.2 The mailbox is full", "attempt-no": 1}
_UNKNOWN = {"code": 550, "enhanced-code": "5.1.1", "message": "550 5.1.1 No such mailbox", "bounce-type": "hard", "attempt-no": 1}
_TAKEN: tuple[str, Mapping[str, Any]] = ("delivered", {"delivery-status": {"code": 250, "message": "OK", "attempt-no": 1}})

FATES: dict[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "bounce": (("failed", {"severity": "permanent", "reason": "bounce", "delivery-status": _UNKNOWN}),),
    "soft": (
        ("failed", {"severity": "temporary", "reason": "generic", "delivery-status": _FULL}),
        ("failed", {"severity": "permanent", "reason": "old", "delivery-status": _FULL}),
    ),
    "complain": (_TAKEN, ("complained", {})),
    "unsubscribe": (_TAKEN, ("unsubscribed", {})),
}
"""By what stands before the plus sign in the local part (``bounce+anna@example.org``). Everybody else's mail is delivered."""


LISTS = {"bounces": "bounce", "complaints": "complain", "unsubscribes": "unsubscribe"}
"""Which fate puts an address on which of Mailgun's lists."""

EVENTS_A_MAIL = 1 + max(map(len, FATES.values()))


def events_of(mail: Mail) -> list[dict[str, Any]]:
    """The events of one mail, in the order in which they happen, a millisecond apart."""
    begun, plus, _ = mail.address.partition("+")
    fates = FATES.get(begun.lower(), (_TAKEN,)) if plus else (_TAKEN,)
    return [_event(mail, number, kind, more) for number, (kind, more) in enumerate((("accepted", {"method": "HTTP"}), *fates))]


def _event(mail: Mail, number: int, kind: str, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event": kind,
        # Not the mail's number: those begin anew when the inbox is emptied.
        "id": hashlib.sha256(f"{mail.message_id}\0{mail.address}\0{number}".encode()).hexdigest()[:22],
        "timestamp": mail.received_at.timestamp() + number / 1000,
        "log-level": {"failed": "error", "complained": "warn"}.get(kind, "info"),
        "recipient": mail.address,
        "recipient-domain": mail.address.rpartition("@")[2],
        "tags": list(mail.tags),
        "user-variables": dict(mail.variables),
        "flags": {"is-authenticated": True, "is-test-mode": False},
        "message": {
            "headers": {"to": mail.to, "message-id": mail.message_id, "from": mail.sender, "subject": mail.subject},
            "attachments": [],
        },
        **more,
    }


def happened(event: Mapping[str, Any], kinds: frozenset[str], begin: float, end: float) -> bool:
    """Whether an event is of one of these kinds (none: of any) and of that time, in seconds since 1970."""
    return (not kinds or event["event"] in kinds) and begin <= event["timestamp"] <= end
