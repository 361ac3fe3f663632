"""Drafts and editions: new, import, render, preview, test-send, approve; ``check`` has a file of its own."""

from __future__ import annotations

import webbrowser
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.check import check
from pipeline.cli.door import Issue, Json, door, err, out, print_json, print_problems, who
from pipeline.core.problem import has_errors
from pipeline.errors import OutsideFault, Refusal
from pipeline.flow import drafts, editions, imports, proofs, rendering
from pipeline.flow.proofs import Fate
from pipeline.newsroom import shown

Newsletter = Annotated[str, typer.Option("--newsletter", help="The newsletter's id (the name of its file in config/newsletters).")]
Day = Annotated[
    datetime | None,
    typer.Option("--date", formats=["%Y-%m-%d"], help="Default: the cadence's next day (new), the document's or today (import)."),
]


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    cli.command("new")(new)
    cli.command("import")(import_)
    cli.command("check")(check)
    cli.command("render")(render)
    cli.command("preview")(preview)
    cli.command("test-send")(send_test)
    cli.command("approve")(approve)


def new(
    context: typer.Context,
    newsletter: Annotated[str, typer.Argument(metavar="NEWSLETTER", help="The newsletter's id.")],
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The headline, in quotes.")],
    day: Day = None,
    as_json: Json = False,
) -> None:
    """Start a draft from the newsletter's skeleton."""
    desk = door(context).desk()
    path = drafts.create(desk, newsletter, title, day.date() if day else drafts.proposed_day(desk, newsletter))
    id, _ = drafts.locate(desk, str(path))
    if as_json:
        print_json({"issue": str(id), "path": path})
        return
    out.print(f"A draft for {id} lies at {shown(path, desk.settings.root)}", markup=False)
    out.print(f"Write in it while you watch:  briefing preview {id}", markup=False)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Page text, .docx, .html or .md.")],
    newsletter: Newsletter,
    to: Annotated[Path | None, typer.Option("--out", help="Where the draft goes; default: its place under issues/.")] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="A folder of pictures: for page text in the order of their names, else by name.")
    ] = None,
    drop_pictures: Annotated[bool, typer.Option("--drop-pictures", help="Leave the figures out.")] = False,
    day: Day = None,
    as_json: Json = False,
) -> None:
    """Turn a page's text or a document into a draft, and say what was taken and what was dropped."""
    desk = door(context).desk()
    done = imports.import_file(
        desk, file, newsletter, day=day.date() if day else None, out=to, pictures=pictures, drop_pictures=drop_pictures
    )
    if as_json:
        print_json(done.as_json())
        return
    for line in done.report_lines():
        out.print(line, markup=False)
    print_problems(done.problems)
    out.print(f"The draft lies at {shown(done.path, desk.settings.root)}", markup=False)


def render(
    context: typer.Context,
    issue: Issue,
    to: Annotated[Path, typer.Option("--out", help="The folder for the files; made if it is not there.")],
    as_json: Json = False,
) -> None:
    """Write an issue's mail, its plain text, its .eml, its archive page and edition.json."""
    desk = door(context).desk()
    done = rendering.write(desk, issue, to)
    if as_json:
        print_json(done.summary)
        return
    print_problems(done.problems, err)
    for path in done.paths:
        out.print(str(path), markup=False)


def preview(
    context: typer.Context,
    issue: Annotated[str | None, typer.Argument(metavar="[ISSUE]", help="An issue id or a path; without one, the list of drafts.")] = None,
    port: Annotated[int, typer.Option(help="The port on this machine; a busy one moves to the next free.")] = 8010,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
) -> None:
    """Show an issue live in the browser: it reloads as you save."""
    # Servers are loaded by the commands that serve: every other command starts twice as fast without them.
    from pipeline.serving import serve_app
    from pipeline.web.preview import create_preview

    entry = door(context)
    desk = entry.desk()
    path = ""
    if issue is not None:
        id, _ = drafts.locate(desk, issue)
        path = f"issues/{id}/"

    def ready(url: str) -> None:
        out.print(f"Preview: {url}/{path}   (Ctrl-C ends it)", markup=False)
        if browser:
            webbrowser.open(f"{url}/{path}")

    serve_app(create_preview(desk.settings.root, entry.desk), "127.0.0.1", port, next_free=True, name="preview", ready=ready)


_FATES = {
    Fate.SENT: "sent",
    Fate.SUPPRESSED: "not sent: this address is suppressed",
    Fate.REFUSED: "refused",
    Fate.NOT_SENT: "not sent, try again",
    Fate.UNKNOWN: "it may have been sent",
}


def send_test(
    context: typer.Context,
    issue: Issue,
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="Somebody on the staff list; may be given more than once.")],
    as_json: Json = False,
) -> None:
    """Mail the draft as it is now to people on the staff list. It is not counted, kept or archived."""
    done = proofs.send(door(context).sender(), issue, to)
    if as_json:
        rows = [{"address": one.address, "outcome": one.fate, "receipt": one.receipt, "detail": one.detail} for one in done.proofs]
        print_json({"issue": done.issue_id, "subject": done.subject, "digest": done.digest, "mails": rows})
    else:
        out.print(done.subject, markup=False)
        for one in done.proofs:
            out.print(f"  {one.address}: {_FATES[one.fate]}{f' ({one.detail})' if one.detail else ''}", markup=False)
    if done.count(Fate.NOT_SENT):
        err.print("  What was not sent can be tried again. Whether the provider answers:  briefing doctor", markup=False, highlight=False)
    if done.count(Fate.NOT_SENT, Fate.UNKNOWN):
        raise typer.Exit(OutsideFault.exit_code)
    if done.count(Fate.SENT) < len(done.proofs):
        raise typer.Exit(Refusal.exit_code)


def approve(
    context: typer.Context,
    issue: Issue,
    name: Annotated[str | None, typer.Option("--as", help="Who approves; default: your account's name.")] = None,
    as_json: Json = False,
) -> None:
    """Freeze the edition: what is approved is what is sent. A later change of the draft voids it."""
    station = door(context).station()
    draft, problems = rendering.examine(station, issue)
    if has_errors(problems):
        if not as_json:
            print_problems(problems, err)
        raise Refusal(f"{draft.id} has errors and cannot be approved", hint=f"See them with: briefing check {draft.id}")
    approval, _ = editions.approve(station, issue, approved_by=who(name))
    if as_json:
        print_json(
            {"issue": str(draft.id), "digest": approval.digest, "approved_by": approval.approved_by, "approved_at": approval.approved_at}
        )
        return
    print_problems(problems, err)
    out.print(f"{draft.id} is approved by {approval.approved_by}: edition {approval.digest[:12]}", markup=False)
    out.print(f'Send it:  briefing schedule {draft.id} --at "YYYY-MM-DD HH:MM"   or   briefing send {draft.id}', markup=False)
