"""Who lives, who leads, what time it is, and whose tables the jobs are in: on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from procrastinate import App, PsycopgConnector
from sqlalchemy import Engine, text

from pipeline import app
from pipeline.clock import system_clock
from pipeline.core.campaign import BatchState
from pipeline.dispatch import procrastinate
from pipeline.dispatch.local import LocalDispatcher
from pipeline.errors import ConfigurationError, DatabaseFault
from pipeline.flow.presence import Presence
from pipeline.store import batches, schema, workers
from pipeline.store.batches import BatchKey
from pipeline.store.engine import open_engine, reading, transaction
from pipeline.store.workers import DatabaseClock
from tests.contract.test_store import launch

LONG = timedelta(hours=1)


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """An empty PostgreSQL database with the current schema."""
    opened = open_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with opened.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    schema.upgrade(opened, system_clock())
    yield opened
    opened.dispose()


def age(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_one_leads_until_it_is_late(engine: Engine) -> None:
    with transaction(engine) as connection:
        workers.prepare(connection)
        workers.prepare(connection)
        assert workers.lead(connection, "a") == 1
        assert workers.lead(connection, "b") is None
        assert workers.lead(connection, "a") == 1
    age(engine, "UPDATE leader SET expires_at = clock_timestamp() - interval '1 ms'")
    with transaction(engine) as connection:
        assert workers.lead(connection, "b") == 2
        assert workers.lead(connection, "a") is None
        workers.leave(connection, "b")
        assert workers.lead(connection, "a") == 3


def test_a_leader_that_froze_at_its_lease_stops_nobody(engine: Engine) -> None:
    with transaction(engine) as connection:
        workers.prepare(connection)
    with transaction(engine) as frozen:
        assert workers.lead(frozen, "a") == 1
        with transaction(engine) as connection:
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert workers.lead(connection, "b") is None


def test_the_server_ends_what_a_frozen_worker_left_open(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FROZEN_TRANSACTION_S", 1)
    workers.end_frozen_transactions(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar() == "1s"


@pytest.mark.parametrize(
    ("beaten", "freed"), [("4 seconds", 0), ("6 seconds", 2)], ids=["a slow worker keeps what it has", "a dead one does not"]
)
def test_the_heart_decides_and_not_the_lease(engine: Engine, beaten: str, freed: int) -> None:
    now = system_clock()
    id = launch(engine, now)
    with transaction(engine) as connection:
        workers.beat(connection, "w")
        workers.beat(connection, "w")
        assert workers.count(connection) == 1
        assert batches.claim(connection, BatchKey(id, 1), now, LONG, "w") is not None
        claim = batches.claim(connection, BatchKey(id, 2), now, LONG, "w")
        assert claim is not None
        assert batches.intend(connection, claim, "test", "0" * 64, now, LONG)
    age(engine, f"UPDATE worker SET beat = clock_timestamp() - interval '{beaten}'")
    with transaction(engine) as connection:
        assert sum(batches.sweep(connection, now)) == freed
        state = connection.execute(text("SELECT state FROM batch WHERE no = 2")).scalar()
        assert state == (BatchState.IN_DOUBT if freed else BatchState.SUBMITTING)


def test_a_worker_that_was_given_up_cannot_begin_a_call(engine: Engine) -> None:
    now = system_clock()
    id = launch(engine, now)
    with transaction(engine) as connection:
        claim = batches.claim(connection, BatchKey(id, 1), now, LONG, "frozen")
        assert claim is not None
        assert batches.still_held(connection, claim)
        assert batches.sweep(connection, now) == (1, 0), "it never beat"
        assert not batches.still_held(connection, claim)
        assert not batches.intend(connection, claim, "test", "0" * 64, now, LONG)
        again = batches.claim(connection, BatchKey(id, 1), now, LONG, "other")
        assert again is not None
        assert not batches.intend(connection, claim, "test", "0" * 64, now, LONG)


def test_the_clock_is_the_servers(engine: Engine) -> None:
    clock = DatabaseClock(lambda: system_clock() - timedelta(hours=3))
    with reading(engine) as connection:
        clock.read(connection)
    assert abs(clock() - system_clock()) < timedelta(seconds=1)


def test_a_frozen_leader_does_not_lead_when_it_wakes(engine: Engine, root: Path) -> None:
    sender = app.open_sender(app.load_settings(root, {"BRIEFING_DATABASE": engine.url.render_as_string(hide_password=False)}))
    seconds = [0.0]
    presence = Presence(replace(sender, worker="w", monotonic=lambda: seconds[0]))
    assert not presence.leads()
    presence.begin()
    assert presence.leads()
    presence.end()
    seconds[0] += 6
    assert not presence.leads()
    sender.close()


def dispatcher_of(engine: Engine) -> procrastinate.ProcrastinateDispatcher[BatchKey]:
    return procrastinate.ProcrastinateDispatcher(
        engine, pack=lambda key: {"campaign_id": key.campaign_id, "no": key.no}, unpack=lambda ids: BatchKey(**ids)
    )


def jobs(engine: Engine) -> list[tuple[str, dict[str, int]]]:
    with engine.begin() as connection:
        return [(row[0], row[1]) for row in connection.execute(text("SELECT queueing_lock, args FROM procrastinate_jobs ORDER BY id"))]


def test_jobs_are_deferred_in_our_transaction_once_and_with_ids_only(engine: Engine) -> None:
    with transaction(engine) as connection:
        procrastinate.require(connection)
    one = dispatcher_of(engine)
    with pytest.raises(RuntimeError), transaction(engine) as connection:
        one.enqueue(connection, [BatchKey(1, 1)])
        raise RuntimeError
    assert jobs(engine) == []
    with transaction(engine) as connection:
        one.enqueue(connection, [BatchKey(1, 1)])
        one.enqueue(connection, [BatchKey(1, 1), BatchKey(1, 2)])
    assert jobs(engine) == [
        ("deliver:1.1", {"campaign_id": 1, "no": 1}),
        ("deliver:1.2", {"campaign_id": 1, "no": 2}),
    ]


def test_the_jobs_tables_are_made_and_upgraded_with_the_library(engine: Engine) -> None:
    with transaction(engine) as connection:
        procrastinate.require(connection)
        procrastinate.require(connection)
        assert procrastinate.upgrade(connection) == 0
    with engine.begin() as connection:
        newest = connection.execute(text("DELETE FROM procrastinate_applied WHERE name LIKE '03.04.00_50%' RETURNING name")).scalar_one()
        connection.execute(text("DROP TRIGGER procrastinate_trigger_status_events_update_v1 ON procrastinate_jobs"))
        connection.execute(text("DROP FUNCTION procrastinate_retry_job_v2"))
    with pytest.raises(DatabaseFault, match="older Procrastinate") as error, transaction(engine) as connection:
        procrastinate.require(connection)
    assert "briefing db upgrade" in error.value.hint
    with transaction(engine) as connection:
        assert procrastinate.upgrade(connection) == 1, newest
        procrastinate.require(connection)
        connection.execute(text("INSERT INTO procrastinate_applied VALUES ('99.00.00_01_new.sql')"))
        with pytest.raises(DatabaseFault, match="newer Procrastinate"):
            procrastinate.require(connection)


def test_another_programs_jobs_are_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE procrastinate_jobs (id int)"))
    with pytest.raises(DatabaseFault, match="did not make"), transaction(engine) as connection:
        procrastinate.upgrade(connection)


def test_jobs_of_a_dead_engine_are_removed(engine: Engine) -> None:
    with transaction(engine) as connection:
        procrastinate.require(connection)
        dispatcher_of(engine).enqueue(connection, [BatchKey(1, 1), BatchKey(1, 2)])
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing' WHERE args->>'no' = '1'"))

    async def tidy() -> int:
        running = App(connector=PsycopgConnector(conninfo=procrastinate.conninfo(engine), min_size=1, max_size=1))
        async with running.open_async():
            return await procrastinate.tidy(running)

    assert asyncio.run(tidy()) == 1
    assert [name for name, _ in jobs(engine)] == ["deliver:1.2"]


def test_the_settings_choose_the_engine(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = {"BRIEFING_DATABASE": "postgresql://nobody@127.0.0.1/none"}
    assert app.engine_of(app.load_settings(root, {})) == "local"
    assert app.engine_of(app.load_settings(root, postgres)) == "procrastinate"
    assert isinstance(app.make_dispatcher(app.load_settings(root, {}), open_engine(f"sqlite:///{root}/x.db")), LocalDispatcher)
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    assert app.engine_of(app.load_settings(root, postgres)) == "local"
    with (root / "config" / "newsroom.toml").open("a") as file:
        file.write('\n[sending]\nengine = "procrastinate"\n')
    with pytest.raises(ConfigurationError, match="not installed"):
        app.engine_of(app.load_settings(root, postgres))
    with pytest.raises(ConfigurationError, match="PostgreSQL only"):
        app.engine_of(app.load_settings(root, {}))
