"""Migrations and the page of tables say the same; versions are told apart."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from pipeline.errors import DatabaseFault
from pipeline.store import schema
from pipeline.store.engine import reading, transaction
from pipeline.store.tables import metadata
from tests.conftest import SetClock


def test_the_head_named_in_the_code_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def _ours(name: str | None, kind: str, parents: object) -> bool:
    """Procrastinate's tables lie beside ours."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


def test_a_migrated_database_has_the_tables_of_the_page(engine: Engine) -> None:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _ours})
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_changes_nothing(engine: Engine, clock: SetClock) -> None:
    assert schema.upgrade(engine, clock()) == (schema.HEAD, schema.HEAD)


def test_a_database_of_a_newer_program_is_refused(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseFault, match="newer version"):
        schema.require_current(engine, clock())
