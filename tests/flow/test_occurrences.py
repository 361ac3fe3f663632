"""The calendar: occurrences are made ahead, each taken once, missed when nobody has them, and looked up anew when rules change."""

from __future__ import annotations

import importlib
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from pipeline import app, clock
from pipeline.core.campaign import CampaignState
from pipeline.core.occurrence import OccurrenceCause, OccurrenceState
from pipeline.core.schedule import Fit, resolve
from pipeline.errors import Refusal, UsageError
from pipeline.flow import campaigns, editions, occurrences
from pipeline.flow.context import Station
from pipeline.store import occurrences as rows
from pipeline.store.engine import transaction
from pipeline.store.tables import campaign, occurrence
from tests.conftest import SetClock
from tests.flow.conftest import NEWSLETTER, Office

Open = Callable[..., Office]
TODAY = date(2021, 8, 18)
OTHER = f"{NEWSLETTER}/2021-08-04-another"
PLAIN = f"{NEWSLETTER}/2021-08-18-plain"


def states(station: Station) -> dict[date, OccurrenceState]:
    return {one.day: one.state for one in occurrences.coming(station, NEWSLETTER)}


@pytest.fixture(autouse=True)
def _drafts_without_pictures(root: Path) -> None:
    for reference in (OTHER, PLAIN):
        path = root / "issues" / f"{reference}.md"
        path.write_text("---\ntitle: A short issue\n---\n\nA paragraph of an issue without pictures.\n", "utf-8")


def launched(office: Office) -> int:
    """A campaign that is being sent, made before there was a calendar."""
    office.subscribe(3)
    editions.approve(office.sender, PLAIN, approved_by="test")
    made = campaigns.schedule(office.sender, PLAIN, at=office.clock())
    campaigns.launch_due(office.sender)
    return made.id


def configure(root: Path, old: str, new: str) -> None:
    path = root / "config" / "newsletters" / f"{NEWSLETTER}.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_they_are_made_ahead_once(station: Station) -> None:
    occurrences.keep(station)
    occurrences.keep(station)
    days = [TODAY, date(2021, 9, 1), date(2021, 9, 15), date(2021, 10, 6)]
    assert states(station) == dict.fromkeys(days, OccurrenceState.PROPOSED)
    first = occurrences.coming(station, NEWSLETTER)[0]
    assert (first.due_at, first.at, first.time_zone) == (datetime(2021, 8, 18, 5, tzinfo=UTC), "07:00", "Europe/Prague")


def test_schedule_takes_the_slot_of_the_issues_own_day(open_office: Open) -> None:
    office = open_office()
    editions.approve(office.sender, PLAIN, approved_by="test")
    slot = occurrences.choose(office.sender, NEWSLETTER, TODAY)
    made = campaigns.schedule(office.sender, PLAIN, at=occurrences.wall_time(slot), occurrence=slot)
    assert (made.due_at, made.wall_time) == (slot.due_at, "2021-08-18 07:00:00")
    there = occurrences.coming(office.sender, NEWSLETTER)[0]
    assert (there.state, there.issue_id, there.campaign_id) == (OccurrenceState.TAKEN, PLAIN, made.id)
    with pytest.raises(Refusal, match=f"{PLAIN} has it"):
        occurrences.choose(office.sender, NEWSLETTER, TODAY)
    # Cancelled before it started: the slot is free again, and missed when its time passes.
    campaigns.cancel(office.sender, made.id)
    assert states(office.sender)[TODAY] is OccurrenceState.PROPOSED
    office.clock.pass_by(minutes=31)
    assert occurrences.keep(office.sender) == [(NEWSLETTER, TODAY)]
    assert occurrences.keep(office.sender) == []
    # An issue that comes later after all takes it.
    late = campaigns.schedule(office.sender, PLAIN, at=office.clock())
    there = occurrences.coming(office.sender, NEWSLETTER)[0]
    assert (there.state, there.campaign_id) == (OccurrenceState.TAKEN, late.id)


def test_an_issue_of_a_day_that_is_past_takes_the_next_free_slot(open_office: Open) -> None:
    office = open_office()
    for reference, day in ((OTHER, TODAY), (PLAIN, None)):
        editions.approve(office.sender, reference, approved_by="test")
        slot = occurrences.choose(office.sender, NEWSLETTER, date(2021, 8, 4) if day else date(2021, 8, 19))
        campaigns.schedule(office.sender, reference, at=occurrences.wall_time(slot), occurrence=slot)
    found = {one.day: one.issue_id for one in occurrences.coming(office.sender, NEWSLETTER) if one.issue_id}
    assert found == {TODAY: OTHER, date(2021, 9, 1): PLAIN}


def test_two_who_want_one_slot_cannot_both_have_it(open_office: Open) -> None:
    office = open_office()
    for reference in (PLAIN, OTHER):
        editions.approve(office.sender, reference, approved_by="test")
    slot = occurrences.choose(office.sender, NEWSLETTER, TODAY)
    campaigns.schedule(office.sender, PLAIN, at=occurrences.wall_time(slot), occurrence=slot)
    with pytest.raises(Refusal, match="has just been taken"):
        campaigns.schedule(office.sender, OTHER, at=occurrences.wall_time(slot), occurrence=slot)
    assert [one.campaign.issue_id for one in campaigns.listed(office.sender)] == [PLAIN]


def test_a_campaign_cancelled_half_way_keeps_its_slot_for_its_issue(open_office: Open) -> None:
    office = open_office()
    id = launched(office)
    occurrences.keep(office.sender)
    with transaction(office.sender.engine) as connection:
        assert rows.move(connection, NEWSLETTER, TODAY, OccurrenceCause.TAKE, campaign_id=id)
    campaigns.cancel(office.sender, id)
    assert states(office.sender)[TODAY] is OccurrenceState.TAKEN
    again = campaigns.schedule(office.sender, PLAIN, at=office.clock())
    assert occurrences.coming(office.sender, NEWSLETTER)[0].campaign_id == again.id


def test_skipped_by_an_editor_and_taken_back(station: Station, clock: SetClock) -> None:
    assert occurrences.skip(station, NEWSLETTER, TODAY).state is OccurrenceState.SKIPPED
    with pytest.raises(Refusal, match="skipped already"):
        occurrences.skip(station, NEWSLETTER, TODAY)
    with pytest.raises(Refusal, match="it was skipped"):
        occurrences.choose(station, NEWSLETTER, TODAY)
    assert occurrences.skip(station, NEWSLETTER, TODAY, undo=True).state is OccurrenceState.PROPOSED
    occurrences.skip(station, NEWSLETTER, TODAY)
    clock.pass_by(hours=2)
    assert occurrences.keep(station) == []
    with pytest.raises(Refusal, match="is past"):
        occurrences.skip(station, NEWSLETTER, TODAY, undo=True)
    with pytest.raises(UsageError, match="no slot on 2021-08-19"):
        occurrences.skip(station, NEWSLETTER, date(2021, 8, 19))


def test_the_next_slot_is_one_that_was_not_skipped(station: Station) -> None:
    assert occurrences.upcoming(station, NEWSLETTER) is None  # nothing is written down yet
    occurrences.skip(station, NEWSLETTER, TODAY)
    there = occurrences.upcoming(station, NEWSLETTER)
    assert there is not None
    assert there.day == date(2021, 9, 1)


def test_after_months_in_which_nothing_ran_no_day_has_vanished(station: Station, clock: SetClock) -> None:
    occurrences.keep(station)
    clock.pass_by(days=120)  # further than the rows reach
    missed = [day for _, day in occurrences.keep(station)]
    wanted = ["08-18", "09-01", "09-15", "10-06", "10-20", "11-03", "11-17", "12-01", "12-15"]
    assert missed == [date.fromisoformat(f"2021-{day}") for day in wanted]


def test_a_first_look_invents_no_past(station: Station, clock: SetClock) -> None:
    clock.pass_by(hours=2)  # today's slot is past
    assert occurrences.keep(station) == []
    assert min(states(station)) == date(2021, 9, 1)


def test_a_changed_cadence_moves_what_is_free_and_leaves_what_is_taken(open_office: Open, root: Path, clock: SetClock) -> None:
    office = open_office()
    editions.approve(office.sender, PLAIN, approved_by="test")
    slot = occurrences.choose(office.sender, NEWSLETTER, TODAY)
    campaigns.schedule(office.sender, PLAIN, at=occurrences.wall_time(slot), occurrence=slot)
    configure(root, 'at = "07:00"', 'at = "09:30"')
    configure(root, 'days = "first and third Wednesday"', 'days = "first Wednesday and Friday"')
    station = app.open_station(app.load_settings(root, {}), clock)
    occurrences.keep(station)
    found = {one.day: one for one in occurrences.coming(station, NEWSLETTER)}
    assert found[TODAY].state is OccurrenceState.TAKEN
    assert found[TODAY].due_at.hour == 5
    assert found[date(2021, 9, 15)].state is OccurrenceState.RETIRED
    assert found[date(2021, 9, 3)].state is OccurrenceState.PROPOSED
    first = found[date(2021, 9, 1)]
    assert first.due_at == datetime(2021, 9, 1, 7, 30, tzinfo=UTC)
    assert first.note == "moved from 2021-09-01 05:00 to 2021-09-01 07:30 UTC: the cadence was changed"
    configure(root, 'days = "first Wednesday and Friday"', 'days = "first and third Wednesday"')
    station.close()
    station = app.open_station(app.load_settings(root, {}), clock)
    occurrences.keep(station)
    assert states(station)[date(2021, 9, 15)] is OccurrenceState.PROPOSED
    assert states(station)[date(2021, 9, 3)] is OccurrenceState.RETIRED
    station.close()


def test_days_when_the_clocks_change(root: Path, clock: SetClock) -> None:
    configure(root, 'at = "07:00"', 'at = "02:30"')
    configure(root, 'days = "first and third Wednesday"', 'days = "last Sunday"')
    station = app.open_station(app.load_settings(root, {}), clock)
    for now, day, fit, due in (
        (datetime(2021, 10, 20, tzinfo=UTC), date(2021, 10, 31), Fit.OVERLAP, datetime(2021, 10, 31, 0, 30, tzinfo=UTC)),
        (datetime(2022, 3, 20, tzinfo=UTC), date(2022, 3, 27), Fit.GAP, datetime(2022, 3, 27, 1, 30, tzinfo=UTC)),
    ):
        clock.now = now
        occurrences.keep(station)
        found = {one.day: one for one in occurrences.coming(station, NEWSLETTER)}
        assert (found[day].fit, found[day].due_at) == (fit, due)
        assert len([one for one in found if one == day]) == 1
    station.close()


def test_newer_rules_of_zones_move_what_is_to_come(open_office: Open, caplog: pytest.LogCaptureFixture) -> None:
    """As if an older program had resolved the wall times by rules that were an hour off."""
    office = open_office()
    editions.approve(office.sender, PLAIN, approved_by="test")
    id = campaigns.schedule(office.sender, PLAIN, at=resolve(datetime(2021, 9, 1, 7), "Europe/Prague")).id
    occurrences.keep(office.sender)
    wrong = datetime(2021, 9, 1, 6, tzinfo=UTC)
    with transaction(office.sender.engine) as connection:
        connection.execute(update(campaign).values(due_at=wrong, tzdata="2019a"))
        connection.execute(update(occurrence).where(occurrence.c.day == date(2021, 9, 15)).values(due_at=wrong, tzdata="2019a"))
    assert campaigns.resolve_anew(office.sender) == 1
    assert campaigns.resolve_anew(office.sender) == 0
    moved = office.status(id).campaign
    assert (moved.state, moved.due_at, moved.tzdata) == (CampaignState.SCHEDULED, datetime(2021, 9, 1, 5, tzinfo=UTC), clock.zone_rules())
    said = f"moved from 2021-09-01 06:00 to 2021-09-01 05:00 UTC: the rules of Europe/Prague have changed (tzdata {clock.zone_rules()}"
    assert moved.reason.startswith(said)
    assert said in caplog.text
    occurrences.keep(office.sender)
    there = next(one for one in occurrences.coming(office.sender, NEWSLETTER) if one.day == date(2021, 9, 15))
    assert (there.due_at, there.tzdata) == (datetime(2021, 9, 15, 5, tzinfo=UTC), clock.zone_rules())
    assert "the rules of Europe/Prague have changed" in there.note


def test_the_second_of_two_equal_times_stays_the_second(open_office: Open) -> None:
    office = open_office()
    editions.approve(office.sender, PLAIN, approved_by="test")
    twice = resolve(datetime(2021, 10, 31, 2, 30), "Europe/Prague")
    second = type(twice)(wall=twice.wall, zone=twice.zone, fit=twice.fit, first=twice.second, second=twice.second)
    id = campaigns.schedule(office.sender, PLAIN, at=second).id
    with transaction(office.sender.engine) as connection:
        connection.execute(update(campaign).values(tzdata="2019a"))
    assert campaigns.resolve_anew(office.sender) == 0
    assert office.status(id).campaign.due_at == datetime(2021, 10, 31, 1, 30, tzinfo=UTC)


def test_the_version_of_the_rules_is_that_in_force(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    assert clock.zone_rules() == importlib.import_module("tzdata").IANA_VERSION
    (tmp_path / "UTC").touch()
    monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path / "none"), str(tmp_path)))
    assert clock.zone_rules() == "system"
    (tmp_path / "tzdata.zi").write_text("# version 2031c\n# This zic input\n", "utf-8")
    assert clock.zone_rules() == "2031c"
