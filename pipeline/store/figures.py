"""The ledger in numbers, for whoever watches it. No address, no reader, no issue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from pipeline.core.campaign import BatchState, CampaignState
from pipeline.store.tables import batch, campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts over all campaigns; every state is there, also those that nothing is in."""

    campaigns: dict[CampaignState, int]
    batches: dict[BatchState, int]
    accepted: int
    #: Readers whom the provider accepted.
    refused: int
    suppressed: int
    in_doubt: int
    oldest_ready: datetime | None
    #: Since when the oldest batch that may leave now has been waiting.


def figures(connection: Connection, now: datetime) -> Figures:
    """Reads them in three statements over short rows."""
    by_state = connection.execute(select(campaign.c.state, func.count()).group_by(campaign.c.state))
    campaigns: dict[str, int] = {row[0]: row[1] for row in by_state}
    live = func.sum(batch.c.size - batch.c.suppressed - batch.c.refused - batch.c.moved)
    query = select(batch.c.state, func.count(), live, func.sum(batch.c.refused), func.sum(batch.c.suppressed)).group_by(batch.c.state)
    rows = {BatchState(row[0]): tuple(map(int, row[1:])) for row in connection.execute(query)}
    readers = {state: row[1] for state, row in rows.items()}
    ready = (
        select(func.min(batch.c.not_before))
        .join(campaign, campaign.c.id == batch.c.campaign_id)
        .where(batch.c.state == BatchState.PLANNED, batch.c.not_before <= now)
        .where(campaign.c.state == CampaignState.SENDING, campaign.c.published_at.is_not(None))
    )
    return Figures(
        campaigns={state: campaigns.get(state.value, 0) for state in CampaignState},
        batches={state: rows[state][0] if state in rows else 0 for state in BatchState},
        accepted=readers.get(BatchState.ACCEPTED, 0) + readers.get(BatchState.PARTLY_ACCEPTED, 0),
        refused=sum(row[2] for row in rows.values()),
        suppressed=sum(row[3] for row in rows.values()),
        in_doubt=readers.get(BatchState.IN_DOUBT, 0),
        oldest_ready=connection.execute(ready).scalar_one(),
    )
