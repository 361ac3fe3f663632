"""Return addresses that name the message they stand for (VERP): ``bounce+<batch key>.<subscriber id>.<mark>@domain``.

A report of non-delivery comes back to the envelope sender. The mark is an HMAC over the rest, so that nobody can invent a
bounce for somebody else's message. No address is in it. Mail servers may change capitals, so there are none.
"""

from __future__ import annotations

import base64
import hmac
import re

_ADDRESS = re.compile(r"([a-z0-9._-]{1,20})@((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]+)")
_LOCAL_LIMIT = 64  # octets (RFC 5321 section 4.5.3.1.1)
_MARK_OCTETS = 10
_KEY_AT_LEAST = 16


class Bounces:
    """Makes and reads the return addresses of one bounce mailbox."""

    def __init__(self, address: str, key: str) -> None:
        """``address`` is the mailbox, which takes mail with ``+`` and anything behind it. ValueError when something is unusable."""
        found = _ADDRESS.fullmatch(address.lower())
        if not found:
            raise ValueError("bounces is not a plain address of at most 20 characters before the @")
        if len(key) < _KEY_AT_LEAST:
            raise ValueError(f"bounce_key has fewer than {_KEY_AT_LEAST} characters")
        self._local, self._domain = found[1], found[2]
        self.domain = self._domain
        self._key = key.encode()

    def __repr__(self) -> str:  # no key
        return f"Bounces(domain={self._domain!r})"

    def sender(self, batch_key: str, subscriber_id: int) -> str:
        """The envelope sender of one message. ValueError when it would be longer than an address may be."""
        token = f"{batch_key}.{subscriber_id}"
        if token != token.lower():
            raise ValueError("the batch key has capitals, which a return address cannot keep")
        local = f"{self._local}+{token}.{self._mark(token)}"
        if len(local) > _LOCAL_LIMIT:
            raise ValueError(f"the return address would have {len(local)} characters before the @; {_LOCAL_LIMIT} are allowed")
        return f"{local}@{self._domain}"

    def read(self, address: str) -> tuple[str, int] | None:
        """Batch key and subscriber id of an address made here, or None for any other."""
        local, _, domain = address.lower().partition("@")
        start = f"{self._local}+"
        token, _, mark = local.removeprefix(start).rpartition(".")
        batch_key, _, number = token.rpartition(".")
        if domain != self._domain or not local.startswith(start) or not re.fullmatch(r"[0-9]{1,18}", number):
            return None
        if not hmac.compare_digest(mark.encode(), self._mark(token).encode()):
            return None
        return batch_key, int(number)

    def _mark(self, token: str) -> str:
        digest = hmac.digest(self._key, b"bounce\0" + self._domain.encode() + b"\0" + token.encode(), "sha256")
        return base64.b32encode(digest[:_MARK_OCTETS]).decode().lower()
