"""The command ``briefing``: top-level options, the command tree, and the last stop for errors."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline import __version__, logs
from pipeline.cli import alarms, archive, bench, calendar, campaigns, database, demo, issues, newsroom, readers, servers
from pipeline.cli.door import Door, err, fail
from pipeline.errors import BriefingError, DiskFault

cli = typer.Typer(
    name="briefing",
    help="A newsletter publishing pipeline for newsrooms: from a draft to an inbox and an archive page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (newsroom, issues, campaigns, calendar, alarms, readers, archive, servers, database, demo, bench):
    module.register(cli)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"briefing {__version__}")
        raise typer.Exit


@cli.callback()
def top(
    context: typer.Context,
    newsroom: Annotated[
        Path | None, typer.Option(help="The newsroom's directory; default: BRIEFING_NEWSROOM, else the nearest one above.")
    ] = None,
    log_format: Annotated[
        logs.Format, typer.Option("--log-format", help="How log lines on stderr look: text, or json with named fields.")
    ] = logs.Format.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options that stand before the command."""
    logs.configure(verbose=verbose, format=log_format)
    context.obj = Door(newsroom)
    context.call_on_close(context.obj.close)


def run() -> None:
    """Runs a command and ends the process with its exit code: 0, 1, 2 or 3, and 130 after Ctrl-C."""
    code = _code()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our pipe has seen enough (head, less): not an error, and the interpreter must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _code() -> int | str | None:
    """Turns every error a person can cause into one message and its exit code."""
    try:
        cli()
    except SystemExit as end:
        return end.code
    except BriefingError as error:
        fail(error)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        err.print("stopped")
        return 130
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        hint = "Free some space or check the rights, then run it again."
        fail(DiskFault(f"cannot write {error.filename or 'a file'}: {error.strerror}", hint=hint))
        return DiskFault.exit_code
    return 0
