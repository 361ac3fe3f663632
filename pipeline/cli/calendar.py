"""The calendar: calendar, skip."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from pipeline.cli.campaigns import FITS, local
from pipeline.cli.door import Json, door, out, print_json
from pipeline.core.campaign import CampaignState
from pipeline.core.occurrence import OccurrenceState
from pipeline.core.schedule import Fit
from pipeline.errors import UsageError
from pipeline.flow import occurrences
from pipeline.store.occurrences import Occurrence


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    cli.command("calendar")(calendar)
    cli.command("skip")(skip)


def calendar(
    context: typer.Context,
    newsletter: Annotated[str | None, typer.Argument(metavar="[NEWSLETTER]", help="A newsletter's id; without one, all.")] = None,
    as_json: Json = False,
) -> None:
    """List when newsletters come out by their cadence: which issue has each slot, which are empty, which were missed."""
    station = door(context).station()
    occurrences.keep(station)
    ids = [newsletter] if newsletter is not None else list(station.settings.newsletters)
    found = {id: occurrences.coming(station, id) for id in ids}
    if as_json:
        print_json({id: [_json(one) for one in slots] for id, slots in found.items()})
        return
    for id, slots in found.items():
        cadence = station.settings.newsletter(id).cadence
        out.print(f"{id}: {cadence.days}, {cadence.at}" if cadence else f"{id} has no cadence", markup=False)
        for one in slots:
            out.print(f"  {one.day:%a} {one.day}  {_words(one)}", markup=False)


def skip(
    context: typer.Context,
    newsletter: Annotated[str, typer.Argument(metavar="NEWSLETTER", help="The newsletter's id.")],
    day: Annotated[str, typer.Argument(metavar="DATE", help="The day of the slot, for instance 2026-12-30.")],
    undo: Annotated[bool, typer.Option("--undo", help="An issue comes that day after all.")] = False,
    as_json: Json = False,
) -> None:
    """Say that no issue comes on a day of the cadence."""
    station = door(context).station()
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise UsageError(f"{day!r} is not a date; write for instance 2026-12-30") from None
    one = occurrences.skip(station, newsletter, on, undo=undo)
    if as_json:
        print_json(_json(one))
        return
    out.print(f"{newsletter}: {one.day}: {_words(one)}", markup=False)


def _json(one: Occurrence) -> dict[str, object]:
    return {
        "day": one.day, "state": one.state, "due_at": one.due_at, "at": one.at, "time_zone": one.time_zone, "fit": one.fit,
        "note": one.note, "issue": one.issue_id or None, "campaign": one.campaign_id,
    }  # fmt: skip


def _words(one: Occurrence) -> str:
    match one.state:
        case OccurrenceState.TAKEN:
            said = f"{one.issue_id}, campaign {one.campaign_id} {one.campaign_state}"
            if one.campaign_state is CampaignState.SCHEDULED and one.campaign_due_at is not None:
                said += f", {local(one.campaign_due_at, one.time_zone)}"
        case OccurrenceState.PROPOSED:
            said = f"empty, {local(one.due_at, one.time_zone)}"
        case OccurrenceState.MISSED:
            said = "missed: it passed without an issue"
        case OccurrenceState.SKIPPED:
            said = "skipped"
        case _:
            said = "no longer in the cadence"
    if one.state is OccurrenceState.PROPOSED and one.fit is not Fit.ONCE:
        said += f"; {FITS[one.fit]}"
    return f"{said}; {one.note}" if one.note else said
