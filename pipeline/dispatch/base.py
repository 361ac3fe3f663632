"""What an engine must do: ring the bell. The ledger is the truth; a task may be lost or doubled without harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection

K = TypeVar("K", bound=Hashable)


class Dispatcher(Protocol[K]):
    """Hands keys of ready batches to ``deliver``, each at least once, several at a time."""

    def enqueue(self, connection: Connection, keys: Sequence[K]) -> None:
        """Says, in the transaction that makes them ready, that these batches are. Nothing is lost if nobody says it."""
        ...

    def run(self, ready: Callable[[int], Sequence[K]], deliver: Callable[[K], None], stop: threading.Event) -> None:
        """Works until ``stop`` is set, then waits for what is in hand. ``ready(limit)`` reads the ledger."""
        ...

    def wake(self) -> None:
        """Says that there may be something ready now, instead of at the next poll."""
        ...
