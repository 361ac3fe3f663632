"""The long-running process that mails: APScheduler as its alarm clock, the dispatcher as its hands, a graceful stop.

The clock decides nothing. Its ticks and alarms call flow functions that are guarded by the database, so a lost alarm is
caught by the next tick and a doubled one does nothing.
"""

from __future__ import annotations

import gc
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from pipeline.core.campaign import CampaignState
from pipeline.dispatch.base import Dispatcher
from pipeline.errors import BriefingError
from pipeline.files import only_one
from pipeline.flow import alarms, archive, campaigns, checkup, delivery, doubts, feedback, occurrences
from pipeline.flow.context import Sender
from pipeline.flow.presence import Presence
from pipeline.store import batches
from pipeline.store import campaigns as campaign_rows
from pipeline.store.batches import BatchKey
from pipeline.store.engine import reading, transaction

log = logging.getLogger("pipeline.worker")
T = TypeVar("T")

TICK_S = 1
"""How often the database is asked what is due: the longest delay of an alarm that was lost."""

SWEEP_S = 2
"""How often abandoned leases and batches in doubt are looked for, and events applied."""

STALE_S = 30
"""After so long without a round that went well the worker is not ready: its database is away, or something hangs."""

CALENDAR_S = 60
"""How often the calendar is kept, and wall times are looked at for newer rules."""

ALARMS_S = 10
"""How often it is asked what needs a person."""

POLL_S = 300
"""How often a provider is asked for its events, where the newsroom wishes it."""

CLEAR_S = 3600
"""How often events that are old enough are removed."""


COLLECT_AFTER = 50_000
"""How many new objects the garbage collector lets pass before it looks."""


class Worker:
    """One worker of one newsroom. Raises Refusal on start when another one runs on the same SQLite database.

    On PostgreSQL several run. All deliver; one leads, and only it launches, publishes, sweeps, asks and closes. All that it does is
    guarded besides, so a leader that was replaced without noticing it does no harm.
    """

    def __init__(self, sender: Sender, dispatcher: Dispatcher[BatchKey] | None = None) -> None:
        several = sender.engine.dialect.name != "sqlite"
        self._sender = sender = replace(
            sender, worker=secrets.token_hex(4) if several else None, dispatcher=dispatcher or sender.dispatcher
        )
        self._dispatcher = sender.dispatcher
        self._presence = Presence(sender)
        self._led = -1
        #: The leadership that has begun.
        self._stop = threading.Event()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._ticked: float | None = None

    def run(self) -> None:
        """Works until ``stop`` is called, then finishes what is in hand."""
        _collect_rarely()
        with only_one(checkup.worker_lock(self._sender), "another worker already runs on this database"):
            self._presence.begin()
            self._take_over()
            self._scheduler.add_job(
                self._tick, IntervalTrigger(seconds=TICK_S), id="tick", coalesce=True, max_instances=1, misfire_grace_time=None
            )
            self._scheduler.add_job(
                self._sweep, IntervalTrigger(seconds=SWEEP_S), id="sweep", coalesce=True, max_instances=1, misfire_grace_time=None
            )
            self._scheduler.add_job(
                self._apply_events, IntervalTrigger(seconds=SWEEP_S), id="events", coalesce=True, max_instances=1, misfire_grace_time=None
            )
            self._scheduler.add_job(
                self._clear, IntervalTrigger(seconds=CLEAR_S), id="clear", coalesce=True, max_instances=1, misfire_grace_time=None
            )
            for name, work, every in (("calendar", self._keep_calendar, CALENDAR_S), ("alarms", self._raise_alarms, ALARMS_S)):
                trigger = IntervalTrigger(seconds=every)
                self._scheduler.add_job(work, trigger, id=name, coalesce=True, max_instances=1, misfire_grace_time=None)
            if feedback.polls(self._sender):
                self._scheduler.add_job(
                    self._poll, IntervalTrigger(seconds=POLL_S), id="poll", coalesce=True, max_instances=1, misfire_grace_time=None
                )
            self._scheduler.start()
            log.info("worker started: provider %(provider)s", {"provider": self._sender.provider.name})
            try:
                self._dispatcher.run(
                    lambda limit: self._guarded(lambda: delivery.ready(self._sender, limit), []),
                    lambda key: delivery.deliver(self._sender, key),
                    self._stop,
                )
            finally:
                self._scheduler.shutdown(wait=True)
                if self._presence.leads():
                    self._guarded(lambda: campaigns.close_finished(self._sender), 0)
                self._presence.end()
                log.info("worker stopped")

    def stop(self) -> None:
        """Asks for the end; it comes at the next poll.

        Safe from a signal handler: ringing the bell is not, since the interrupted thread may hold its lock just then.
        """
        self._stop.set()

    def _take_over(self) -> None:
        """On SQLite there is one worker, so whoever held a batch before is dead: no lease need be waited for."""
        if self._sender.engine.dialect.name == "sqlite":
            with transaction(self._sender.engine) as connection:
                batches.expire_leases(connection, self._sender.clock())
        self._sweep_dead()
        # What only waited to be closed is closed before it can be found to have been left alone.
        self._guarded(lambda: campaigns.close_finished(self._sender), 0)
        self._keep_calendar()
        self._tick()

    def _tick(self) -> None:
        def work() -> None:
            if self._presence.leads():
                campaigns.tend(self._sender)
                campaigns.publish_pending(self._sender)
                if campaigns.launch_due(self._sender):
                    self._dispatcher.wake()
                campaigns.close_finished(self._sender)
                if self._presence.epoch != self._led:
                    self._led = self._presence.epoch
                    # A predecessor may have died between a page and the lists that name it.
                    archive.write_lists(self._sender)
            self._set_alarms()
            self._ticked = self._sender.monotonic()

        self._guarded(work, None)

    def trouble(self) -> str:
        """Why this worker is not ready, in a few words; nothing when it is."""
        if self._stop.is_set():
            return "the worker is stopping"
        if self._ticked is None:
            return "the worker has not begun"
        idle = self._sender.monotonic() - self._ticked
        return f"the worker's last round was {idle:.0f} s ago" if idle > STALE_S else ""

    def _set_alarms(self) -> None:
        """An alarm at the very instant of each coming send; the tick alone would be up to a second late."""
        with reading(self._sender.engine) as connection:
            coming = campaign_rows.listed(connection, states=(CampaignState.SCHEDULED,))
        for one in coming:
            if one.due_at > self._sender.clock() and self._scheduler.get_job(f"due-{one.id}") is None:
                trigger = DateTrigger(one.due_at)
                self._scheduler.add_job(self._tick, trigger, id=f"due-{one.id}", misfire_grace_time=None, replace_existing=True)

    def _sweep_dead(self) -> None:
        if self._presence.leads():
            self._guarded(lambda: delivery.sweep(self._sender), None)

    def _keep_calendar(self) -> None:
        def work() -> None:
            if self._presence.leads():
                campaigns.resolve_anew(self._sender)
                occurrences.keep(self._sender)

        self._guarded(work, None)

    def _raise_alarms(self) -> None:
        if self._presence.leads():
            self._guarded(lambda: len(alarms.go_round(self._sender)), 0)

    def _sweep(self) -> None:
        self._sweep_dead()
        if not self._presence.leads():
            return
        if self._guarded(lambda: doubts.reconcile(self._sender), doubts.Reconciled()).settled:
            self._dispatcher.wake()

    def _apply_events(self) -> None:
        if self._presence.leads():
            self._guarded(lambda: feedback.apply_pending(self._sender), 0)

    def _clear(self) -> None:
        self._guarded(lambda: feedback.clear_old(self._sender), 0)

    def _poll(self) -> None:
        if not self._presence.leads():
            return
        if kept := self._guarded(lambda: feedback.poll(self._sender), 0):
            log.info("%(events)d events from %(provider)s", {"events": kept, "provider": self._sender.provider.name})

    def _guarded(self, work: Callable[[], T], otherwise: T) -> T:
        """The worker outlives a fault of the database or the disk: it says so and tries again at the next tick."""
        try:
            return work()
        except BriefingError as error:
            log.error("%(why)s %(hint)s", {"why": error.message, "hint": error.hint})
            return otherwise


def _collect_rarely() -> None:
    """Tells the garbage collector of Python that what stands now stays, and that thousands of readers at a time are nothing unusual.

    A batch makes several thousand tuples and has no cycles. With the usual threshold of 700 a fifth of the processor went into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
