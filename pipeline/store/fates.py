"""What became of one reader's message, read off the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from pipeline.core.campaign import BatchState
from pipeline.store.batches import BatchKey, at, in_it
from pipeline.store.members import unpack_members
from pipeline.store.tables import batch as t
from pipeline.store.tables import exception, receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one reader's message."""

    status: str
    #: ``sent``, ``rejected``, ``suppressed``, ``in_doubt``, ``expired``, ``waiting`` or ``not in the audience``.
    at: datetime | None = None
    provider: str | None = None
    receipt: str | None = None
    detail: str = ""
    news: str = ""
    #: What the provider last reported of it: a word of ``core.event.EventType``.
    news_at: datetime | None = None


_STATUS = {
    BatchState.PLANNED: "waiting", BatchState.CLAIMED: "waiting", BatchState.SUBMITTING: "waiting", BatchState.ACCEPTED: "sent",
    BatchState.PARTLY_ACCEPTED: "sent", BatchState.REFUSED: "rejected", BatchState.IN_DOUBT: "in_doubt", BatchState.CANCELLED: "expired",
}  # fmt: skip


def members_of(connection: Connection, key: BatchKey) -> frozenset[int]:
    """Everyone who was planned into a batch; empty when there is none."""
    blob = connection.execute(select(t.c.members).where(at(key))).scalar()
    return frozenset(unpack_members(blob)) if blob is not None else frozenset()


def batch_with(connection: Connection, campaign_id: int, subscriber_id: int) -> BatchKey | None:
    """The batch of a campaign into which a reader was planned first; None for who is not in its plan."""
    around = (t.c.campaign_id == campaign_id) & (t.c.first_id <= subscriber_id) & (t.c.last_id >= subscriber_id)
    for row in connection.execute(select(t.c.no, t.c.members).where(around).order_by(t.c.no)):
        if subscriber_id in unpack_members(row.members):
            return BatchKey(campaign_id, row.no)
    return None


def by_receipt(connection: Connection, provider: str, receipts: Collection[str], since: datetime) -> dict[str, tuple[BatchKey, int]]:
    """Whose messages these are, among those accepted since then one by one.

    Reads every such receipt once: for the rare event without tags.
    """
    wanted, found = set(receipts), dict[str, tuple[BatchKey, int]]()
    query = (
        select(t.c.campaign_id, t.c.no, t.c.members, receipt.c.ids)
        .join(receipt, (receipt.c.campaign_id == t.c.campaign_id) & (receipt.c.batch_no == t.c.no))
        .where(t.c.provider == provider, t.c.accepted_at >= since)
    )
    for row in connection.execute(query):
        lines = bytes(row.ids).decode().split("\n")
        key = BatchKey(row.campaign_id, row.no)
        # One line for many readers names none of them.
        if wanted.isdisjoint(lines) or len(lines) != len(members := in_it(connection, key, row.members)):
            continue
        found |= {line: (key, member) for line, member in zip(lines, members, strict=True) if line in wanted}
    return found


def fate(connection: Connection, campaign_id: int, subscriber_id: int) -> Fate:
    """Reads one reader's fate off the exceptions, else off the batch that holds them."""
    out = connection.execute(
        select(exception)
        .where(exception.c.campaign_id == campaign_id, exception.c.subscriber_id == subscriber_id)
        .order_by(exception.c.batch_no.desc())
    ).first()
    if out is not None and out.kind != "moved":
        return Fate(status="rejected" if out.kind == "refused" else "suppressed", at=out.at, detail=f"{out.reason} {out.detail}".strip())
    query = select(t).where(t.c.campaign_id == campaign_id)
    if out is not None:
        query = query.where(t.c.no == out.moved_to)
    else:
        query = query.where(t.c.first_id <= subscriber_id, t.c.last_id >= subscriber_id).order_by(t.c.no)
    for row in connection.execute(query):
        members = unpack_members(row.members)
        if subscriber_id in members:
            return Fate(
                status=_STATUS[BatchState(row.state)], at=row.accepted_at, provider=row.provider,
                receipt=_receipt(connection, campaign_id, row.no, members, subscriber_id), detail=row.detail,
            )  # fmt: skip
    return Fate(status="not in the audience")


def _receipt(connection: Connection, campaign_id: int, no: int, members: Sequence[int], subscriber_id: int) -> str | None:
    ids = connection.execute(select(receipt.c.ids).where(receipt.c.campaign_id == campaign_id, receipt.c.batch_no == no)).scalar()
    if ids is None:
        return None
    lines = bytes(ids).decode().split("\n")
    if len(lines) == 1:
        return lines[0]
    gone = set(
        connection.execute(
            select(exception.c.subscriber_id).where(exception.c.campaign_id == campaign_id, exception.c.batch_no == no)
        ).scalars()
    )
    return lines[[member for member in members if member not in gone].index(subscriber_id)]
