"""Rates and daily quotas, kept in the database so that all workers share them. One row a rate; whoever holds it counts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from pipeline.store.engine import insert_ignoring
from pipeline.store.tables import pace as t


def hold(connection: Connection, name: str) -> tuple[datetime | None, int]:
    """Reads a rate's ``tat`` and count and keeps others from it until this transaction ends (SQLite: it holds the whole database)."""
    connection.execute(insert_ignoring(connection, t).values(name=name))
    row = connection.execute(select(t.c.tat, t.c.used).where(t.c.name == name).with_for_update()).one()
    return row.tat, row.used


def peek(connection: Connection, name: str) -> datetime | None:
    """A rate's ``tat`` without keeping anybody from it."""
    return connection.execute(_TAT, {"one": name}).scalar()


_TAT = select(t.c.tat).where(t.c.name == bindparam("one"))


def set_tat(connection: Connection, name: str, tat: datetime) -> None:
    """Moves a rate on."""
    connection.execute(update(t).where(t.c.name == name).values(tat=tat))


def add(connection: Connection, name: str, amount: int) -> None:
    """Counts towards a quota."""
    connection.execute(update(t).where(t.c.name == name).values(used=t.c.used + amount))


def back_off(connection: Connection, name: str, until: datetime) -> None:
    """Nothing leaves at this rate before ``until``, from any worker."""
    hold(connection, name)
    connection.execute(update(t).where(t.c.name == name, (t.c.tat < until) | t.c.tat.is_(None)).values(tat=until))
