"""The calendar: occurrences of cadences, made ahead as rows, each taken by one issue, missed or skipped."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from pipeline.clock import zone_rules
from pipeline.core.campaign import Impossible
from pipeline.core.occurrence import OCCURRENCE, OccurrenceCause, OccurrenceState
from pipeline.core.schedule import Fit, WallTime, resolve
from pipeline.errors import Refusal, UsageError
from pipeline.flow import cadence
from pipeline.flow.context import Desk, Station
from pipeline.settings import Newsletter
from pipeline.store import occurrences as rows
from pipeline.store.engine import reading, transaction
from pipeline.store.occurrences import Occurrence

AHEAD = timedelta(weeks=8)
"""How far ahead occurrences are written down."""

BEHIND = timedelta(days=400)
"""After a longer time in which nothing ran, what lies further back is not written down any more."""

SHOWN_BEHIND = timedelta(weeks=4)

log = logging.getLogger("pipeline.occurrences")


def keep(station: Station) -> list[tuple[str, date]]:
    """Writes down what the cadences have ahead, looks up anew what has changed, and marks what has passed without an issue.

    Gives the occurrences that were missed. May be called at any time by anybody: a row is written once. After a stop of weeks the days
    in between are written down, too, as missed. Raises ConfigurationError for a cadence it cannot read.
    """
    now, rules = station.clock(), zone_rules()
    for newsletter in station.settings.newsletters.values():
        zone = station.settings.zone(newsletter)
        with reading(station.engine) as connection:
            last = rows.last_day(connection, newsletter.id)
            there = {one.day: one for one in rows.listed(connection, newsletter.id, _today(now, zone) - timedelta(days=1))}
        if any(one.tzdata != rules for one in there.values()):
            ZoneInfo.clear_cache()  # this process may have read the older rules
        today = _today(now, zone)
        first = max(min(last or today, today), today - BEHIND)
        wanted = {one.day: one for one in _ahead(newsletter, zone, rules, first, today + AHEAD)}
        new = [one for day, one in wanted.items() if day not in there and (one.due_at > now or (last is not None and day > last))]
        coming = [one for one in there.values() if one.due_at > now]
        gone = [one for one in coming if one.state is OccurrenceState.PROPOSED and one.day not in wanted and one.day <= today + AHEAD]
        back = [one for one in coming if one.state is OccurrenceState.RETIRED and one.day in wanted]
        changed = [
            (one, wanted[one.day])
            for one in coming
            if one.state is OccurrenceState.PROPOSED and one.day in wanted and _meaning(one) != _meaning(wanted[one.day])
        ]
        if not (new or gone or back or changed):
            continue
        with transaction(station.engine) as connection:
            rows.add(connection, new)
            for one in gone:
                if rows.move(connection, newsletter.id, one.day, OccurrenceCause.RETIRE):
                    log.warning("%(newsletter)s: %(day)s is no longer in its cadence", {"newsletter": newsletter.id, "day": one.day})
            for one in back:
                rows.move(connection, newsletter.id, one.day, OccurrenceCause.PROPOSE)
            for before, after in changed:
                note = _moved(before, after)
                rows.resolve_anew(connection, replace(after, note=note or before.note))
                if note:
                    log.warning(
                        "%(newsletter)s: its slot of %(day)s was %(note)s", {"newsletter": newsletter.id, "day": before.day, "note": note}
                    )
    with transaction(station.engine) as connection:
        missed = rows.miss(connection, now)
    for newsletter_id, day in missed:
        log.warning("%(newsletter)s: its slot of %(day)s passed without an issue", {"newsletter": newsletter_id, "day": day})
    return missed


def _ahead(newsletter: Newsletter, zone: str, rules: str, first: date, until: date) -> list[Occurrence]:
    if newsletter.cadence is None:
        return []
    at = newsletter.cadence.at
    days = takewhile(lambda day: day <= until, cadence.dates(newsletter, first - timedelta(days=1)))
    found = []
    for day in days:
        slot = resolve(datetime.combine(day, time.fromisoformat(at)), zone)
        found.append(
            Occurrence(
                newsletter=newsletter.id, day=day, state=OccurrenceState.PROPOSED, due_at=slot.first, at=at, time_zone=zone, tzdata=rules,
                fit=slot.fit,
            )
        )  # fmt: skip
    return found


def _meaning(one: Occurrence) -> tuple[object, ...]:
    return (one.due_at, one.at, one.time_zone, one.tzdata, one.fit)


def _moved(before: Occurrence, after: Occurrence) -> str:
    """In words, that an occurrence has another instant now; nothing when it has not."""
    if before.due_at == after.due_at:
        return ""
    why = (
        "the cadence was changed" if (before.at, before.time_zone) != (after.at, after.time_zone)
        else f"the rules of {after.time_zone} have changed (tzdata {after.tzdata}, before {before.tzdata})"
    )  # fmt: skip
    return f"moved from {before.due_at:%Y-%m-%d %H:%M} to {after.due_at:%Y-%m-%d %H:%M} UTC: {why}"


def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


def coming(station: Station, newsletter: str) -> list[Occurrence]:
    """A newsletter's calendar, from four weeks ago on. Raises ConfigurationError for an unknown one."""
    there = station.settings.newsletter(newsletter)
    since = _today(station.clock(), station.settings.zone(there)) - SHOWN_BEHIND
    with reading(station.engine) as connection:
        return rows.listed(connection, newsletter, since)


def upcoming(station: Station, newsletter: str) -> Occurrence | None:
    """The next slot at which an issue comes or may come, by the calendar; None when none is written down."""
    now = station.clock()
    with reading(station.engine) as connection:
        found = rows.listed(connection, newsletter, now.date() - timedelta(days=1))
    awaited = (OccurrenceState.PROPOSED, OccurrenceState.TAKEN)
    return next((one for one in found if one.state in awaited and (one.campaign_due_at or one.due_at) > now), None)


def choose(station: Station, newsletter_id: str, day: date) -> Occurrence:
    """The occurrence for an issue of that day: the day's own, else the next free one from the day on. Raises Refusal, UsageError."""
    newsletter = station.settings.newsletter(newsletter_id)
    if newsletter.cadence is None:
        raise UsageError(
            f"{newsletter_id} has no cadence, so it has no slots", hint='Say when with --at "2026-12-02 07:00", or give it a [cadence].'
        )
    keep(station)
    now = station.clock()
    with reading(station.engine) as connection:
        found = rows.listed(connection, newsletter_id, day)
    if found and found[0].day == day and found[0].due_at > now:
        own = found[0]
        if own.state is OccurrenceState.PROPOSED:
            return own
        if own.state is not OccurrenceState.RETIRED:
            why = f"{own.issue_id} has it" if own.state is OccurrenceState.TAKEN else "it was skipped"
            raise Refusal(f"the slot of {day} is not free: {why}", hint="Say when with --at.")
    for one in found:
        if one.state is OccurrenceState.PROPOSED and one.due_at > now:
            return one
    raise Refusal(f"{newsletter_id} has no free slot within {AHEAD.days // 7} weeks", hint="Say when with --at.")


def wall_time(one: Occurrence) -> WallTime:
    """When an occurrence is, with what its clock makes of it; of a time that exists twice the first is meant."""
    wall = datetime.combine(one.day, time.fromisoformat(one.at))
    return WallTime(wall=wall, zone=one.time_zone, fit=Fit.ONCE, first=one.due_at, second=one.due_at)


def skip(station: Station, newsletter: str, day: date, *, undo: bool = False) -> Occurrence:
    """An editor's word that no issue comes that day, or that one comes after all. Raises Refusal, UsageError."""
    station.settings.newsletter(newsletter)
    keep(station)
    cause = OccurrenceCause.PROPOSE if undo else OccurrenceCause.SKIP
    with transaction(station.engine) as connection:
        there = next(iter(rows.listed(connection, newsletter, day, day)), None)
        if there is None:
            raise UsageError(f"{newsletter} has no slot on {day}", hint=f"See: briefing calendar {newsletter}")
        to = OCCURRENCE[(there.state, cause)]
        if isinstance(to, Impossible):
            raise Refusal(f"the slot of {day} cannot be changed so: {to}")
        if undo and there.due_at <= station.clock():
            raise Refusal(f"the slot of {day} is past", hint="Schedule the issue with --at.")
        rows.move(connection, newsletter, day, cause)
        return rows.listed(connection, newsletter, day, day)[0]


def previous(desk: Desk, newsletter: Newsletter) -> WallTime | None:
    """The last time the newsletter should have come out by its cadence, as the settings alone tell; None without one in ten weeks."""
    if newsletter.cadence is None:
        return None
    now, zone = desk.clock(), desk.settings.zone(newsletter)
    today = _today(now, zone)
    past = [one for one in _ahead(newsletter, zone, "", today - timedelta(weeks=10), today) if one.due_at <= now]
    return wall_time(past[-1]) if past else None
