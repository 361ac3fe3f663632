"""SIGTERM: what is in hand is finished, nothing new begins, and the exit code is 0. And what the worker tells meanwhile."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.run import RunningServer, start_in_thread
from tests.journeys.test_kill import ISSUE, Command, kill

READERS = 12_000  # twelve batches, of which four are in hand at a time
CALL_S = 2.0


@pytest.fixture
def slow_inbox(root: Path) -> Iterator[RunningServer]:
    """Every call takes two seconds."""
    running = start_in_thread(root / "var" / "sandbox.db", faults=parse_faults(f"latency={int(CALL_S * 1000)}ms"))
    yield running
    running.stop()


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ask(url: str, patience_s: float = 40) -> httpx.Response:
    """Asks until somebody answers."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return httpx.get(url, timeout=5)
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"{url} never answered"
            time.sleep(0.1)


@pytest.mark.timeout(240)
def test_a_worker_that_is_told_to_stop_finishes_what_is_in_hand(root: Path, slow_inbox: RunningServer) -> None:
    port = free_port()
    with (root / "config" / "newsroom.toml").open("a") as file:
        file.write(f'\n[metrics]\nlisten = "127.0.0.1:{port}"\n')
    command = Command(root, slow_inbox.url)
    (root / "readers.csv").write_text("email\n" + "".join(f"r{number}@example.org\n" for number in range(READERS)), "utf-8")
    command.json("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing", "--consent", "a test")
    command.json("approve", ISSUE)
    number = str(command.json("send", ISSUE)["campaign"])
    worker = command.start("worker")
    try:
        assert ask(f"http://127.0.0.1:{port}/healthz").text == "ok\n"
        deadline = time.monotonic() + 60
        while 'briefing_batches{state="submitting"} 4' not in (metrics := ask(f"http://127.0.0.1:{port}/metrics").text):
            assert time.monotonic() < deadline, metrics
            time.sleep(0.1)
        assert ask(f"http://127.0.0.1:{port}/readyz").status_code == 200
        assert 'briefing_campaigns{state="sending"} 1' in metrics
        assert "@" not in metrics
        worker.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert worker.wait(timeout=60) == 0
        assert time.monotonic() - begun < CALL_S + 20, "it waits for the calls in hand and no longer"
    finally:
        kill(worker)
    status = command.json("status", number)
    assert (status["submitting"], status["in_doubt"]) == (0, 0)
    assert int(str(status["sent"])) >= 4000
    assert int(str(status["waiting"])) > 0, "nothing new was begun"
    assert slow_inbox.store.stats().mails == status["sent"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["serve", "web"])
def test_a_server_that_is_told_to_stop_exits_0(root: Path, slow_inbox: RunningServer, name: str) -> None:
    port = free_port()
    server = Command(root, slow_inbox.url).start(name, "--port", str(port))
    try:
        assert ask(f"http://127.0.0.1:{port}/healthz").status_code == 200
        assert ask(f"http://127.0.0.1:{port}/metrics").status_code == 404, "the public site tells nobody"
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=40) == 0
    finally:
        kill(server)
