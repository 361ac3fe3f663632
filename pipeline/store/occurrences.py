"""Occurrences of cadences: made ahead, moved by guarded statements, never deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from pipeline.core.campaign import CampaignState
from pipeline.core.occurrence import OccurrenceCause, OccurrenceState, occurrence_sources, occurrence_target
from pipeline.core.schedule import Fit
from pipeline.store.engine import insert_ignoring
from pipeline.store.tables import campaign
from pipeline.store.tables import occurrence as t


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One coming out of a newsletter by its cadence."""

    newsletter: str
    day: date
    #: Local, of the wall time; with the newsletter it is the row's key.
    state: OccurrenceState
    due_at: datetime
    at: str
    time_zone: str
    tzdata: str
    fit: Fit
    note: str = ""
    campaign_id: int | None = None
    issue_id: str = ""
    #: Of the campaign that has it, as are its state and its time.
    campaign_state: CampaignState | None = None
    campaign_due_at: datetime | None = None


def add(connection: Connection, rows: Iterable[Occurrence]) -> int:
    """Writes occurrences that are not there yet, as proposed; gives how many."""
    added = 0
    for one in rows:
        values = {
            "newsletter": one.newsletter, "day": one.day, "state": one.state, "due_at": one.due_at, "at": one.at,
            "time_zone": one.time_zone, "tzdata": one.tzdata, "fit": one.fit, "note": one.note,
        }  # fmt: skip
        added += connection.execute(insert_ignoring(connection, t).values(**values).returning(t.c.day)).first() is not None
    return added


def listed(connection: Connection, newsletter: str, since: date, until: date | None = None) -> list[Occurrence]:
    """A newsletter's occurrences from a day on, in order."""
    query = select(t, campaign.c.issue_id, campaign.c.state.label("campaign_state"), campaign.c.due_at.label("campaign_due_at"))
    query = query.outerjoin(campaign, campaign.c.id == t.c.campaign_id).where(t.c.newsletter == newsletter, t.c.day >= since)
    if until is not None:
        query = query.where(t.c.day <= until)
    return [_occurrence(row) for row in connection.execute(query.order_by(t.c.day))]


def last_day(connection: Connection, newsletter: str) -> date | None:
    """The day of the latest row of a newsletter."""
    found: date | None = connection.execute(select(func.max(t.c.day)).where(t.c.newsletter == newsletter)).scalar()
    return found


def move(connection: Connection, newsletter: str, day: date, cause: OccurrenceCause, *, campaign_id: int | None = None) -> bool:
    """Performs a cause if the occurrence is in a state where it does something; tells whether it did."""
    there = (t.c.newsletter == newsletter) & (t.c.day == day) & t.c.state.in_(occurrence_sources(cause))
    return connection.execute(update(t).where(there).values(state=occurrence_target(cause), campaign_id=campaign_id)).rowcount == 1


def inherit(connection: Connection, newsletter: str, day: date, campaign_id: int, issue_id: str) -> bool:
    """Hands an occurrence from a cancelled campaign of the same issue to the one that follows it."""
    cancelled = select(campaign.c.id).where(campaign.c.issue_id == issue_id, campaign.c.state == CampaignState.CANCELLED)
    there = (t.c.newsletter == newsletter) & (t.c.day == day) & (t.c.state == OccurrenceState.TAKEN) & t.c.campaign_id.in_(cancelled)
    return connection.execute(update(t).where(there).values(campaign_id=campaign_id)).rowcount == 1


def free(connection: Connection, campaign_id: int) -> bool:
    """Gives back the occurrence that a campaign had."""
    there = (t.c.campaign_id == campaign_id) & t.c.state.in_(occurrence_sources(OccurrenceCause.FREE))
    freed = update(t).where(there).values(state=occurrence_target(OccurrenceCause.FREE), campaign_id=None)
    return connection.execute(freed).rowcount == 1


def miss(connection: Connection, now: datetime) -> list[tuple[str, date]]:
    """Marks every occurrence whose time has passed without an issue; gives them."""
    passed = t.c.state.in_(occurrence_sources(OccurrenceCause.MISS)) & (t.c.due_at <= now)
    rows = connection.execute(update(t).where(passed).values(state=OccurrenceState.MISSED).returning(t.c.newsletter, t.c.day))
    return sorted((row.newsletter, row.day) for row in rows)


def resolve_anew(connection: Connection, one: Occurrence) -> bool:
    """Writes what the wall time of an occurrence that nobody has means now."""
    there = (t.c.newsletter == one.newsletter) & (t.c.day == one.day) & (t.c.state == OccurrenceState.PROPOSED)
    values = {"due_at": one.due_at, "at": one.at, "time_zone": one.time_zone, "tzdata": one.tzdata, "fit": one.fit, "note": one.note}
    return connection.execute(update(t).where(there).values(**values)).rowcount == 1


def missed(connection: Connection, since: datetime) -> list[Occurrence]:
    """The newest missed occurrence of each newsletter, if it was due after a moment."""
    query = select(t).where(t.c.state == OccurrenceState.MISSED, t.c.due_at > since).order_by(t.c.day)
    return list({row.newsletter: _occurrence(row) for row in connection.execute(query)}.values())


def _occurrence(row: Row[Any]) -> Occurrence:
    values = row._mapping
    state = values.get("campaign_state")
    return Occurrence(
        newsletter=row.newsletter, day=row.day, state=OccurrenceState(row.state), due_at=row.due_at, at=row.at, time_zone=row.time_zone,
        tzdata=row.tzdata, fit=Fit(row.fit), note=row.note, campaign_id=row.campaign_id, issue_id=values.get("issue_id") or "",
        campaign_state=CampaignState(state) if state else None, campaign_due_at=values.get("campaign_due_at"),
    )  # fmt: skip
