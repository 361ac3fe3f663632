"""Bringing a database to this version's schema (Alembic), and telling which one it has."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, insert, inspect, select, text

from pipeline.errors import DatabaseFault
from pipeline.store.engine import reading, transaction
from pipeline.store.tables import instance

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0008"
"""This version's revision. Known here so that a normal start need not load Alembic; a test holds it to the scripts."""


def upgrade(engine: Engine, now: datetime) -> tuple[str | None, str]:
    """Migrates to the newest schema; names the database on its first day. Gives the revision before and after.

    Everything happens in one transaction: an upgrade that fails leaves the database as it was.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    before = revision(engine)
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.execute(select(instance.c.name)).first() is None:
            connection.execute(insert(instance).values(id=1, name=secrets.token_hex(4), since=now))
    return before, HEAD


def require_current(engine: Engine, now: datetime) -> None:
    """Creates the schema in an empty database; refuses one of another version. Raises DatabaseFault."""
    found = revision(engine)
    if found is None:
        upgrade(engine, now)
    elif is_known(found):
        if found != HEAD:
            raise DatabaseFault(f"the database is of an older version ({found})", hint="Back it up, then run: briefing db upgrade")
    else:
        raise DatabaseFault(f"the database is of a newer version ({found}) than this program", hint="Install the newer Briefing.")


def is_known(revision: str) -> bool:
    """Whether this program has the migration to that revision."""
    return revision in [path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")]


def revision(engine: Engine) -> str | None:
    """The revision a database is at; None for an empty one."""
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found
