"""Mailgun's events, from webhooks and from its events interface: are they Mailgun's, and what do they say in our words.

Mailgun signs a time and a token (HMAC-SHA-256, RFC 2104), not the body ("Securing Webhooks" in its documentation). Whoever catches one
signed call could send other news under its signature, so the token travels along as ``Event.nonce`` and is good for one event.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.core.address import without_addresses
from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.providers.base import NONCE_VALID, Forged

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead of ours Mailgun's clock may be."""

POLLED = ("delivered", "failed", "rejected", "complained", "unsubscribed")
"""The events that are asked for. Not ``accepted``, which tells nothing new, nor opens and clicks, which we do not want to know."""

_DROPPED = frozenset({"opened", "clicked"})
_PLAIN = {
    "accepted": EventType.SENT,
    "delivered": EventType.DELIVERED,
    "rejected": EventType.REJECTED,
    "complained": EventType.COMPLAINED,
    "unsubscribed": EventType.UNSUBSCRIBED,
}
#: Mailgun did not try, because the address is on its own list: what once happened, happened to us as well.
_THEIR_LISTS = {
    "suppress-bounce": (EventType.BOUNCED, RejectReason.BOUNCED),
    "suppress-complaint": (EventType.COMPLAINED, RejectReason.SPAM),
    "suppress-unsubscribe": (EventType.UNSUBSCRIBED, RejectReason.UNSUBSCRIBED),
}


class MailgunEvents:
    """What Mailgun sends to ``POST /hooks/mailgun`` (``providers.base.Listening``)."""

    def __init__(self, signing_key: str) -> None:
        self._key = signing_key.encode()

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """The signature stands in the body. Calls are repeated for eight hours, perhaps under their first signature: so long it holds."""
        try:
            signed = json.loads(body)["signature"]
            timestamp, token, given = str(signed["timestamp"]), str(signed["token"]), str(signed["signature"])
            at = datetime.fromtimestamp(int(timestamp), UTC)
        except (ValueError, LookupError, TypeError, OverflowError, OSError, RecursionError):
            raise Forged("there is no signature in it") from None
        wanted = hmac.new(self._key, (timestamp + token).encode(), hashlib.sha256).hexdigest()
        if not (token and hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))):
            raise Forged("the signature is not right")
        if not -NONCE_VALID <= at - now <= CLOCKS_DIFFER:
            raise Forged("it was signed too long ago, or the clocks differ")

    def parse(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        """The one event of a call; none for an open or a click."""
        try:
            call = json.loads(body)
            data, token = call["event-data"], str(call["signature"]["token"])
        except (ValueError, LookupError, TypeError, RecursionError):
            raise ValueError("there is no event-data in it") from None
        found = read_event(data, nonce=token[:200])
        return () if found is None else (found,)

    def sample(self, now: datetime, *, forged: bool = False) -> tuple[Mapping[str, str], bytes] | None:
        """An ``opened`` event, which is dropped, under a signature of now."""
        key = secrets.token_bytes(32) if forged else self._key
        timestamp, token = str(int(now.timestamp())), secrets.token_hex(25)
        signature = hmac.new(key, (timestamp + token).encode(), hashlib.sha256).hexdigest()
        signed = {"timestamp": timestamp, "token": token, "signature": signature}
        call = {"signature": signed, "event-data": {"event": "opened", "id": token[:22], "timestamp": now.timestamp()}}
        return {"content-type": "application/json"}, json.dumps(call).encode()


def read_event(data: object, *, nonce: str = "") -> Event | None:
    """One event as both of Mailgun's doors give it; None for what we do not keep. ValueError when it is no such event."""
    if not isinstance(data, dict):
        raise ValueError("an event is not an object")
    kind, at = str(data.get("event", "")), _instant(data.get("timestamp"))
    if kind in _DROPPED:
        return None
    if not data.get("id"):
        raise ValueError("an event has no id")
    type, reason, final = _meaning(kind, data)
    variables, subscriber = _table(data, "user-variables"), ""
    if variables.get("subscriber") is not None:
        subscriber = str(variables["subscriber"])
    message_id = str(_table(_table(data, "message"), "headers").get("message-id", ""))
    return Event(
        # Mailgun promises that an id is not used twice within a day.
        id=f"{at:%Y-%m-%d}.{data['id']}",
        type=type,
        at=at,
        # Both are ours: the key is the left part of the Message-ID, too.
        batch_key=str(variables.get("batch") or message_id.partition("@")[0]),
        subscriber_id=int(subscriber) if subscriber.isascii() and subscriber.isdecimal() and len(subscriber) < 19 else None,
        receipt=message_id,
        address=str(data.get("recipient") or ""),
        reason=reason,
        final=final,
        detail=_detail(data),
        nonce=nonce,
    )


def _meaning(kind: str, data: Mapping[str, Any]) -> tuple[EventType, RejectReason | None, bool]:
    if kind != "failed":
        rejected = RejectReason.OTHER if kind == "rejected" else RejectReason.SPAM if kind == "complained" else None
        return _PLAIN.get(kind, EventType.OTHER), rejected, False
    why, status = str(data.get("reason", "")), _table(data, "delivery-status")
    if data.get("severity") != "permanent":
        return EventType.DEFERRED, None, False
    if why in _THEIR_LISTS:
        return (*_THEIR_LISTS[why], False)
    code, enhanced = str(status.get("code", "")), str(status.get("enhanced-code", ""))
    if why == "old":  # tried for eight hours
        return EventType.DEFERRED, RejectReason.TIMED_OUT, True
    # RFC 3463: class 4 is for now, 5.2.2 a full mailbox, 5.7 a matter of policy: it is our mail that is not wanted there.
    if status.get("bounce-type") == "soft" or code.startswith("4") or enhanced.startswith("4.") or enhanced == "5.2.2":
        return EventType.DEFERRED, RejectReason.OTHER, True
    if why == "espblock" or enhanced.startswith("5.7."):
        return EventType.BOUNCED, RejectReason.BLOCKED, True
    return EventType.BOUNCED, RejectReason.BOUNCED, True


def _detail(data: Mapping[str, Any]) -> str:
    status = _table(data, "delivery-status")
    said = status.get("message") or status.get("description") or _table(data, "reject").get("reason") or data.get("reason") or ""
    return without_addresses(f"{status.get('code') or ''} {said}".strip()) if said else ""


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _instant(value: object) -> datetime:
    """Seconds since 1970, with a fraction."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
        if not math.isfinite(seconds) or seconds <= 0:
            raise ValueError
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise ValueError("an event has no time") from None
