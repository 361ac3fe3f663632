"""Resend's webhooks: signed as Svix does it, one event a call (https://resend.com/docs/webhooks/event-types)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.errors import ConfigurationError
from pipeline.providers.base import Forged
from pipeline.providers.mailgun_answers import without_addresses

TOLERANCE_S = 300
"""How far a call's time may be from ours, either way (docs.svix.com, "Verifying payloads")."""

_PLAIN = {
    "email.sent": EventType.SENT,
    "email.delivered": EventType.DELIVERED,
    "email.delivery_delayed": EventType.DEFERRED,
    "email.failed": EventType.FAILED,
}
_DROPPED = ("email.opened", "email.clicked")
#: Resend did not try, because the address is on its own list: what once happened, happened to this account.
_THEIR_LIST = {
    "previous_bounce": (EventType.BOUNCED, RejectReason.BOUNCED),
    "previous_complaint": (EventType.COMPLAINED, RejectReason.SPAM),
}
_POLICY = re.compile(r"\b5\.7\.\d")


class ResendEvents:
    """What Resend sends to ``POST /hooks/resend`` (``providers.base.Listening``)."""

    def __init__(self, signing_key: str) -> None:
        """``signing_key`` as Resend shows it: ``whsec_`` and base64. Raises ConfigurationError."""
        try:
            self._key = base64.b64decode(signing_key.removeprefix("whsec_"), validate=True)
        except ValueError:
            self._key = b""
        if not signing_key.startswith("whsec_") or not self._key:
            raise ConfigurationError(
                "provider.resend.signing_key is not of the form whsec_...",
                hint="Take it from the webhook's page at Resend, and set BRIEFING_RESEND_SIGNING_KEY.",
            )

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """HMAC-SHA256 over id, time and body; any of the signatures of version 1 will do, since keys are renewed. Raises Forged."""
        call_id, stamp, signatures = (headers.get(f"svix-{name}", "") for name in ("id", "timestamp", "signature"))
        # As Svix itself reads it: whole seconds. isdecimal alone would let digits of other scripts through.
        if not call_id or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 12):
            raise Forged("the Svix headers are missing or damaged")
        if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
            raise Forged("it was signed too long ago, or the clocks differ")
        signed = f"{call_id}.{stamp}.".encode("utf-8", "replace") + body
        wanted = base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest())
        given = [one.removeprefix("v1,").encode("utf-8", "replace") for one in signatures.split() if one.startswith("v1,")]
        if not any(hmac.compare_digest(one, wanted) for one in given):
            raise Forged("no signature fits")

    def sample(self, now: datetime, *, forged: bool = False) -> tuple[Mapping[str, str], bytes] | None:
        """An ``email.opened`` event, which is dropped, under a signature of now."""
        key = secrets.token_bytes(32) if forged else self._key
        call_id, stamp = f"msg_{secrets.token_hex(12)}", str(int(now.timestamp()))
        body = json.dumps({"type": "email.opened", "created_at": now.isoformat(), "data": {}}).encode()
        signature = base64.b64encode(hmac.new(key, f"{call_id}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
        return {"svix-id": call_id, "svix-timestamp": stamp, "svix-signature": f"v1,{signature}", "content-type": "application/json"}, body

    def parse(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        """The one event of a call; none for an open or a click."""
        try:
            document = json.loads(body)
            kind, at, data = str(document["type"]), datetime.fromisoformat(document["created_at"]), document["data"]
            tags, to, receipt = _tags(data.get("tags")), data.get("to") or (), str(data.get("email_id", ""))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError("not an event as Resend documents it") from None
        if at.tzinfo is None:
            raise ValueError("the event's time names no zone, as Resend documents it")
        if kind in _DROPPED:
            return ()
        type_, reason, final, detail = _meaning(kind, data)
        subscriber = tags.get("subscriber", "")
        event = Event(
            # Repeated calls about one event have one id (docs.svix.com, "Idempotency").
            id=headers.get("svix-id", ""),
            type=type_,
            at=at.astimezone(UTC),
            batch_key=tags.get("batch", ""),
            subscriber_id=int(subscriber) if subscriber.isascii() and subscriber.isdecimal() and len(subscriber) < 19 else None,
            receipt=receipt,
            address=str(to[0]) if isinstance(to, list) and to else "",
            reason=reason,
            final=final,
            detail=without_addresses(detail) if detail else "",
        )
        return (event,)


def _meaning(kind: str, data: Mapping[str, object]) -> tuple[EventType, RejectReason | None, bool, str]:
    """What a kind means: the type, the reason, whether a deferral is the last word, and the words for people."""
    if kind == "email.bounced":
        bounce = _table(data, "bounce")
        detail = _words(bounce)
        # "Undetermined" and "Transient" are soft: Resend has given up on this message, the address may be well.
        if bounce.get("type") in ("Transient", "Undetermined"):
            return EventType.DEFERRED, None, True, detail
        # RFC 3463: 5.7 is a matter of policy. It is our mail that is not wanted there; the mailbox may be well.
        return EventType.BOUNCED, RejectReason.BLOCKED if _POLICY.search(detail) else RejectReason.BOUNCED, True, detail
    if kind == "email.complained":
        return EventType.COMPLAINED, RejectReason.SPAM, False, ""
    if kind == "email.suppressed":
        suppressed = _table(data, "suppressed")
        found = _THEIR_LIST.get(str(suppressed.get("reason")), (EventType.REJECTED, RejectReason.BLOCKED))
        return (*found, False, _words(suppressed))
    if kind == "email.failed":
        return EventType.FAILED, RejectReason.OTHER, False, str(_table(data, "failed").get("reason", ""))
    return _PLAIN.get(kind, EventType.OTHER), None, False, "" if kind in _PLAIN else kind


def _table(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _words(found: Mapping[str, object]) -> str:
    parts = [str(found[name]) for name in ("type", "subType", "reason", "message") if found.get(name)]
    codes = found.get("diagnosticCode")
    return ": ".join([*parts, *(str(code) for code in (codes if isinstance(codes, list) else ()))])


def _tags(found: object) -> dict[str, str]:
    """Tags come back as a table; as a list of names and values they went out, and are read, too."""
    if isinstance(found, list):
        return {str(one["name"]): str(one["value"]) for one in found}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
