"""Walks docs/tutorial.md: writes what it says to write, types what it says to type, and compares every answer."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.serving import listen

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
DRAFT = "issues/eurasia-briefing/2026-12-02-a-bridge-for-the-valley/index.md"
WRITTEN = {"markdown": DRAFT, "csv": "readers.csv", "text": "page.txt"}
"""Which file the blocks of a language are, in the newsroom."""

_CHANGING = [
    (r"edition [0-9a-f]{12}", "edition <digest>"),
    (r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2} UTC)? by", "<instant> by"),
    (r"delivered at \d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} UTC", "delivered at <instant>"),
    (r"since \d{4}-\d{2}-\d{2}", "since <day>"),
    (r"[0-9a-f]{8}-1-1-1@", "<key>@"),
]


def _steady(text: str) -> str:
    for pattern, word in _CHANGING:
        text = re.sub(pattern, word, text)
    return text.strip()


class Terminal:
    """Where the tutorial is typed: a newsroom's folder, and ``serve`` in a second window."""

    def __init__(self, place: Path) -> None:
        (place / "briefing").mkdir()
        self.newsroom = place / "my-newsroom"
        self._cwd = place / "briefing"
        with listen("127.0.0.1", 0, next_free=False) as free:
            inbox = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BRIEFING_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "BRIEFING_SANDBOX_BASE_URL": inbox,
            "PYTHONWARNINGS": "",
        }
        self._second: subprocess.Popen[str] | None = None

    def type(self, command: str) -> str:
        """Runs one line and gives what it says, on both streams."""
        words = shlex.split(command)
        match words[0]:
            case "cd":
                self._cwd = (self._cwd / words[1]).resolve()
                return ""
            case "cp":
                shutil.copy(self._cwd / words[1], self._cwd / words[2])
                return ""
            case "briefing":
                done = subprocess.run(
                    words, cwd=self._cwd, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
                )
                return done.stdout
        raise AssertionError(f"the tutorial types {command!r}, which this test does not know")

    def serve(self) -> None:
        """Opens the second window."""
        self._second = subprocess.Popen(
            ["briefing", "serve", "--port", "0"],
            cwd=self.newsroom,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._second.stdout is not None
        while "worker started" not in (line := self._second.stdout.readline()):
            assert line, "serve ended by itself"

    def close(self) -> None:
        """Closes the second window, as Ctrl-C does."""
        if self._second is not None:
            self._second.send_signal(signal.SIGINT)
            self._second.communicate(timeout=30)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in a folder of its own."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def _typed(block: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, answer = part.partition("\n")
        yield command, answer


def test_the_tutorial_is_true(terminal: Terminal) -> None:
    for language, text in BLOCKS:
        if language in WRITTEN:
            (terminal.newsroom / WRITTEN[language]).write_text(text, "utf-8")
        elif language == "toml":
            path = terminal.newsroom / "config" / "newsroom.toml"
            path.write_text(re.sub(r"^base_url = .*\n", text, path.read_text("utf-8"), count=1, flags=re.MULTILINE), "utf-8")
        elif language == "" and "briefing serve" in text:
            terminal.serve()
        elif language == "console":
            for command, answer in _typed(text):
                if command.split()[0] in ("make", "source") or command == "cd briefing":
                    continue
                if command.startswith("briefing status 1 --watch"):
                    _wait_until_sent(terminal)
                assert _steady(terminal.type(command)) == _steady(answer), command


def _wait_until_sent(terminal: Terminal) -> None:
    """The page shows what ``--watch`` says a few seconds after the send; whoever asks sooner sees less."""
    for _ in range(100):
        if "delivered 2" in terminal.type("briefing status 1"):
            return
        time.sleep(0.1)
    raise AssertionError(terminal.type("briefing status 1"))
