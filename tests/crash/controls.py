"""What is done to a process before it runs its command: a safeguard is taken away, or it dies at a point.

A suite that stays green without a safeguard proves nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import update

from pipeline.core.campaign import BatchState
from pipeline.flow import doubts
from pipeline.store import batches, campaigns, editions
from pipeline.store.tables import batch
from tests.crash.dying import at_exit


def blind_retry() -> None:
    """A batch that a dead worker left, also in the middle of a call, is simply sent again."""

    def blind(connection: Any, now: Any) -> tuple[int, int]:
        left = update(batch).where(batch.c.state.in_((BatchState.CLAIMED, BatchState.SUBMITTING)), batch.c.lease_until < now)
        return connection.execute(left.values(state=BatchState.PLANNED, lease_until=None)).rowcount, 0

    batches.sweep = blind


def no_intent() -> None:
    """Nothing is written down before a call leaves, so that a batch of a dead worker looks as if it had never been called."""
    batches.intend = lambda *_arguments: True


def believes_at_once() -> None:
    """What the search does not show is believed not to be there."""
    doubts._caught_up = lambda *_arguments: True
    doubts.LOOKS_NEEDED = 1


def dies_approving() -> None:
    """Dies when the edition is written and not yet committed."""
    at_exit(editions, "add", 1)


def dies_scheduling() -> None:
    """Dies when the campaign is written and not yet committed."""
    at_exit(campaigns, "add", 1)


CONTROLS: dict[str, Callable[[], None]] = {
    "blind retry": blind_retry,
    "no intent": no_intent,
    "absence believed at once": believes_at_once,
    "dies approving": dies_approving,
    "dies scheduling": dies_scheduling,
}
"""Name -> what is done to the process."""
