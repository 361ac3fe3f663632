"""A restored database begins a new life, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, select

from pipeline.core.campaign import BatchState, CampaignState
from pipeline.errors import Refusal
from pipeline.flow import backups
from pipeline.store import batches, campaigns, doubts
from pipeline.store.engine import reading, transaction
from pipeline.store.tables import batch, campaign, edition
from tests.conftest import SetClock


def test_names_are_kept_campaigns_held_and_open_batches_doubted(engine: Engine, clock: SetClock) -> None:
    now = clock()
    with transaction(engine) as connection:
        old = campaigns.instance_name(connection)
        edition_id = connection.execute(
            insert(edition).returning(edition.c.id),
            {
                "issue_id": "n/1",
                "newsletter": "n",
                "digest": "0",
                "source_digest": "0",
                "content": "{}",
                "approved_by": "t",
                "approved_at": now,
            },
        ).scalar_one()
        ids = [
            campaigns.add(
                connection, edition_id=edition_id, issue_id=f"n/{number}", newsletter="n", due_at=now + timedelta(hours=late),
                wall_time="", time_zone="UTC", tzdata="1", not_after=timedelta(hours=1), if_late="hold", now=now,
            )
            for number, late in enumerate((0, 0, 5))
        ]  # fmt: skip
        campaigns.launch(connection, ids[0], now)
        batches.plan(connection, ids[0], [1, 2, 3], 2, now)
    clock.pass_by(minutes=1)
    taken_at = clock()
    clock.pass_by(hours=1)
    name, held, doubtful = backups.mark_restored(engine, taken_at, clock, provider="sandbox")
    assert (held, doubtful) == (tuple(ids), 2)
    with reading(engine) as connection:
        assert campaigns.instance_name(connection) == name != old
        assert campaigns.restored_from(connection) == taken_at
        earlier = {row.id: row.earlier for row in connection.execute(select(campaign.c.id, campaign.c.earlier))}
        assert earlier == {ids[0]: f"{old}-{ids[0]}", ids[1]: f"{old}-{ids[1]}", ids[2]: ""}
        assert {row.state for row in connection.execute(select(campaign.c.state))} == {CampaignState.HELD}
        rows = connection.execute(select(batch)).all()
        assert {(row.state, row.restored, row.provider, row.intended_at) for row in rows} == {
            (BatchState.IN_DOUBT, True, "sandbox", taken_at)
        }
        assert [one.restored for one in doubts.doubts(connection, clock())] == [True, True]
    _, _, _ = backups.mark_restored(engine, taken_at, clock, provider="sandbox")
    with reading(engine) as connection:
        assert campaigns.earlier_names(connection, "n/0") == [f"{old}-{ids[0]}", f"{name}-{ids[0]}"]


def test_a_backup_of_the_future_is_none(engine: Engine, clock: SetClock) -> None:
    with pytest.raises(Refusal, match="future"):
        backups.mark_restored(engine, clock() + timedelta(days=1), clock, provider="sandbox")
