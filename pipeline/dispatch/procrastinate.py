"""The engine of several machines: Procrastinate, one job a batch, on the same PostgreSQL database as the ledger.

A job carries ids and nothing else. It is deferred in the transaction that makes its batch ready; whatever is lost after that, a job
or the whole table, is deferred again by any worker's look at the ledger, every second. A job that comes twice finds its batch taken.

Procrastinate's worker is asynchronous and lives in a thread of its own here; deliveries run in threads, as everywhere in this house.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import Job, Status
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import BriefingError, DatabaseFault

K = TypeVar("K", bound=Hashable)
log = logging.getLogger("pipeline.dispatch")

QUEUE = "briefing"
TASK = "briefing.deliver"

LOOK_S = 1.0
"""Between two looks for ready batches without a job, and for jobs of which nobody was told (LISTEN does not pass every pooler)."""

AHEAD = 256
"""How many of the oldest ready batches are looked at for their jobs at a time."""

AT_ONCE = 1000
"""Jobs deferred by one statement."""

TIDY_S = 30.0
STALLED_S = 30.0
"""A job whose engine has not beaten for so long is removed; its batch was given back long before, by the sweep of the ledger."""

RESTART_S = 1.0
GRACE_S = 10.0
"""How long an engine may take to end after its last delivery: on a broken connection it hangs (procrastinate#1513)."""

_INSTALLING = 0x6272_6965_0002
_DEFERRING = 0x6272_6965_0003
"""PostgreSQL's advisory locks, held to the end of a transaction."""


class ProcrastinateDispatcher(Generic[K]):
    """Jobs for keys. ``pack`` gives a key's ids, ``unpack`` makes the key of them again."""

    def __init__(
        self, engine: Engine, *, pack: Callable[[K], Mapping[str, int]], unpack: Callable[[Mapping[str, int]], K], threads: int = 4
    ):
        self._engine = engine
        self._pack = pack
        self._unpack = unpack
        self._threads = threads
        self._bell = threading.Event()
        # Never opened: it defers on the connections that it is given.
        self._deferrer = App(connector=SyncPsycopgConnector())

    def wake(self) -> None:
        """Looks at once for ready batches without a job."""
        self._bell.set()

    def enqueue(self, connection: Connection, keys: Sequence[K]) -> None:
        """Defers a job for each of those batches for which none waits. Raises DatabaseFault."""
        if not keys:
            return
        # One after another: two that defer the same batch would break on the index that keeps a second waiting job away.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _DEFERRING})
        named = {self._name(key): key for key in keys}
        waiting = "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(:names)"
        there = set(connection.execute(text(waiting), {"names": list(named)}).scalars())
        jobs = [
            Job(id=None, queue=QUEUE, lock=None, queueing_lock=name, task_name=TASK, task_kwargs=dict(self._pack(key)))
            for name, key in named.items()
            if name not in there
        ]
        try:
            for start in range(0, len(jobs), AT_ONCE):
                self._deferrer.job_manager.batch_defer_jobs(jobs[start : start + AT_ONCE], connection=_driver(connection))
        except ProcrastinateException as error:
            raise DatabaseFault(f"jobs could not be deferred: {_said(error)}", hint="Run: briefing db upgrade") from error

    def _name(self, key: K) -> str:
        return "deliver:" + ".".join(str(id) for id in self._pack(key).values())

    def run(self, ready: Callable[[int], Sequence[K]], deliver: Callable[[K], None], stop: threading.Event) -> None:
        """Works until ``stop`` is set, then waits for what is in hand. An engine that fails is started anew."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="deliver") as pool:
            engine = threading.Thread(target=self._keep_up, args=(deliver, pool, stop), name="procrastinate", daemon=True)
            engine.start()
            looked = 0.0
            while not stop.is_set():
                if self._bell.is_set() or time.monotonic() - looked > LOOK_S:
                    self._bell.clear()
                    self._look(ready)
                    looked = time.monotonic()
                self._bell.wait(0.2)
            engine.join(GRACE_S)
        engine.join(GRACE_S)
        if engine.is_alive():
            log.warning("the engine does not end; everything in hand is recorded, so it is left behind")

    def _look(self, ready: Callable[[int], Sequence[K]]) -> None:
        """Ready batches without a job: deferred by nobody, or their jobs are lost, or what held them back is over."""
        keys = ready(AHEAD)
        if not keys:
            return
        try:
            with self._engine.begin() as connection:
                self.enqueue(connection, keys)
        except BriefingError as error:
            log.error("%(why)s", {"why": error.message})
        except SQLAlchemyError as error:
            log.error("jobs could not be deferred: %(why)s", {"why": type(error).__name__})

    def _keep_up(self, deliver: Callable[[K], None], pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                asyncio.run(self._work(deliver, pool, stop))
            except (ProcrastinateException, psycopg.Error, OSError) as error:
                log.error("the engine failed and is started anew: %(why)s", {"why": _said(error)})
            except Exception:
                log.exception("the engine failed and is started anew")
            stop.wait(RESTART_S)

    async def _work(self, deliver: Callable[[K], None], pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        app = App(connector=PsycopgConnector(conninfo=conninfo(self._engine), min_size=1, max_size=self._threads, timeout=GRACE_S))

        @app.task(name=TASK, queue=QUEUE)
        async def job(**ids: int) -> None:
            await asyncio.get_running_loop().run_in_executor(pool, self._deliver, deliver, ids)

        async with app.open_async():
            working = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE], name="briefing", concurrency=self._threads, install_signal_handlers=False, delete_jobs="always",
                    fetch_job_polling_interval=LOOK_S, stalled_worker_timeout=STALLED_S,
                )
            )  # fmt: skip
            tidying = asyncio.create_task(_keep_tidy(app))
            while not stop.is_set() and not working.done():
                await asyncio.wait({working}, timeout=0.2)
            tidying.cancel()
            # Procrastinate's word for "no new job, and finish those in hand".
            working.cancel()
            try:
                await working
            except asyncio.CancelledError:
                return

    def _deliver(self, deliver: Callable[[K], None], ids: Mapping[str, int]) -> None:
        """A delivery that raises is logged, and its batch is found again in the ledger."""
        key = self._unpack(ids)
        try:
            deliver(key)
        except BriefingError as error:
            log.error("batch %(batch)s: delivery failed: %(why)s", {"batch": key, "why": error.message})
        except Exception:
            log.exception("batch %(batch)s: delivery failed", {"batch": key})


async def _keep_tidy(app: App) -> None:
    while True:
        try:
            await tidy(app)
        except ProcrastinateException as error:
            log.warning("old jobs could not be removed: %(why)s", {"why": _said(error)})
        await asyncio.sleep(TIDY_S)


async def tidy(app: App, *, stalled_s: float = STALLED_S) -> int:
    """Removes jobs that a dead worker's engine had in hand, and what a person cancelled a day ago. Gives how many of the first kind."""
    stalled = list(await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=stalled_s))
    for job in stalled:
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
    await app.job_manager.delete_old_jobs(nb_hours=24, queue=QUEUE, include_failed=True, include_cancelled=True, include_aborted=True)
    return len(stalled)


def conninfo(engine: Engine) -> str:
    """The database's address as libpq reads it."""
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def require(connection: Connection) -> None:
    """Makes Procrastinate's tables in a database that has none; refuses those of another version. Raises DatabaseFault."""
    missing, unknown = _differences(connection)
    if unknown:
        raise DatabaseFault("the database's jobs are of a newer Procrastinate than is installed", hint="Install the newer Briefing.")
    if not missing:
        return
    if connection.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar() is None:
        upgrade(connection)
    else:
        raise DatabaseFault("the database's jobs are of an older Procrastinate than is installed", hint="Run: briefing db upgrade")


def upgrade(connection: Connection) -> int:
    """Brings Procrastinate's tables to the installed version, in the caller's transaction; gives how many scripts were run.

    Procrastinate brings its whole schema in one file and numbered scripts from each version to the next, and leaves it to others
    to remember which were run (its documentation, "Migrations"): the table ``procrastinate_applied`` does.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _INSTALLING})
    missing, _ = _differences(connection)
    fresh = connection.execute(text("SELECT to_regclass('procrastinate_applied')")).scalar() is None
    if fresh:
        if connection.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar() is not None:
            raise DatabaseFault(
                "this database has tables of Procrastinate that Briefing did not make", hint="Give the newsroom a database of its own."
            )
        connection.execute(text("CREATE TABLE procrastinate_applied (name text PRIMARY KEY)"))
        _driver(connection).execute(SchemaManager.get_schema())
    for name in missing:
        if not fresh:
            _driver(connection).execute((Path(SchemaManager.get_migrations_path()) / name).read_bytes())
        connection.execute(text("INSERT INTO procrastinate_applied VALUES (:name)"), {"name": name})
    return 0 if fresh else len(missing)


def _differences(connection: Connection) -> tuple[list[str], set[str]]:
    """Scripts of the installed version that were not run here, in order, and those that it does not know."""
    done: set[str] = set()
    if connection.execute(text("SELECT to_regclass('procrastinate_applied')")).scalar() is not None:
        done = set(connection.execute(text("SELECT name FROM procrastinate_applied")).scalars())
    known = sorted(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return [name for name in known if name not in done], done - set(known)


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _said(error: Exception) -> str:
    """The reason in one line: Procrastinate wraps the driver's error."""
    cause = error.__cause__ if isinstance(error, ProcrastinateException) and error.__cause__ else error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]
