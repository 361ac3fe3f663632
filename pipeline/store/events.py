"""News from providers: kept once, applied once, read for a message's fate and as proof that a message was taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, distinct, func, insert, select, update

from pipeline.core.campaign import OPEN
from pipeline.core.event import EventType
from pipeline.core.feedback import ABOUT_US, PROOF, Try, gave_up, weight
from pipeline.core.message import RejectReason
from pipeline.store.engine import insert_ignoring
from pipeline.store.tables import batch, instance, nonce, poll
from pipeline.store.tables import event as t


def keep(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Keeps events that are not there yet; gives how many those were."""
    if not rows:
        return 0
    return len(connection.execute(insert_ignoring(connection, t).returning(t.c.id), rows).all())


def spend(connection: Connection, provider: str, values: Collection[str], now: datetime) -> bool:
    """Marks what a provider signed as used; False when some of it was used before."""
    rows = [{"provider": provider, "value": value, "received_at": now} for value in sorted(values)]
    return not rows or len(connection.execute(insert_ignoring(connection, nonce).returning(nonce.c.value), rows).all()) == len(rows)


def forget_spent(connection: Connection, before: datetime) -> None:
    """Drops what is too old to be accepted again anyway."""
    connection.execute(delete(nonce).where(nonce.c.received_at < before))


def clear(connection: Connection, after: int, before: datetime, limit: int) -> tuple[int | None, int]:
    """Removes applied events that came before a moment, of the next ``limit`` behind an id; gives the last id looked at and how many went.

    None: what follows is younger. Events come in the order of their ids, so nothing young is read. What is not applied stays, and what may
    still prove that a message of an open campaign was taken.
    """
    page = list(
        connection.execute(
            select(t.c.id, t.c.received_at, t.c.applied_at, t.c.campaign_id).where(t.c.id > after).order_by(t.c.id).limit(limit)
        )
    )
    old = [row for row in page if row.received_at < before]
    still_open = batch.c.state.in_(OPEN) & batch.c.campaign_id.in_({row.campaign_id for row in old if row.campaign_id is not None})
    kept = set(connection.execute(select(batch.c.campaign_id).where(still_open).distinct()).scalars())
    gone = [row.id for row in old if row.applied_at is not None and row.campaign_id not in kept]
    if gone:
        connection.execute(delete(t).where(t.c.id.in_(gone)))
    return (page[-1].id if len(page) == limit and len(old) == len(page) else None), len(gone)


def one_at_a_time(connection: Connection) -> None:
    """Makes whoever else applies events wait until this transaction ends (SQLite has one writer as it is)."""
    connection.execute(select(instance.c.id).with_for_update())


def waiting(connection: Connection, limit: int) -> list[Row[Any]]:
    """Events that were not applied yet, in the order in which they came."""
    return list(connection.execute(select(t).where(t.c.applied_at.is_(None)).order_by(t.c.id).limit(limit)))


def mark_applied(connection: Connection, found: Mapping[int, tuple[int | None, int | None, int | None]], now: datetime) -> None:
    """Writes whose they turned out to be: campaign, batch, reader by event. What was kept to find the reader by goes."""
    statement = (
        update(t)
        .where(t.c.id == bindparam("event"))
        .values(campaign_id=bindparam("campaign"), batch_no=bindparam("batch"), subscriber_id=bindparam("reader"))
        .values(address_index=None, applied_at=now)
    )
    rows = [{"event": id, "campaign": one[0], "batch": one[1], "reader": one[2]} for id, one in found.items()]
    connection.execute(statement, rows)


def tries(connection: Connection, subscriber_ids: Collection[int]) -> dict[int, list[Try]]:
    """How the messages of those readers ended, for those who ever had one given up on."""
    soft = ((t.c.type == EventType.DEFERRED) & t.c.final) | ((t.c.type == EventType.BOUNCED) & t.c.reason.in_(ABOUT_US))
    mine = t.c.subscriber_id.in_(subscriber_ids) & t.c.campaign_id.is_not(None) & t.c.applied_at.is_not(None)
    troubled = set(connection.execute(select(t.c.subscriber_id).distinct().where(mine, soft)).scalars())
    found: dict[int, list[Try]] = {one: [] for one in troubled}
    ended = t.c.type.in_((EventType.DEFERRED, EventType.BOUNCED, EventType.DELIVERED))
    for row in connection.execute(select(t).where(mine, t.c.subscriber_id.in_(troubled), ended)):
        delivered = row.type == EventType.DELIVERED
        if delivered or gave_up(EventType(row.type), RejectReason(row.reason) if row.reason else None, final=row.final):
            found[row.subscriber_id].append(Try(row.campaign_id, row.at, delivered))
    return found


def proven(connection: Connection, campaign_id: int, subscriber_ids: Collection[int]) -> dict[int, str]:
    """Whose message of a campaign the provider has spoken of, and under which receipt: it took those."""
    wanted = set(subscriber_ids)
    if not wanted:
        return {}
    near = t.c.subscriber_id.between(min(wanted), max(wanted))  # a run of the index instead of a thousand look-ups
    mine = (t.c.campaign_id == campaign_id) & near & t.c.applied_at.is_not(None) & t.c.type.in_(PROOF)
    rows = connection.execute(select(t.c.subscriber_id, func.max(t.c.receipt).label("receipt")).where(mine).group_by(t.c.subscriber_id))
    return {row.subscriber_id: row.receipt for row in rows if row.subscriber_id in wanted}


def latest(connection: Connection, subscriber_id: int) -> dict[int, Row[Any]]:
    """The newest event of a reader's message in each campaign; of the same instant, the one that tells most."""
    mine = (t.c.subscriber_id == subscriber_id) & t.c.applied_at.is_not(None) & t.c.campaign_id.is_not(None)
    rows: list[Row[Any]] = list(connection.execute(select(t.c.campaign_id, t.c.type, t.c.at).where(mine)))
    return {row.campaign_id: row for row in sorted(rows, key=lambda row: (row.at, weight(EventType(row.type))))}


def counts(connection: Connection, campaign_id: int) -> dict[str, int]:
    """Of how many readers of a campaign there is news, by its kind. A reader counts once for each kind."""
    mine = (t.c.campaign_id == campaign_id) & t.c.applied_at.is_not(None)
    rows = connection.execute(select(t.c.type, func.count(distinct(t.c.subscriber_id))).where(mine).group_by(t.c.type))
    return {type: int(readers) for type, readers in rows}


def polled_until(connection: Connection, provider: str) -> datetime | None:
    """Up to when a provider's events have been asked for."""
    moment: datetime | None = connection.execute(select(poll.c.done_until).where(poll.c.provider == provider)).scalar()
    return moment


def set_polled(connection: Connection, provider: str, until: datetime) -> None:
    """Writes up to when a provider's events have been asked for."""
    if connection.execute(update(poll).where(poll.c.provider == provider).values(done_until=until)).rowcount == 0:
        connection.execute(insert(poll).values(provider=provider, done_until=until))
