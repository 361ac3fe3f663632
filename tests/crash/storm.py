"""A campaign under random SIGKILL, SIGSTOP and faults of the provider, until it comes to rest; then ledger and provider are compared.

Workers are real processes of ``briefing worker``, the provider is a real process of ``briefing sandbox``. A seed fixes what is done to
them and what the provider plays, not when each thread runs: a run that failed is repeated under its seed, and may need a few tries.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from pipeline import app
from pipeline.core.campaign import CampaignState
from pipeline.errors import BriefingError
from pipeline.flow import campaigns
from pipeline.flow.campaigns import Status
from pipeline.flow.context import Sender
from pipeline.providers.sandbox.adapter import DoubtClass
from tests.crash.processes import Brood, Process
from tests.crash.rooms import CAMPAIGN, Room, Rooms, Verdict, at_rest, judge, keep

FAULTS = "429=0.012,5xx=0.025,5xx-after=0.02,drop-before=0.02,drop-after=0.025,accept-then-timeout=0.015,half=0.015,drip=0.01,json=0.01"
"""15 of 100 calls; ``lag`` and ``refuse`` come on top where the class can tell."""

ENGINES = {"sqlite": ("local",), "postgresql": ("procrastinate", "local")}
"""What may hand batches to workers on each store (``sending.engine``)."""

LATENCY_MS = 100
QUIET_S = 150.0
"""How long a campaign may take to come to rest once nobody is hurt any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run."""

    store: str
    kind: DoubtClass
    seed: int
    workers: int
    engine: str = "local"
    kills: int = 24
    #: After so many SIGKILLs the workers are left alone, and may finish.
    faults: str = FAULTS
    what: str = "kills"
    #: What is done to it, in a word.
    control: str = ""

    @property
    def name(self) -> str:
        """Of its folder."""
        return "-".join((self.what, self.store, self.engine, str(self.kind), self.control, str(self.seed))).replace(" ", "-")

    @property
    def command(self) -> str:
        """What repeats it."""
        control = f" --control '{self.control}'" if self.control else ""
        given = f"--store {self.store} --class {self.kind} --engine {self.engine} --kills {self.kills} --seed {self.seed}"
        return f"python -m tests.crash --what '{self.what}' {given}{control}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run did and what came of it."""

    plan: Plan
    verdict: Verdict
    kills: int
    freezes: int
    state: str
    seconds: float
    kept: Path | None = None

    @property
    def sound(self) -> bool:
        """Nobody lost, nobody twice; and only a provider that can tell nothing leaves readers to a person."""
        done = self.state == CampaignState.SENT if not self.verdict.held else self.state == CampaignState.SENDING
        return self.verdict.sound and done and (self.plan.kind is DoubtClass.NEITHER or not self.verdict.held)

    def row(self) -> dict[str, Any]:
        """For machines."""
        plan = {name: str(value) for name, value in asdict(self.plan).items() if name != "faults"}
        return {
            **plan, "workers": self.plan.workers, "seed": self.plan.seed, "kills": self.kills, "freezes": self.freezes, "state": self.state,
            "seconds": round(self.seconds, 1), **asdict(self.verdict), "sound": self.sound, "kept": str(self.kept or ""),
            "repeat": self.plan.command,
        }  # fmt: skip


class Storm:
    """One run: the processes, and whoever does things to them."""

    def __init__(self, plan: Plan, room: Room, brood: Brood) -> None:
        self.plan, self.room, self.station = plan, room, room.station()
        self.kills = self.freezes = 0
        self.chance = random.Random(f"{plan.name}")
        self._brood = brood
        self._workers: list[Process | None] = [None] * plan.workers
        self._frozen = [False] * plan.workers
        self._next = [0.0] * plan.workers
        self._sandbox: Process | None = None
        self._sandboxes = 0

    # --- the provider

    def open_provider(self) -> None:
        """Starts the sandbox; returns when it answers."""
        faults = f"latency={LATENCY_MS}ms,seed={self.plan.seed * 1000 + self._sandboxes},{self.plan.faults}"
        if self.plan.kind is not DoubtClass.KEY and self.plan.faults == FAULTS:
            faults += ",refuse=0.004"  # a repeat that is refused would wait a quarter of an hour
        if self.plan.kind is DoubtClass.SEARCH and "lag=" not in faults:
            faults += ",lag=700ms"  # within the sandbox's word (``settles``: a second)
        self._sandboxes += 1
        self._sandbox = self._start("sandbox", "--faults", faults, "--class", str(self.plan.kind))
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(self.room.environment["BRIEFING_SANDBOX_BASE_URL"] + "/api/stats", timeout=2, trust_env=False)
                return
            time.sleep(0.02)
        raise AssertionError(f"the sandbox does not answer; see {self.room.log}")

    @property
    def provider(self) -> Process:
        """The sandbox's process."""
        assert self._sandbox is not None
        return self._sandbox

    def close_provider(self) -> None:
        """SIGKILL: whatever it is doing, connections break and further ones are refused."""
        self.provider.kill()

    # --- the workers

    def start_worker(self, number: int = 0) -> None:
        """Starts one if it does not run."""
        there = self._workers[number]
        if there is None or not there.runs:
            self._workers[number] = self._start("worker", control=self.plan.control)

    def start_workers(self) -> None:
        """Starts those that do not run."""
        for number in range(self.plan.workers):
            self.start_worker(number)

    def kill_worker(self, number: int = 0) -> None:
        """SIGKILL to one of them."""
        worker = self._workers[number]
        assert worker is not None
        worker.kill()
        self.kills += 1

    def _start(self, *arguments: str, control: str = "") -> Process:
        return self._brood.start(["--newsroom", str(self.room.root), *arguments], self.room.environment, self.room.log, control=control)

    def harm(self, lives: tuple[float, float]) -> None:
        """Does what is due to each worker: starts it, kills it, freezes it longer than any lease of a call, thaws it."""
        now, chance = time.monotonic(), self.chance
        for number, worker in enumerate(self._workers):
            if now < self._next[number]:
                continue
            if self._frozen[number] and worker is not None:
                worker.thaw()
                self._frozen[number] = False
                # Awake, it is left alone for a moment: it is what it does now that is tried.
                self._next[number] = now + chance.uniform(0.3, 1.0)
                continue
            alive = worker is not None and worker.runs and self._next[number] > 0
            if alive and worker is not None:
                if chance.random() < (0.35 if self.plan.workers > 1 else 0.08):
                    worker.freeze()
                    self.freezes += 1
                    self._frozen[number], self._next[number] = True, now + chance.uniform(2.6, 11.0 if self.plan.workers > 1 else 4.0)
                    continue
                worker.kill()
                self.kills += 1
            self.start_worker(number)
            self._next[number] = now + (chance.uniform(2.2, 4.0) if chance.random() < 0.15 else chance.uniform(*lives))

    def thaw_all(self) -> None:
        """Nobody stands still any more."""
        for number, worker in enumerate(self._workers):
            if self._frozen[number] and worker is not None:
                worker.thaw()
            self._frozen[number] = False

    # --- the editor

    def status(self) -> Status:
        """Where the campaign is; an editor resumes it when it is held (a new sandbox refuses nobody for good)."""
        status = campaigns.status(self.station, CAMPAIGN)
        if status.campaign.state is CampaignState.HELD:
            with contextlib.suppress(BriefingError), self._as_sender() as sender:
                campaigns.resume(sender, CAMPAIGN)
        return status

    def look(self) -> Status | None:
        """``status``, or None while the database is away."""
        with contextlib.suppress(BriefingError):
            return self.status()
        return None

    def wait_for(self, share: float, seconds: float = 60) -> None:
        """Until so much of the campaign is sent, with all workers running."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.start_workers()
            status = self.look()
            if status is not None and status.campaign.audience and status.tally.sent >= share * status.campaign.audience:
                return
            time.sleep(0.02)
        raise AssertionError(f"the campaign does not move; see {self.room.log}")

    @contextlib.contextmanager
    def _as_sender(self) -> Iterator[Sender]:
        sender = app.open_sender(app.load_settings(self.room.root, self.room.environment))
        try:
            yield sender
        finally:
            sender.close()

    def rest(self, seconds: float = QUIET_S) -> Status:
        """Waits, with all workers running and nobody hurting them, until nothing moves any more; the status then, at rest or not."""
        until = time.monotonic() + seconds
        while True:
            self.start_workers()
            if (status := self.look()) is None:
                time.sleep(0.2)
                continue
            over = at_rest(status) and (status.tally.in_doubt > 0 or status.campaign.state in (CampaignState.SENT, CampaignState.CANCELLED))
            if over or time.monotonic() > until:
                return status
            time.sleep(0.2)

    def close(self) -> None:
        """Ends the processes; the ledger stays readable."""
        for one in (*self._workers, self._sandbox):
            if one is not None:
                one.kill()


Weather = Callable[[Storm], None]
"""What is done to a campaign while it is sent."""


def run(plan: Plan, rooms: Rooms, brood: Brood, *, weather: Weather | None = None, database: Path | None = None) -> Run:
    """Plays one run: kills and freezes at random, or another weather. A run that is not sound is kept."""
    room = rooms.make(plan.name, plan.store, plan.kind, engine=plan.engine, database=database)
    storm = Storm(plan, room, brood)
    begun = time.monotonic()
    kept: Path | None = room.root
    try:
        storm.open_provider()
        (weather or kill_and_freeze)(storm)
        storm.thaw_all()
        status = storm.rest()
        storm.close()
        verdict = judge(storm.station, room.sandbox)
        done = Run(
            plan=plan, verdict=verdict, kills=storm.kills, freezes=storm.freezes, state=str(status.campaign.state),
            seconds=time.monotonic() - begun,
        )  # fmt: skip
        if done.sound:
            kept = None
            return done
        return replace(done, kept=keep(storm.station, room, done.row()))
    finally:
        storm.close()
        storm.station.close()
        room.drop()
        if kept is None:
            shutil.rmtree(room.root)


def kill_and_freeze(storm: Storm) -> None:
    """As long as there is something to send, lives of a second and less; then a few kills among the questions about what is in doubt."""
    lives = (0.35, 1.3) if storm.plan.workers == 1 else (0.6, 2.4)
    stop, asked = time.monotonic() + 120, 0
    while storm.kills < storm.plan.kills and time.monotonic() < stop:
        storm.harm(lives)
        status = storm.look()
        if status is not None and status.campaign.audience is not None and not status.tally.waiting + status.tally.submitting:
            if not status.tally.in_doubt or asked >= 4:
                return
            asked += 1
            _linger(storm)
        time.sleep(0.03)


def _linger(storm: Storm) -> None:
    """Lets workers live long enough to ask (every two seconds), then hurts them in the middle of it."""
    until = time.monotonic() + storm.chance.uniform(2.0, 3.5)
    while time.monotonic() < until:
        storm.start_workers()
        time.sleep(0.05)
    storm.harm((0.5, 1.0))
