"""SIGKILL in the middle of a send: nobody is lost, nobody is mailed twice, and what cannot be known is said."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.files import is_held
from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.run import RunningServer, start_in_thread
from tests.conftest import REPOSITORY

ISSUE = "eurasia-briefing/2021-08-18-after-kabul"
READERS = 8_000


@pytest.fixture
def slow_inbox(root: Path) -> Iterator[RunningServer]:
    """A sandbox that takes its time, so that a kill falls into calls."""
    running = start_in_thread(root / "var" / "sandbox.db", faults=parse_faults("latency=150ms"))
    yield running
    running.stop()


class Command:
    """Runs ``briefing`` in a newsroom whose sandbox stands elsewhere."""

    def __init__(self, root: Path, inbox: str) -> None:
        self._root = root
        self._environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "BRIEFING_SANDBOX_BASE_URL": inbox}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts it in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=self._root, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def json(self, *arguments: str) -> dict[str, object]:
        """Runs it to its end and reads its document."""
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments, "--json"], cwd=self._root, env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        document: dict[str, object] = json.loads(done.stdout)
        return document


def kill(worker: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the whole group; no handler runs."""
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(timeout=30)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("seed", [1])
def test_every_reader_once_though_the_worker_is_killed_again_and_again(root: Path, slow_inbox: RunningServer, seed: int) -> None:
    chance = random.Random(seed)
    command = Command(root, slow_inbox.url)
    (root / "readers.csv").write_text("email\n" + "".join(f"r{number}@example.org\n" for number in range(READERS)), "utf-8")
    command.json("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing", "--consent", "a test")
    command.json("approve", ISSUE)
    number = str(command.json("send", ISSUE)["campaign"])
    kills = 0
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        worker = command.start("worker")
        # A slow machine must not be killed before it has begun: the time runs from the moment the worker holds its lock.
        while not is_held(root / "var" / "briefing.db.worker") and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(chance.uniform(0.3, 1.2))
        kill(worker)
        kills += 1
        status = command.json("status", number)
        assert sum(
            int(str(status[name])) for name in ("sent", "waiting", "submitting", "refused", "suppressed", "in_doubt", "expired")
        ) == (READERS if status["audience"] is not None else 0)
        if status["audience"] is not None and not status["waiting"] and not status["submitting"]:
            break
    # One worker that lives settles what the last kill left open.
    worker = command.start("worker")
    while (status := command.json("status", number))["submitting"] or status["waiting"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    worker.terminate()
    assert worker.wait(timeout=30) == 0
    stats = slow_inbox.store.stats()
    assert kills >= 2
    assert stats.duplicates == 0
    # Everyone the ledger calls sent is in the inbox, everyone it is sure was not mailed is not; only doubt is in between.
    sent, doubtful = int(str(status["sent"])), int(str(status["in_doubt"]))
    assert sent + doubtful == READERS
    assert sent <= stats.recipients <= sent + doubtful


def test_the_second_worker_on_one_database_is_refused(root: Path, slow_inbox: RunningServer) -> None:
    command = Command(root, slow_inbox.url)
    first = command.start("worker")
    lock = root / "var" / "briefing.db.worker"
    deadline = time.monotonic() + 30
    while not lock.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    try:
        assert command.start("worker").wait(timeout=60) == 1
    finally:
        kill(first)


def test_an_import_that_was_killed_goes_on(root: Path, slow_inbox: RunningServer) -> None:
    command = Command(root, slow_inbox.url)
    count = 60_000
    (root / "readers.csv").write_text("email\n" + "".join(f"r{number}@example.org\n" for number in range(count)), "utf-8")
    command.json("readers", "stats")
    arguments = ("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing", "--consent", "a test")
    one = command.start(*arguments)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        counts = command.json("readers", "stats")["eurasia-briefing"]
        if isinstance(counts, dict) and counts.get("confirmed", 0) > 0:
            break
    kill(one)
    report = command.json(*arguments)
    assert report["rows"] == count
    assert command.json("readers", "stats") == {"eurasia-briefing": {"confirmed": count}}
