"""Subscriber ids of a batch as a small blob: delta-coded unsigned 32-bit numbers, deflated.

1,000 dense ids take about 50 octets. The first id of a batch may be larger than 32 bits; differences may not.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, islice
from operator import sub
from sys import byteorder


def pack_members(ids: Sequence[int]) -> bytes:
    """Packs strictly ascending ids. Raises ValueError when they are not."""
    deltas = list(map(sub, islice(ids, 1, None), ids))
    if not ids or min(deltas, default=1) < 1:
        raise ValueError("members must be strictly ascending, and at least one")
    packed = array("I", deltas)
    if byteorder == "big":
        packed.byteswap()
    return ids[0].to_bytes(8, "big") + zlib.compress(packed.tobytes(), 6)


def unpack_members(blob: bytes) -> list[int]:
    """The ids again, ascending."""
    deltas = array("I", zlib.decompress(blob[8:]))
    if byteorder == "big":
        deltas.byteswap()
    return list(accumulate(deltas, initial=int.from_bytes(blob[:8], "big")))
