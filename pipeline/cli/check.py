"""``check``: every Problem of drafts, for people and for machines; certain repairs; the sheet for the fact-checker."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli.door import Json, door, err, out, print_json, print_problems, progress
from pipeline.copydesk.evidence import Answer
from pipeline.copydesk.facts import printable
from pipeline.copydesk.formats import github, sarif
from pipeline.core.problem import Problem, Severity, has_errors
from pipeline.flow import copydesk, drafts, linkcheck, rendering
from pipeline.flow.context import Desk
from pipeline.flow.copydesk import Repaired
from pipeline.flow.drafts import Draft

Checked = list[tuple[Draft, tuple[Problem, ...]]]


class Format(StrEnum):
    """For whom ``check`` speaks."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def check(
    context: typer.Context,
    issues: Annotated[list[str], typer.Argument(metavar="ISSUE...", help="Issue ids or paths.")],
    fix: Annotated[bool, typer.Option("--fix", help="Make the repairs that are certain, in the file, and show them.")] = False,
    form: Annotated[Format, typer.Option("--format", help="For people, or for machines.")] = Format.TEXT,
    links: Annotated[bool, typer.Option("--links", help="Ask for every link whether it is dead; answers are kept for a while.")] = False,
    facts: Annotated[bool, typer.Option("--facts", help="Print a sheet for the fact-checker instead.")] = False,
    as_json: Json = False,
) -> None:
    """List every Problem of drafts; exit 1 when one is an error."""
    desk = door(context).desk()
    form = Format.JSON if as_json else form
    if facts:
        _facts(desk, issues, form)
        return
    repaired = [copydesk.repair(desk, issue) for issue in issues] if fix else []
    answers = _ask(desk, issues) if links else None
    found = [rendering.examine(desk, issue, answers) for issue in issues]
    for language in copydesk.unspelt(desk, [draft for draft, _ in found]):
        err.print(f"There is no dictionary for {language}: its spelling was not checked.", markup=False, style="dim")
    _answer(found, repaired, form)
    if any(has_errors(problems) for _, problems in found):
        raise typer.Exit(1)


def _ask(desk: Desk, issues: list[str]) -> dict[str, Answer]:
    """What is known of the links of all drafts, each asked for once."""
    wanted = copydesk.links(desk, [drafts.read(desk, issue) for issue in issues])
    check = linkcheck.open_check(desk)
    with closing(check), progress("Links", check.number(wanted)) as tick:
        return check.ask(wanted, tick)


def _answer(found: Checked, repaired: list[Repaired], form: Format) -> None:
    everything = [problem for _, problems in found for problem in problems]
    if form is Format.JSON:
        print_json(_document(found, repaired))
        return
    for one in repaired:
        # A machine reads stdout; the diff is for whoever looks over its shoulder.
        where = out if form is Format.TEXT else err
        if one.diff:
            where.print(one.diff, markup=False)
        where.print(f"{one.id}: {_number(one.repairs, 'repair')} made", markup=False)
    if form is Format.GITHUB:
        print(github(everything))
    elif form is Format.SARIF:
        print_json(sarif(everything, copydesk.reasons(), __version__))
    else:
        for draft, problems in found:
            print_problems(problems)
            count = Counter(one.severity for one in problems)
            said = [_number(count[Severity.ERROR], "error"), _number(count[Severity.WARNING], "warning")]
            said += [_number(count[Severity.NOTE], "note")] if count[Severity.NOTE] else []
            out.print(f"{draft.id}: {', '.join(said)}", markup=False)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _document(found: Checked, repaired: list[Repaired]) -> dict[str, object]:
    done = {one.id: {"repairs": one.repairs, "diff": one.diff} for one in repaired}
    return {
        "issues": [
            {"issue": str(draft.id), "ok": not has_errors(p), "problems": [one.as_json() for one in p], **done.get(draft.id, {})}
            for draft, p in found
        ]
    }


def _facts(desk: Desk, issues: list[str], form: Format) -> None:
    sheets = [copydesk.facts(desk, issue) for issue in issues]
    if form is Format.TEXT:
        out.print("\n\n\n".join(printable(sheet) for sheet in sheets), markup=False)
    else:
        print_json({"issues": [sheet.as_json() for sheet in sheets]})
