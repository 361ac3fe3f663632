"""How fast calls may leave: the generic cell rate algorithm (ITU-T I.371 annex A), as one instant that moves on.

``tat`` is the theoretical arrival time: the moment at which all that was let through would be paid for at the steady rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in so long, at most ``burst`` of them at once."""

    count: float
    per: timedelta
    burst: float

    @property
    def each(self) -> timedelta:
        """The time that one costs."""
        return self.per / self.count


def wait_for(rate: Rate, tat: datetime | None, now: datetime, amount: float) -> timedelta:
    """How long until ``amount`` may leave. More than a burst at once may leave when nothing is owed: it is paid for afterwards."""
    if tat is None:
        return timedelta()
    room = rate.each * max(0.0, rate.burst - amount)
    return max(timedelta(), tat - now - room)


def taken(rate: Rate, tat: datetime | None, start: datetime, amount: float) -> datetime:
    """The new ``tat`` after ``amount`` left at ``start``."""
    return max(tat or start, start) + rate.each * amount


def room_now(rate: Rate, tat: datetime | None, now: datetime) -> int:
    """How many may leave this moment."""
    owed = max(timedelta(), (tat or now) - now)
    return max(0, int(rate.burst - owed / rate.each + 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """A new sending domain's first days: at most ``per_day[n]`` readers on its n-th day, no limit afterwards."""

    start: date
    per_day: tuple[int, ...]

    def limit_on(self, day: date) -> int | None:
        """The day's limit; zero before the start, None after the last step."""
        n = (day - self.start).days
        if n < 0:
            return 0
        return self.per_day[n] if n < len(self.per_day) else None
