"""Readers: import, add, find, stats; and suppressions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.door import Json, door, out, print_json, progress
from pipeline.errors import Refusal
from pipeline.flow import readers as verbs
from pipeline.flow import suppressions as bars

Newsletter = Annotated[str, typer.Option("--newsletter", help="The newsletter's id.")]
Consent = Annotated[
    str | None,
    typer.Option(
        "--consent", help='Where and when these readers agreed, e.g. "web form, 2024-2026". Without it they stay pending and get no mail.'
    ),
]


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    readers = typer.Typer(help="The people on the list. An address is found by itself only; none is ever listed.", no_args_is_help=True)
    readers.command("import")(import_)
    readers.command("add")(add)
    readers.command("find")(find)
    readers.command("stats")(stats)
    cli.add_typer(readers, name="readers")
    suppressions = typer.Typer(help="Addresses that must not be mailed.", no_args_is_help=True)
    suppressions.command("list")(list_)
    suppressions.command("add")(suppress)
    suppressions.command("fetch")(fetch)
    suppressions.command("remove")(unsuppress)
    cli.add_typer(suppressions, name="suppressions")


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file in UTF-8; comma, semicolon or tab.")],
    newsletter: Newsletter,
    consent: Consent = None,
    column: Annotated[str | None, typer.Option("--column", help="The name of the address column, if it is not found by itself.")] = None,
    as_json: Json = False,
) -> None:
    """Add the readers of a CSV file; an interrupted import goes on where it was."""
    station = door(context).station()
    with progress("readers", None) as done:
        report = verbs.import_csv(station, file, newsletter, consent=consent, column=column, progress=done)
    refusals = [{"line": one.line, "reason": one.reason} for one in report.refusals or []]
    if as_json:
        print_json({"rows": report.rows, "added": report.added, "present": report.present, "refused": report.refused, "state": report.state,
                    "resumed_at": report.resumed_at, "refusals": refusals})  # fmt: skip
        return
    if report.resumed_at:
        out.print(f"An earlier import of this file stopped after {report.resumed_at} rows; it was continued.")
    out.print(f"{report.rows} rows: {report.added} added ({report.state}), {report.present} already there, {report.refused} refused")
    for one in report.refusals or []:
        out.print(f"  {file}:{one.line}: {one.reason}", markup=False)
    if report.refused > len(refusals):
        out.print(f"  and {report.refused - len(refusals)} more")
    if report.state == "pending" and report.added:
        out.print('Pending readers get no mail. If they agreed before, import again with --consent "where and when".', markup=False)


def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    newsletter: Newsletter,
    consent: Annotated[str, typer.Option("--consent", help="Where and when this reader agreed.")],
    as_json: Json = False,
) -> None:
    """Add one reader who has agreed."""
    added = verbs.add(door(context).station(), newsletter, address, consent=consent)
    if as_json:
        print_json({"added": added})
    else:
        out.print("added" if added else "already there")


def find(
    context: typer.Context, address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The exact address.")], as_json: Json = False
) -> None:
    """Say for one exact address: its subscriptions, and for each issue whether it was accepted, when, by whom, under which id."""
    found = verbs.find(door(context).station(), address)
    if found is None:
        raise Refusal("this address is not known here")
    if as_json:
        print_json({
            "subscriptions": [{"newsletter": name, "state": state, "since": since} for name, state, since in found.subscriptions],
            "issues": [{"issue": issue, "campaign": id, "status": fate.status, "at": fate.at, "provider": fate.provider,
                        "receipt": fate.receipt, "detail": fate.detail, "news": fate.news, "news_at": fate.news_at}
                       for issue, id, fate in found.issues],
            "suppressions": [{"newsletter": newsletter, "reason": reason, "source": source, "since": since}
                             for newsletter, reason, source, since in found.suppressions],
        })  # fmt: skip
        return
    for name, state, since in found.subscriptions:
        out.print(f"{name}: {state} since {since:%Y-%m-%d}", markup=False)
    for issue, id, fate in found.issues:
        when = f" at {fate.at:%Y-%m-%d %H:%M:%S} UTC" if fate.at else ""
        by = f" by {fate.provider} under {fate.receipt}" if fate.receipt else ""
        news = f"; {fate.news} at {fate.news_at:%Y-%m-%d %H:%M:%S} UTC" if fate.news_at else ""
        out.print(f"  {issue} (campaign {id}): {fate.status}{when}{by}{news}" + (f"; {fate.detail}" if fate.detail else ""), markup=False)
    for where, reason, source, since in found.suppressions:
        by = f", by {source}" if source else ""
        out.print(f"suppressed for {'all newsletters' if where == '*' else where}: {reason.replace('_', ' ')}{by}, since {since:%Y-%m-%d}",
                  markup=False)  # fmt: skip


def stats(context: typer.Context, as_json: Json = False) -> None:
    """Count readers by newsletter and state."""
    counts = verbs.stats(door(context).station())
    if as_json:
        print_json(counts)
        return
    for newsletter, states in counts.items():
        out.print(f"{newsletter}: " + (", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "no readers yet"), markup=False)


def list_(context: typer.Context, as_json: Json = False) -> None:
    """Count suppressed addresses by newsletter, reason and source; none is listed."""
    found = bars.listed(door(context).station())
    if as_json:
        print_json([{"newsletter": one.newsletter, "reason": one.reason, "source": one.source, "addresses": one.addresses,
                     "newest": one.newest} for one in found])  # fmt: skip
        return
    if not found:
        out.print("No address is suppressed.")
    for one in found:
        where = "all newsletters" if one.newsletter == "*" else one.newsletter
        by = f", by {one.source}" if one.source else ""
        reason = one.reason.replace("_", " ")
        out.print(f"{where}: {one.addresses} {reason}{by}, the newest on {one.newest:%Y-%m-%d}", markup=False)


def suppress(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    newsletter: Annotated[str | None, typer.Option("--newsletter", help="Only for this newsletter; default: for all.")] = None,
    as_json: Json = False,
) -> None:
    """Never mail this address again."""
    new = bars.add(door(context).station(), address, newsletter)
    if as_json:
        print_json({"added": new})
    else:
        out.print("suppressed" if new else "was suppressed already")


def fetch(context: typer.Context, as_json: Json = False) -> None:
    """Suppress the addresses that the provider does not mail any more; an interrupted reading goes on where it was."""
    sender = door(context).sender()
    with progress("addresses", None) as done:
        found = bars.fetch(sender, progress=done)
    if as_json:
        print_json({"provider": found.provider, "read": found.read, "added": found.added, "present": found.present,
                    "passed_over": found.passed_over, "resumed": found.resumed})  # fmt: skip
        return
    if found.resumed:
        out.print("An earlier reading was interrupted; it was continued.")
    out.print(f"{found.read} read from {found.provider}: {found.added} added, {found.present} suppressed before, "
              f"{found.passed_over} passed over", markup=False)  # fmt: skip


def unsuppress(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    newsletter: Annotated[str | None, typer.Option("--newsletter", help="Only for this newsletter; default: for all.")] = None,
    as_json: Json = False,
) -> None:
    """Lift a suppression."""
    gone = bars.remove(door(context).station(), address, newsletter)
    if as_json:
        print_json({"removed": gone})
    else:
        out.print("lifted" if gone else "was not suppressed")
