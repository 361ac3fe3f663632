"""``briefing bench send``: a campaign from launch to the last result in the ledger, beside the bare posting of the same bodies.

The whole protocol runs as it does in a worker: the plan, three durable commits a batch, the provider's own adapter over HTTP. Only
the provider is a stand-in, a program of its own (``sink``) that takes everything.
"""

from __future__ import annotations

import http.client
import json
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, insert, literal, select

from pipeline import app
from pipeline.cli import sink as sink_program
from pipeline.core.campaign import CampaignState
from pipeline.core.message import Batch, Outcome
from pipeline.dispatch.local import LocalDispatcher
from pipeline.errors import DatabaseFault, OutsideFault, ProviderFault
from pipeline.flow import campaigns, editions, starter
from pipeline.flow import readers as reader_desk
from pipeline.flow.context import Sender
from pipeline.providers.base import Call, Provider
from pipeline.store.batches import BatchKey
from pipeline.store.engine import reading, transaction
from pipeline.store.tables import batch, consent, subscriber, subscription
from pipeline.store.types import UTCDateTime
from pipeline.worker import Worker

CHUNK = 5_000
"""Made-up readers a transaction."""

KEPT = 4
"""How many calls of the run are kept, to be posted again and again by the bare loop."""

CEILING_CALLS = 1_000
"""The bare loops make as many calls as the run did, at most so many."""

LOOKUPS = 100

_POLL_S = 0.5

SETTINGS = {
    "mailgun": {"api_key": "bench", "domain": "mail.example.org"},
    "resend": {"api_key": "bench"},
    "ses": {"access_key_id": "bench", "secret_access_key": "bench", "region": "eu-central-1"},
}
"""What each provider needs besides the address of the sink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a run took. Bytes are octets, seconds wall time unless they say CPU."""

    provider: str
    recipients: int
    calls: int
    workers: int
    latency_ms: float
    seconds: float
    #: From the start of the worker to the last result in the ledger.
    launch_seconds: float
    #: Of these, until the plan was made and the page published.
    cpu_seconds: float
    #: Of this process, user and system.
    sink_cpu_seconds: float
    peak_memory_bytes: int
    #: Of this process, from its start.
    database_bytes: int
    ledger_bytes: int
    #: By how much the database grew in the run.
    lookup_ms: float
    #: "Did this reader get it?", the median over readers of the whole list.
    ceiling_per_second: float
    #: Recipients, by the bare loop.
    adapter_per_second: float
    #: Recipients, by the provider's adapter alone: composed and posted, without store or protocol.

    @property
    def share(self) -> float:
        """How much of the ceiling was reached, 1 at most."""
        return self.recipients / self.seconds / self.ceiling_per_second

    def as_json(self) -> dict[str, object]:
        """The figures, with what follows from them."""
        return {
            "what": "send", "work": f"a campaign to {self.recipients} readers by {self.provider}", "count": self.recipients,
            "seconds": round(self.seconds, 4), "per_second": round(self.recipients / self.seconds, 1),
            "baseline": "the same bodies posted by a bare loop", "baseline_seconds": round(self.recipients / self.ceiling_per_second, 4),
            "ratio": round(self.seconds * self.ceiling_per_second / self.recipients, 2),
            "share_of_ceiling": round(self.share, 3),
            "ceiling_per_second": round(self.ceiling_per_second, 1), "adapter_per_second": round(self.adapter_per_second, 1),
            "provider": self.provider, "calls": self.calls, "workers": self.workers, "latency_ms": self.latency_ms,
            "launch_seconds": round(self.launch_seconds, 3), "cpu_seconds": round(self.cpu_seconds, 3),
            "cpu_ms_per_call": round(1000 * self.cpu_seconds / self.calls, 2), "sink_cpu_seconds": self.sink_cpu_seconds,
            "peak_memory_bytes": self.peak_memory_bytes, "database_bytes": self.database_bytes, "ledger_bytes": self.ledger_bytes,
            "lookup_ms": round(self.lookup_ms, 3),
        }  # fmt: skip


class Sink:
    """The stand-in for a provider, in a process of its own."""

    def __init__(self, provider: str, latency_ms: float) -> None:
        command = [sys.executable, "-I", str(sink_program.__file__), provider, str(latency_ms)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise OutsideFault("the sink of the bench did not start")
        self.port = int(port)
        self._given: dict[str, float] | None = None

    def stop(self) -> dict[str, float]:
        """Ends it, once; gives what it was given."""
        if self._given is None:
            said, _ = self._process.communicate(timeout=30)
            self._given = json.loads(said)
        return self._given


class _Watched(Provider):
    """The real adapter; the first calls are kept for the bare loops."""

    def __init__(self, inner: Provider) -> None:
        self.name, self.capabilities, self._inner = inner.name, inner.capabilities, inner
        self.kept: list[Call] = []

    def compose(self, batch: Batch) -> Call:
        call = self._inner.compose(batch)
        if len(self.kept) < KEPT:
            self.kept.append(call)
        return call

    def submit(self, call: Call) -> Sequence[Outcome]:
        return self._inner.submit(call)

    def close(self) -> None:
        self._inner.close()


def measure(
    root: Path, newsletter: str, *, recipients: int, provider: str, latency_ms: float, workers: int,
    issue: Callable[[Sender], str], progress: Callable[[int], None], prepared: Callable[[int], None],
) -> Sending:  # fmt: skip
    """Runs a campaign in a new newsroom at ``root``. ``progress`` and ``prepared`` are told how many readers are done.

    Raises ProviderFault when the campaign is held, DatabaseFault when the ledger and the sink disagree.
    """
    starter.lay(root)
    sink = Sink(provider, latency_ms)
    try:
        with _sender(root, provider, sink.port) as plain:
            subscribe(plain, newsletter, recipients, prepared)
            editions.approve(plain, issue(plain), approved_by="bench")
            watched = _Watched(plain.provider)
            before = _database_bytes(plain)
            begun, cpu = plain.clock(), time.process_time()
            made = campaigns.schedule(plain, issue(plain), at=begun)
            _run(replace(plain, provider=watched), made.id, workers, progress)
            cpu = time.process_time() - cpu
            sent, calls, planned, ended = _ledger(plain, made.id)
            after = _database_bytes(plain)
            given = sink.stop()
            if not sent == given["recipients"] == recipients:
                raise DatabaseFault(f"{recipients} readers, the ledger says {sent} were sent, the sink got {given['recipients']:g}")
            lookup_ms = _lookup_ms(plain, recipients)
            seconds = (ended - begun).total_seconds()
            size = recipients / calls
            many = min(calls, CEILING_CALLS)
            sink = Sink(provider, latency_ms)
            ceiling = _ceiling(sink.port, [call.body for call in watched.kept], many, workers)
        with _sender(root, provider, sink.port) as again:
            adapter = _adapter(again.provider, [call.batch for call in watched.kept], many, workers)
    finally:
        sink.stop()
    return Sending(
        provider=provider, recipients=recipients, calls=calls, workers=workers, latency_ms=latency_ms, seconds=seconds,
        launch_seconds=(planned - begun).total_seconds(), cpu_seconds=cpu, sink_cpu_seconds=given["cpu_seconds"],
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        database_bytes=after, ledger_bytes=after - before, lookup_ms=lookup_ms,
        ceiling_per_second=size * many / ceiling, adapter_per_second=size * many / adapter,
    )  # fmt: skip


@contextmanager
def _sender(root: Path, provider: str, port: int) -> Iterator[Sender]:
    values = {"base_url": f"http://127.0.0.1:{port}", **SETTINGS[provider]}
    environment = {f"BRIEFING_{provider.upper()}_{name.upper()}": value for name, value in values.items()}
    opened = app.open_sender(app.load_settings(root, {"BRIEFING_PROVIDER": provider, **environment}))
    try:
        yield opened
    finally:
        opened.close()


def subscribe(sender: Sender, newsletter: str, count: int, prepared: Callable[[int], None]) -> None:
    """Makes up confirmed readers: the rows that an import would write, without its questions. ``prepared`` is told how many there are."""
    now, vault = sender.clock(), sender.vault
    for start in range(1, count + 1, CHUNK):
        numbers = range(start, min(start + CHUNK, count + 1))
        addresses = [address(number - 1) for number in numbers]
        rows = [
            {"id": number, "address": vault.close(one), "address_index": vault.index(one), "created_on": now.date()}
            for number, one in zip(numbers, addresses, strict=True)
        ]
        mine = subscriber.c.id.between(numbers[0], numbers[-1])
        of, today = literal(newsletter), literal(now.date())
        standing = select(subscriber.c.id, of, literal("confirmed"), literal(now, UTCDateTime())).where(mine)
        proof = select(subscriber.c.id, of, literal("imported"), literal("bench"), today).where(mine)
        with transaction(sender.engine) as connection:
            connection.execute(insert(subscriber), rows)
            connection.execute(insert(subscription).from_select(["subscriber_id", "newsletter", "state", "since"], standing))
            connection.execute(insert(consent).from_select(["subscriber_id", "newsletter", "act", "evidence", "on_day"], proof))
        prepared(numbers[-1])


def _run(sender: Sender, campaign: int, workers: int, progress: Callable[[int], None]) -> None:
    """The worker, until it has closed the campaign."""
    worker = Worker(sender, LocalDispatcher[BatchKey](threads=workers))
    thread = threading.Thread(target=worker.run, name="bench-worker")
    thread.start()
    try:
        while (found := campaigns.status(sender, campaign)).campaign.state is not CampaignState.SENT:
            progress(found.tally.sent)
            if found.campaign.state is CampaignState.HELD or not thread.is_alive():
                raise ProviderFault(f"the campaign of the bench stopped: {found.campaign.reason or 'its worker ended'}")
            time.sleep(_POLL_S)
        progress(found.tally.sent)
    finally:
        worker.stop()
        thread.join()


def _ledger(sender: Sender, campaign: int) -> tuple[int, int, datetime, datetime]:
    """Readers sent to, calls, when the plan stood, when the last result was written."""
    with reading(sender.engine) as connection:
        found = select(func.count(), func.min(batch.c.intended_at), func.max(batch.c.accepted_at)).where(batch.c.campaign_id == campaign)
        calls, first, last = connection.execute(found).one()
    return campaigns.status(sender, campaign).tally.sent, calls, first, last


def _database_bytes(sender: Sender) -> int:
    """After what stood in the log of SQLite was moved into the file."""
    with sender.engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    file = Path(str(sender.engine.url.database))
    return sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*") if not path.name.endswith("-shm"))


def address(number: int) -> str:
    """Of a reader made up, from 0."""
    return f"reader{number:08d}@example.org"


def _lookup_ms(sender: Sender, recipients: int) -> float:
    taken = []
    for number in range(0, recipients, max(1, recipients // LOOKUPS)):
        begun = time.perf_counter()
        found = reader_desk.find(sender, address(number))
        taken.append(1000 * (time.perf_counter() - begun))
        if found is None or [fate.status for _, _, fate in found.issues] != ["sent"]:
            raise DatabaseFault("the ledger does not know a reader of the bench")
    return statistics.median(taken)


def _ceiling(port: int, bodies: Sequence[bytes], calls: int, threads: int) -> float:
    """Seconds to post the bodies over and over by the plainest client there is."""

    def post(numbers: Sequence[int]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in numbers:
            connection.request("POST", "/", bodies[number % len(bodies)])
            connection.getresponse().read()
        connection.close()

    return _shared(post, calls, threads)


def _adapter(provider: Provider, batches: Sequence[Batch], calls: int, threads: int) -> float:
    """Seconds to compose and post batches through the adapter, with no ledger."""

    def post(numbers: Sequence[int]) -> None:
        for number in numbers:
            provider.send(batches[number % len(batches)])

    return _shared(post, calls, threads)


def _shared(work: Callable[[Sequence[int]], None], calls: int, threads: int) -> float:
    hands = [threading.Thread(target=work, args=(range(one, calls, threads),)) for one in range(min(threads, calls))]
    begun = time.perf_counter()
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    return time.perf_counter() - begun
