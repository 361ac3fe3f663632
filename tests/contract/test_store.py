"""The ledger's promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, func, insert, inspect, select

from pipeline.core.campaign import BatchCause, BatchState, CampaignCause, CampaignState
from pipeline.core.feedback import Bar
from pipeline.core.message import Refused, RejectReason
from pipeline.core.settlement import Settlement
from pipeline.store import batches, campaigns, doubts, fates, readers
from pipeline.store.addresses import Vault
from pipeline.store.batches import BatchKey, Claim
from pipeline.store.engine import reading, transaction
from pipeline.store.members import unpack_members
from pipeline.store.tables import batch, edition, metadata, subscriber
from tests.conftest import SetClock

VAULT = Vault(bytes(32))
LEASE = timedelta(seconds=60)
ACCEPTED = Settlement(cause=BatchCause.ACCEPT, receipts=("<id@mail.example.org>",))


def addresses(count: int, start: int = 1) -> dict[bytes, str]:
    """Made-up addresses by their index."""
    plain = [f"reader{number}@example.org" for number in range(start, start + count)]
    return {VAULT.index(one): one for one in plain}


def subscribe(connection: Connection, count: int, now: datetime, newsletter: str = "weekly") -> list[int]:
    """Confirmed readers; gives the audience."""
    readers.add_many(
        connection, VAULT, newsletter, addresses(count), state="confirmed", act="imported", evidence="test", now=now, on_day=now.date()
    )
    return list(readers.audience(connection, newsletter))


def launch(engine: Engine, now: datetime, *, count: int = 25, size: int = 10, issue: str = "weekly/2026-12-02-a") -> int:
    """A campaign that is being sent to ``count`` readers in batches of ``size``."""
    with transaction(engine) as connection:
        ids = subscribe(connection, count, now)
        edition_id = connection.execute(
            insert(edition).returning(edition.c.id),
            {
                "issue_id": issue,
                "newsletter": "weekly",
                "digest": "d",
                "source_digest": "s",
                "content": "{}",
                "approved_by": "t",
                "approved_at": now,
            },
        ).scalar_one()
        id = campaigns.add(
            connection,
            edition_id=edition_id,
            issue_id=issue,
            newsletter="weekly",
            due_at=now,
            wall_time="",
            time_zone="UTC",
            tzdata="2026a",
            not_after=timedelta(hours=2),
            if_late="hold",
            now=now,
        )
        assert campaigns.launch(connection, id, now)
        batches.plan(connection, id, ids, size, now)
        campaigns.set_values(connection, id, audience=len(ids), published_at=now)
    return id


def take(engine: Engine, key: BatchKey, now: datetime) -> Claim:
    """A batch claimed and intended."""
    with transaction(engine) as connection:
        claim = batches.claim(connection, key, now, LEASE)
        assert claim is not None
        assert batches.intend(connection, claim, "test", "0" * 64, now, LEASE)
    return claim


def state(engine: Engine, key: BatchKey) -> str:
    """A batch's state."""
    with reading(engine) as connection:
        return str(
            connection.execute(select(batch.c.state).where(batch.c.campaign_id == key.campaign_id, batch.c.no == key.no)).scalar_one()
        )


def test_the_migrations_make_the_tables(engine: Engine) -> None:
    found = inspect(engine)
    for table in metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == {column.name for column in table.columns}, table.name
        assert {index["name"] for index in found.get_indexes(table.name)} >= {index.name for index in table.indexes}, table.name


def test_times_come_back_aware_and_naive_ones_are_refused(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock())
    with reading(engine) as connection:
        found = campaigns.get(connection, id)
    assert found is not None
    assert found.due_at == clock()
    assert found.due_at.tzinfo is UTC
    with pytest.raises(Exception, match="naive"), transaction(engine) as connection:
        campaigns.set_values(connection, id, started_at=datetime(2026, 1, 1))


def test_the_batches_partition_the_audience(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock(), count=25, size=10)
    with reading(engine) as connection:
        rows = connection.execute(select(batch).where(batch.c.campaign_id == id).order_by(batch.c.no)).all()
        audience = list(readers.audience(connection, "weekly"))
    members = [member for row in rows for member in unpack_members(row.members)]
    assert members == audience
    assert [row.size for row in rows] == [10, 10, 5]


def test_one_of_many_claims_wins(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock(), count=40, size=1)
    keys = [BatchKey(id, no) for no in range(1, 41)]
    won: list[BatchKey] = []

    def work() -> None:
        for key in keys:
            with transaction(engine) as connection:
                if batches.claim(connection, key, clock(), LEASE) is not None:
                    won.append(key)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == keys


def test_a_zombie_cannot_intend_on_an_old_claim(engine: Engine, clock: SetClock) -> None:
    key = BatchKey(launch(engine, clock()), 1)
    with transaction(engine) as connection:
        zombie = batches.claim(connection, key, clock(), LEASE)
    assert zombie is not None
    clock.pass_by(seconds=61)
    with transaction(engine) as connection:
        assert batches.sweep(connection, clock()) == (1, 0)
    take(engine, key, clock())
    with transaction(engine) as connection:
        assert not batches.intend(connection, zombie, "test", "0" * 64, clock(), LEASE)


def test_a_call_whose_worker_died_is_in_doubt_and_stays_so(engine: Engine, clock: SetClock) -> None:
    key = BatchKey(launch(engine, clock()), 1)
    take(engine, key, clock())
    clock.pass_by(seconds=61)
    with transaction(engine) as connection:
        assert batches.sweep(connection, clock()) == (0, 1)
        assert batches.claim(connection, key, clock(), LEASE) is None
        assert key not in batches.ready(connection, clock(), 100)
    assert state(engine, key) == BatchState.IN_DOUBT


def test_a_late_answer_settles_the_doubt_but_not_a_newer_generation(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock())
    first, second = BatchKey(id, 1), BatchKey(id, 2)
    claims = [take(engine, first, clock()), take(engine, second, clock())]
    clock.pass_by(seconds=61)
    with transaction(engine) as connection:
        batches.sweep(connection, clock())
        assert batches.record(connection, claims[0], ACCEPTED, clock())
        assert doubts.resolve(connection, second, BatchCause.RESEND, detail="said so", now=clock())
        assert not batches.record(connection, claims[1], ACCEPTED, clock())
    assert state(engine, first) == BatchState.ACCEPTED
    assert state(engine, second) == BatchState.PLANNED


def test_after_a_pause_commits_no_intent_succeeds(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock())
    with transaction(engine) as connection:
        claim = batches.claim(connection, BatchKey(id, 1), clock(), LEASE)
        assert claim is not None
        assert campaigns.move(connection, id, CampaignCause.PAUSE, CampaignState.PAUSED)
    with transaction(engine) as connection:
        assert not batches.intend(connection, claim, "test", "0" * 64, clock(), LEASE)
        assert batches.claim(connection, BatchKey(id, 2), clock(), LEASE) is None
        assert batches.ready(connection, clock(), 10) == []


def test_a_mixed_answer_keeps_the_sums(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock(), count=10, size=10)
    claim = take(engine, BatchKey(id, 1), clock())
    a, b, c, d, *rest = claim.members
    mixed = Settlement(
        cause=BatchCause.ACCEPT_PARTLY,
        receipts=tuple(f"r{member}" for member in rest),
        refused=((a, Refused(RejectReason.INVALID, "no such box")),),
        later=(b, c),
        unknown=(d,),
        after_s=30,
        detail="the connection was lost",
    )
    with transaction(engine) as connection:
        assert batches.record(connection, claim, mixed, clock())
        tally = campaigns.tally(connection, id)
        assert (tally.sent, tally.refused, tally.waiting, tally.in_doubt, tally.total) == (6, 1, 2, 1, 10)
        assert batches.ready(connection, clock(), 10) == []
        assert batches.ready(connection, clock() + timedelta(seconds=30), 10) == [BatchKey(id, 2)]
        found = {member: fates.of_reader(connection, member)[id][1] for member in claim.members}
    assert found[a].status == "rejected"
    assert found[b].status == found[c].status == "waiting"
    assert (found[d].status, found[d].detail) == ("in_doubt", "the connection was lost")
    assert {found[member].receipt for member in rest} == {f"r{member}" for member in rest}
    assert all(found[member].receipt == f"r{member}" for member in rest)


def test_every_fate_is_found_among_batches_that_were_cut_and_moved(engine: Engine, clock: SetClock) -> None:
    """Readers of two campaigns, moved out of their batches once and twice, and others who came later."""
    first = launch(engine, clock(), count=30, size=10)
    later = Settlement(cause=BatchCause.REFUSE, halves=((11, 12, 13, 14, 15), (16, 17, 18, 19, 20)), detail="no")
    whole = take(engine, BatchKey(first, 2), clock())
    with transaction(engine) as connection:
        assert batches.record(connection, whole, later, clock())
    again = take(engine, BatchKey(first, 4), clock())
    assert again.members == (11, 12, 13, 14, 15)
    split = Settlement(cause=BatchCause.ACCEPT_PARTLY, receipts=("m",), later=(12, 14), after_s=5)
    with transaction(engine) as connection:
        assert batches.record(connection, again, split, clock())
    second = launch(engine, clock(), count=5, size=10, issue="weekly/2026-12-09-b")
    with reading(engine) as connection:
        found = {reader: fates.of_reader(connection, reader) for reader in range(1, 36)}
    assert {reader for reader, issues in found.items() if first in issues} == set(range(1, 31))
    assert {reader for reader in range(1, 31) if found[reader][first][1].status == "sent"} == {11, 13, 15}
    assert {found[reader][first][1].receipt for reader in (11, 13, 15)} == {"m"}
    assert all(list(issues) == sorted(issues, reverse=True) for issues in found.values())
    assert {issues[second][0] for issues in found.values() if second in issues} == {"weekly/2026-12-09-b"}


def test_a_key_is_shown_only_of_a_batch_that_was_called_under_it(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock(), count=20, size=10)
    one, whole = take(engine, BatchKey(id, 1), clock()), take(engine, BatchKey(id, 2), clock())
    lost = Settlement(cause=BatchCause.ACCEPT_PARTLY, receipts=("r",), unknown=one.members[:1], detail="the connection was lost")
    with transaction(engine) as connection:
        assert batches.record(connection, one, lost, clock())
        assert batches.record(connection, whole, Settlement(cause=BatchCause.DOUBT, detail="no answer"), clock())
        shown = {found.key.no: (found.provider_key, found.readers, found.detail) for found in batches.troubled(connection, id, "c0ffee")}
    assert shown == {2: (f"c0ffee-{id}-2-{whole.generation}", 10, "no answer"), 3: ("", 1, "the connection was lost")}


def test_who_was_mailed_after_a_move_is_never_mailed_by_a_second_campaign(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock(), count=10, size=10)
    claim = take(engine, BatchKey(id, 1), clock())
    refused, moved, *_ = claim.members
    mixed = Settlement(
        cause=BatchCause.ACCEPT_PARTLY, receipts=("r",), refused=((refused, Refused(RejectReason.INVALID)),), later=(moved,), after_s=0
    )
    with transaction(engine) as connection:
        assert batches.record(connection, claim, mixed, clock())
        assert batches.reached(connection, [id]) == set(claim.members) - {refused, moved}
    second = take(engine, BatchKey(id, 2), clock())
    with transaction(engine) as connection:
        assert batches.record(connection, second, ACCEPTED, clock())
        assert batches.reached(connection, [id]) == set(claim.members) - {refused}


def test_who_left_after_the_plan_is_not_mailed_and_is_counted(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock(), count=10, size=10)
    with transaction(engine) as connection:
        claim = batches.claim(connection, BatchKey(id, 1), clock(), LEASE)
        assert claim is not None
        gone, barred = claim.members[0], claim.members[1]
        assert readers.leave(connection, gone, "weekly", method="test", now=clock())
        index = connection.execute(select(subscriber.c.address_index).where(subscriber.c.id == barred)).scalar_one()
        assert readers.suppress(connection, bytes(index), readers.ALL, Bar.MANUAL, clock())
        addresses = readers.mailable(connection, VAULT, "weekly", claim.members)
        claim = batches.except_suppressed(connection, claim, [m for m in claim.members if m not in addresses], clock())
        assert len(claim.members) == 8
        assert batches.intend(connection, claim, "test", "0" * 64, clock(), LEASE)
        assert batches.record(connection, claim, ACCEPTED, clock())
        tally = campaigns.tally(connection, id)
    assert (tally.sent, tally.suppressed, tally.total) == (8, 2, 10)


def test_a_cancelled_campaign_keeps_its_doubts_and_its_sums(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock(), count=40, size=10)
    accepted, away = take(engine, BatchKey(id, 1), clock()), take(engine, BatchKey(id, 2), clock())
    with transaction(engine) as connection:
        batches.record(connection, accepted, ACCEPTED, clock())
        campaigns.move(connection, id, CampaignCause.CANCEL, CampaignState.CANCELLED)
        assert batches.cancel_open(connection, id) == 20
        tally = campaigns.tally(connection, id)
        assert (tally.sent, tally.submitting, tally.expired, tally.total) == (10, 10, 20, 40)
        assert batches.record(connection, away, Settlement(cause=BatchCause.DOUBT), clock())
        assert campaigns.tally(connection, id).in_doubt == 10
        assert batches.reached(connection, [id]) == set(accepted.members) | set(away.members)


def test_an_issue_has_one_campaign_that_is_not_cancelled(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock())
    with pytest.raises(campaigns.AlreadyScheduled):
        launch(engine, clock())
    with transaction(engine) as connection:
        campaigns.move(connection, id, CampaignCause.CANCEL, CampaignState.CANCELLED)
    assert launch(engine, clock()) != id


def test_a_launch_happens_once(engine: Engine, clock: SetClock) -> None:
    id = launch(engine, clock())
    with transaction(engine) as connection:
        assert not campaigns.launch(connection, id, clock())


def test_imports_never_revive_who_left(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        ids = subscribe(connection, 3, clock())
        readers.leave(connection, ids[0], "weekly", method="test", now=clock())
        assert not readers.leave(connection, ids[0], "weekly", method="test", now=clock())
        again = readers.add_many(
            connection, VAULT, "weekly", addresses(4), state="confirmed", act="imported", evidence="x", now=clock(), on_day=clock().date()
        )
        assert (again.added, again.present) == (1, 3)
        assert ids[0] not in readers.audience(connection, "weekly")


def test_pending_readers_are_confirmed_by_an_import_with_consent(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        for state_, added in (("pending", 5), ("confirmed", 5), ("confirmed", 0)):
            done = readers.add_many(
                connection, VAULT, "weekly", addresses(5), state=state_, act="imported", evidence="x", now=clock(), on_day=clock().date()
            )
            assert done.added == added
        assert readers.audience_size(connection, "weekly") == 5
        assert connection.execute(select(func.count()).select_from(subscriber)).scalar_one() == 5


def test_a_rolled_back_transaction_leaves_nothing(engine: Engine, clock: SetClock) -> None:
    with pytest.raises(RuntimeError), transaction(engine) as connection:
        subscribe(connection, 3, clock())
        raise RuntimeError
    with reading(engine) as connection:
        assert list(readers.audience(connection, "weekly")) == []
