"""Alarms: list, test, check."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.door import Json, door, err, out, print_json
from pipeline.errors import BriefingError
from pipeline.flow import alarms as flow
from pipeline.flow import seeds
from pipeline.flow.context import Sender
from pipeline.store.alarms import Alarm


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    alarms = typer.Typer(help="What needs a person, and whom it is told.", no_args_is_help=True)
    for name, command in (("list", list_), ("test", try_out), ("check", check)):
        alarms.command(name)(command)
    cli.add_typer(alarms, name="alarms")


def list_(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over: the fifty newest.")] = False,
    as_json: Json = False,
) -> None:
    """Show the alarms that last: what happened, what to do, and whether it was mailed."""
    station = door(context).station()
    found = flow.listed(station) if everything else flow.lasting(station)
    if as_json:
        print_json([_json(one) for one in found])
        return
    if not found:
        out.print("No alarm.")
    for one in found:
        over = f", over at {one.over_at:%Y-%m-%d %H:%M} UTC" if one.over_at else ""
        out.print(f"{one.title}  (since {one.raised_at:%Y-%m-%d %H:%M} UTC{over})", markup=False)
        for line in (*one.body.splitlines(), f"Told: {_told(one)}"):
            out.print(f"  {line}".rstrip(), markup=False)


def try_out(context: typer.Context, as_json: Json = False) -> None:
    """Mail a test alarm to everybody who is told of alarms, and look into each seed mailbox."""
    sender = door(context).sender()
    faults = flow.try_out(sender)
    mailboxes = {name: _look(sender, name) for name in sender.settings.newsroom.alarms.seeds}
    bad = any(faults) or any(mailboxes.values())
    if as_json:
        print_json({"people": len(faults), "told": faults.count(""), "faults": [one for one in faults if one], "seeds": mailboxes})
    else:
        out.print(f"A test alarm was taken for {faults.count('')} of {len(faults)} people.")
        for fault in filter(None, faults):
            err.print(f"  {fault}", markup=False)
        for name, fault in mailboxes.items():
            out.print(f"seed mailbox {name}: {fault or 'can be read'}", markup=False)
    if bad:
        raise typer.Exit(1)


def check(
    context: typer.Context,
    by_cadence: Annotated[bool, typer.Option("--by-cadence", help="Without the database: cadences and seed mailboxes only.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether the mail that is due has arrived, raise and mail alarms; exit 1 when something is overdue. For cron or a timer."""
    if by_cadence:
        said = seeds.overdue_by_cadence(door(context).desk())
    else:
        lasting = flow.go_round(door(context).sender())
        said = [one.title for one in lasting if one.key.startswith(flow.OVERDUE)]
    if as_json:
        print_json({"overdue": said})
    else:
        for one in said:
            out.print(f"overdue: {one}", markup=False)
        if not said:
            out.print("Nothing is overdue.")
    if said:
        raise typer.Exit(1)


def _look(sender: Sender, name: str) -> str:
    try:
        seeds.open_mailbox(sender, name).close()
    except BriefingError as error:
        return f"{error.message} {error.hint}".strip()
    return ""


def _told(one: Alarm) -> str:
    if one.told:
        return f"{len(one.told)} people by mail" + (f"; {one.said}" if one.said else "")
    tried = f"nobody, after {one.tries} tries: {one.said}" if one.tries else "nobody by mail"
    return f"{tried}; tried again at {one.next_try_at:%H:%M} UTC" if one.next_try_at and one.tries else tried


def _json(one: Alarm) -> dict[str, object]:
    return {
        "title": one.title, "body": one.body, "raised_at": one.raised_at, "over_at": one.over_at, "told": len(one.told),
        "tries": one.tries, "said": one.said,
    }  # fmt: skip
