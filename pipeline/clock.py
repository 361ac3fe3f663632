"""The only place that asks the system what time it is. Everything inside is aware UTC."""

from __future__ import annotations

import importlib
import time
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]
"""Gives the present instant as an aware UTC datetime."""


def system_clock() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def zone_rules() -> str:
    """The version of the time-zone rules that ``zoneinfo`` uses (for instance ``2026b``), kept with every wall time that was
    resolved by them: the system's where it has some, else those of the package tzdata.

    ``tzdata.zi`` names its version in its first line (tz-link.html); ``system`` where rules lie without it.
    """
    for folder in map(Path, zoneinfo.TZPATH):
        if not (folder / "UTC").is_file():
            continue
        try:
            with (folder / "tzdata.zi").open(encoding="utf-8") as lines:
                return lines.readline().removeprefix("# version ").strip()[:16] or "system"
        except (OSError, UnicodeDecodeError):
            return "system"
    return str(importlib.import_module("tzdata").IANA_VERSION)[:16]


def since_boot() -> float:
    """Seconds that are never set back and go on while the machine sleeps; Linux stops ``time.monotonic`` meanwhile (clock_gettime(2))."""
    return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()


_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)
