"""Signed tokens for links in headers: scoped to a purpose and a newsletter, with an expiry, no look-up table needed.

Layout (32 octets, 43 characters of base64url without padding): subscriber id (8) | expiry day since 1970 (4) | MAC (20).
The MAC is HMAC-SHA-256 (RFC 2104) over purpose, newsletter, id and expiry, truncated to 160 bits.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

LEAVE_VALID = timedelta(days=400)
"""How long a leave link works: CASL asks for 60 days; an old mail found a year later should still let its reader go."""

NOBODY = 0
"""The id of no subscriber: a link sealed for it looks and answers like any other, and changes nothing."""


@dataclass(frozen=True, slots=True)
class LeaveToken:
    """Whose subscription to which newsletter a link may end."""

    subscriber_id: int
    newsletter: str


def seal_leave_token(key: bytes, subscriber_id: int, newsletter: str, now: datetime) -> str:
    """The token of a ``List-Unsubscribe`` link. The same reader and day give the same token, so bodies are repeatable."""
    return leave_token_sealer(key, newsletter, now)(subscriber_id)


def leave_token_sealer(key: bytes, newsletter: str, now: datetime) -> Callable[[int], str]:
    """``seal_leave_token`` for many readers of one newsletter and day: what they share is computed once."""
    expires = (int((now + LEAVE_VALID).timestamp()) // 86400).to_bytes(4, "big")
    scope, digest, encode = _scope(newsletter), hmac.digest, base64.urlsafe_b64encode

    def seal(subscriber_id: int) -> str:
        head = subscriber_id.to_bytes(8, "big") + expires
        return encode(head + digest(key, scope + head, "sha256")[:20])[:43].decode()

    return seal


def open_leave_token(key: bytes, token: str, newsletter: str, now: datetime) -> LeaveToken | None:
    """The token's meaning, or None when it is forged, truncated, expired or of another newsletter."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    # Base64 ignores stray bits and characters: only the one canonical spelling counts.
    if len(raw) != 32 or base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        return None
    head, mac = raw[:12], raw[12:]
    if not hmac.compare_digest(mac, _mac(key, newsletter, head)):
        return None
    if int.from_bytes(head[8:12], "big") < int(now.timestamp()) // 86400:
        return None
    return LeaveToken(int.from_bytes(head[:8], "big"), newsletter)


def _mac(key: bytes, newsletter: str, head: bytes) -> bytes:
    return hmac.digest(key, _scope(newsletter) + head, "sha256")[:20]


def _scope(newsletter: str) -> bytes:
    return b"leave\0" + newsletter.encode() + b"\0"
