"""Occurrences, tended and spread campaigns, and alarms, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import Engine

from pipeline.core.campaign import CampaignCause, CampaignState
from pipeline.core.occurrence import OccurrenceCause, OccurrenceState
from pipeline.core.schedule import Fit
from pipeline.store import alarms, batches, campaigns, occurrences
from pipeline.store.engine import reading, transaction
from pipeline.store.occurrences import Occurrence
from tests.conftest import SetClock
from tests.contract.test_store import launch

DAY = date(2021, 8, 18)


def slot(clock: SetClock, day: date = DAY, hours: float = 1) -> Occurrence:
    return Occurrence(
        newsletter="weekly", day=day, state=OccurrenceState.PROPOSED, due_at=clock() + timedelta(hours=hours), at="07:00",
        time_zone="Europe/Prague", tzdata="2026b", fit=Fit.ONCE,
    )  # fmt: skip


def there(engine: Engine, day: date = DAY) -> Occurrence:
    with reading(engine) as connection:
        (one,) = occurrences.listed(connection, "weekly", day, day)
    return one


def test_an_occurrence_is_written_once(engine: Engine, clock: SetClock) -> None:
    for wanted in (1, 0):
        with transaction(engine) as connection:
            assert occurrences.add(connection, [slot(clock)]) == wanted
    with reading(engine) as connection:
        assert occurrences.last_day(connection, "weekly") == DAY
        assert occurrences.last_day(connection, "other") is None


def test_of_many_who_take_it_at_once_one_has_it(engine: Engine, clock: SetClock) -> None:
    ids = [launch(engine, clock(), issue=f"weekly/2021-08-18-{number}") for number in range(4)]
    with transaction(engine) as connection:
        occurrences.add(connection, [slot(clock)])
    took: list[int] = []
    gate = threading.Barrier(len(ids))

    def take(id: int) -> None:
        gate.wait()
        with transaction(engine) as connection:
            if occurrences.move(connection, "weekly", DAY, OccurrenceCause.TAKE, campaign_id=id):
                took.append(id)

    threads = [threading.Thread(target=take, args=(id,)) for id in ids]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(took) == 1
    assert (there(engine).state, there(engine).campaign_id) == (OccurrenceState.TAKEN, took[0])


def test_free_inherit_and_miss(engine: Engine, clock: SetClock) -> None:
    first = launch(engine, clock(), issue="weekly/2021-08-18-a")
    with transaction(engine) as connection:
        occurrences.add(connection, [slot(clock), slot(clock, DAY + timedelta(days=7), hours=200)])
        occurrences.move(connection, "weekly", DAY, OccurrenceCause.TAKE, campaign_id=first)
        campaigns.move(connection, first, CampaignCause.CANCEL, CampaignState.CANCELLED)
    second = launch(engine, clock(), issue="weekly/2021-08-18-a")
    with transaction(engine) as connection:
        assert not occurrences.inherit(connection, "weekly", DAY, second, "weekly/2021-08-18-other")
        assert occurrences.inherit(connection, "weekly", DAY, second, "weekly/2021-08-18-a")
        assert occurrences.miss(connection, clock() + timedelta(hours=2)) == []
        assert not occurrences.free(connection, first)
        assert occurrences.free(connection, second)
        assert there(engine).state is OccurrenceState.TAKEN  # not yet committed
    with transaction(engine) as connection:
        assert occurrences.miss(connection, clock() + timedelta(hours=2)) == [("weekly", DAY)]
        assert occurrences.miss(connection, clock() + timedelta(hours=2)) == []
        assert [one.day for one in occurrences.missed(connection, clock())] == [DAY]
        assert occurrences.missed(connection, clock() + timedelta(hours=1)) == []
        moved = replace(slot(clock, DAY + timedelta(days=7), hours=201), note="moved")
        assert occurrences.resolve_anew(connection, moved)
        assert not occurrences.resolve_anew(connection, slot(clock))  # missed: what was, was
    assert there(engine, DAY + timedelta(days=7)).note == "moved"


def test_a_stale_campaign_is_handed_to_nobody_and_revived_by_no_machine(engine: Engine, clock: SetClock) -> None:
    id, now = launch(engine, clock()), clock()
    with transaction(engine) as connection:
        campaigns.set_values(connection, id, published_at=now)
        assert campaigns.tend(connection, id, now, now + timedelta(hours=6))
    later = now + timedelta(hours=6)
    with transaction(engine) as connection:
        first, second, _ = batches.ready(connection, later - timedelta(seconds=1), 10)
        claim = batches.claim(connection, first, later - timedelta(seconds=1), timedelta(seconds=60))
        assert claim is not None
        assert batches.ready(connection, later, 10) == []
        assert batches.claim(connection, second, later, timedelta(seconds=60)) is None
        assert not batches.intend(connection, claim, "p", "d", later, timedelta(seconds=150))
        assert not campaigns.tend(connection, id, later, later + timedelta(hours=6))
        assert not campaigns.hold_stale(connection, id, later - timedelta(seconds=1), "why")
        assert campaigns.hold_stale(connection, id, later, "why")
        assert not campaigns.hold_stale(connection, id, later, "why")
        assert not campaigns.tend(connection, id, later, later + timedelta(hours=6))


def test_batches_are_spread_evenly(engine: Engine, clock: SetClock) -> None:
    id, now = launch(engine, clock(), count=40), clock()
    with transaction(engine) as connection:
        campaigns.set_values(connection, id, published_at=now)
        assert batches.spread(connection, id, now, timedelta(hours=2)) == 4
        times = [now + timedelta(minutes=minutes) for minutes in (0, 30, 60, 90)]
        assert [len(batches.ready(connection, one, 10)) for one in times] == [1, 2, 3, 4]
        assert batches.last_planned(connection, id) == times[-1]
        assert batches.claim(connection, batches.ready(connection, now, 1)[0], now, timedelta(seconds=60)) is not None
        # The rest, later: at the same pace.
        assert batches.spread(connection, id, times[-1], timedelta(hours=2)) == 3
        assert batches.last_planned(connection, id) == times[-1] + timedelta(hours=1)


def test_an_alarm_lasts_once_and_is_tried_by_one(engine: Engine, clock: SetClock) -> None:
    now = clock()
    with transaction(engine) as connection:
        assert alarms.add(connection, key="held/1", title="t", body="b", now=now)
        assert not alarms.add(connection, key="held/1", title="t", body="b", now=now)
        (one,) = alarms.to_mail(connection, now)
        assert alarms.begin_try(connection, one, now + timedelta(minutes=1))
        assert not alarms.begin_try(connection, one, now + timedelta(minutes=1))
        assert alarms.to_mail(connection, now) == []
        alarms.end_try(connection, one.id, told=["ab", "01"], said="", done=True)
        assert alarms.to_mail(connection, now + timedelta(days=1)) == []
        assert alarms.listed(connection)[0].told == {"01", "ab"}
        assert alarms.end(connection, ["held/1"], now) == 0
        assert alarms.end(connection, [], now) == 1
        assert alarms.listed(connection) == []
        assert alarms.add(connection, key="held/1", title="t", body="b", now=now)
        assert len(alarms.listed(connection, lasting=False)) == 2


def test_what_a_mailbox_showed_once_stays_seen(engine: Engine, clock: SetClock) -> None:
    id, now = launch(engine, clock()), clock()
    with transaction(engine) as connection:
        alarms.write_look(connection, id, "near", now=now, seen=False, said="cannot be read")
        alarms.write_look(connection, id, "near", now=now + timedelta(minutes=1), seen=True, said="")
        alarms.write_look(connection, id, "near", now=now + timedelta(minutes=2), seen=False, said="away")
        (one,) = alarms.arrivals(connection, id)
        assert (one.seed, one.seen_at, one.said) == ("near", now + timedelta(minutes=1), "")
        assert alarms.due_between(connection, now - timedelta(days=1), now + timedelta(days=30)) == [id]


def test_a_moved_time_is_written_before_the_start_only(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock())
    with transaction(engine) as connection:
        assert not campaigns.reschedule(connection, id, due_at=clock() + timedelta(hours=1), tzdata="2031a", reason="moved")
