"""The only place that asks the system what time it is. Everything inside is aware UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant as an aware UTC datetime."""


def system_clock() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
