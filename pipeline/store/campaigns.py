"""Campaign rows: added once, moved by guarded statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, case, cast, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.core.campaign import OPEN, BatchState, CampaignCause, CampaignState, Tally, sources
from pipeline.store.tables import batch, instance
from pipeline.store.tables import campaign as t
from pipeline.store.types import UTCDateTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One edition to one audience at one time."""

    id: int
    edition_id: int
    issue_id: str
    newsletter: str
    state: CampaignState
    reason: str
    due_at: datetime
    wall_time: str
    time_zone: str
    tzdata: str
    fold: int
    not_after: timedelta
    if_late: str
    audience: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    published_at: datetime | None
    earlier: tuple[str, ...] = ()
    #: Names under which its mail may have left in earlier lives of this database.
    over: timedelta = timedelta()
    stale_at: datetime | None = None


READERS_A_LIFE = 100_000_000
"""More readers than can have come after a backup was taken: a new life numbers its readers from behind them.

``store.members`` can express a gap of 42 lives in which no reader came.
"""


class AlreadyScheduled(Exception):
    """The issue has a campaign that was not cancelled."""


def add(
    connection: Connection, *, edition_id: int, issue_id: str, newsletter: str, due_at: datetime, wall_time: str, time_zone: str,
    tzdata: str, not_after: timedelta, if_late: str, now: datetime, fold: int = 0, over: timedelta = timedelta(),
) -> int:  # fmt: skip
    """A new scheduled campaign. Raises AlreadyScheduled (a unique index says so, not a look that could be outdated)."""
    try:
        row = connection.execute(
            insert(t).returning(t.c.id),
            {
                "edition_id": edition_id, "issue_id": issue_id, "newsletter": newsletter, "state": CampaignState.SCHEDULED,
                "due_at": due_at, "wall_time": wall_time, "time_zone": time_zone, "tzdata": tzdata,
                "not_after_s": int(not_after.total_seconds()), "if_late": if_late, "created_at": now,
                "fold": fold, "over_s": int(over.total_seconds()),
            },
        ).one()  # fmt: skip
    except IntegrityError as error:
        raise AlreadyScheduled(issue_id) from error
    return int(row.id)


def move(connection: Connection, id: int, cause: CampaignCause, to: CampaignState, *, reason: str = "", **values: Any) -> bool:
    """Performs a cause if the campaign is in a state where it does something; tells whether it did."""
    moved = connection.execute(update(t).where(t.c.id == id, t.c.state.in_(sources(cause))).values(state=to, reason=reason, **values))
    return moved.rowcount == 1


def launch(connection: Connection, id: int, now: datetime, *, from_held: bool = False) -> bool:
    """Takes a due campaign to ``sending``; only one caller ever gets True, which then makes the plan in this transaction."""
    state = CampaignState.HELD if from_held else CampaignState.SCHEDULED
    moved = connection.execute(
        update(t)
        .where(t.c.id == id, t.c.state == state, t.c.audience.is_(None))
        .values(state=CampaignState.SENDING, reason="", started_at=now)
    )
    return moved.rowcount == 1


def tend(connection: Connection, id: int, now: datetime, stale_at: datetime) -> bool:
    """Says that a worker is there for a campaign that is being sent. One that is stale already stays so: only an editor goes on with it."""
    fresh = t.c.stale_at.is_(None) | (t.c.stale_at > now)
    return (
        connection.execute(update(t).where(t.c.id == id, t.c.state == CampaignState.SENDING, fresh).values(stale_at=stale_at)).rowcount == 1
    )


def hold_stale(connection: Connection, id: int, now: datetime, reason: str) -> bool:
    """Holds a campaign that was begun and left alone for too long, and only if it still is so."""
    begun = t.c.state.in_((CampaignState.SENDING, CampaignState.PAUSED)) & (t.c.stale_at <= now)
    return connection.execute(update(t).where(t.c.id == id, begun).values(state=CampaignState.HELD, reason=reason)).rowcount == 1


def reschedule(connection: Connection, id: int, *, due_at: datetime, tzdata: str, reason: str) -> bool:
    """Writes what the wall time of a campaign that has not started means by newer rules."""
    moved = update(t).where(t.c.id == id, t.c.state == CampaignState.SCHEDULED)
    return connection.execute(moved.values(due_at=due_at, tzdata=tzdata, reason=reason)).rowcount == 1


def set_values(connection: Connection, id: int, **values: Any) -> None:
    """Writes facts that are no state: the audience, the publication."""
    connection.execute(update(t).where(t.c.id == id).values(**values))


def later(connection: Connection, id: int, now: datetime) -> tuple[datetime, int]:
    """Notes that the provider said "later"; gives since when it has said nothing else of this campaign, and how often.

    A batch that was accepted meanwhile begins the count anew. That is looked for here, so that accepting costs nothing.
    """
    accepted = select(batch.c.no).where(batch.c.campaign_id == id, batch.c.accepted_at >= t.c.later_since).exists()
    anew = t.c.later_since.is_(None) | accepted
    noted = (
        update(t)
        .where(t.c.id == id)
        .values(later_since=case((anew, literal(now, UTCDateTime)), else_=t.c.later_since), laters=case((anew, 1), else_=t.c.laters + 1))
        .returning(t.c.later_since, t.c.laters)
    )
    row = connection.execute(noted).one()
    return row.later_since, row.laters


def cancelled_with_plans(connection: Connection) -> list[int]:
    """Cancelled campaigns that have planned batches all the same: a call was under way, and the provider said "later" of it."""
    planned = select(batch.c.no).where(batch.c.campaign_id == t.c.id, batch.c.state == BatchState.PLANNED).exists()
    return list(connection.execute(select(t.c.id).where(t.c.state == CampaignState.CANCELLED, planned)).scalars())


def point_to(connection: Connection, id: int, edition_id: int) -> bool:
    """Gives a campaign that has not started a newer edition of its issue."""
    waiting = t.c.state.in_((CampaignState.SCHEDULED, CampaignState.HELD)) & t.c.audience.is_(None)
    return connection.execute(update(t).where(t.c.id == id, waiting).values(edition_id=edition_id)).rowcount == 1


def get(connection: Connection, id: int) -> Campaign | None:
    """One campaign."""
    row = connection.execute(_ONE, {"one": id}).first()
    return None if row is None else _campaign(row)


_ONE = select(t).where(t.c.id == bindparam("one"))
_INSTANCE = select(instance.c.name)


def listed(
    connection: Connection, *, states: Sequence[CampaignState] | None = None, issue_id: str | None = None, newsletter: str | None = None,
    limit: int | None = None,
) -> list[Campaign]:  # fmt: skip
    """Campaigns, newest first."""
    query = select(t).order_by(t.c.id.desc())
    if states is not None:
        query = query.where(t.c.state.in_(states))
    if issue_id is not None:
        query = query.where(t.c.issue_id == issue_id)
    if newsletter is not None:
        query = query.where(t.c.newsletter == newsletter)
    return [_campaign(row) for row in connection.execute(query.limit(limit) if limit else query)]


def due(connection: Connection, now: datetime) -> list[Campaign]:
    """Scheduled campaigns whose time has come, oldest first."""
    query = select(t).where(t.c.state == CampaignState.SCHEDULED, t.c.due_at <= now).order_by(t.c.due_at)
    return [_campaign(row) for row in connection.execute(query)]


def finishable(connection: Connection) -> list[int]:
    """Campaigns that were planned, are not closed, and have no batch left whose fate is open."""
    still_open = select(batch.c.no).where(batch.c.campaign_id == t.c.id, batch.c.state.in_(OPEN)).exists()
    query = select(t.c.id).where(t.c.state.in_(sources(CampaignCause.FINISH)), t.c.audience.is_not(None), ~still_open)
    return [row.id for row in connection.execute(query)]


def published(connection: Connection, newsletter: str | None = None) -> list[Campaign]:
    """Campaigns whose edition stands (or should stand) in the archive, newest issue first."""
    query = select(t).where(t.c.published_at.is_not(None)).order_by(t.c.issue_id.desc())
    if newsletter is not None:
        query = query.where(t.c.newsletter == newsletter)
    # A cancelled campaign may be followed by another one for the same issue: the archive has the newest.
    newest: dict[str, Campaign] = {}
    for row in connection.execute(query.order_by(t.c.id.desc())):
        newest.setdefault(row.issue_id, _campaign(row))
    return list(newest.values())


def tally(connection: Connection, id: int) -> Tally:
    """Where the campaign's readers are, summed over its batches (one statement: one consistent answer)."""
    live = batch.c.size - batch.c.suppressed - batch.c.refused - batch.c.moved
    query = (
        select(batch.c.state, func.sum(live), func.sum(batch.c.suppressed), func.sum(batch.c.refused))
        .where(batch.c.campaign_id == id)
        .group_by(batch.c.state)
    )
    counts: dict[str, int] = {}
    suppressed = refused = 0
    for state, living, out, no in connection.execute(query):
        counts[state] = int(living)
        suppressed += int(out)
        refused += int(no)
    return Tally(
        waiting=counts.get(BatchState.PLANNED, 0) + counts.get(BatchState.CLAIMED, 0),
        submitting=counts.get(BatchState.SUBMITTING, 0),
        sent=counts.get(BatchState.ACCEPTED, 0) + counts.get(BatchState.PARTLY_ACCEPTED, 0),
        refused=refused,
        suppressed=suppressed,
        in_doubt=counts.get(BatchState.IN_DOUBT, 0),
        expired=counts.get(BatchState.CANCELLED, 0),
    )


def instance_name(connection: Connection) -> str:
    """Which life of this database we are in: the first part of every key a provider sees."""
    return str(connection.execute(_INSTANCE).scalar_one())


def instance_since(connection: Connection) -> datetime:
    """When this life of the database began."""
    since: datetime = connection.execute(select(instance.c.since)).scalar_one()
    return since


def restored_from(connection: Connection) -> datetime | None:
    """When the backup was taken that this life of the database began with; None for its first life."""
    taken_at: datetime | None = connection.execute(select(instance.c.restored_from)).scalar_one()
    return taken_at


def earlier_names(connection: Connection, issue_id: str) -> list[str]:
    """Under which names an issue's mail may have left in earlier lives, of all its campaigns."""
    found = connection.execute(select(t.c.earlier).where(t.c.issue_id == issue_id).order_by(t.c.id)).scalars()
    return list(dict.fromkeys(name for names in found for name in names.split()))


def by_earlier_name(connection: Connection) -> dict[str, int]:
    """The campaigns by the names under which their mail may have left in earlier lives; of one issue's campaigns the newest."""
    rows = connection.execute(select(t.c.id, t.c.earlier).where(t.c.earlier != "").order_by(t.c.id))
    return {name: row.id for row in rows for name in row.earlier.split()}


def begin_life(connection: Connection, *, name: str, taken_at: datetime, now: datetime) -> list[int]:
    """Makes a restored database another one than it was: a new name, every campaign that is not final held, the old name kept
    with each. Gives the campaigns that are held. The caller puts the open batches in doubt (``store.doubts.restore``).

    A campaign that was scheduled for a time still to come cannot have started: it is held, but nothing of it is in doubt.
    """
    old = instance_name(connection)
    reason = f"the database was restored from a backup of {taken_at:%Y-%m-%d %H:%M} UTC: it may have been sent or cancelled since"
    not_begun = (t.c.state == CampaignState.SCHEDULED) & (t.c.due_at > now)
    mine = literal(old + "-") + cast(t.c.id, String)
    names = case((t.c.earlier == "", mine), else_=t.c.earlier + literal(" ") + mine)
    open_batches = select(batch.c.no).where(batch.c.campaign_id == t.c.id, batch.c.state.in_(OPEN)).exists()
    waiting = t.c.state.in_((*sources(CampaignCause.HOLD), CampaignState.HELD))
    # Of what was sent, too: news of its mail comes for weeks, under the old name.
    connection.execute(update(t).where((waiting & ~not_begun) | open_batches | (t.c.state == CampaignState.SENT)).values(earlier=names))
    held = connection.execute(update(t).where(waiting).values(state=CampaignState.HELD, reason=reason).returning(t.c.id)).scalars().all()
    last = instance.c.last_reader + READERS_A_LIFE
    connection.execute(update(instance).values(name=name, since=now, restored_from=taken_at, last_reader=last))
    return sorted(held)


def _campaign(row: Row[Any]) -> Campaign:
    return Campaign(
        id=row.id, edition_id=row.edition_id, issue_id=row.issue_id, newsletter=row.newsletter, state=CampaignState(row.state),
        reason=row.reason, due_at=row.due_at, wall_time=row.wall_time, time_zone=row.time_zone, tzdata=row.tzdata, fold=row.fold,
        not_after=timedelta(seconds=row.not_after_s), if_late=row.if_late, audience=row.audience, created_at=row.created_at,
        started_at=row.started_at, finished_at=row.finished_at, published_at=row.published_at, earlier=tuple(row.earlier.split()),
        over=timedelta(seconds=row.over_s), stale_at=row.stale_at,
    )  # fmt: skip
