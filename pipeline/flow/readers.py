"""Readers: imported from a file, found by exact address, let go by token or by typed address."""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.core.address import AddressRefused, parse_address
from pipeline.core.token import open_leave_token
from pipeline.errors import Refusal, UsageError
from pipeline.flow.context import Station
from pipeline.store import events, fates
from pipeline.store import readers as rows
from pipeline.store.engine import reading, transaction
from pipeline.store.fates import Fate

CHUNK_ROWS = 2_000
"""Rows of one import transaction: large enough to be fast, small enough to lose little to a crash."""

HEADERS = {"email", "e-mail", "mail", "address", "email address", "e-mail address", "emailaddress", "subscriber", "почта", "ایمیل", "邮箱"}
"""Header names under which the address column is known elsewhere (listmonk, Ghost, Mailchimp, Substack, spreadsheets)."""

_SHOWN_REFUSALS = 100


@dataclass(frozen=True, slots=True)
class RowRefused:
    """A row of an import that was not taken, by its line in the file and why; never with the address."""

    line: int
    reason: str


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """How an import stands. ``rows`` = ``added`` + ``present`` + ``refused``."""

    rows: int = 0
    added: int = 0
    present: int = 0
    refused: int = 0
    resumed_at: int = 0
    #: Rows that an earlier, interrupted run had done; 0 for a first run.
    state: str = "confirmed"
    refusals: list[RowRefused] | None = None
    #: The first hundred.


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvShape:
    """What was found out about a file before its first row is taken."""

    delimiter: str
    column: int
    header: bool
    digest: str


def inspect_csv(path: Path, column_name: str | None = None) -> CsvShape:
    """Reads the whole file once: its encoding, its delimiter, its address column, its SHA-256.

    So a file that turns out unreadable on its last line changes nothing. Raises UsageError with file and line.
    """
    digest, line, first = hashlib.sha256(), 0, b""
    try:
        with path.open("rb") as file:
            for raw in file:
                line += 1
                digest.update(raw)
                first = first or raw.strip()
                try:
                    raw.decode("utf-8-sig" if line == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise UsageError(
                        f"{path}:{line}: the file is not UTF-8 (it looks like Latin-1 or a Windows code page)",
                        hint="Save it as UTF-8 (in a spreadsheet: 'CSV UTF-8'), or run: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW",
                    ) from None
                if b"\0" in raw:
                    raise UsageError(f"{path}:{line}: this is not a text file", hint="Export the readers as CSV.")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if not first:
        raise UsageError(f"{path} is empty", hint="Export the readers as CSV, one address a row.")
    text = first.decode("utf-8-sig")
    delimiter = max(",;\t", key=text.count)
    cells = [cell.strip().strip('"') for cell in next(csv.reader([text], delimiter=delimiter))]
    return _shape(path, cells, delimiter, digest.hexdigest(), column_name)


def _shape(path: Path, cells: list[str], delimiter: str, digest: str, column_name: str | None) -> CsvShape:
    wanted = {column_name.casefold()} if column_name else HEADERS
    named = [position for position, cell in enumerate(cells) if cell.casefold() in wanted]
    if named:
        return CsvShape(delimiter=delimiter, column=named[0], header=True, digest=digest)
    with_at = [position for position, cell in enumerate(cells) if "@" in cell]
    if column_name or not with_at:
        names = ", ".join(cells[:12])
        raise UsageError(
            f"{path}:1: no column of addresses found; the columns are: {names}",
            hint="Name the column with --column NAME, or add a header 'email'.",
        )
    return CsvShape(delimiter=delimiter, column=with_at[0], header=False, digest=digest)


def import_csv(
    station: Station, path: Path, newsletter: str, *, consent: str | None, column: str | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportReport:  # fmt: skip
    """Adds the readers of a CSV file to a newsletter, one transaction a chunk; an interrupted import goes on where it was.

    Without ``consent`` (where and when they agreed) they are pending and get no mail. Rows end as added, present (already
    there, whatever their state) or refused. Raises UsageError; memory stays flat whatever the file's size.
    """
    station.settings.newsletter(newsletter)
    shape = inspect_csv(path, column)
    report = ImportReport(state="confirmed" if consent else "pending", refusals=[])
    with reading(station.engine) as connection:
        before = rows.progress(connection, shape.digest, newsletter)
    if before is not None:
        report.rows, report.added, report.present, report.refused = before.rows_done, before.added, before.present, before.refused
        report.resumed_at = before.rows_done
    table = itertools.islice(_rows(path, shape), report.rows, None)
    while chunk := list(itertools.islice(table, CHUNK_ROWS)):
        _import_chunk(station, newsletter, shape, chunk, consent, report)
        progress(report.rows)
    if before is not None and report.rows == before.rows_done:
        _rewind(station, shape, newsletter)
        return import_csv(station, path, newsletter, consent=consent, column=column, progress=progress)
    return report


def _rewind(station: Station, shape: CsvShape, newsletter: str) -> None:
    """A file that was imported to its end before is taken anew: readers may have been added with evidence meanwhile."""
    with transaction(station.engine) as connection:
        rows.clear_progress(connection, shape.digest, newsletter)


def _rows(path: Path, shape: CsvShape) -> Iterator[tuple[int, str]]:
    """Line number and address cell of every row that is not blank."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=shape.delimiter)
        for position, cells in enumerate(reader):
            if (position == 0 and shape.header) or not any(cell.strip() for cell in cells):
                continue
            yield reader.line_num, cells[shape.column] if shape.column < len(cells) else ""


def _import_chunk(
    station: Station, newsletter: str, shape: CsvShape, chunk: list[tuple[int, str]], consent: str | None, report: ImportReport
) -> None:
    addresses: dict[bytes, tuple[int, str]] = {}
    refusals: list[RowRefused] = []
    doubled = 0
    for line, cell in chunk:
        try:
            address = parse_address(cell)
        except AddressRefused as error:
            refusals.append(RowRefused(line, str(error)))
            continue
        if addresses.setdefault(station.vault.index(address), (line, address))[0] != line:
            doubled += 1
    now = station.clock()
    wanted = {index: address for index, (_, address) in addresses.items()}
    with transaction(station.engine) as connection:
        if wanted:
            done = rows.add_many(
                connection,
                station.vault,
                newsletter,
                wanted,
                state=report.state,
                act="imported",
                evidence=consent or "",
                now=now,
                on_day=now.date(),
            )
            refusals += [RowRefused(addresses[index][0], "the address is suppressed") for index in done.suppressed]
            report.added += done.added
            report.present += done.present
        report.rows += len(chunk)
        report.present += doubled
        report.refused += len(refusals)
        rows.set_progress(
            connection,
            shape.digest,
            newsletter,
            rows_done=report.rows,
            added=report.added,
            present=report.present,
            refused=report.refused,
            now=now,
        )
    assert report.refusals is not None
    report.refusals.extend(sorted(refusals, key=lambda one: one.line)[: _SHOWN_REFUSALS - len(report.refusals)])


def add(station: Station, newsletter: str, address: str, *, consent: str) -> bool:
    """Adds one confirmed reader on the evidence given; False when there already. Raises UsageError, Refusal."""
    station.settings.newsletter(newsletter)
    try:
        parsed = parse_address(address)
    except AddressRefused as error:
        raise UsageError(f"this address cannot be used: {error}") from None
    now = station.clock()
    with transaction(station.engine) as connection:
        done = rows.add_many(
            connection,
            station.vault,
            newsletter,
            {station.vault.index(parsed): parsed},
            state="confirmed",
            act="imported",
            evidence=consent,
            now=now,
            on_day=now.date(),
        )
    if done.suppressed:
        raise Refusal("this address is suppressed: it left the list or cannot be mailed")
    return done.added == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the newsroom knows of one exact address."""

    subscriptions: tuple[tuple[str, str, datetime], ...]
    #: Newsletter, state, since.
    issues: tuple[tuple[str, int, Fate], ...]
    #: Issue id, campaign, fate; newest first.
    suppressions: tuple[tuple[str, str, str, datetime], ...] = ()
    #: Newsletter (``*``: all), reason, source, since.


def find(station: Station, address: str) -> Found | None:
    """Was issue X accepted for reader Y, when, by which provider, under which id? None when the address is not known."""
    try:
        parsed = parse_address(address)
    except AddressRefused as error:
        raise UsageError(f"this is no address: {error}") from None
    with reading(station.engine) as connection:
        id = rows.find(connection, station.vault, parsed)
        if id is None:
            return None
        subscriptions = tuple((row.newsletter, row.state, row.since) for row in rows.subscriptions(connection, id))
        news, issues = events.latest(connection, id), []
        for campaign, (issue, fate) in fates.of_reader(connection, id).items():
            if campaign in news:
                fate = replace(fate, news=news[campaign].type, news_at=news[campaign].at)
            issues.append((issue, campaign, fate))
        bars = rows.suppressions(connection, station.vault.index(parsed))
        suppressions = tuple((row.newsletter, row.reason, row.source, row.newest) for row in bars)
        return Found(subscriptions=subscriptions, issues=tuple(issues), suppressions=suppressions)


def leave_by_token(station: Station, newsletter: str, token: str) -> bool:
    """Ends the subscription a token names; True also when it had ended. False: the token is not good."""
    meaning = open_leave_token(station.leave_key, token, newsletter, station.clock())
    if meaning is None:
        return False
    with transaction(station.engine) as connection:
        rows.leave(connection, meaning.subscriber_id, newsletter, method="one-click link", now=station.clock())
    return True


def leave_by_address(station: Station, newsletter: str, address: str) -> None:
    """Ends the subscription of a typed address if there is one. Says nothing about it, whoever asks."""
    try:
        parsed = parse_address(address)
    except AddressRefused:
        return
    with transaction(station.engine) as connection:
        id = rows.find(connection, station.vault, parsed)
        if id is not None:
            rows.leave(connection, id, newsletter, method="address typed on the leave page", now=station.clock())


def stats(station: Station) -> dict[str, dict[str, int]]:
    """Readers of each newsletter by the state of their subscription."""
    with reading(station.engine) as connection:
        return {id: rows.counts(connection, id) for id in station.settings.newsletters}
