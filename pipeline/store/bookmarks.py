"""How far what is read piece by piece has been read; moved in the transaction that keeps what was read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from pipeline.store.addresses import Vault
from pipeline.store.tables import bookmark as t


def place(connection: Connection, vault: Vault, name: str) -> str:
    """Where the next piece begins; empty at the beginning."""
    found = connection.execute(select(t.c.place).where(t.c.name == name)).scalar()
    return vault.open(bytes(found)) if found is not None else ""


def move(connection: Connection, vault: Vault, name: str, to: str, now: datetime) -> None:
    """Puts the mark where the next piece begins; empty takes it away, so that the next reading starts from the beginning."""
    if not to:
        connection.execute(delete(t).where(t.c.name == name))
        return
    values = {"place": vault.close(to), "moved_at": now}
    if connection.execute(update(t).where(t.c.name == name).values(**values)).rowcount == 0:
        connection.execute(insert(t).values(name=name, **values))
