"""How long calls to a provider take: a histogram in this process, as Prometheus wants one."""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass, field

BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds; no call lasts longer than the last."""


@dataclass(slots=True)
class CallTimes:
    """Counts of calls by how long they took, and the sum of all. Safe from several threads."""

    _counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    _sum_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, seconds: float) -> None:
        """One call ended."""
        with self._lock:
            self._counts[bisect_left(BOUNDS_S, seconds)] += 1
            self._sum_s += seconds

    def read(self) -> tuple[tuple[int, ...], float]:
        """Calls in each bucket, not cumulated, the last without a bound; and the sum of seconds."""
        with self._lock:
            return tuple(self._counts), self._sum_s
