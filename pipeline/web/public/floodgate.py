"""Token buckets in front of the one form that strangers can post to; kept in memory, per process."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

MAX_KEYS = 10_000
"""Network prefixes remembered at once: a flood from everywhere must not fill the memory either."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket's size, and how fast it fills again."""

    burst: int
    per_second: float


EVERYBODY = Rate(burst=200, per_second=10.0)
ONE_NETWORK = Rate(burst=20, per_second=0.2)
"""A newsroom, a school or a mobile operator's exit may stand behind one prefix: twenty at once, then one in five seconds."""


class Floodgate:
    """Admits a request while its network's bucket and everybody's have something left."""

    def __init__(self, monotonic: Callable[[], float], everybody: Rate = EVERYBODY, one_network: Rate = ONE_NETWORK) -> None:
        self._now = monotonic
        self._everybody = _Bucket(everybody)
        self._one_network = _Bucket(one_network)

    def admits(self, address: str | None) -> bool:
        """Whether one more request from this network address may pass."""
        now = self._now()
        return self._one_network.take(network_of(address), now) and self._everybody.take("", now)


class _Bucket:
    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._levels: dict[str, tuple[float, float]] = {}
        #: Level and when it was that; a key that is missing is full.

    def take(self, key: str, now: float) -> bool:
        level = self._level(key, now)
        if level < 1:
            return False
        if len(self._levels) >= MAX_KEYS and key not in self._levels:
            self._forget(now)
        self._levels[key] = (level - 1, now)
        return True

    def _level(self, key: str, now: float) -> float:
        level, at = self._levels.get(key, (float(self._rate.burst), now))
        return min(float(self._rate.burst), level + (now - at) * self._rate.per_second)

    def _forget(self, now: float) -> None:
        """Drops full buckets, which mean nothing; if all are in use, the older half."""
        kept = {key: value for key, value in self._levels.items() if self._level(key, now) < self._rate.burst}
        if len(kept) >= MAX_KEYS:
            kept = dict(sorted(kept.items(), key=lambda item: item[1][1])[MAX_KEYS // 2 :])
        self._levels = kept


def network_of(address: str | None) -> str:
    """The network an address belongs to: /24 of IPv4, /48 of IPv6, which is what one customer is given."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))
