"""A sender that dies by SIGKILL at a chosen point, in a process of its own. The points are where the crash matrix has its rows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline import app
from pipeline.clock import system_clock
from pipeline.flow import archive, campaigns, delivery, doubts
from pipeline.flow.context import Sender
from pipeline.providers import http_call
from pipeline.store import batches


def die() -> None:
    """No handler runs, no buffer is flushed, nothing is said."""
    os.kill(os.getpid(), signal.SIGKILL)


def _at_entry(module: Any, name: str, nth: int) -> None:
    """The process dies when it enters a function for the nth time."""
    inner, calls = getattr(module, name), [0]

    def dying(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            die()
        return inner(*arguments, **options)

    setattr(module, name, dying)


def at_exit(module: Any, name: str, nth: int) -> None:
    """The process dies when it has left a function for the nth time."""
    inner, calls = getattr(module, name), [0]

    def dying(*arguments: Any, **options: Any) -> Any:
        result = inner(*arguments, **options)
        calls[0] += 1
        if calls[0] == nth:
            die()
        return result

    setattr(module, name, dying)


def _in_the_body(nth: int) -> None:
    calls = [0]

    def half(content: bytes, until: float) -> Iterator[bytes]:
        calls[0] += 1
        if calls[0] != nth:
            yield content
            return
        yield content[: len(content) // 2]
        die()

    http_call._pieces = half


POINTS: dict[str, Callable[[int], None]] = {
    "planning": lambda nth: at_exit(batches, "plan", 1),
    "publishing": lambda nth: _at_entry(archive, "write_issue", 1),
    "claimed": lambda nth: _at_entry(delivery, "batch_of", nth),
    "before the intent": lambda nth: _at_entry(delivery, "_intend", nth),
    "intended": lambda nth: _at_entry(delivery, "submit", nth),
    "in the body": _in_the_body,
    "before the answer": lambda nth: _at_entry(http_call, "_read", nth),
    "answered": lambda nth: _at_entry(delivery, "record", nth),
    "recorded": lambda nth: at_exit(delivery, "record", nth),
    "reconciling": lambda nth: _at_entry(doubts, "_settle", 1),
    "closing": lambda nth: _at_entry(campaigns, "close_finished", nth),
}

AWAY = ("intended", "in the body", "before the answer", "answered")
"""Points at which the ledger cannot tell whether the call arrived."""


def send_all(sender: Sender) -> None:
    """What a worker does, one thing after another: launch, deliver, settle doubts, close."""
    campaigns.publish_pending(sender)
    campaigns.launch_due(sender)
    while keys := delivery.ready(sender, 1):
        delivery.deliver(sender, keys[0])
        campaigns.close_finished(sender)
    doubts.reconcile(sender)
    campaigns.close_finished(sender)


def _run(root: str, environment: dict[str, str], point: str, nth: int) -> None:
    sender = app.open_sender(app.load_settings(Path(root), environment), system_clock)
    POINTS[point](nth)
    send_all(sender)
    os._exit(7)  # the point was never reached: the test wants to know


class Mortals:
    """A process that has loaded everything once and forks a sender for each line it is given; a run costs milliseconds."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def kill_at(self, root: Path, environment: dict[str, str], point: str, nth: int) -> int:
        """Runs a sender until it dies there; gives its exit code (-9 when it did)."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps([str(root), environment, point, nth]) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def close(self) -> None:
        """Ends it."""
        self._parent.communicate(timeout=30)


def _serve() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(*json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def recover(root: Path, environment: dict[str, str], *, rounds: int = 4, later: timedelta = timedelta(minutes=3)) -> Sender:
    """A new worker takes over, again and again, with time passing in between; gives its sender, which the caller closes."""
    offset = [timedelta()]
    sender = app.open_sender(app.load_settings(root, environment), lambda: system_clock() + offset[0])
    for _ in range(rounds):
        with sender.engine.begin() as connection:
            batches.expire_leases(connection, sender.clock())
        delivery.sweep(sender)
        send_all(sender)
        offset[0] += later
    return sender


if __name__ == "__main__":
    _serve()
