"""A restored database begins a new life, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, func, insert, select

from pipeline.core.campaign import BatchState, CampaignState
from pipeline.errors import Refusal
from pipeline.flow import backups
from pipeline.store import batches, campaigns, doubts, readers
from pipeline.store.addresses import Vault
from pipeline.store.engine import reading, transaction
from pipeline.store.members import pack_members, unpack_members
from pipeline.store.tables import batch, campaign, consent, edition, subscriber, subscription
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


def _add(engine: Engine, clock: SetClock, *names: str) -> list[int]:
    """New readers; gives their ids."""
    vault = Vault(bytes(32))
    given = {vault.index(one): one for one in (f"{name}@example.org" for name in names)}
    with transaction(engine) as connection:
        readers.add_many(connection, vault, "n", given, state="confirmed", act="imported", evidence="t", now=clock(), on_day=clock().date())
        found = [readers.find(connection, vault, one) for one in given.values()]
    return [one for one in found if one is not None]


def _erase(engine: Engine, id: int) -> None:
    with transaction(engine) as connection:
        for column in (consent.c.subscriber_id, subscription.c.subscriber_id, subscriber.c.id):
            connection.execute(delete(column.table).where(column == id))


def test_no_number_of_a_reader_is_given_twice(engine: Engine, clock: SetClock) -> None:
    assert _add(engine, clock, "a", "b") == [1, 2]
    assert _add(engine, clock, "a", "c") == [1, 3]
    _erase(engine, 3)
    assert _add(engine, clock, "d") == [4], "the number of an erased reader is not free"
    # The backup knows four readers; whoever came later is lost with its number.
    backups.mark_restored(engine, clock(), clock, provider="sandbox")
    (first,) = _add(engine, clock, "e")
    assert first == 4 + campaigns.READERS_A_LIFE + 1
    for _ in range(3):
        backups.mark_restored(engine, clock(), clock, provider="sandbox")
    (second,) = _add(engine, clock, "f")
    assert second == first + 3 * campaigns.READERS_A_LIFE + 1
    everybody = [1, 2, 4, first, second]
    assert unpack_members(pack_members(everybody)) == everybody
    with reading(engine) as connection:
        assert list(readers.audience(connection, "n")) == everybody
        assert connection.execute(select(func.max(subscriber.c.id))).scalar() == second


def test_a_campaign_counts_how_often_it_was_told_later(engine: Engine, clock: SetClock) -> None:
    now = clock()
    with transaction(engine) as connection:
        values = {"issue_id": "n/1", "newsletter": "n", "digest": "0", "source_digest": "0", "content": "{}", "approved_by": "t"}
        edition_id = connection.execute(insert(edition).returning(edition.c.id), values | {"approved_at": now}).scalar_one()
        id = campaigns.add(
            connection, edition_id=edition_id, issue_id="n/1", newsletter="n", due_at=now, wall_time="", time_zone="UTC", tzdata="1",
            not_after=timedelta(hours=1), if_late="hold", now=now,
        )  # fmt: skip
        campaigns.launch(connection, id, now)
        batches.plan(connection, id, [1, 2], 1, now)
        assert campaigns.later(connection, id, now) == (now, 1)
        assert campaigns.later(connection, id, now + timedelta(hours=1)) == (now, 2)
        connection.execute(batch.update().where(batch.c.no == 1).values(state="accepted", accepted_at=now + timedelta(hours=2)))
        assert campaigns.later(connection, id, now + timedelta(hours=3)) == (now + timedelta(hours=3), 1), "one was taken meanwhile"
        assert campaigns.later(connection, id, now + timedelta(hours=4)) == (now + timedelta(hours=3), 2)
