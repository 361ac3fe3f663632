"""Bringing a database to this version's schema (Alembic), and telling which one it has."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, select

from pipeline.errors import DatabaseFault
from pipeline.store.engine import reading, transaction
from pipeline.store.tables import instance


def upgrade(engine: Engine, now: datetime) -> tuple[str | None, str]:
    """Migrates to the newest schema; names the database on its first day. Gives the revision before and after.

    Everything happens in one transaction: an upgrade that fails leaves the database as it was.
    """
    config = _config()
    with transaction(engine) as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.execute(select(instance.c.name)).first() is None:
            connection.execute(insert(instance).values(id=1, name=secrets.token_hex(4), since=now))
    return before, _head(config)


def require_current(engine: Engine, now: datetime) -> None:
    """Creates the schema in an empty database; refuses one of another version. Raises DatabaseFault."""
    with reading(engine) as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        upgrade(engine, now)
    elif revision != _head(_config()):
        known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
        if revision in known:
            raise DatabaseFault(f"the database is of an older version ({revision})", hint="Back it up, then run: briefing db upgrade")
        raise DatabaseFault(f"the database is of a newer version ({revision}) than this program", hint="Install the newer Briefing.")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _head(config: Config) -> str:
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    return head
