"""``briefing bench``: how fast the pipeline is, as a ratio to the plainest way of doing the same on the same machine in the same run.

Figures without a baseline say more about the machine than about us. Everything happens in a newsroom that is thrown away.
"""

from __future__ import annotations

import logging
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline import app
from pipeline.cli import bench_lookup, bench_send
from pipeline.cli.door import Json, out, print_json, progress
from pipeline.flow import archive, campaigns, drafts, editions, readers, starter
from pipeline.flow.context import Sender

NEWSLETTER = "eurasia-briefing"


class What(StrEnum):
    """What is measured."""

    RENDER = "render"
    IMPORT = "import"
    SEND = "send"
    ARCHIVE = "archive"
    LOOKUP = "lookup"


class Class(StrEnum):
    """Whose interface the sink of ``bench send`` speaks."""

    MAILGUN = "mailgun"
    RESEND = "resend"
    SES = "ses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure beside its baseline; both in seconds for the same work."""

    what: str
    work: str
    count: int
    seconds: float
    baseline: str
    baseline_seconds: float

    def as_json(self) -> dict[str, object]:
        """The measure, its rate, and how many times the baseline it took."""
        return {
            "what": self.what, "work": self.work, "count": self.count, "seconds": round(self.seconds, 6),
            "per_second": round(self.count / self.seconds, 1), "baseline": self.baseline,
            "baseline_seconds": round(self.baseline_seconds, 6), "ratio": round(self.seconds / self.baseline_seconds, 2),
        }  # fmt: skip


def register(cli: typer.Typer) -> None:
    """Adds this file's command."""
    cli.command("bench")(bench)


def bench(
    what: Annotated[What, typer.Argument(metavar="render|import|send|archive|lookup", help="What to measure.")],
    recipients: Annotated[
        int, typer.Option("--recipients", min=1, max=20_000_000, help="How many made-up readers (import, send, lookup).")
    ] = 20_000,
    provider: Annotated[Class, typer.Option("--provider", help="Whose calls are made (send).")] = Class.MAILGUN,
    latency_ms: Annotated[float, typer.Option("--latency", min=0, max=10_000, help="Milliseconds until the sink answers (send).")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=16, help="Calls in flight (send).")] = 4,
    campaigns_sent: Annotated[int, typer.Option("--campaigns", min=1, max=1000, help="How many issues they got (lookup).")] = 50,
    as_json: Json = False,
) -> None:
    """Measure one part of the pipeline beside the plainest way of doing the same, in the same run."""
    if what is What.SEND:
        _send(recipients, provider, latency_ms, workers, as_json)
        return
    with _throw_away() as sender:
        if what is What.LOOKUP:
            measure = _lookup(sender, recipients, campaigns_sent)
        else:
            measure = {What.RENDER: _render, What.IMPORT: _import, What.ARCHIVE: _archive}[what](sender, recipients)
    if as_json:
        print_json(measure.as_json())
        return
    found = measure.as_json()
    out.print(f"{measure.work}: {measure.seconds:.4g} s, {found['per_second']} a second", markup=False)
    out.print(f"{measure.baseline}: {measure.baseline_seconds:.4g} s", markup=False)
    out.print(f"{found['ratio']} times the baseline", markup=False)


@contextmanager
def _throw_away() -> Iterator[Sender]:
    """A newsroom with a sandbox of its own, gone afterwards."""
    logging.getLogger("pipeline").setLevel(logging.WARNING)
    from pipeline.providers.sandbox.run import start_in_thread

    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="briefing-bench-"))) / "newsroom"
        inbox = start_in_thread(root.parent / "sandbox.db")
        stack.callback(inbox.stop)
        starter.lay(root, {"provider.sandbox.base_url": inbox.url})
        sender = app.open_sender(app.load_settings(root, {}))
        stack.callback(sender.close)
        yield sender


def _timed(work: Callable[[], object], times: int = 1) -> float:
    """The median of the seconds that ``work`` takes."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _csv(sender: Sender, count: int) -> Path:
    path = sender.settings.var / "readers.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("email\n" + "".join(f"reader{number:07d}@example.org\n" for number in range(count)), "utf-8")
    return path


def _newest(sender: Sender) -> str:
    newest = drafts.newest_original(sender, NEWSLETTER)
    assert newest is not None, "the packaged newsroom has issues"
    return str(newest)


def _render(sender: Sender, _: int) -> Measure:
    """Draft to edition, beside premailer alone on the very HTML that it is given on the way."""
    from pipeline.render import inline

    issue, own, given = _newest(sender), inline.inline_css, list[str]()

    def listening(html: str, *, template: str) -> str:
        given.append(html)
        return own(html, template=template)

    inline.inline_css = listening
    try:
        drafts.render(sender, drafts.read(sender, issue))
    finally:
        inline.inline_css = own
    return Measure(
        what="render", work="a draft on disk to an edition", count=1, baseline="premailer alone on the same mail",
        seconds=_timed(lambda: drafts.render(sender, drafts.read(sender, issue)), 15),
        baseline_seconds=_timed(lambda: own(given[0], template="bench"), 15),
    )  # fmt: skip


def _import(sender: Sender, count: int) -> Measure:
    """A CSV file to confirmed readers, beside bare inserts of the same lines into one SQLite table."""
    path = _csv(sender, count)

    def bare() -> None:
        connection = sqlite3.connect(sender.settings.var / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE reader (id INTEGER PRIMARY KEY, address TEXT UNIQUE)")
        lines = path.read_text("utf-8").splitlines()[1:]
        for start in range(0, len(lines), readers.CHUNK_ROWS):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO reader (address) VALUES (?)", [(one,) for one in lines[start : start + readers.CHUNK_ROWS]])
            connection.execute("COMMIT")
        connection.close()

    seconds = _timed(lambda: readers.import_csv(sender, path, NEWSLETTER, consent="bench"))
    return Measure(
        what="import", work=f"{count} rows of CSV to readers with consent", count=count, seconds=seconds,
        baseline="the same lines into one bare SQLite table", baseline_seconds=_timed(bare),
    )  # fmt: skip


def _send(recipients: int, provider: Class, latency_ms: float, workers: int, as_json: bool) -> None:
    """Launch to the last result in the ledger, against a sink in a process of its own."""
    logging.getLogger("pipeline").setLevel(logging.WARNING)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="briefing-bench-"))) / "newsroom"
        found = bench_send.measure(
            root, NEWSLETTER, recipients=recipients, provider=provider, latency_ms=latency_ms, workers=workers, issue=_newest,
            prepared=stack.enter_context(progress("readers made up", recipients)),
            progress=stack.enter_context(progress("readers sent to", recipients)),
        )  # fmt: skip
    if as_json:
        print_json(found.as_json())
        return
    said, megabyte = found.as_json(), 1_000_000
    out.print(f"{said['work']}: {found.seconds:.2f} s, {said['per_second']:,} a second", markup=False)
    out.print(f"{said['baseline']}: {found.ceiling_per_second:,.0f} a second, of which this is {found.share:.0%}", markup=False)
    out.print(f"the adapter without a ledger: {found.adapter_per_second:,.0f} a second", markup=False)
    out.print(
        f"processor: {found.cpu_seconds:.2f} s, {said['cpu_ms_per_call']} ms a call (the sink: {found.sink_cpu_seconds} s)", markup=False
    )
    out.print(f"to find what became of one reader: {found.lookup_ms:.2f} ms", markup=False)
    out.print(f"memory at most: {found.peak_memory_bytes / megabyte:.0f} MB", markup=False)
    out.print(
        f"database: {found.database_bytes / megabyte:.1f} MB, of it this campaign {found.ledger_bytes / megabyte:.1f} MB", markup=False
    )


def _lookup(sender: Sender, recipients: int, count: int) -> Measure:
    """What ``briefing readers find`` asks, of every issue a reader got."""
    with progress("readers made up", recipients) as prepared, progress("campaigns in the ledger", count) as planned:
        bench_lookup.fill(sender, NEWSLETTER, _newest(sender), recipients=recipients, count=count, prepared=prepared, planned=planned)
    seconds, bare = bench_lookup.look(sender, recipients, count)
    return Measure(
        what="lookup", work=f"what became of {count} issues for one of {recipients} readers", count=1, seconds=seconds,
        baseline="one row of the same database by its key, without us", baseline_seconds=bare,
    )  # fmt: skip


def _archive(sender: Sender, _: int) -> Measure:
    """The whole archive written anew, beside writing the same bytes to new files."""
    readers.import_csv(sender, _csv(sender, 1), NEWSLETTER, consent="bench")
    issues = drafts.listed(sender, NEWSLETTER)
    for id, _path in issues:
        editions.approve(sender, str(id), approved_by="bench")
        campaigns.schedule(sender, str(id), at=sender.clock())
    campaigns.launch_due(sender)
    files = {path: path.read_bytes() for path in archive.place(sender).rglob("*") if path.is_file()}

    def bare() -> None:
        for number, data in enumerate(files.values()):
            (sender.settings.var / f"bare-{number}").write_bytes(data)

    return Measure(
        what="archive", work=f"{len(issues)} issues with feed and lists", count=len(issues),
        seconds=_timed(lambda: archive.build(sender), 5),
        baseline="the same bytes to plain files", baseline_seconds=_timed(bare, 5),
    )  # fmt: skip
