"""The database: db upgrade."""

from __future__ import annotations

import typer

from pipeline.cli.door import Json, door, out, print_json
from pipeline.clock import system_clock
from pipeline.store import schema
from pipeline.store.engine import open_engine


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    database = typer.Typer(help="The database's schema.", no_args_is_help=True)
    database.callback()(lambda: None)
    database.command("upgrade")(upgrade)
    cli.add_typer(database, name="db")


def upgrade(context: typer.Context, as_json: Json = False) -> None:
    """Bring the database to this version's schema, whole or not at all."""
    engine = open_engine(door(context).settings().database_url)
    context.call_on_close(engine.dispose)
    before, after = schema.upgrade(engine, system_clock())
    if as_json:
        print_json({"before": before, "after": after})
    else:
        out.print(
            f"schema {after}" + (" (new database)" if before is None else " (was current)" if before == after else f" (was {before})")
        )
