"""Safeguards that can be taken away, one by one: a suite that stays green without one proves nothing about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import update

from pipeline.core.campaign import BatchState
from pipeline.flow import doubts
from pipeline.store import batches
from pipeline.store.tables import batch


def blind_retry() -> None:
    """A batch that a dead worker left in the middle of a call is simply sent again."""

    def blind(connection: Any, now: Any) -> tuple[int, int]:
        left = update(batch).where(batch.c.state == BatchState.SUBMITTING, batch.c.lease_until < now)
        return connection.execute(left.values(state=BatchState.PLANNED, lease_until=None)).rowcount, 0

    batches.sweep = blind


def no_intent() -> None:
    """Nothing is written down before a call leaves, so that a batch of a dead worker looks as if it had never been called."""
    batches.intend = lambda *_arguments: True


def believes_at_once() -> None:
    """What the search does not show is believed not to be there."""
    doubts._caught_up = lambda *_arguments: True
    doubts.LOOKS_NEEDED = 1


CONTROLS: dict[str, Callable[[], None]] = {
    "blind retry": blind_retry,
    "no intent": no_intent,
    "absence believed at once": believes_at_once,
}
"""Name -> what takes the safeguard away, in the process that is to do without it."""
