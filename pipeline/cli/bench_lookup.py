"""``briefing bench lookup``: "did I get it?", asked of a long list and many campaigns, beside one row of a bare SQLite table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, Table, func, insert, literal, select, update

from pipeline.cli import bench_send
from pipeline.core.campaign import BatchState, CampaignState
from pipeline.errors import DatabaseFault
from pipeline.flow import editions
from pipeline.flow import readers as reader_desk
from pipeline.flow.context import Sender
from pipeline.store import batches, campaigns, readers
from pipeline.store.engine import transaction
from pipeline.store.tables import batch, receipt

LOOKUPS = 200
SIZE = 1000


def fill(
    sender: Sender, newsletter: str, issue: str, *, recipients: int, count: int, prepared: Callable[[int], None],
    planned: Callable[[int], None],
) -> None:  # fmt: skip
    """Makes readers, and the ledgers of ``count`` campaigns to all of them, each batch accepted under an id of its own."""
    bench_send.subscribe(sender, newsletter, recipients, prepared)
    edition = editions.approve(sender, issue, approved_by="bench")[0].id
    first: int | None = None
    for number in range(1, count + 1):
        now = sender.clock() - timedelta(days=7 * (count - number))
        with transaction(sender.engine) as connection:
            id = campaigns.add(
                connection, edition_id=edition, issue_id=f"{newsletter}/{now:%Y-%m-%d}-{number}", newsletter=newsletter, due_at=now,
                wall_time="", time_zone="UTC", tzdata="", not_after=timedelta(hours=1), if_late="hold", now=now,
            )  # fmt: skip
            if first is None:
                first = id
                batches.plan(connection, id, readers.audience(connection, newsletter), SIZE, now)
                values = {"state": BatchState.ACCEPTED, "provider": "bench", "accepted_at": now}
                connection.execute(update(batch).where(batch.c.campaign_id == id).values(**values))
            else:
                _copy(connection, batch, first, id)
            size = connection.execute(select(func.count()).where(batch.c.campaign_id == id)).scalar_one()
            campaigns.set_values(
                connection, id, state=CampaignState.SENT, audience=recipients, batches=size, started_at=now, finished_at=now
            )
            ids = select(batch.c.campaign_id, batch.c.no, literal(f"campaign-{number}@example.org".encode())).where(
                batch.c.campaign_id == id
            )
            connection.execute(insert(receipt).from_select(["campaign_id", "batch_no", "ids"], ids))
        planned(number)


def _copy(connection: Connection, table: Table, of: int, to: int) -> None:
    """The plan of one campaign as another's: all went to everybody."""
    columns = [column for column in table.c if column.name != "campaign_id"]
    chosen = select(literal(to), *columns).where(table.c.campaign_id == of)
    connection.execute(insert(table).from_select(["campaign_id", *(column.name for column in columns)], chosen))


def look(sender: Sender, recipients: int, count: int) -> tuple[float, float]:
    """Seconds of one answer and of reading one row by its key without us, medians over readers of the whole list."""
    answers, bare = [], []
    with sender.engine.connect() as connection:
        cursor = connection.connection.cursor()
        for number in range(0, recipients, max(1, recipients // LOOKUPS)):
            address = bench_send.address(number)
            begun = time.perf_counter()
            found = reader_desk.find(sender, address)
            answers.append(time.perf_counter() - begun)
            if found is None or [fate.status for _, _, fate in found.issues] != ["sent"] * count:
                raise DatabaseFault("the ledger does not know a reader of the bench")
            index = sender.vault.index(address)
            begun = time.perf_counter()
            cursor.execute("SELECT id FROM subscriber WHERE address_index = ?", (index,)).fetchone()
            bare.append(time.perf_counter() - begun)
    return statistics.median(answers), statistics.median(bare)
