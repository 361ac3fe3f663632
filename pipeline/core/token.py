"""Signed tokens for links in headers: scoped to a purpose and a newsletter, with an expiry, no look-up table needed.

Layout (32 octets, 43 characters of base64url without padding): subscriber id (8) | expiry day since 1970 (4) | MAC (20).
The MAC is HMAC-SHA-256 (RFC 2104) over purpose, newsletter, id and expiry, truncated to 160 bits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
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
    return seal_leave_tokens(key, (subscriber_id,), newsletter, now)[0]


def seal_leave_tokens(key: bytes, subscriber_ids: Iterable[int], newsletter: str, now: datetime) -> list[str]:
    """``seal_leave_token`` for many readers of one newsletter and day.

    A batch has a thousand of them: what they share of the HMAC (RFC 2104: both padded keys, the scope) is hashed once, and all are
    encoded in one go.
    """
    expires = (int((now + LEAVE_VALID).timestamp()) // 86400).to_bytes(4, "big")
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in block) + _scope(newsletter)).copy
    outer = hashlib.sha256(bytes(octet ^ 0x5C for octet in block)).copy
    raw = []
    for id in subscriber_ids:
        head = id.to_bytes(8, "big") + expires
        inside, mac = inner(), outer()
        inside.update(head)
        mac.update(inside.digest())
        # One octet more makes it a multiple of three, so that the next token begins with a character of its own.
        raw.append(head + mac.digest()[:20] + b"\0")
    text = base64.urlsafe_b64encode(b"".join(raw)).decode()
    return [text[start : start + 43] for start in range(0, len(text), 44)]


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
