"""That a worker lives, and whether it leads, where several work on one PostgreSQL database. On SQLite there is one, and it leads."""

from __future__ import annotations

import logging
import threading

from pipeline.errors import BriefingError
from pipeline.flow.context import Sender
from pipeline.store import workers
from pipeline.store.engine import transaction
from pipeline.store.workers import DatabaseClock

log = logging.getLogger("pipeline.presence")

BEAT_S = 1.0
"""Between two beats. A worker is taken for dead, and a leader for gone, after ``store.workers.DEAD_AFTER`` and ``LEASE``."""


class Presence:
    """One worker's heart, in a thread of its own: nothing that the worker does holds it up."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._alone = sender.engine.dialect.name == "sqlite" or sender.worker is None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heart", daemon=True)
        self._leads_until = 0.0
        self._failing = False
        self.epoch = 0
        #: Which leadership of the database's history this worker had last.

    def begin(self) -> None:
        """First beat, then one every second. Raises DatabaseFault."""
        if self._alone:
            return
        workers.end_frozen_transactions(self._sender.engine)
        with transaction(self._sender.engine) as connection:
            workers.prepare(connection)
        self.beat()
        self._thread.start()

    def end(self) -> None:
        """Lets another worker lead at once."""
        if self._alone or not self._thread.is_alive():
            return
        self._end.set()
        self._thread.join()
        try:
            with transaction(self._sender.engine) as connection:
                workers.leave(connection, self._sender.worker or "")
        except BriefingError as error:
            log.warning("could not say that this worker ends: %(why)s", {"why": error.message})

    def leads(self) -> bool:
        """Whether this worker is the one that launches, publishes, sweeps and closes. Not after a freeze: its lease has run out."""
        return self._alone or self._sender.monotonic() < self._leads_until

    def beat(self) -> None:
        """Says that this worker lives, asks what time it is, and leads if nobody else does. Raises DatabaseFault."""
        sender, begun = self._sender, self._sender.monotonic()
        assert sender.worker is not None
        with transaction(sender.engine) as connection:
            if isinstance(sender.clock, DatabaseClock):
                sender.clock.read(connection)
            workers.beat(connection, sender.worker)
        with transaction(sender.engine) as connection:
            epoch = workers.lead(connection, sender.worker)
        if epoch is None:
            self._leads_until = 0.0
            return
        if epoch != self.epoch:
            log.info("worker %(worker)s leads (epoch %(epoch)d)", {"worker": sender.worker, "epoch": epoch})
        self.epoch, self._leads_until = epoch, begun + workers.LEASE.total_seconds()

    def _beat_on(self) -> None:
        while not self._end.wait(BEAT_S):
            try:
                self.beat()
                self._failing = False
            except BriefingError as error:
                if not self._failing:
                    log.error("this worker's heart does not beat: %(why)s", {"why": error.message})
                self._failing = True
