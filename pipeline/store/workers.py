"""Workers of one PostgreSQL database: who is alive, who leads, what time it is. All of it by the database's own clock.

No session state and no session lock: it works behind PgBouncer in transaction mode, too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, delete, event, func, select, update

from pipeline.clock import Clock
from pipeline.store.engine import insert_ignoring
from pipeline.store.tables import leader, worker

DEAD_AFTER = timedelta(seconds=5)
"""A worker that has not beaten for so long is taken for dead. Whatever it did not begin, another one may."""

LEASE = timedelta(seconds=5)
"""How long the leader leads without a beat."""

FORGET_AFTER = timedelta(hours=1)

FROZEN_TRANSACTION_S = 5
"""After so long the server ends a worker's transaction in which nothing happens: a frozen worker must not hold a lock that all need."""

_NOW: ColumnElement[datetime] = func.clock_timestamp()
_UNKNOWABLE = timedelta(seconds=1)


class DatabaseClock:
    """The database server's time: this machine's, put right by what the server last said."""

    def __init__(self, own: Clock) -> None:
        self.own = own
        self.apart = timedelta()
        #: What this machine's clock lacks.
        self._known = False

    def __call__(self) -> datetime:
        """The present instant, aware, in UTC."""
        return self.own() + self.apart

    def read(self, connection: Connection) -> None:
        """Asks the server. An answer that took a second says too little, unless it is the first."""
        before = self.own()
        there: datetime = connection.execute(select(_NOW)).scalar_one()
        took = self.own() - before
        if took < _UNKNOWABLE or not self._known:
            self.apart, self._known = there - (before + took / 2), True


def beat(connection: Connection, id: str) -> None:
    """Says that a worker lives."""
    if connection.execute(update(worker).where(worker.c.id == id).values(beat=_NOW)).rowcount == 0:
        connection.execute(insert_ignoring(connection, worker).values(id=id, since=_NOW, beat=_NOW))


def lead(connection: Connection, id: str) -> int | None:
    """Leads on, or takes the lead if nobody has it; gives the epoch, or None: another worker leads.

    SKIP LOCKED: a worker that froze while it took the lead must not stop the others' hearts.
    """
    mine = select(leader.c.id).where((leader.c.holder == id) | (leader.c.expires_at < _NOW)).with_for_update(skip_locked=True)
    taken = (
        update(leader)
        .where(leader.c.id == mine.scalar_subquery())
        .values(holder=id, epoch=case((leader.c.holder == id, leader.c.epoch), else_=leader.c.epoch + 1), expires_at=_NOW + LEASE)
        .returning(leader.c.epoch)
    )
    return connection.execute(taken).scalar()


def prepare(connection: Connection) -> None:
    """Makes the leader's row, and forgets workers that died long ago."""
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)
    connection.execute(insert_ignoring(connection, leader).values(id=1, holder="", epoch=0, expires_at=long_ago))
    connection.execute(delete(worker).where(worker.c.beat < _NOW - FORGET_AFTER))


def leave(connection: Connection, id: str) -> None:
    """A worker ends, and another may lead at once."""
    connection.execute(update(leader).where(leader.c.holder == id).values(expires_at=_NOW - LEASE))
    connection.execute(delete(worker).where(worker.c.id == id))


def alive(id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the worker of that id has beaten lately. On PostgreSQL only."""
    return select(worker.c.id).where(worker.c.id == id, worker.c.beat > _NOW - DEAD_AFTER).exists()


def count(connection: Connection) -> int:
    """How many workers are alive."""
    return connection.execute(select(func.count()).select_from(worker).where(worker.c.beat > _NOW - DEAD_AFTER)).scalar_one()


def end_frozen_transactions(engine: Engine) -> None:
    """Has the server end what a frozen worker left open; for every connection from now on."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        was, connection.autocommit = connection.autocommit, True
        connection.execute(f"SET idle_in_transaction_session_timeout = '{FROZEN_TRANSACTION_S}s'")
        connection.autocommit = was

    engine.dispose()
