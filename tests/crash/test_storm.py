"""Short storms, a seed for each store and class of provider. ``make crash`` plays the long ones (docs/reliability.md has the figures)."""

from __future__ import annotations

import shutil

import pytest

from pipeline.providers.sandbox.adapter import DoubtClass
from tests.crash.__main__ import workers_of
from tests.crash.conftest import MakeRooms
from tests.crash.processes import Brood
from tests.crash.storm import Plan, Run, run

READERS, KILLS = 1200, 8


def explain(done: Run) -> str:
    """What somebody needs who sees it fail."""
    return f"{done.row()}\nkept in {done.kept}\nrepeat it with: {done.plan.command}"


@pytest.mark.parametrize(
    ("store", "engine", "kind"),
    [
        *(("sqlite", "local", kind) for kind in DoubtClass),
        *(("postgresql", "procrastinate", kind) for kind in DoubtClass),
        ("postgresql", "local", DoubtClass.SEARCH),
    ],
)
def test_killed_and_frozen_at_random_nobody_is_lost_and_nobody_gets_it_twice(
    store: str, kind: DoubtClass, engine: str, make_rooms: MakeRooms, brood: Brood
) -> None:
    plan = Plan(store=store, kind=kind, engine=engine, seed=len(kind), workers=workers_of(store), kills=KILLS)
    done = run(plan, make_rooms(store, readers=READERS), brood)
    assert done.sound, explain(done)
    assert done.kills >= KILLS / 2, "hardly anything happened to it"
    assert done.verdict.faults > 3
    if kind is DoubtClass.NEITHER:
        assert done.verdict.held, "so many kills and faults leave something that nobody can know"


def test_a_storm_without_a_safeguard_mails_twice(make_rooms: MakeRooms, brood: Brood) -> None:
    """Otherwise the test above proves nothing."""
    plan = Plan(store="sqlite", kind=DoubtClass.NEITHER, seed=1, workers=1, kills=KILLS, control="blind retry")
    done = run(plan, make_rooms("sqlite", readers=READERS), brood)
    assert done.verdict.doubled > 0
    assert not done.sound
    assert done.kept is not None
    assert (done.kept / "ledger.jsonl").exists()
    shutil.rmtree(done.kept)
