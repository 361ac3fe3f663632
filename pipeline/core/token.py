"""Signed tokens for links in headers: scoped to a purpose and a newsletter, with an expiry, no look-up table needed.

Layout (28 octets, 38 characters of base64url without padding): subscriber id (8) | expiry day since 1970 (4) | MAC (16).
The MAC is AES-256-CMAC (RFC 4493, NIST SP 800-38B) over id, expiry and four zero octets; its key is HMAC-SHA-256 (RFC 2104) of purpose
and newsletter under the key of all links. A message of one block makes the MACs of a thousand readers one call of AES.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from sys import byteorder

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

LEAVE_VALID = timedelta(days=400)
"""How long a leave link works: CASL asks for 60 days; an old mail found a year later should still let its reader go."""

NOBODY = 0
"""The id of no subscriber: a link sealed for it looks and answers like any other, and changes nothing."""

_HEAD, _MAC, _BLOCK = 12, 16, 16
_RAW = _HEAD + _MAC
#: Two octets more make it a multiple of three, so that each token of a run of them begins with a character of its own.
_ROOM, _LENGTH, _CHARACTERS = _RAW + 2, 38, 40


@dataclass(frozen=True, slots=True)
class LeaveToken:
    """Whose subscription to which newsletter a link may end."""

    subscriber_id: int
    newsletter: str


def seal_leave_token(key: bytes, subscriber_id: int, newsletter: str, now: datetime) -> str:
    """The token of a ``List-Unsubscribe`` link. The same reader and day give the same token, so bodies are repeatable."""
    return seal_leave_tokens(key, (subscriber_id,), newsletter, now)[0]


def seal_leave_tokens(key: bytes, subscriber_ids: Sequence[int], newsletter: str, now: datetime) -> list[str]:
    """``seal_leave_token`` for many readers of one newsletter and day: a campaign makes millions, so nothing is done for each in Python."""
    count = len(subscriber_ids)
    expires = int((now + LEAVE_VALID).timestamp()) // 86400
    words = array("Q", bytes(_BLOCK * count))
    words[0::2], words[1::2] = array("Q", subscriber_ids), array("Q", [expires << 32]) * count
    if byteorder == "little":
        words.byteswap()
    heads = words.tobytes()
    macs = _macs(key, newsletter, heads)
    raw = bytearray(_ROOM * count)
    for place in range(_HEAD):
        raw[place::_ROOM] = heads[place::_BLOCK]
    for place in range(_MAC):
        raw[_HEAD + place :: _ROOM] = macs[place::_MAC]
    text = base64.urlsafe_b64encode(raw).decode()
    return [text[start : start + _LENGTH] for start in range(0, len(text), _CHARACTERS)]


def open_leave_token(key: bytes, token: str, newsletter: str, now: datetime) -> LeaveToken | None:
    """The token's meaning, or None when it is forged, truncated, expired or of another newsletter."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    # Base64 ignores stray bits and characters: only the one canonical spelling counts.
    if len(raw) != _RAW or base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        return None
    head, mac = raw[:_HEAD], raw[_HEAD:]
    if not hmac.compare_digest(mac, _macs(key, newsletter, head.ljust(_BLOCK, b"\0"))):
        return None
    if int.from_bytes(head[8:], "big") < int(now.timestamp()) // 86400:
        return None
    return LeaveToken(int.from_bytes(head[:8], "big"), newsletter)


def _macs(key: bytes, newsletter: str, blocks: bytes) -> bytes:
    """The CMAC of each block on its own: of one whole block that is AES of the block and the first subkey (RFC 4493 section 2.4)."""
    scoped = hmac.digest(key, b"leave\0" + newsletter.encode() + b"\0", hashlib.sha256)
    cipher = Cipher(AES256(scoped), ECB()).encryptor()  # noqa: S305 - not to hide anything: the block function of CMAC
    zero = int.from_bytes(cipher.update(bytes(_BLOCK)), "big")
    # Doubling in GF(2^128) (RFC 4493 section 2.3).
    subkey = ((zero << 1) & ((1 << 128) - 1)) ^ (0x87 if zero >> 127 else 0)
    mask = int.from_bytes(subkey.to_bytes(_BLOCK, "big") * (len(blocks) // _BLOCK), "big")
    return cipher.update((int.from_bytes(blocks, "big") ^ mask).to_bytes(len(blocks), "big"))
