"""The newsroom itself: init, config show, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline import app
from pipeline.cli.door import Json, door, out, print_json
from pipeline.flow import checkup, starter


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    cli.command("init")(init)
    cli.command("doctor")(doctor)
    config = typer.Typer(help="The configuration in force.", no_args_is_help=True)
    # Typer folds a group of one command into that command unless the group has a callback.
    config.callback()(lambda: None)
    config.command("show")(show)
    cli.add_typer(config, name="config")


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty directory.")],
    as_json: Json = False,
) -> None:
    """Lay a starter newsroom: configuration, one newsletter, its author, three sample issues."""
    files = starter.lay(directory)
    if as_json:
        print_json({"newsroom": str(directory), "files": [str(path.relative_to(directory)) for path in files]})
        return
    out.print(f"A newsroom lies in {directory}: {len(files)} files.", markup=False)
    out.print(f"  cd {directory}", markup=False)
    out.print("  briefing preview          look at the sample issues as you write", markup=False)
    out.print("  briefing serve            run it: worker, archive, and a sandbox inbox that mails nobody", markup=False)


def show(context: typer.Context, as_json: Json = False) -> None:
    """Print every value and where it came from; secrets are masked."""
    settings = door(context).settings()
    if as_json:
        print_json({"newsroom": str(settings.root),
                    "settings": [{"name": o.name, "value": o.value, "source": o.source} for o in settings.origins],
                    "newsletters": sorted(settings.newsletters), "authors": sorted(settings.authors)})  # fmt: skip
        return
    out.print(f"newsroom: {settings.root}", markup=False)
    width = max(len(one.name) for one in settings.origins)
    for one in settings.origins:
        out.print(f"  {one.name:<{width}} = {one.value}   ({one.source})", markup=False)
    out.print(f"newsletters: {', '.join(sorted(settings.newsletters)) or 'none'}", markup=False)
    out.print(f"authors: {', '.join(sorted(settings.authors)) or 'none'}", markup=False)


def doctor(
    context: typer.Context,
    network: Annotated[
        bool,
        typer.Option(
            "--network", help="Also ask our own site at base_url, as readers and providers reach it, and the DNS for SPF, DKIM, DMARC."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check that everything a send needs is there: configuration, database, keys, provider, disk, a running worker."""
    findings = checkup.examine(door(context).sender, network=network, open_listeners=app.open_listeners)
    if as_json:
        print_json({"ok": all(one.ok for one in findings), "checks": [{"check": o.name, "ok": o.ok, "said": o.said} for o in findings]})
    else:
        for one in findings:
            mark = "[green]ok[/]  " if one.ok else "[red]FAIL[/]"
            out.print(f"{mark} {one.name}: ", end="")
            out.print(one.said, markup=False)
    if not all(one.ok for one in findings):
        raise typer.Exit(1)
