"""Sending: schedule, send, status, pause, resume, cancel, reconcile, resolve."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.prompt import Prompt

from pipeline.cli.door import Issue, Json, door, err, out, print_json, who
from pipeline.core.campaign import BatchState, CampaignState
from pipeline.core.schedule import Fit, WallTime, parse_when
from pipeline.errors import Refusal, UsageError
from pipeline.flow import alarms, campaigns, doubts, drafts, occurrences
from pipeline.flow.cadence import next_slot
from pipeline.flow.campaigns import Status
from pipeline.flow.context import Station
from pipeline.settings import parse_duration
from pipeline.store.batches import BatchKey

Campaign = Annotated[int, typer.Argument(metavar="CAMPAIGN", help="The campaign's number, as status shows it.")]
MAX_DETAILS = 12


class IfLate(StrEnum):
    """What to do with a send whose time passed while no worker ran."""

    HOLD = "hold"
    SEND = "send"
    DROP = "drop"


class Verdict(StrEnum):
    """What a person says of a batch in doubt."""

    ACCEPTED = "accepted"
    RESEND = "resend"
    DROP = "drop"


class Which(StrEnum):
    """Which of two equal wall times is meant, when the clocks are set back."""

    FIRST = "first"
    SECOND = "second"


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    for command in (schedule, send, status, pause, resume, cancel, reconcile, resolve):
        cli.command(command.__name__)(command)


def schedule(
    context: typer.Context,
    issue: Issue,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="WHEN",
            help='"2026-12-02 07:00" in the newsletter\'s zone, "07:00", "in 3h", "now", or with an offset; default: its slot.',
        ),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option("--over", metavar="DURATION", help="Spread the mail over this time, e.g. 2h; default: the newsletter's."),
    ] = None,
    not_after: Annotated[
        str | None, typer.Option("--not-after", metavar="DURATION", help="How late it may start, e.g. 2h; default: the newsletter's.")
    ] = None,
    if_late: Annotated[
        IfLate | None, typer.Option("--if-late", help="What to do when it is later than that; default: the newsletter's.")
    ] = None,
    fold: Annotated[Which | None, typer.Option("--fold", help="Which one, when the clocks are set back and the time exists twice.")] = None,
    as_json: Json = False,
) -> None:
    """Schedule the approved edition of an issue."""
    station = door(context).station()
    id, _ = drafts.locate(station, issue)
    newsletter = station.settings.newsletter(id.newsletter)
    zone = station.settings.zone(newsletter)
    try:
        when = parse_when(at, station.clock(), zone) if at is not None else None
        patience = parse_duration(not_after) if not_after else None
        spread = parse_duration(over) if over else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    slot = occurrences.choose(station, id.newsletter, id.date) if when is None else None
    if slot is not None:
        when = occurrences.wall_time(slot)
    elif isinstance(when, WallTime):
        when = _unambiguous(when, fold)
    assert when is not None
    made = campaigns.schedule(station, issue, at=when, not_after=patience, if_late=if_late, over=spread, occurrence=slot)
    if as_json:
        print_json({"campaign": made.id, "issue": made.issue_id, "due_at": made.due_at, "wall_time": made.wall_time,
                    "time_zone": made.time_zone, "slot": slot.day if slot else None, "over_s": int(made.over.total_seconds()),
                    "not_after_s": int(made.not_after.total_seconds()), "if_late": made.if_late})  # fmt: skip
        return
    out.print(f"Campaign {made.id}: {made.issue_id}", markup=False)
    out.print(f"  goes out {local(made.due_at, zone)}, that is {made.due_at:%A %Y-%m-%d %H:%M} UTC", markup=False)
    if slot is not None:
        if slot.day != id.date:
            err.print(f"[yellow]warning:[/] the issue is dated {id.date}; it takes the next free slot, that of {slot.day}")
        if slot.fit is not Fit.ONCE:
            err.print(f"[yellow]warning:[/] {FITS[slot.fit]}")
    if made.over:
        out.print(f"  spread evenly over {span(made.over.total_seconds())}", markup=False)
    out.print(
        f"  if no worker runs then: up to {span(made.not_after.total_seconds())} late it still starts; after that: {made.if_late}",
        markup=False,
    )
    if not campaigns.audience_size(station, newsletter.id):
        err.print("[yellow]warning:[/] nobody is subscribed to this newsletter yet")


FITS = {
    Fit.GAP: "the clocks jump over this time of day; it is taken by the clock from before the jump",
    Fit.OVERLAP: "the clocks are set back, and this time of day exists twice; the first is taken",
}
"""What is said of a slot whose wall time is not plain."""


def _unambiguous(when: WallTime, fold: Which | None) -> WallTime:
    """Refuses a time that does not exist, asks about one that exists twice."""
    if when.fit is Fit.GAP:
        raise Refusal(
            f"{when.wall:%Y-%m-%d %H:%M} does not exist in {when.zone}: the clocks jump over it",
            hint=f"The same moment after the jump is {local(when.first, when.zone)}.",
        )
    if when.fit is Fit.ONCE:
        return when
    first, second = local(when.first, when.zone), local(when.second, when.zone)
    if fold is None and sys.stdin.isatty():
        err.print(f"{when.wall:%Y-%m-%d %H:%M} exists twice in {when.zone}:\n  first   {first}\n  second  {second}", markup=False)
        fold = Which(Prompt.ask("Which one", choices=["first", "second"], console=err))
    if fold is None:
        raise Refusal(
            f"{when.wall:%Y-%m-%d %H:%M} exists twice in {when.zone}: {first} and {second}",
            hint="Say which with --fold first or --fold second.",
        )
    instant = when.first if fold is Which.FIRST else when.second
    return WallTime(wall=when.wall, zone=when.zone, fit=when.fit, first=instant, second=when.second)


def send(context: typer.Context, issue: Issue, as_json: Json = False) -> None:
    """Schedule the approved edition for now; a running worker (briefing serve) sends it at once."""
    station = door(context).station()
    id, _ = drafts.locate(station, issue)
    if not campaigns.audience_size(station, id.newsletter):
        raise Refusal(
            f"nobody is subscribed to {id.newsletter}",
            hint=f'Import readers: briefing readers import FILE --newsletter {id.newsletter} --consent "..."',
        )
    made = campaigns.schedule(station, issue, at=station.clock())
    if as_json:
        print_json({"campaign": made.id, "issue": made.issue_id, "due_at": made.due_at})
        return
    out.print(f"Campaign {made.id}: {made.issue_id} is due now.", markup=False)
    out.print(f"Watch it:  briefing status {made.id} --watch   (a worker must run: briefing serve)", markup=False)


def status(
    context: typer.Context,
    campaign: Annotated[int | None, typer.Argument(metavar="[CAMPAIGN]", help="A campaign's number; without one, all newest.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is done, with a progress bar.")] = False,
    as_json: Json = False,
) -> None:
    """Say where campaigns are; the counts always add up to the audience."""
    station = door(context).station()
    found = [campaigns.status(station, campaign)] if campaign is not None else campaigns.listed(station)
    if watch and found:
        found = [_watch(station, found[0].campaign.id, quiet=as_json)]
    if as_json:
        documents = [_status_json(station, one) for one in found]
        raised = [{"title": one.title, "raised_at": one.raised_at} for one in alarms.lasting(station)]
        print_json(documents[0] if campaign is not None else {"campaigns": documents, "next": _slots_json(station), "alarms": raised})
        return
    for one in found:
        _print_status(station, one)
    if campaign is None:
        for alarm in alarms.lasting(station):
            out.print(f"[bold red]alarm:[/] {escape(alarm.title)}  (briefing alarms list)")
        if not found:
            out.print("No campaign yet.")
        for id, newsletter in station.settings.newsletters.items():
            there = occurrences.upcoming(station, id)
            slot = next_slot(newsletter, station.settings.zone(newsletter), station.clock())
            if there is not None:
                said = local(there.campaign_due_at or there.due_at, there.time_zone)
                out.print(f"{id}: next slot {said}: {there.issue_id or 'empty'}", markup=False)
            elif slot is not None and newsletter.cadence is not None:
                out.print(
                    f"{id}: next slot {local(slot.first, slot.zone)} ({newsletter.cadence.days}, {newsletter.cadence.at})", markup=False
                )


def _slots_json(station: Station) -> dict[str, object]:
    settings = station.settings
    slots: dict[str, object] = {}
    for id, newsletter in settings.newsletters.items():
        there, slot = occurrences.upcoming(station, id), next_slot(newsletter, settings.zone(newsletter), station.clock())
        slots[id] = (there.campaign_due_at or there.due_at) if there else slot.first if slot else None
    return slots


REPORTED = ("delivered", "deferred", "bounced", "complained", "unsubscribed", "rejected", "failed")
"""Kinds of events that ``status`` counts, beside the seven counts of the ledger."""


def _status_json(station: Station, one: Status) -> dict[str, object]:
    there, tally = one.campaign, one.tally
    news = campaigns.news(station, there.id)
    return {
        "campaign": there.id, "issue": there.issue_id, "state": there.state, "reason": there.reason, "due_at": there.due_at,
        "started_at": there.started_at, "finished_at": there.finished_at, "audience": there.audience, "waiting": tally.waiting,
        "submitting": tally.submitting, "sent": tally.sent, "refused": tally.refused, "suppressed": tally.suppressed,
        "in_doubt": tally.in_doubt, "expired": tally.expired, "reported": {name: news.get(name, 0) for name in REPORTED},
        "over_s": int(there.over.total_seconds()), "last_batch_at": one.ends_at, "seeds": list(one.arrived),
        "batches": [
            {"batch": str(b.key), "key": b.provider_key, "state": b.state, "readers": b.readers, "detail": b.detail} for b in one.troubled
        ],
    }  # fmt: skip


def _print_status(station: Station, one: Status) -> None:
    there, tally = one.campaign, one.tally
    out.print(f"Campaign {there.id}  {there.issue_id}  [bold]{there.state}[/]" + (f"  ({escape(there.reason)})" if there.reason else ""))
    if there.audience is None:
        out.print(f"  due {local(there.due_at, there.time_zone)}, that is {there.due_at:%Y-%m-%d %H:%M} UTC", markup=False)
        if there.over:
            out.print(f"  spread evenly over {span(there.over.total_seconds())}", markup=False)
        return
    if one.ends_at is not None:
        last = local(one.ends_at, there.time_zone)
        out.print(f"  spread evenly over {span(there.over.total_seconds())}: the last batch may leave {last}", markup=False)
    if one.arrived:
        out.print(f"  seed mailboxes: {', '.join(one.arrived)}", markup=False)
    names = ("sent", "waiting", "submitting", "refused", "suppressed", "in_doubt", "expired")
    parts = [f"{name.replace('_', ' ')} {getattr(tally, name)}" for name in names if getattr(tally, name) or name == "sent"]
    out.print(f"  {' + '.join(parts)} = {tally.total} of {there.audience} readers", markup=False)
    news = campaigns.news(station, there.id)
    if reported := [f"{name} {news[name]}" for name in REPORTED if news.get(name)]:
        out.print(f"  reported by the provider so far: {', '.join(reported)}", markup=False)
    for batch in one.troubled[:MAX_DETAILS]:
        when = f", again at {batch.not_before:%H:%M:%S} UTC"
        if batch.state is BatchState.IN_DOUBT:
            when = f", key {batch.provider_key}" if batch.provider_key else ", parted from the batch it was called with"
        out.print(f"  batch {batch.key}: {batch.state.replace('_', ' ')}, {batch.readers} readers: {batch.detail}{when}", markup=False)
    if len(one.troubled) > MAX_DETAILS:
        out.print(f"  and {len(one.troubled) - MAX_DETAILS} batches more")
    if tally.in_doubt:
        out.print(
            f"  Look for the key at the provider, then: briefing resolve {there.id}.N accepted|resend|drop",
            markup=False,
        )


def _watch(station: Station, id: int, *, quiet: bool) -> Status:
    """Follows a campaign until it moves no more; a bar on a terminal, a line a change elsewhere."""
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total}"), console=err)
    task, last = bar.add_task("", total=None), ""
    live = Live(bar, console=err, transient=True) if err.is_terminal and not quiet else None
    if live is not None:
        live.start()
    try:
        while True:
            one = campaigns.status(station, id)
            line = f"{one.campaign.state}: {one.tally.done} of {one.campaign.audience if one.campaign.audience is not None else '?'}"
            bar.update(task, description=str(one.campaign.state), completed=one.tally.done, total=one.campaign.audience)
            if live is None and line != last:
                err.print(line, markup=False)
            last = line
            in_doubt_only = one.tally.in_doubt and not one.tally.waiting + one.tally.submitting
            if one.campaign.state in (CampaignState.SENT, CampaignState.CANCELLED, CampaignState.HELD) or in_doubt_only:
                return one
            time.sleep(0.2)
    finally:
        if live is not None:
            live.stop()


def pause(context: typer.Context, campaign: Campaign, as_json: Json = False) -> None:
    """Stop new calls; those under way end by themselves."""
    station = door(context).station()
    _answer(station, campaigns.pause(station, campaign).id, as_json)


def resume(context: typer.Context, campaign: Campaign, as_json: Json = False) -> None:
    """Go on with a paused campaign, or start a held one."""
    sender = door(context).sender()
    _answer(sender, campaigns.resume(sender, campaign).id, as_json)


def cancel(context: typer.Context, campaign: Campaign, as_json: Json = False) -> None:
    """End a campaign: what has not left will not."""
    station = door(context).station()
    _answer(station, campaigns.cancel(station, campaign).id, as_json)


def reconcile(
    context: typer.Context,
    campaign: Annotated[int | None, typer.Argument(metavar="[CAMPAIGN]", help="A campaign's number; without one, all due.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the provider about batches in doubt now, instead of when the worker does."""
    sender = door(context).sender()
    if campaign is not None:
        campaigns.status(sender, campaign)
    done = doubts.reconcile(sender, campaign)
    if as_json:
        print_json({"settled": done.settled, "waiting": done.waiting, "held": done.held})
        return
    if not (done.settled or done.waiting or done.held):
        out.print("No batch in doubt is due.")
        return
    out.print(f"{done.settled} settled, {done.waiting} to be looked at again, {done.held} for a person", markup=False)
    if done.held or done.waiting:
        out.print(f"See: briefing status {campaign if campaign is not None else ''}".rstrip(), markup=False)


def resolve(
    context: typer.Context,
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="A batch in doubt, e.g. 3.12, as status shows it.")],
    verdict: Annotated[Verdict, typer.Argument(metavar="accepted|resend|drop", help="What you found out at the provider.")],
    name: Annotated[str | None, typer.Option("--as", help="Who says so; default: your account's name.")] = None,
    as_json: Json = False,
) -> None:
    """Settle a batch in doubt by your word: it was accepted, is to be sent again, or is dropped."""
    station = door(context).station()
    try:
        number, no = (int(part) for part in batch.split("."))
    except ValueError:
        raise UsageError(f"{batch!r} is not a batch; it looks like 3.12", hint="See the batches with: briefing status CAMPAIGN") from None
    campaigns.resolve(station, BatchKey(number, no), verdict.value, by=who(name))
    _answer(station, number, as_json)


def _answer(station: Station, id: int, as_json: bool) -> None:
    one = campaigns.status(station, id)
    if as_json:
        print_json(_status_json(station, one))
    else:
        _print_status(station, one)


def local(instant: datetime, zone: str) -> str:
    """An instant on a zone's clock, with its offset."""
    return f"{instant.astimezone(ZoneInfo(zone)):%A %Y-%m-%d %H:%M} in {zone} (UTC{instant.astimezone(ZoneInfo(zone)):%z})"


def span(seconds: float) -> str:
    """A span of time in words."""
    hours, rest = divmod(int(seconds), 3600)
    parts = ((hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
