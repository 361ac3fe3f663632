"""The database connection: SQLite or PostgreSQL behind one URL, transactions, and faults in our words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from pipeline.errors import ConfigurationError, DatabaseFault, DiskFault

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another process's write before it gives up."""


def open_engine(url: str) -> Engine:
    """An engine for an SQLAlchemy URL. Makes the folder of a SQLite file. Raises ConfigurationError, DiskFault."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, pool_size=16, max_overflow=16, pool_use_lifo=True
            )
            # Last in, first out: a connection that did not write itself must read again whatever another one wrote.
            _tune_sqlite(engine)
            engine.update_execution_options(briefing_turn=threading.RLock())
        elif parsed.get_backend_name() == "postgresql":
            engine = create_engine(parsed, pool_pre_ping=True)
        else:
            raise ConfigurationError(f"database: {parsed.get_backend_name()} is not supported", hint="Use sqlite:/// or postgresql://.")
    except (ArgumentError, NoSuchModuleError):
        raise ConfigurationError("database: this is not a database URL", hint="Write for instance sqlite:///var/briefing.db") from None
    except ModuleNotFoundError:
        raise ConfigurationError("database: PostgreSQL needs psycopg", hint="Install it with: pip install 'briefing[postgres]'") from None
    except OSError as error:
        raise DiskFault(f"cannot make the database's folder {error.filename}: {error.strerror}") from None
    return engine


def _tune_sqlite(engine: Engine) -> None:
    """WAL, durable commits, and transactions that we begin ourselves (the driver's own begin comes too late)."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that reads first and writes later would otherwise fail when another one wrote meanwhile.
        reading = connection.get_execution_options().get("briefing_reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One writing transaction; committed at the end, rolled back on any exception. Raises DatabaseFault, DiskFault."""
    with _faults(engine), in_turn(engine), engine.begin() as connection:
        yield connection


@contextmanager
def in_turn(engine: Engine) -> Iterator[None]:
    """On SQLite the threads of this process queue up here to write: inside, SQLite lets them sleep and try, up to 100 ms at a time.

    Who has much to compute between two writes may keep the turn: threads that one interpreter switches to and fro, in the middle of
    their work, need a third more of the processor than threads that work one after the other. Elsewhere it does nothing.
    """
    turn: threading.RLock | None = engine.get_execution_options().get("briefing_turn")
    # Who does not get it in time is told by SQLite what is the matter.
    if turn is None or not turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
        yield
        return
    try:
        yield
    finally:
        turn.release()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One reading transaction: a single consistent view. Raises DatabaseFault."""
    with _faults(engine), engine.connect() as plain:
        connection = plain.execution_options(briefing_reading=True)
        with connection.begin():
            yield connection


@contextmanager
def _faults(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise describe(error, engine) from error


def describe(error: DBAPIError, engine: Engine) -> DatabaseFault | DiskFault:
    """A driver's error in our words, without the statement and its parameters (they may hold secrets)."""
    said = str(error.orig).strip().splitlines()[0] if error.orig else "unknown error"
    where = engine.url.database if engine.dialect.name == "sqlite" else engine.url.render_as_string(hide_password=True)
    if "disk is full" in said or "disk I/O" in said or "No space left" in said:
        return DiskFault(
            f"the disk that holds {where} is full: nothing was half-written", hint="Free some space and run the command again."
        )
    if "locked" in said:
        return DatabaseFault(
            f"the database {where} is locked by another program", hint="Close the program that holds it, then run the command again."
        )
    if "readonly" in said or "unable to open" in said:
        return DatabaseFault(
            f"the database {where} cannot be written ({said})", hint="Check the owner and the rights of the file and its folder."
        )
    if "not a database" in said or "malformed" in said:
        return DatabaseFault(
            f"{where} is not a sound SQLite database ({said})", hint="Restore a backup, or name another file with BRIEFING_DATABASE."
        )
    if "no such table" in said or "does not exist" in said:
        return DatabaseFault(f"the database {where} is not of this version ({said})", hint="Run: briefing db upgrade")
    return DatabaseFault(f"the database {where} failed: {said}", hint="See docs/reference/troubleshooting.md.")


def insert_ignoring(connection: Connection, table: Any) -> Any:
    """``INSERT ... ON CONFLICT DO NOTHING`` in the dialect at hand."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()
