"""Whole copies of a SQLite database: one consistent moment while others write, and one file that can be put in its place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.errors import DatabaseFault, DiskFault, Refusal

_PAGES = 4096
_WAIT_S = 2.0


def copy(source: Path, target: Path) -> None:
    """Copies a database into a new file by SQLite's backup interface (https://sqlite.org/backup.html): the state of one moment.

    The reading transaction lasts for the whole copy; with WAL nobody who writes waits for it. Raises DatabaseFault, DiskFault.
    """
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as there,
            closing(sqlite3.connect(target)) as here,
        ):
            there.execute("BEGIN")
            there.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment: BEGIN alone reads nothing yet
            there.backup(here, pages=_PAGES)
            there.execute("COMMIT")
            here.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    except sqlite3.Error as error:
        raise _fault(error, source) from None


def check(path: Path) -> None:
    """Reads every page. Raises DatabaseFault when it is not a sound database."""
    try:
        with closing(sqlite3.connect(path)) as there:
            said = there.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise _fault(error, path) from None
    if said != "ok":
        raise DatabaseFault(f"{path} is not a sound SQLite database ({said})", hint="Take an older backup.")


def settle_down(path: Path) -> None:
    """Makes a database one file without anything beside it, so that it can be moved. A damaged one stays as it is.

    Raises Refusal when another program has it open: it would go on writing into a file that is no longer the database.
    """
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S)) as there:
            # Leaving WAL succeeds for the only connection there is.
            there.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise Refusal(f"{path} is open in another program", hint="Stop worker, web and serve of this newsroom first.") from None
    except sqlite3.DatabaseError:
        pass  # damaged: which is why somebody restores a backup


def _fault(error: sqlite3.Error, path: Path) -> DatabaseFault | DiskFault:
    if "full" in str(error) or "disk I/O" in str(error):
        return DiskFault("the disk is full: nothing was half-written", hint="Free some space and run the command again.")
    return DatabaseFault(f"the database {path} cannot be copied: {error}", hint="See docs/reference/troubleshooting.md.")
