"""Resend's webhooks: signed as Svix does it, one event a call (https://resend.com/docs/webhooks/event-types)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
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


def signing_key(secret: str) -> bytes:
    """The octets of a secret as Resend shows it, ``whsec_`` and base64. Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith("whsec_") or not key:
        raise ValueError("webhook_secret is not of the form whsec_..., as Resend shows it")
    return key


def verify(key: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """HMAC-SHA256 over id, time and body; any of the signatures of version 1 will do, since keys are renewed. Raises Forged."""
    if not key:
        raise Forged("provider.resend.webhook_secret is not set, so nothing can be verified")
    call_id, stamp, signatures = (headers.get(f"svix-{name}", "") for name in ("id", "timestamp", "signature"))
    # As Svix itself reads it: whole seconds. isdecimal alone would let digits of other scripts through.
    if not call_id or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 12):
        raise Forged("the Svix headers are missing or damaged")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
        raise Forged("the call was signed too long ago, or in the future")
    wanted = base64.b64encode(hmac.new(key, f"{call_id}.{stamp}.".encode() + body, hashlib.sha256).digest())
    given = [one.removeprefix("v1,").encode() for one in signatures.split() if one.startswith("v1,")]
    if not any(hmac.compare_digest(one, wanted) for one in given):
        raise Forged("no signature fits")


def parse(headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
    """The event of a call, or none for an open or a click. ValueError when it is not what Resend documents."""
    try:
        document = json.loads(body)
        kind, at, data = str(document["type"]), datetime.fromisoformat(document["created_at"]), document["data"]
        tags, to, receipt = _tags(data.get("tags")), data.get("to") or (), str(data.get("email_id", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ValueError("not an event as Resend documents it") from None
    if at.tzinfo is None:
        raise ValueError("the event's time names no zone")
    if kind in _DROPPED:
        return ()
    type_, reason, final, detail = _meaning(kind, data)
    subscriber = tags.get("subscriber", "")
    event = Event(
        id=headers.get("svix-id", ""),
        type=type_,
        at=at.astimezone(UTC),
        batch_key=tags.get("batch", ""),
        subscriber_id=int(subscriber) if subscriber.isascii() and subscriber.isdecimal() else None,
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
        blocked = bounce.get("subType") in ("Suppressed", "OnAccountSuppressionList")
        return EventType.BOUNCED, RejectReason.BLOCKED if blocked else RejectReason.BOUNCED, False, detail
    if kind == "email.complained":
        return EventType.COMPLAINED, RejectReason.SPAM, False, ""
    if kind == "email.suppressed":
        suppressed = _table(data, "suppressed")
        reasons = {"previous_bounce": RejectReason.BOUNCED, "previous_complaint": RejectReason.SPAM}
        return EventType.REJECTED, reasons.get(str(suppressed.get("reason")), RejectReason.BLOCKED), False, _words(suppressed)
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
