"""What every command shares: finding the newsroom, answering in words or JSON, progress, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import app, newsroom
from pipeline.core.problem import Problem
from pipeline.errors import BriefingError
from pipeline.flow.context import Desk, Sender, Station
from pipeline.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; messages go to stderr.")]
Issue = Annotated[str, typer.Argument(metavar="ISSUE", help="An issue id (newsletter/2026-12-02-slug) or a path.")]


class Door:
    """One command's way into a newsroom; made by the top-level options, opened when a command needs it."""

    def __init__(self, newsroom_flag: Path | None) -> None:
        self._flag = newsroom_flag
        self._opened = ExitStack()

    def settings(self) -> Settings:
        """The newsroom's configuration."""
        return app.load_settings(newsroom.find(self._flag, os.environ, Path.cwd()), os.environ)

    def desk(self) -> Desk:
        """A newsroom without its readers."""
        return app.open_desk(self.settings())

    def station(self) -> Station:
        """A newsroom with its database; closed when the command ends."""
        opened = app.open_station(self.settings())
        self._opened.callback(opened.close)
        return opened

    def sender(self) -> Sender:
        """A newsroom that can mail; closed when the command ends."""
        opened = app.open_sender(self.settings())
        self._opened.callback(opened.close)
        return opened

    def close(self) -> None:
        """Lets go of everything that was opened."""
        self._opened.close()


def door(context: typer.Context) -> Door:
    """The door that the top-level options made."""
    found = context.find_object(Door)
    assert found is not None
    return found


def print_json(document: object) -> None:
    """The one JSON document of a ``--json`` answer."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)


def print_problems(problems: tuple[Problem, ...], console: Console = out) -> None:
    """Problems for people: place, severity, message, rule, and what to do."""
    for one in problems:
        colour = {"error": "red", "warning": "yellow"}.get(one.severity, "cyan")
        console.print(f"{one.place}: ", markup=False, end="")
        console.print(f"[{colour}]{one.severity}[/]: ", end="")
        console.print(one.message, markup=False, end="")
        console.print(f" [{one.rule}]", markup=False, style="dim")
        hint = f"{one.hint} (check --fix does it)" if one.fixable else one.hint
        if hint:
            console.print(f"    {hint}", markup=False, style="dim")


def fail(error: BriefingError) -> None:
    """Shows an error as one message and one hint."""
    err.print("[bold red]error:[/] ", end="")
    err.print(error.message, markup=False)
    if error.hint:
        err.print(f"  {error.hint}", markup=False)


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, a line now and then on a pipe, both on stderr. Call with the count done so far."""
    if not sys.stderr.isatty():
        shown = -1

        def line(done: int) -> None:
            nonlocal shown
            step = 10 * done // total if total else done // 10_000
            if step > shown:
                shown = step
                err.print(f"{label}: {done}" + (f" of {total}" if total else ""), markup=False)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=False) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def command() -> str:
    """What a person types to run us here: ``briefing``, or its path when it is not on theirs."""
    return "briefing" if shutil.which("briefing") else os.path.relpath(sys.argv[0])


def who(name: str | None) -> str:
    """Who acts: ``--as``, else the name of the account."""
    return name or os.environ.get("USER") or os.environ.get("LOGNAME") or "editor"
