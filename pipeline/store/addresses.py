"""The one module that turns an address into what the database holds, and back.

Look-ups go by a keyed index (HMAC-SHA-256, RFC 2104, truncated to 128 bits) so that no query ever carries an address.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.address import address_key


@dataclass(frozen=True, slots=True, repr=False)
class Vault:
    """Holds the index key and knows the form in which addresses are kept."""

    index_key: bytes

    def index(self, address: str) -> bytes:
        """The 16 octets by which an address is found; the same for every spelling of it."""
        return hmac.digest(self.index_key, address_key(address).encode(), hashlib.sha256)[:16]

    def close(self, address: str) -> bytes:
        """An address in the form in which it is stored."""
        return address.encode()

    def open(self, stored: bytes) -> str:
        """A stored address in the form in which it is mailed."""
        return stored.decode()

    def open_many(self, stored: Sequence[bytes]) -> list[str]:
        """Many of them, in their order."""
        return [one.decode() for one in stored]
