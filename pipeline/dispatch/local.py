"""The engine of one machine: a few threads of this process, fed from the ledger."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from sqlalchemy import Connection

from pipeline.errors import BriefingError

K = TypeVar("K", bound=Hashable)
log = logging.getLogger("pipeline.dispatch")

AHEAD = 64
"""How many keys are read at a time: with ten thousand batches ready, each look sorts them all."""

POLL_S = 0.25
"""How soon work that nobody announced (another process scheduled it) is found."""


class LocalDispatcher(Generic[K]):
    """Threads with the ledger as their queue. More than eight calls in flight cost time instead of saving it."""

    def __init__(self, *, threads: int = 4) -> None:
        self._threads = threads
        self._bell = threading.Event()

    def enqueue(self, connection: Connection, keys: Sequence[K]) -> None:
        """Nothing: the ledger is the queue."""

    def wake(self) -> None:
        """Ends the present wait."""
        self._bell.set()

    def run(self, ready: Callable[[int], Sequence[K]], deliver: Callable[[K], None], stop: threading.Event) -> None:
        """Works until ``stop`` is set. A delivery that raises is logged, and its batch is found again by the sweeper."""
        in_hand: dict[K, Future[None]] = {}
        # A key that has grown stale costs nothing: its claim is refused.
        ahead: deque[K] = deque()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="deliver") as pool:
            while not stop.is_set():
                for key in [key for key, future in in_hand.items() if future.done()]:
                    self._report(key, in_hand.pop(key))
                free = self._threads - len(in_hand)
                if free and not ahead:
                    ahead.extend(key for key in ready(len(in_hand) + AHEAD) if key not in in_hand)
                for key in [ahead.popleft() for _ in range(min(free, len(ahead)))]:
                    in_hand[key] = future = pool.submit(deliver, key)
                    future.add_done_callback(lambda _: self._bell.set())
                self._bell.wait(POLL_S)
                self._bell.clear()
        for key, future in in_hand.items():
            self._report(key, future)

    def _report(self, key: K, future: Future[None]) -> None:
        error = future.exception()
        if error is not None:
            fault = None if isinstance(error, BriefingError) else error
            log.error("batch %(batch)s: delivery failed: %(why)s", {"batch": str(key), "why": str(error)}, exc_info=fault)
