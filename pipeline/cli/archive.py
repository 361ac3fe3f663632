"""The archive: archive build."""

from __future__ import annotations

import typer

from pipeline.cli.door import Json, door, out, print_json, progress
from pipeline.flow import archive


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    group = typer.Typer(help="The public web archive.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("build")(build)
    cli.add_typer(group, name="archive")


def build(context: typer.Context, as_json: Json = False) -> None:
    """Write the whole archive anew from what was sent."""
    station = door(context).station()
    with progress("issues", None) as done:
        count = archive.build(station, done)
    place = station.settings.var / "archive"
    if as_json:
        print_json({"issues": count, "archive": place})
    else:
        out.print(f"{count} issues stand in {place}", markup=False)
