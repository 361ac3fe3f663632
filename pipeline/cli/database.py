"""The database: backup, restore, db upgrade, db restored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline import app
from pipeline.cli.door import Json, door, out, print_json
from pipeline.clock import system_clock
from pipeline.errors import UsageError
from pipeline.files import only_one
from pipeline.flow import backups, checkup
from pipeline.store import schema
from pipeline.store.engine import open_engine


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    database = typer.Typer(help="The database's schema.", no_args_is_help=True)
    database.callback()(lambda: None)
    database.command("upgrade")(upgrade)
    database.command("restored")(restored)
    cli.add_typer(database, name="db")
    cli.command("backup")(backup)
    cli.command("restore")(restore)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write; it must not exist yet.")],
    as_json: Json = False,
) -> None:
    """Copy the database into one file, consistently, also while a worker sends. The keys are not in it."""
    settings = door(context).settings()
    made = backups.backup(settings, file, system_clock)
    if as_json:
        print_json(
            {"backup": file, "instance": made.instance, "schema": made.schema, "taken_at": made.taken_at, "size": made.size,
             "sha256": made.sha256}
        )  # fmt: skip
        return
    out.print(f"{file}: the database as of {made.taken_at:%Y-%m-%d %H:%M:%S} UTC, {made.size // 1024} KB", markup=False)
    out.print(
        f"The keys in {settings.keys} are not in it. Keep a copy of them elsewhere: without them it cannot be restored.", markup=False
    )


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive of briefing backup.")],
    force: Annotated[bool, typer.Option("--force", help="Also over a database that is there; it is kept under another name.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the database's place. Campaigns that were not finished are held, and nothing is sent blindly."""
    settings = door(context).settings()
    done = backups.restore(settings, file, system_clock, provider=settings.newsroom.provider.name, force=force)
    if as_json:
        print_json(
            {"taken_at": done.taken_at, "before": done.before, "instance": done.instance, "held": done.held,
             "batches_in_doubt": done.batches_in_doubt, "kept": done.kept, "unknown": done.unknown}
        )  # fmt: skip
        return
    out.print(f"Restored as of {done.taken_at:%Y-%m-%d %H:%M:%S} UTC.", markup=False)
    if done.kept:
        out.print(f"The database that was there: {done.kept}", markup=False)
    _say_held(done.held, done.batches_in_doubt)
    for issue in done.unknown:
        out.print(f"{issue} stands in the archive, and this database knows nothing of its send: do not send it again.", markup=False)
    out.print("Readers who left since then are on the lists again, and readers who came since are not: docs/sending.md, After a restore.")


def _say_held(held: tuple[int, ...], doubtful: int) -> None:
    for id in held:
        out.print(f"Campaign {id} is held. Look at it: briefing status {id}, briefing reconcile {id}; then resume or cancel it.")
    if doubtful:
        out.print(f"{doubtful} batches may have been mailed since; none of them is sent without proof or your word.")


def restored(
    context: typer.Context,
    taken: Annotated[str, typer.Option(metavar="TIME", help="When the backup was begun: 2026-12-02T05:00Z.")],
    as_json: Json = False,
) -> None:
    """Say that this database was put back from a backup by other tools (pg_restore), before any worker starts."""
    try:
        taken_at = datetime.fromisoformat(taken)
    except ValueError:
        raise UsageError(f"{taken!r} is not a time", hint="Write for instance 2026-12-02T05:00Z.") from None
    if taken_at.tzinfo is None:
        raise UsageError(f"{taken!r} does not say of which clock", hint="End it with Z for UTC, or with an offset such as +01:00.")
    station = door(context).station()
    with only_one(checkup.worker_lock(station), "another worker already runs on this database"):
        provider = station.settings.newsroom.provider.name
        name, held, doubtful = backups.mark_restored(station.engine, taken_at.astimezone(UTC), system_clock, provider=provider)
    if as_json:
        print_json({"instance": name, "held": held, "batches_in_doubt": doubtful})
        return
    out.print(f"A new life of the database begins: {name}.")
    _say_held(held, doubtful)


def upgrade(context: typer.Context, as_json: Json = False) -> None:
    """Bring the database to this version's schema, whole or not at all."""
    settings = door(context).settings()
    engine = open_engine(settings.database_url)
    context.call_on_close(engine.dispose)
    before, after = schema.upgrade(engine, system_clock())
    app.upgrade_engine(settings, engine)
    if as_json:
        print_json({"before": before, "after": after})
    else:
        out.print(
            f"schema {after}" + (" (new database)" if before is None else " (was current)" if before == after else f" (was {before})")
        )
