"""Alarms, one row for each while it lasts, and what was found in seed mailboxes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from pipeline.core.campaign import BatchState, CampaignState
from pipeline.store.engine import insert_ignoring
from pipeline.store.tables import alarm as t
from pipeline.store.tables import arrival, batch, campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that a person of the newsroom must know of. Holds no reader's address."""

    id: int
    key: str
    title: str
    body: str
    raised_at: datetime
    over_at: datetime | None
    tries: int
    next_try_at: datetime | None
    told: frozenset[str]
    #: Who of the newsroom has been told, as keyed indexes in hexadecimal.
    said: str


def add(connection: Connection, *, key: str, title: str, body: str, now: datetime) -> bool:
    """Raises an alarm; False when one for this key lasts already."""
    values = {"key": key, "title": title, "body": body, "raised_at": now, "next_try_at": now}
    return connection.execute(insert_ignoring(connection, t).values(**values).returning(t.c.id)).first() is not None


def end(connection: Connection, keys: Collection[str], now: datetime) -> int:
    """Ends every alarm that lasts but is not among these; nobody is told of it any more. Gives how many."""
    lasts = t.c.over_at.is_(None) & t.c.key.not_in(keys)
    return connection.execute(update(t).where(lasts).values(over_at=now, next_try_at=None)).rowcount


def listed(connection: Connection, *, lasting: bool = True, limit: int = 50) -> list[Alarm]:
    """Alarms, newest first: those that last, or also those that are over."""
    query = select(t).order_by(t.c.id.desc()).limit(limit)
    return [_alarm(row) for row in connection.execute(query.where(t.c.over_at.is_(None)) if lasting else query)]


def to_mail(connection: Connection, now: datetime) -> list[Alarm]:
    """Alarms that somebody is to be told of now, oldest first."""
    query = select(t).where(t.c.over_at.is_(None), t.c.next_try_at <= now).order_by(t.c.id)
    return [_alarm(row) for row in connection.execute(query)]


def begin_try(connection: Connection, one: Alarm, next_try_at: datetime | None) -> bool:
    """Counts a try before it is made, so that a crash cannot make it endless; False when another process tries just now."""
    there = (t.c.id == one.id) & (t.c.tries == one.tries) & t.c.over_at.is_(None)
    return connection.execute(update(t).where(there).values(tries=t.c.tries + 1, next_try_at=next_try_at)).rowcount == 1


def end_try(connection: Connection, id: int, *, told: Collection[str], said: str, done: bool) -> None:
    """Writes what became of a try; ``done``: none is to follow."""
    values: dict[str, Any] = {"told": " ".join(sorted(told)), "said": said}
    if done:
        values["next_try_at"] = None
    connection.execute(update(t).where(t.c.id == id).values(**values))


def doubtful(connection: Connection, called_before: datetime) -> dict[int, int]:
    """By campaign, the readers in batches that have been in doubt since before a moment."""
    found: dict[int, int] = {}
    live = batch.c.size - batch.c.suppressed - batch.c.refused - batch.c.moved
    since = batch.c.intended_at.is_(None) | (batch.c.intended_at <= called_before)
    for id, count in connection.execute(select(batch.c.campaign_id, live).where(batch.c.state == BatchState.IN_DOUBT, since)):
        found[id] = found.get(id, 0) + int(count)
    return found


def due_between(connection: Connection, since: datetime, until: datetime) -> list[int]:
    """Campaigns that were due in a time and that nobody has stopped."""
    going = (CampaignState.SCHEDULED, CampaignState.SENDING, CampaignState.SENT)
    query = select(campaign.c.id).where(campaign.c.state.in_(going), campaign.c.due_at > since, campaign.c.due_at <= until)
    return list(connection.execute(query.order_by(campaign.c.id)).scalars())


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What the last look into a seed mailbox found of a campaign."""

    seed: str
    looked_at: datetime
    seen_at: datetime | None
    said: str


def arrivals(connection: Connection, campaign_id: int) -> list[Arrival]:
    """What is known of a campaign in the seed mailboxes."""
    rows = connection.execute(select(arrival).where(arrival.c.campaign_id == campaign_id).order_by(arrival.c.seed))
    return [Arrival(seed=row.seed, looked_at=row.looked_at, seen_at=row.seen_at, said=row.said) for row in rows]


def write_look(connection: Connection, campaign_id: int, seed: str, *, now: datetime, seen: bool, said: str) -> None:
    """Writes what a look into a seed mailbox found. What was seen once stays so."""
    connection.execute(insert_ignoring(connection, arrival).values(campaign_id=campaign_id, seed=seed, looked_at=now))
    there = (arrival.c.campaign_id == campaign_id) & (arrival.c.seed == seed) & arrival.c.seen_at.is_(None)
    connection.execute(update(arrival).where(there).values(looked_at=now, said=said, **({"seen_at": now} if seen else {})))


def _alarm(row: Row[Any]) -> Alarm:
    return Alarm(
        id=row.id, key=row.key, title=row.title, body=row.body, raised_at=row.raised_at, over_at=row.over_at, tries=row.tries,
        next_try_at=row.next_try_at, told=frozenset(row.told.split()), said=row.said,
    )  # fmt: skip
