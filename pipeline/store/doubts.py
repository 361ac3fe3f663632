"""Batches in doubt: found, taken in hand for a repeat, looked at again, resolved. The moves are those of core.campaign."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, select, update

from pipeline.core.campaign import BatchCause, BatchState, batch_sources
from pipeline.store.batches import BatchKey, Claim, at, being_sent, in_it
from pipeline.store.tables import batch as t
from pipeline.store.types import UTCDateTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A batch of which we cannot tell whether the provider took it."""

    key: BatchKey
    generation: int
    fence: int
    members: tuple[int, ...]
    #: As they were called: frozen until the doubt is settled.
    provider: str
    intended_at: datetime
    body_digest: str
    looks: int
    not_before: datetime
    #: When the next look is due.
    restored: bool = False
    #: Called, if at all, in an earlier life of this database, under a name that ``earlier`` of its campaign begins.

    @property
    def claim(self) -> Claim:
        """The batch in the form in which a result is recorded."""
        return Claim(key=self.key, generation=self.generation, fence=self.fence, members=self.members)


def doubts(connection: Connection, now: datetime, *, campaign_id: int | None = None, limit: int = 100) -> list[Doubt]:
    """Batches in doubt whose next look is due; with a campaign, all of its, due or not."""
    query = select(t).where(t.c.state == BatchState.IN_DOUBT, t.c.intended_at.is_not(None)).order_by(t.c.not_before).limit(limit)
    query = query.where(t.c.not_before <= now) if campaign_id is None else query.where(t.c.campaign_id == campaign_id)
    found = []
    for row in connection.execute(query):
        key = BatchKey(row.campaign_id, row.no)
        found.append(
            Doubt(
                key=key,
                generation=row.generation,
                fence=row.fence,
                members=in_it(connection, key, row.members),
                provider=row.provider or "",
                intended_at=row.intended_at,
                body_digest=row.body_digest or "",
                looks=row.looks,
                not_before=row.not_before,
                restored=row.restored,
            )
        )
    return found


def restore(connection: Connection, taken_at: datetime, now: datetime, provider: str, *, campaign_id: int | None = None) -> int:
    """Puts what is open in doubt, of one campaign or of all, because the ledger is a backup; gives the number of batches.

    ``intended_at`` becomes the earliest moment at which its mail can have left: its own call's, else that of the backup; for readers
    who were moved out of a batch in doubt, when that was.
    """
    earliest = case((t.c.state == BatchState.IN_DOUBT, t.c.not_before), else_=literal(taken_at, UTCDateTime))
    query = update(t).where(t.c.state.in_(batch_sources(BatchCause.RESTORE)))
    if campaign_id is not None:
        query = query.where(t.c.campaign_id == campaign_id)
    return connection.execute(
        query.values(
            state=BatchState.IN_DOUBT, restored=True, lease_until=None, looks=0, not_before=now,
            intended_at=func.coalesce(t.c.intended_at, earliest), provider=func.coalesce(t.c.provider, provider),
            detail="the database was restored from a backup: it may have been mailed since",
        )
    ).rowcount  # fmt: skip


def in_doubt(connection: Connection, campaign_ids: Collection[int]) -> list[Claim]:
    """All batches in doubt of those campaigns, also those that no look-up can settle."""
    found = []
    for row in connection.execute(select(t).where(t.c.state == BatchState.IN_DOUBT, t.c.campaign_id.in_(campaign_ids))):
        key = BatchKey(row.campaign_id, row.no)
        found.append(Claim(key=key, generation=row.generation, fence=row.fence, members=in_it(connection, key, row.members)))
    return found


def repeat(connection: Connection, doubt: Doubt, now: datetime, lease: timedelta, holder: str | None = None) -> Claim | None:
    """Takes a batch in doubt in hand to call once more with the same bytes under the same key; None when it is settled or held."""
    fence = connection.execute(
        update(t)
        .where(at(doubt.key), t.c.generation == doubt.generation, t.c.state.in_(batch_sources(BatchCause.REPEAT)))
        .where(t.c.body_digest == doubt.body_digest, being_sent(doubt.key.campaign_id, now))
        .values(state=BatchState.SUBMITTING, fence=t.c.fence + 1, attempts=t.c.attempts + 1, lease_until=now + lease, holder=holder)
        .returning(t.c.fence)
    ).scalar()
    return None if fence is None else Claim(key=doubt.key, generation=doubt.generation, fence=fence, members=doubt.members)


def look_again(connection: Connection, doubt: Doubt, *, when: datetime, looks: int, detail: str) -> bool:
    """Writes what a look at the provider found when it settled nothing, and when to look next."""
    guarded = update(t).where(at(doubt.key), _still(doubt.claim))
    return connection.execute(guarded.values(not_before=when, looks=looks, detail=detail)).rowcount == 1


def accepted_after(connection: Connection, provider: str, moment: datetime) -> tuple[BatchKey, int, tuple[int, ...]] | None:
    """The latest batch that this provider accepted after a moment: key, generation, members. If its search shows that one,
    it shows what came before."""
    row = connection.execute(
        select(t)
        .where(t.c.state == BatchState.ACCEPTED, t.c.provider == provider, t.c.intended_at > moment)
        .order_by(t.c.intended_at.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    key = BatchKey(row.campaign_id, row.no)
    return key, row.generation, in_it(connection, key, row.members)


def _still(seen: Claim) -> ColumnElement[bool]:
    """In doubt about the very call that was looked at: another worker may have settled it, called again, and be in doubt again."""
    return (t.c.state == BatchState.IN_DOUBT) & (t.c.generation == seen.generation) & (t.c.fence == seen.fence)


def resolve(connection: Connection, key: BatchKey, cause: BatchCause, *, detail: str, now: datetime, seen: Claim | None = None) -> bool:
    """The word about a batch in doubt: it was accepted, is to be sent again (a new generation), or is dropped.

    ``seen``: the call of which a machine says so. A person's word is about the batch as it is now.
    """
    values: dict[str, Any] = {"detail": detail, "lease_until": None}
    if cause is BatchCause.ACCEPT:
        values |= {"state": BatchState.ACCEPTED, "accepted_at": now}
    elif cause is BatchCause.RESEND:
        values |= {"state": BatchState.PLANNED, "generation": t.c.generation + 1, "not_before": now, "looks": 0, "restored": False}
    else:
        values |= {"state": BatchState.CANCELLED}
    guard = _still(seen) if seen is not None else t.c.state == BatchState.IN_DOUBT
    # X is None else _still(seen)
    return connection.execute(update(t).where(at(key), guard).values(**values)).rowcount == 1
