"""The only place that asks the system what time it is. Everything inside is aware UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant as an aware UTC datetime."""


def system_clock() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def since_boot() -> float:
    """Seconds that are never set back and go on while the machine sleeps; Linux stops ``time.monotonic`` meanwhile (clock_gettime(2))."""
    return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()


_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)
