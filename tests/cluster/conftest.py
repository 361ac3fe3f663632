"""Real ``briefing worker`` processes on one real PostgreSQL database, and a sandbox that counts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline import app
from pipeline.flow import campaigns, editions, readers, starter
from pipeline.flow.context import Sender
from pipeline.providers.sandbox.adapter import DoubtClass
from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.run import RunningServer, start_in_thread
from pipeline.store.engine import open_engine
from tests.conftest import REPOSITORY

NEWSLETTER = "eurasia-briefing"
ISSUE = f"{NEWSLETTER}/2021-08-18-after-kabul"
READERS, SIZE = 400, 10


@dataclass(slots=True)
class Process:
    """One ``briefing worker``."""

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8")

    @property
    def leads(self) -> str | None:
        """The id under which it led last."""
        found = re.findall(r"worker (\w+) leads", self.said)
        return found[-1] if found else None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal; waits for the end where it ends."""
        self.popen.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.popen.wait(60)


@dataclass(slots=True)
class Cluster:
    """A newsroom of which several workers send."""

    root: Path
    environment: dict[str, str]
    sender: Sender
    inbox: RunningServer
    processes: list[Process] = field(default_factory=list)

    def start(self, count: int) -> list[Process]:
        """Starts workers."""
        for _ in range(count):
            log = self.root / f"worker{len(self.processes)}.log"
            command = [sys.executable, "-m", "pipeline", "--newsroom", str(self.root), "worker"]
            environment = {**os.environ, **self.environment, "PYTHONPATH": str(REPOSITORY)}
            with log.open("wb") as file:
                self.processes.append(Process(subprocess.Popen(command, env=environment, cwd=self.root, stderr=file), log))
        return self.processes

    def until(self, what: str, true: Callable[[], object], seconds: float = 60) -> float:
        """Waits until something is true; gives how long it took."""
        begun = time.monotonic()
        while not true():
            if time.monotonic() - begun > seconds:
                logs = "\n".join(f"--- {one.log.name}\n{one.said[-3000:]}" for one in self.processes)
                raise AssertionError(f"{what}: not within {seconds} s; {self.status.tally}\n{logs}")
            time.sleep(0.05)
        return time.monotonic() - begun

    @property
    def status(self) -> campaigns.Status:
        """Where the campaign is."""
        return campaigns.status(self.sender, 1)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Asks, or tells, the database behind everybody's back."""
        with self.sender.engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newsroom with small batches."""
    root = tmp_path_factory.mktemp("cluster") / "newsroom"
    starter.lay(root)
    return root


@pytest.fixture
def make_cluster(laid: Path, tmp_path: Path, postgres_url: str) -> Iterator[Callable[..., Cluster]]:
    """Makes a database with a campaign that is due, and no worker yet."""
    stops: list[Callable[[], None]] = []

    def make(*, engine: str = "procrastinate", kind: DoubtClass = DoubtClass.KEY, faults: str = "latency=300ms") -> Cluster:
        root = tmp_path / "newsroom"
        shutil.copytree(laid, root)
        with (root / "config" / "newsroom.toml").open("a") as file:
            file.write(f'\n[sending]\nbatch_size = {SIZE}\nengine = "{engine}"\n')
        empty = open_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://", 1))
        with empty.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        empty.dispose()
        inbox = start_in_thread(tmp_path / "sandbox.db", doubt_class=kind, faults=parse_faults(faults))
        stops.append(inbox.stop)
        environment = {
            "BRIEFING_DATABASE": postgres_url, "BRIEFING_SANDBOX_BASE_URL": inbox.url, "BRIEFING_SANDBOX_CLASS": str(kind),
            "BRIEFING_SANDBOX_TIMEOUT": "5",
        }  # fmt: skip
        sender = app.open_sender(app.load_settings(root, environment))
        stops.append(sender.close)
        (root / "readers.csv").write_text("email\n" + "".join(f"r{number}@example.org\n" for number in range(READERS)), "utf-8")
        readers.import_csv(sender, root / "readers.csv", NEWSLETTER, consent="a test")
        editions.approve(sender, ISSUE, approved_by="test")
        campaigns.schedule(sender, ISSUE, at=sender.clock())
        made = Cluster(root, environment, sender, inbox)

        def end() -> None:
            for one in made.processes:
                if one.popen.poll() is None:
                    one.popen.kill()
                one.popen.wait()

        stops.append(end)
        return made

    yield make
    for stop in reversed(stops):
        stop()
