"""Subscribers, subscriptions, consent and suppressions. Addresses come and go through the Vault only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, func, insert, literal, select, update

from pipeline.core.feedback import Bar, outweighs
from pipeline.store.addresses import Vault
from pipeline.store.engine import insert_ignoring
from pipeline.store.tables import consent, import_progress, instance, subscriber, subscription, suppression
from pipeline.store.types import UTCDateTime

ALL = "*"
"""The suppression that covers every newsletter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What became of one chunk of an import: how many were added, and which rows were there or are suppressed."""

    added: int
    present: int
    suppressed: frozenset[bytes]
    #: By address index.


def add_many(
    connection: Connection, vault: Vault, newsletter: str, addresses: Mapping[bytes, str], *, state: str, act: str, evidence: str,
    now: datetime, on_day: date,
) -> Chunk:  # fmt: skip
    """Adds subscribers (where new) and their subscriptions (where new) with evidence; never revives one that ended.

    ``addresses`` goes by address index, so that no address is in it twice.

    A reader who left or is suppressed stays so: an import is no consent of theirs.
    """
    blocked = _suppressed(connection, newsletter, list(addresses))
    wanted = {index: address for index, address in addresses.items() if index not in blocked}
    ids = _ids(connection, list(wanted))
    new = [
        {"address": vault.close(address), "address_index": index, "created_on": on_day}
        for index, address in wanted.items()
        if index not in ids
    ]
    if new:
        first = _numbers(connection, len(new))
        connection.execute(insert_ignoring(connection, subscriber), [one | {"id": id} for id, one in enumerate(new, first)])
        ids |= _ids(connection, [index for index in wanted if index not in ids])
    fresh = _subscribe(connection, newsletter, sorted(ids.values()), state, now)
    if fresh:
        columns = (subscriber.c.id, literal(newsletter), literal(act), literal(evidence), literal(on_day))
        proof = select(*columns).where(subscriber.c.id.in_(fresh)).order_by(subscriber.c.id)
        connection.execute(insert(consent).from_select(["subscriber_id", "newsletter", "act", "evidence", "on_day"], proof))
    return Chunk(added=len(fresh), present=len(addresses) - len(fresh) - len(blocked), suppressed=frozenset(blocked))


def _numbers(connection: Connection, count: int) -> int:
    """The first of so many ids that no reader ever had.

    Neither store keeps that promise by itself: SQLite gives the newest id again when its reader is erased, and a backup has forgotten
    whom it never saw. Links for leaving and the ledger name readers by these ids for years.
    """
    given = update(instance).values(last_reader=instance.c.last_reader + count).returning(instance.c.last_reader)
    return int(connection.execute(given).scalar_one()) - count + 1


def _subscribe(connection: Connection, newsletter: str, ids: Sequence[int], state: str, now: datetime) -> list[int]:
    """Adds the subscriptions that do not exist yet, and confirms pending ones if ``state`` says so; gives whose they are.

    One statement each, whatever their number. A subscription that was ended stays ended.
    """
    if not ids:
        return []
    raised: list[int] = []
    if state == "confirmed":
        pending = (subscription.c.newsletter == newsletter) & subscription.c.subscriber_id.in_(ids) & (subscription.c.state == "pending")
        moved = update(subscription).where(pending).values(state=state, since=now).returning(subscription.c.subscriber_id)
        raised = list(connection.execute(moved).scalars())
    columns = (subscriber.c.id, literal(newsletter), literal(state), literal(now, UTCDateTime()))
    chosen = select(*columns).where(subscriber.c.id.in_(ids)).order_by(subscriber.c.id)
    statement = insert_ignoring(connection, subscription).from_select(["subscriber_id", "newsletter", "state", "since"], chosen)
    return raised + list(connection.execute(statement.returning(subscription.c.subscriber_id)).scalars())


def _ids(connection: Connection, indexes: Sequence[bytes]) -> dict[bytes, int]:
    rows = connection.execute(select(subscriber.c.address_index, subscriber.c.id).where(subscriber.c.address_index.in_(indexes)))
    return {bytes(row.address_index): row.id for row in rows}


def _suppressed(connection: Connection, newsletter: str, indexes: Sequence[bytes]) -> set[bytes]:
    query = select(suppression.c.address_index).where(
        suppression.c.address_index.in_(indexes), suppression.c.newsletter.in_((newsletter, ALL))
    )
    return {bytes(one) for one in connection.execute(query).scalars()}


def suppressed(connection: Connection, vault: Vault, newsletter: str, address: str) -> bool:
    """Whether an address is barred from a newsletter's mail."""
    return bool(_suppressed(connection, newsletter, [vault.index(address)]))


def audience(connection: Connection, newsletter: str) -> Iterator[int]:
    """Ids of everyone who gets the newsletter now, ascending: confirmed and not suppressed. Read bit by bit: it may be millions."""
    # Whom suppressions bar is found once, from the few: the many are one run of the index.
    bars = suppression.c.newsletter.in_((newsletter, ALL))
    joined = suppression.join(subscriber, subscriber.c.address_index == suppression.c.address_index)
    barred = select(subscriber.c.id).select_from(joined).where(bars)
    of = (subscription.c.newsletter == newsletter) & (subscription.c.state == "confirmed")
    query = (
        select(subscription.c.subscriber_id).where(of, subscription.c.subscriber_id.not_in(barred)).order_by(subscription.c.subscriber_id)
    )
    yield from connection.execute(query, execution_options={"yield_per": 10_000}).scalars()


def audience_size(connection: Connection, newsletter: str) -> int:
    """How many they are."""
    return int(connection.execute(_confirmed(func.count()), _of(newsletter)).scalar_one())


def _of(newsletter: str) -> dict[str, Any]:
    return {"of": newsletter, "bars": (newsletter, ALL)}


def _confirmed(*columns: ColumnElement[Any]) -> Select[Any]:
    """Of everyone who gets the newsletter ``of`` now: confirmed, and under none of the suppressions ``bars``."""
    bars = suppression.c.newsletter.in_(bindparam("bars", expanding=True))
    barred = select(suppression.c.address_index).where(suppression.c.address_index == subscriber.c.address_index, bars).exists()
    joined = subscriber.join(subscription, subscription.c.subscriber_id == subscriber.c.id)
    of = subscription.c.newsletter == bindparam("of")
    return select(*columns).select_from(joined).where(of, subscription.c.state == "confirmed", ~barred)


def mailable(connection: Connection, vault: Vault, newsletter: str, ids: Sequence[int]) -> dict[int, str]:
    """Addresses of those ascending ids that may still be mailed: the check at the moment of the claim."""
    if not ids:
        return {}
    rows = connection.execute(_mailable(), _of(newsletter) | {"first": ids[0], "last": ids[-1]}).all()
    found = vault.open_many([address for _, address in rows])
    addresses = {id: address for (id, _), address in zip(rows, found, strict=True)}
    for other in addresses.keys() - set(ids):
        del addresses[other]
    return addresses


@cache
def _mailable() -> Select[Any]:
    # A run of the index instead of a thousand look-ups; the few of the newsletter in between that joined later are passed over.
    run = subscription.c.subscriber_id.between(bindparam("first"), bindparam("last"))
    return _confirmed(subscriber.c.id, subscriber.c.address).where(run)


def addresses_of(connection: Connection, vault: Vault, ids: Sequence[int]) -> dict[int, str]:
    """The addresses of those ids, whether they may still be mailed or not: to repeat or look up a call that was made."""
    rows = connection.execute(select(subscriber.c.id, subscriber.c.address).where(subscriber.c.id.in_(ids)))
    return {row.id: vault.open(bytes(row.address)) for row in rows}


def indexes_of(connection: Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """The address indexes of those ids that are there."""
    rows = connection.execute(select(subscriber.c.id, subscriber.c.address_index).where(subscriber.c.id.in_(ids)))
    return {row.id: bytes(row.address_index) for row in rows}


def by_index(connection: Connection, indexes: Sequence[bytes]) -> dict[bytes, int]:
    """The readers with those address indexes."""
    return _ids(connection, indexes)


def find(connection: Connection, vault: Vault, address: str) -> int | None:
    """The id of the reader with exactly this address."""
    return connection.execute(select(subscriber.c.id).where(subscriber.c.address_index == vault.index(address))).scalar()


def subscriptions(connection: Connection, subscriber_id: int) -> list[Row[Any]]:
    """A reader's subscriptions: newsletter, state, since."""
    query = select(subscription.c.newsletter, subscription.c.state, subscription.c.since).where(
        subscription.c.newsletter.in_(_newsletters(connection)), subscription.c.subscriber_id == subscriber_id
    )
    return list(connection.execute(query.order_by(subscription.c.newsletter)))


def _newsletters(connection: Connection) -> list[str]:
    """Those that anybody subscribed to. The key begins with the newsletter: hopping over it beats reading millions of rows."""
    found: list[str] = []
    following = select(func.min(subscription.c.newsletter)).where(subscription.c.newsletter > bindparam("last"))
    while (one := connection.execute(following, {"last": found[-1] if found else ""}).scalar()) is not None:
        found.append(one)
    return found


def leave(connection: Connection, subscriber_id: int, newsletter: str, *, method: str, now: datetime) -> bool:
    """Ends a subscription, with evidence; False when it had ended before (asking twice is fine), or began after ``now``."""
    moved = connection.execute(
        update(subscription)
        .where(
            subscription.c.subscriber_id == subscriber_id, subscription.c.newsletter == newsletter, subscription.c.state != "unsubscribed"
        )
        # News may be old: it ends the subscription it speaks of, not one that the reader has made since.
        .where(subscription.c.since <= now)
        .values(state="unsubscribed", since=now)
    )
    if moved.rowcount != 1:
        return False
    connection.execute(
        insert(consent).values(subscriber_id=subscriber_id, newsletter=newsletter, act="unsubscribed", evidence=method, on_day=now.date())
    )
    return True


def counts(connection: Connection, newsletter: str) -> dict[str, int]:
    """Readers of a newsletter by the state of their subscription."""
    query = select(subscription.c.state, func.count()).where(subscription.c.newsletter == newsletter).group_by(subscription.c.state)
    return {state: int(n) for state, n in connection.execute(query)}


def suppress(connection: Connection, index: bytes, newsletter: str, bar: Bar, since: datetime, *, source: str = "") -> bool:
    """Bars an address; False when it was barred already. Of several reasons the weightiest is kept, of equal ones the first."""
    values = {"reason": bar, "since": since, "source": source}
    statement = insert_ignoring(connection, suppression).values(address_index=index, newsletter=newsletter, **values)
    if connection.execute(statement.returning(suppression.c.reason)).first() is not None:
        return True
    there = (suppression.c.address_index == index) & (suppression.c.newsletter == newsletter)
    old = connection.execute(select(suppression).where(there)).first()
    if old is not None and (outweighs(bar, old.reason) or (bar == old.reason and (since, source) < (old.since, old.source))):
        connection.execute(update(suppression).where(there).values(**values))
    return False


def unsuppress_soft(connection: Connection, index: bytes) -> None:
    """Lifts the bar that soft bounces brought, and no other."""
    soft = (suppression.c.newsletter == ALL) & (suppression.c.reason == Bar.SOFT_BOUNCED)
    connection.execute(delete(suppression).where(suppression.c.address_index == index, soft))


def suppressions(connection: Connection, index: bytes | None = None) -> list[Row[Any]]:
    """How many addresses are barred, by newsletter, reason and source, and since when the newest; or those of one address."""
    columns = (suppression.c.newsletter, suppression.c.reason, suppression.c.source)
    query = select(*columns, func.count().label("readers"), func.max(suppression.c.since).label("newest")).group_by(*columns)
    if index is not None:
        query = query.where(suppression.c.address_index == index)
    return list(connection.execute(query.order_by(*columns)))


def unsuppress(connection: Connection, index: bytes, newsletter: str) -> bool:
    """Lifts a bar; False when there was none."""
    gone = connection.execute(delete(suppression).where(suppression.c.address_index == index, suppression.c.newsletter == newsletter))
    return gone.rowcount == 1


def progress(connection: Connection, file_digest: str, newsletter: str) -> Row[Any] | None:
    """How far an import of this file came before."""
    return connection.execute(
        select(import_progress).where(import_progress.c.file_digest == file_digest, import_progress.c.newsletter == newsletter)
    ).first()


def set_progress(
    connection: Connection, file_digest: str, newsletter: str, *, rows_done: int, added: int, present: int, refused: int, now: datetime
) -> None:
    """Writes how far an import came, in the transaction of its rows."""
    values = {"rows_done": rows_done, "added": added, "present": present, "refused": refused, "updated_at": now}
    at = (import_progress.c.file_digest == file_digest) & (import_progress.c.newsletter == newsletter)
    if connection.execute(update(import_progress).where(at).values(**values)).rowcount == 0:
        connection.execute(insert(import_progress).values(file_digest=file_digest, newsletter=newsletter, **values))


def clear_progress(connection: Connection, file_digest: str, newsletter: str) -> None:
    """Forgets how far an import came."""
    connection.execute(
        delete(import_progress).where(import_progress.c.file_digest == file_digest, import_progress.c.newsletter == newsletter)
    )
