"""When a newsletter's next issues are due: APScheduler's cron trigger proposes the dates, we resolve the instants.

The trigger runs over plain dates in UTC: its own daylight-saving logic fires twice in an overlap, so it never sees a zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from apscheduler.triggers.cron import CronTrigger

from pipeline.core.schedule import WallTime, parse_cadence, resolve
from pipeline.errors import ConfigurationError
from pipeline.settings import Newsletter


def dates(newsletter: Newsletter, after: date) -> Iterator[date]:
    """The cadence's days after a day, in order, without end. Raises ConfigurationError for a cadence it cannot read."""
    if newsletter.cadence is None:
        return
    try:
        days = parse_cadence(newsletter.cadence.days)
    except ValueError as error:
        raise ConfigurationError(f"cadence.days: {error}", path=f"config/newsletters/{newsletter.id}.toml") from None
    trigger = CronTrigger(day=days.day, day_of_week=days.day_of_week, hour=12, timezone=UTC)
    moment: datetime | None = datetime.combine(after, time(13), UTC)
    while (moment := trigger.get_next_fire_time(None, moment)) is not None:
        yield moment.date()
        moment += timedelta(hours=1)


def next_slot(newsletter: Newsletter, zone: str, now: datetime) -> WallTime | None:
    """The next time the newsletter comes out by its cadence, after ``now``; None without a cadence."""
    if newsletter.cadence is None:
        return None
    at = time.fromisoformat(newsletter.cadence.at)
    for day in dates(newsletter, now.date() - timedelta(days=2)):
        slot = resolve(datetime.combine(day, at), zone)
        if slot.first > now:
            return slot
    return None


def next_date(newsletter: Newsletter, issue_date: date) -> date | None:
    """The day of the issue after the one of ``issue_date``; None without a cadence."""
    return next(dates(newsletter, issue_date), None)
