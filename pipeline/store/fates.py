"""What became of one reader's message, read off the ledger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, func, select

from pipeline.core.campaign import BatchState
from pipeline.store.batches import BatchKey, at, in_it
from pipeline.store.members import unpack_members
from pipeline.store.tables import batch as t
from pipeline.store.tables import campaign, exception, receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one reader's message."""

    status: str
    #: ``sent``, ``rejected``, ``suppressed``, ``in_doubt``, ``expired`` or ``waiting``.
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


def of_reader(connection: Connection, subscriber_id: int) -> dict[int, tuple[str, Fate]]:
    """The issue and the reader's fate in each campaign that was planned with them, newest campaign first.

    Three statements whatever the number of campaigns: an answer while somebody is on the telephone.
    """
    given = {"reader": subscriber_id}
    apart = {row.campaign_id: row for row in connection.execute(_APART, given)}
    # Of several moves of one reader the last stands: batches that were made later have higher numbers.
    found: dict[int, tuple[str, Fate]] = {}
    for row in connection.execute(_BATCHES, given):
        out = apart.get(row.campaign_id)
        if out is not None and out.kind != "moved":
            status = "rejected" if out.kind == "refused" else "suppressed"
            found[row.campaign_id] = row.issue_id, Fate(status=status, at=out.at, detail=f"{out.reason} {out.detail}".strip())
            continue
        # In a batch without gaps everybody between its ends is a member; others are unpacked.
        dense = row.last_id - row.first_id + 1 == row.size and row.first_id <= subscriber_id <= row.last_id
        if not dense and subscriber_id not in unpack_members(row.members):
            continue
        found[row.campaign_id] = row.issue_id, Fate(
            status=_STATUS[BatchState(row.state)], at=row.accepted_at, provider=row.provider,
            receipt=_receipt(connection, row, subscriber_id), detail=row.detail,
        )  # fmt: skip
    return found


_READER: BindParameter[int] = bindparam("reader", type_=t.c.first_id.type)
_APART = (
    select(exception)
    .join(campaign, campaign.c.id == exception.c.campaign_id)
    .where(exception.c.subscriber_id == _READER)
    .order_by(exception.c.campaign_id, exception.c.batch_no)
)
_other = t.alias("other")
_moved = (
    select(exception.c.moved_to)
    .where(exception.c.campaign_id == campaign.c.id, exception.c.subscriber_id == _READER)
    .order_by(exception.c.batch_no.desc())
    .limit(1)
    .scalar_subquery()
)
# The batches of a plan are runs of ascending readers: the one that begins last before the reader holds them, or none does.
_planned_into = (
    select(_other.c.no)
    .where(_other.c.campaign_id == campaign.c.id, _other.c.first_id <= _READER, _other.c.no <= campaign.c.batches)
    .order_by(_other.c.first_id.desc())
    .limit(1)
    .scalar_subquery()
)
_BATCHES: Select[Any] = (
    select(
        campaign.c.issue_id,
        t.c.campaign_id,
        t.c.no,
        t.c.state,
        t.c.first_id,
        t.c.last_id,
        t.c.size,
        t.c.members,
        t.c.accepted_at,
        t.c.provider,
        t.c.detail,
        receipt.c.ids,
    )
    .select_from(campaign)
    .join(t, (t.c.campaign_id == campaign.c.id) & (t.c.no == func.coalesce(_moved, _planned_into)))
    .outerjoin(receipt, (receipt.c.campaign_id == t.c.campaign_id) & (receipt.c.batch_no == t.c.no))
    .order_by(campaign.c.id.desc())
)


def _receipt(connection: Connection, row: Row[Any], subscriber_id: int) -> str | None:
    """The one id of a whole batch, or the reader's own line of many."""
    if row.ids is None:
        return None
    lines = bytes(row.ids).decode().split("\n")
    if len(lines) == 1:
        return lines[0]
    return lines[in_it(connection, BatchKey(row.campaign_id, row.no), row.members).index(subscriber_id)]
