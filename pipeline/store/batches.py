"""The ledger: one row a batch, moved by fenced compare-and-set. Whoever gets False lost the race and does nothing.

Order of a delivery: claim -> (build, rate) -> intend -> call the provider -> record. ``intend`` is the last commit
before the first byte leaves; a batch found submitting after its lease is in doubt, and nothing here sends it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Update, bindparam, func, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from pipeline.core.campaign import BATCH, BatchCause, BatchState, CampaignState, Impossible, batch_sources
from pipeline.core.message import Refused
from pipeline.core.settlement import Settlement
from pipeline.store.members import pack_members, unpack_members
from pipeline.store.tables import batch as t
from pipeline.store.tables import campaign, exception, receipt
from pipeline.store.workers import alive

_PLANNED_AT_ONCE = 100
_KEY = re.compile(r"([0-9a-f]{1,16})-([0-9]{1,15})-([0-9]{1,9})-[0-9]{1,9}")

MAX_SPLITS = 64
"""How many batches a campaign may have beyond twice its plan."""


@dataclass(frozen=True, slots=True, order=True)
class BatchKey:
    """A batch's place in the ledger: the only thing a task carries."""

    campaign_id: int
    no: int

    def __str__(self) -> str:
        return f"{self.campaign_id}.{self.no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A batch in hand. ``fence`` proves it: a later claim has a higher one."""

    key: BatchKey
    generation: int
    fence: int
    members: tuple[int, ...]
    #: Ascending; those that left the list since the plan are not in it.


def plan(connection: Connection, campaign_id: int, ids: Iterable[int], size: int, now: datetime) -> tuple[int, int]:
    """Cuts ascending subscriber ids into batches of at most ``size``; gives the numbers of batches and of readers.

    ``ids`` may be millions: never more than a few batches of them are held.
    """
    rest, count, readers = iter(ids), 0, 0
    while slices := [members for _ in range(_PLANNED_AT_ONCE) if (members := list(islice(rest, size)))]:
        connection.execute(insert(t), [_planned(campaign_id, no, members, now) for no, members in enumerate(slices, count + 1)])
        count += len(slices)
        readers += sum(map(len, slices))
    connection.execute(update(campaign).where(campaign.c.id == campaign_id).values(batches=count))
    return count, readers


def _planned(
    campaign_id: int, no: int, members: Sequence[int], not_before: datetime, state: BatchState = BatchState.PLANNED
) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id, "no": no, "first_id": members[0], "last_id": members[-1], "size": len(members),
        "members": pack_members(members), "state": state, "not_before": not_before,
    }  # fmt: skip


def spread(connection: Connection, campaign_id: int, start: datetime, over: timedelta) -> int:
    """Spreads the batches of a campaign that were never called evenly over a time: the first at its start, each other one step later.

    A step is the time by all batches of the campaign, so what is left of it keeps its pace. Gives how many were given a time.
    """
    total = connection.execute(select(func.count()).where(t.c.campaign_id == campaign_id)).scalar_one()
    waiting = select(t.c.no).where(t.c.campaign_id == campaign_id, t.c.state == BatchState.PLANNED, t.c.attempts == 0).order_by(t.c.no)
    rows = [{"one": no, "then": start + over * place / total} for place, no in enumerate(connection.execute(waiting).scalars())]
    if rows:
        one = (t.c.campaign_id == campaign_id) & (t.c.no == bindparam("one")) & (t.c.state == BatchState.PLANNED)
        connection.execute(update(t).where(one).values(not_before=bindparam("then")), rows)
    return len(rows)


def last_planned(connection: Connection, campaign_id: int) -> datetime | None:
    """When the last batch that still waits may leave; None when none waits."""
    query = select(func.max(t.c.not_before)).where(t.c.campaign_id == campaign_id, t.c.state == BatchState.PLANNED)
    found: datetime | None = connection.execute(query).scalar()
    return found


def ready(connection: Connection, now: datetime, limit: int) -> list[BatchKey]:
    """Batches that may be delivered now: planned, of a campaign that is being sent and whose archive page stands."""
    query = (
        select(t.c.campaign_id, t.c.no)
        .join(campaign, campaign.c.id == t.c.campaign_id)
        .where(t.c.state == BatchState.PLANNED, t.c.not_before <= now)
        .where(campaign.c.state == CampaignState.SENDING, campaign.c.published_at.is_not(None), _fresh(now))
        .order_by(t.c.not_before, t.c.campaign_id, t.c.no)
        .limit(limit)
    )
    return [BatchKey(row.campaign_id, row.no) for row in connection.execute(query)]


def at(key: BatchKey) -> ColumnElement[bool]:
    return (t.c.campaign_id == key.campaign_id) & (t.c.no == key.no)


_AT_CAMPAIGN: BindParameter[int] = bindparam("key_campaign", type_=t.c.campaign_id.type)
_NOW: BindParameter[datetime] = bindparam("now", type_=t.c.not_before.type)
_AT = (t.c.campaign_id == _AT_CAMPAIGN) & (t.c.no == bindparam("key_no"))


def _fresh(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Somebody tended the campaign lately: what was left alone for hours waits for an editor, also in a worker that slept itself."""
    return campaign.c.stale_at.is_(None) | (campaign.c.stale_at > now)


def being_sent(campaign_id: int | BindParameter[int], now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The campaign is being sent, and was not left alone for too long.

    FOR SHARE (PostgreSQL): a pause that commits first is seen, one that comes later waits.
    """
    return (
        select(campaign.c.id)
        .where(campaign.c.id == campaign_id, campaign.c.state == CampaignState.SENDING, _fresh(now))
        .with_for_update(read=True)
        .exists()
    )


def claim(connection: Connection, key: BatchKey, now: datetime, lease: timedelta, holder: str | None = None) -> Claim | None:
    """Takes a planned batch in hand, or None. Nothing has been sent when the lease runs out in this state."""
    row = connection.execute(
        _claiming(), {"key_campaign": key.campaign_id, "key_no": key.no, "now": now, "new_lease_until": now + lease, "new_holder": holder}
    ).first()
    if row is None:
        return None
    members = in_it(connection, key, row.members) if row.apart else tuple(unpack_members(row.members))
    return Claim(key=key, generation=row.generation, fence=row.fence, members=members)


@cache
def _claiming() -> ReturningUpdate[Any]:
    """The statement of ``claim``. To put one together takes far longer than SQLite needs to perform it, and all batches need the same."""
    return (
        update(t)
        .where(_AT, t.c.state.in_(batch_sources(BatchCause.CLAIM)), t.c.not_before <= _NOW, being_sent(_AT_CAMPAIGN, _NOW))
        .values(state=BatchState.CLAIMED, fence=t.c.fence + 1, lease_until=bindparam("new_lease_until"), holder=bindparam("new_holder"))
        .returning(t.c.generation, t.c.fence, t.c.members, (t.c.suppressed + t.c.refused + t.c.moved).label("apart"))
    )


def still_held(connection: Connection, claim: Claim) -> bool:
    """Whether a claimed batch is still ours, and its campaign still being sent."""
    query = (
        select(t.c.no)
        .join(campaign, campaign.c.id == t.c.campaign_id)
        .where(at(claim.key), t.c.fence == claim.fence, t.c.state == BatchState.CLAIMED, campaign.c.state == CampaignState.SENDING)
    )
    return connection.execute(query).first() is not None


def planned(connection: Connection, campaign_id: int) -> list[BatchKey]:
    """A campaign's batches that nobody has in hand, in order."""
    query = select(t.c.no).where(t.c.campaign_id == campaign_id, t.c.state == BatchState.PLANNED).order_by(t.c.no)
    return [BatchKey(campaign_id, no) for no in connection.execute(query).scalars()]


def except_suppressed(connection: Connection, claim: Claim, subscriber_ids: Sequence[int], now: datetime) -> Claim:
    """Takes readers out of a claimed batch who left the list after the plan; they are counted as suppressed."""
    if not subscriber_ids:
        return claim
    connection.execute(
        insert(exception),
        [
            {"campaign_id": claim.key.campaign_id, "subscriber_id": one, "batch_no": claim.key.no, "kind": "suppressed", "at": now}
            for one in subscriber_ids
        ],
    )
    connection.execute(update(t).where(at(claim.key), t.c.fence == claim.fence).values(suppressed=t.c.suppressed + len(subscriber_ids)))
    gone = set(subscriber_ids)
    return Claim(key=claim.key, generation=claim.generation, fence=claim.fence, members=tuple(m for m in claim.members if m not in gone))


def put_off(connection: Connection, claim: Claim, members: Sequence[int], until: datetime, now: datetime) -> Claim:
    """Moves some readers of a claimed batch to a batch of their own that leaves later; with all of them, the batch itself waits."""
    if not members:
        return claim
    if len(members) == len(claim.members):
        move(connection, claim, BatchCause.RELEASE, lease_until=None, not_before=until, detail="waits: its mail domains take no more now")
        return Claim(key=claim.key, generation=claim.generation, fence=claim.fence, members=())
    connection.execute(update(t).where(at(claim.key), t.c.fence == claim.fence).values(moved=t.c.moved + len(members)))
    _move_out(connection, claim.key, members, BatchState.PLANNED, until, now)
    gone = set(members)
    return Claim(key=claim.key, generation=claim.generation, fence=claim.fence, members=tuple(m for m in claim.members if m not in gone))


def last_called(connection: Connection, campaign_id: int, limit: int) -> list[BatchState]:
    """The states of the batches that were called last, newest first."""
    query = select(t.c.state).where(t.c.campaign_id == campaign_id, t.c.intended_at.is_not(None), ~t.c.restored)
    return [BatchState(state) for state in connection.execute(query.order_by(t.c.intended_at.desc()).limit(limit)).scalars()]


def move(connection: Connection, claim: Claim, cause: BatchCause, *, more: Mapping[str, int] | None = None, **values: Any) -> bool:
    """One guarded move of a batch in hand. False: another one moved it, or the cause does nothing in its state.

    ``values`` are written; ``more`` is added to what the columns hold.
    """
    more = more or {}
    given = {"key_campaign": claim.key.campaign_id, "key_no": claim.key.no, "key_fence": claim.fence, "key_generation": claim.generation}
    given |= {f"new_{name}": value for name, value in values.items()} | {f"more_{name}": value for name, value in more.items()}
    return connection.execute(_moving(cause, tuple(values), tuple(more)), given).rowcount == 1


@cache
def _moving(cause: BatchCause, names: tuple[str, ...], more: tuple[str, ...]) -> Update:
    """The statement of ``move``."""
    target = {to for (_, c), to in BATCH.items() if c is cause and not isinstance(to, Impossible)}
    assert len(target) == 1, cause
    guard = [_AT, t.c.fence == bindparam("key_fence"), t.c.generation == bindparam("key_generation"), t.c.state.in_(batch_sources(cause))]
    if cause is BatchCause.INTEND:
        guard.append(being_sent(_AT_CAMPAIGN, bindparam("new_intended_at", type_=t.c.intended_at.type)))
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    values |= {name: t.c[name] + bindparam(f"more_{name}", type_=t.c[name].type) for name in more}
    return update(t).where(*guard).values(state=target.pop(), **values)


def intend(connection: Connection, claim: Claim, provider: str, digest: str, now: datetime, lease: timedelta) -> bool:
    """Records that a call with this body is about to leave: the last commit before the first byte."""
    # Looks at the provider were about the call before.
    called = {"provider": provider, "body_digest": digest, "intended_at": now, "looks": 0}
    return move(connection, claim, BatchCause.INTEND, lease_until=now + lease, more={"attempts": 1}, **called)


def record(connection: Connection, claim: Claim, settlement: Settlement, now: datetime) -> bool:
    """Writes what became of a call. A late answer counts too (also from in doubt), but only for this claim's generation."""
    values: dict[str, Any] = {"detail": settlement.detail, "lease_until": None}
    if settlement.cause is BatchCause.POSTPONE:
        values["not_before"] = now + timedelta(seconds=settlement.after_s)
    if settlement.cause in (BatchCause.ACCEPT, BatchCause.ACCEPT_PARTLY):
        values["accepted_at"] = now
    moved = len(settlement.later) + len(settlement.unknown) + sum(map(len, settlement.halves))
    if not move(connection, claim, settlement.cause, more={"refused": len(settlement.refused), "moved": moved}, **values):
        return False
    key = claim.key
    if settlement.receipts:
        ids = "\n".join(settlement.receipts).encode()
        connection.execute(insert(receipt), {"campaign_id": key.campaign_id, "batch_no": key.no, "ids": ids})
    if settlement.refused:
        connection.execute(insert(exception), [_refused(key, member, why, now) for member, why in settlement.refused])
    _move_out(connection, key, settlement.later, BatchState.PLANNED, now + timedelta(seconds=settlement.after_s), now)
    _move_out(connection, key, settlement.unknown, BatchState.IN_DOUBT, now, now, detail=settlement.detail)
    for half in settlement.halves:
        _move_out(connection, key, half, BatchState.PLANNED, now, now)
    return True


def _refused(key: BatchKey, member: int, why: Refused, now: datetime) -> dict[str, Any]:
    return {
        "campaign_id": key.campaign_id, "subscriber_id": member, "batch_no": key.no, "kind": "refused", "reason": why.reason,
        "detail": why.detail[:500], "at": now,
    }  # fmt: skip


def _move_out(
    connection: Connection, key: BatchKey, members: Sequence[int], state: BatchState, not_before: datetime, now: datetime, detail: str = ""
) -> None:
    """Gives members whose fate differs a batch of their own, which was never called."""
    if not members:
        return
    newest = connection.execute(select(func.max(t.c.no)).where(t.c.campaign_id == key.campaign_id)).scalar_one()
    connection.execute(insert(t), [_planned(key.campaign_id, newest + 1, members, not_before, state) | {"detail": detail}])
    rows = [
        {"campaign_id": key.campaign_id, "subscriber_id": one, "batch_no": key.no, "kind": "moved", "moved_to": newest + 1, "at": now}
        for one in members
    ]
    connection.execute(insert(exception), rows)


def may_split(connection: Connection, campaign_id: int) -> bool:
    """Whether a campaign may grow by more halves: a bad address or two are found so, a fault of the whole issue is not."""
    planned = select(func.sum(t.c.size - t.c.moved)).where(t.c.campaign_id == campaign_id).scalar_subquery()
    row = connection.execute(select(func.count(), func.max(t.c.size), planned).where(t.c.campaign_id == campaign_id)).one()
    return bool(row[0] <= MAX_SPLITS + 2 * (row[2] // row[1] + 1))


def sweep(connection: Connection, now: datetime) -> tuple[int, int]:
    """Batches whose lease ran out, or whose holder is dead: a claimed one goes back (nothing left), a submitting one is in doubt.

    Gives both counts.
    """
    expired = t.c.lease_until < now
    if connection.dialect.name == "postgresql":
        expired = expired | (t.c.holder.is_not(None) & ~alive(t.c.holder))
    released = connection.execute(
        update(t).where(t.c.state == BatchState.CLAIMED, expired).values(state=BatchState.PLANNED, lease_until=None)
    )
    doubted = connection.execute(
        update(t)
        .where(t.c.state == BatchState.SUBMITTING, expired)
        .values(state=BatchState.IN_DOUBT, lease_until=None, detail="the worker died while the call was under way")
    )
    return released.rowcount, doubted.rowcount


def expire_leases(connection: Connection, now: datetime) -> None:
    """On the start of the only worker of this machine: whoever held a batch is dead, so no lease need be waited for."""
    connection.execute(
        update(t).where(t.c.state.in_((BatchState.CLAIMED, BatchState.SUBMITTING))).values(lease_until=now - timedelta(seconds=1))
    )


def cancel_open(connection: Connection, campaign_id: int) -> int:
    """Cancels what has not left; gives the number of readers. In-flight and doubtful batches stay as they are."""
    state_guard = t.c.state.in_(batch_sources(BatchCause.CANCEL))
    rows = connection.execute(
        update(t)
        .where(t.c.campaign_id == campaign_id, state_guard)
        .values(state=BatchState.CANCELLED, lease_until=None)
        .returning(t.c.size - t.c.suppressed - t.c.refused - t.c.moved)
    )
    return sum(row[0] for row in rows)


def in_it(connection: Connection, key: BatchKey, members: bytes) -> tuple[int, ...]:
    """The members of a batch less those who do not share its fate."""
    out = select(exception.c.subscriber_id).where(exception.c.campaign_id == key.campaign_id, exception.c.batch_no == key.no)
    gone = set(connection.execute(out).scalars())
    return tuple(member for member in unpack_members(members) if member not in gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A batch that a person may want to know of: in doubt, or waiting after the provider said no."""

    key: BatchKey
    provider_key: str
    #: By which it is found at the provider; empty for a batch that was never called, such as one reader moved out of a call.
    state: BatchState
    readers: int
    detail: str
    #: What the provider last said.
    not_before: datetime


def provider_key(instance: str, key: BatchKey, generation: int) -> str:
    """The name of one generation of a batch at the provider: never random, so that a doubt can be looked up."""
    return f"{instance}-{key.campaign_id}-{key.no}-{generation}"


def read_provider_key(text: str) -> tuple[str, BatchKey] | None:
    """Whose batch a name at the provider is, and which one; None when it is no such name."""
    found = _KEY.fullmatch(text)
    return None if found is None else (found[1], BatchKey(int(found[2]), int(found[3])))


def troubled(connection: Connection, campaign_id: int, instance: str) -> list[Waiting]:
    """Batches of a campaign that are in doubt, or waiting with a word from the provider."""
    live = (t.c.size - t.c.suppressed - t.c.refused - t.c.moved).label("live")
    said = (t.c.state == BatchState.PLANNED) & (t.c.detail != "")
    query = (
        select(t.c.no, t.c.state, t.c.generation, live, t.c.detail, t.c.not_before, t.c.intended_at, t.c.restored, campaign.c.earlier)
        .join(campaign, campaign.c.id == t.c.campaign_id)
        .where(t.c.campaign_id == campaign_id, (t.c.state == BatchState.IN_DOUBT) | said)
    )
    found = []
    for row in connection.execute(query.order_by(t.c.no)):
        key = BatchKey(campaign_id, row.no)
        name = provider_key(instance, key, row.generation) if row.intended_at is not None else ""
        if row.restored and row.earlier:
            name = f"{row.earlier.split()[-1]}-{row.no}-{row.generation}"
        state = BatchState(row.state)
        found.append(Waiting(key=key, provider_key=name, state=state, readers=row.live, detail=row.detail, not_before=row.not_before))
    return found


def reached(connection: Connection, campaign_ids: Sequence[int]) -> set[int]:
    """Everyone these campaigns mailed or may have mailed: who must not get the issue a second time."""
    gone: dict[tuple[int, int], set[int]] = {}
    for row in connection.execute(select(exception).where(exception.c.campaign_id.in_(campaign_ids))):
        gone.setdefault((row.campaign_id, row.batch_no), set()).add(row.subscriber_id)
    not_mailed = (BatchState.PLANNED, BatchState.CLAIMED, BatchState.CANCELLED)
    out: set[int] = set()
    for row in connection.execute(select(t).where(t.c.campaign_id.in_(campaign_ids), t.c.state.not_in(not_mailed))):
        # Who moved on is an exception of the old batch and a member of the new one.
        out.update(set(unpack_members(row.members)) - gone.get((row.campaign_id, row.no), set()))
    return out
