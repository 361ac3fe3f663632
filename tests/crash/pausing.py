"""A pause, again and again, while workers send: what does the provider still see begin after it?

Pause and provider look at one clock, this machine's. The pause comes from another process than the workers; its commit lies before the
moment that is taken here, so a request that is counted as later may still have begun before it, never the other way round.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import func, select

from pipeline import app
from pipeline.core.campaign import CampaignState
from pipeline.flow import campaigns
from pipeline.providers.sandbox.adapter import DoubtClass
from pipeline.providers.sandbox.store import SandboxStore
from pipeline.store.engine import reading
from pipeline.store.tables import batch
from tests.crash.processes import Brood
from tests.crash.rooms import CAMPAIGN, Rooms, Verdict, judge
from tests.crash.storm import Plan, Storm

LOOK_S = 0.8
"""How long the provider is watched after each pause: four times what may lie between intent and call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One pause."""

    before: int
    #: Requests of the last half second before it: was anything going on?
    intents: int
    #: Calls whose intent is later than the commit of the pause.
    after_commit: int
    #: Requests that the provider saw begin after the commit; their intent was before it.
    latest_ms: float
    #: How long after the commit the last of them began.
    after_answer: int
    #: Requests that began after ``pause`` had answered.


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """All tries on one store."""

    store: str
    engine: str
    workers: int
    tries: tuple[Try, ...]
    verdict: Verdict

    @property
    def sound(self) -> bool:
        """Nothing began after an answer, no intent after a commit, and calls were being made whenever it was tried."""
        return self.verdict.sound and all(one.before and not one.intents and not one.after_answer for one in self.tries)

    def row(self) -> dict[str, object]:
        """For machines."""
        tries = self.tries
        return {
            "what": "pause", "store": self.store, "engine": self.engine, "workers": self.workers, "tries": len(tries),
            "before": sum(one.before for one in tries), "intents": sum(one.intents for one in tries),
            "after_commit": sum(one.after_commit for one in tries), "latest_ms": max(one.latest_ms for one in tries),
            "after_answer": sum(one.after_answer for one in tries), "lost": self.verdict.lost, "doubled": self.verdict.doubled,
            "sound": self.sound,
        }  # fmt: skip


def pauses(store: str, rooms: Rooms, brood: Brood, *, tries: int, workers: int, engine: str = "local", seed: int = 1) -> Pauses:
    """Pauses a campaign so many times, and resumes it; in the end it must have reached everybody once."""
    plan = Plan(store=store, kind=DoubtClass.SEARCH, seed=seed, workers=workers, engine=engine, faults="lag=0s", what="pause")
    room = rooms.make(plan.name, store, plan.kind, engine=engine)
    storm = Storm(plan, room, brood)
    chance = random.Random(seed)
    record: SandboxStore | None = None
    try:
        storm.open_provider()
        record = SandboxStore(room.sandbox)
        storm.wait_for(0.01)
        done = []
        for _ in range(tries):
            time.sleep(chance.uniform(0.25, 0.6))
            done.append(_pause(storm, record))
            sender = app.open_sender(app.load_settings(room.root, room.environment))
            campaigns.resume(sender, CAMPAIGN)
            sender.close()
        storm.rest()
        return Pauses(store=store, engine=engine, workers=workers, tries=tuple(done), verdict=judge(storm.station, room.sandbox))
    finally:
        if record is not None:
            record.close()
        storm.close()
        storm.station.close()
        room.drop()


def _pause(storm: Storm, record: SandboxStore) -> Try:
    committed: list[datetime] = []

    def sleep(seconds: float) -> None:
        committed.append(datetime.now(UTC))  # the first thing after the commit
        time.sleep(seconds)

    paused = campaigns.pause(replace(storm.station, sleep=sleep), CAMPAIGN)
    answered = datetime.now(UTC)
    assert paused.state is CampaignState.PAUSED
    time.sleep(LOOK_S)
    begun = [at for at, _ in record.requests()]
    with reading(storm.station.engine) as connection:
        intents = connection.execute(select(func.count()).select_from(batch).where(batch.c.intended_at > committed[0])).scalar_one()
    late = [(at - committed[0]).total_seconds() * 1000 for at in begun if at > committed[0]]
    return Try(
        before=sum(-500 < (at - committed[0]).total_seconds() * 1000 <= 0 for at in begun),
        intents=intents,
        after_commit=len(late),
        latest_ms=round(max(late, default=0.0), 1),
        after_answer=sum(at > answered for at in begun),
    )
