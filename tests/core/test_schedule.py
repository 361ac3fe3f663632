"""Wall times, lateness, cadences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.schedule import CadenceDays, Fit, Lateness, WallTime, judge_lateness, parse_cadence, parse_when, resolve

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wall", "zone", "fit", "first", "second"),
    [
        ("2026-12-02T07:00", "Europe/Prague", Fit.ONCE, "2026-12-02T06:00", "2026-12-02T06:00"),
        ("2026-03-29T02:30", "Europe/Prague", Fit.GAP, "2026-03-29T01:30", "2026-03-29T01:30"),
        ("2026-10-25T02:30", "Europe/Prague", Fit.OVERLAP, "2026-10-25T00:30", "2026-10-25T01:30"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", Fit.OVERLAP, "2026-04-04T14:45", "2026-04-04T15:15"),
        ("2011-12-30T12:00", "Pacific/Apia", Fit.GAP, "2011-12-30T22:00", "2011-12-30T22:00"),
        ("2026-06-01T07:00", "Asia/Urumqi", Fit.ONCE, "2026-06-01T01:00", "2026-06-01T01:00"),
    ],
)
def test_resolve(wall: str, zone: str, fit: Fit, first: str, second: str) -> None:
    found = resolve(datetime.fromisoformat(wall), zone)
    assert (found.fit, found.first, found.second) == (
        fit,
        datetime.fromisoformat(first).replace(tzinfo=UTC),
        datetime.fromisoformat(second).replace(tzinfo=UTC),
    )


@given(st.datetimes(datetime(2000, 1, 1), datetime(2036, 1, 1)), st.sampled_from(["Europe/Prague", "America/New_York", "Asia/Tehran"]))
def test_a_wall_time_that_exists_once_comes_back(wall: datetime, zone: str) -> None:
    found = resolve(wall, zone)
    if found.fit is not Fit.GAP:
        assert found.first.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
        assert found.second.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
    assert (found.first != found.second) == (found.fit is Fit.OVERLAP)


def test_resolve_refuses_an_instant() -> None:
    with pytest.raises(ValueError, match="offset"):
        resolve(NOW, "Europe/Prague")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", NOW),
        ("in 3h", NOW + timedelta(hours=3)),
        ("in 2 d", NOW + timedelta(days=2)),
        ("2026-12-02T07:00+01:00", datetime(2026, 12, 2, 6, tzinfo=UTC)),
        ("2026-12-02T06:00Z", datetime(2026, 12, 2, 6, tzinfo=UTC)),
        ("2026-12-02 07:00", datetime(2026, 12, 2, 6, tzinfo=UTC)),
        ("14:00", datetime(2026, 11, 23, 13, tzinfo=UTC)),
        ("13:00", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("7:05", datetime(2026, 11, 24, 6, 5, tzinfo=UTC)),
    ],
)
def test_parse_when(text: str, instant: datetime) -> None:
    found = parse_when(text, NOW, "Europe/Prague")
    assert (found.first if isinstance(found, WallTime) else found) == instant


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-12-02", "2026-13-02 07:00", "25:00", "in three hours", "in 3"])
def test_parse_when_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"for instance|hour must be|is out of range"):
        parse_when(text, NOW, "Europe/Prague")


@pytest.mark.parametrize(
    ("late", "policy", "verdict"),
    [
        (timedelta(0), "hold", Lateness.ON_TIME),
        (timedelta(hours=2), "hold", Lateness.ON_TIME),
        (timedelta(hours=2, seconds=1), "hold", Lateness.HOLD),
        (timedelta(days=9), "send", Lateness.SEND),
        (timedelta(days=9), "drop", Lateness.DROP),
    ],
)
def test_lateness(late: timedelta, policy: str, verdict: Lateness) -> None:
    assert judge_lateness(NOW, NOW + late, timedelta(hours=2), policy) is verdict


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("first and third Wednesday", CadenceDays("1st wed,3rd wed", "*")),
        ("first and third Wednesdays of the month", CadenceDays("1st wed,3rd wed", "*")),
        ("last Friday", CadenceDays("last fri", "*")),
        ("every Monday and Thursday", CadenceDays("*", "mon,thu")),
        ("weekdays", CadenceDays("*", "mon-fri")),
        ("daily", CadenceDays("*", "*")),
    ],
)
def test_cadence(words: str, days: CadenceDays) -> None:
    assert parse_cadence(words) == days


@pytest.mark.parametrize("words", ["", "often", "Wednesday first", "first", "every other Monday", "31st"])
def test_a_cadence_that_cannot_be_read(words: str) -> None:
    with pytest.raises(ValueError, match="is not a cadence"):
        parse_cadence(words)
