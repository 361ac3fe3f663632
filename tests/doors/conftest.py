"""The command as a person runs it: what it says and its exit code; in this process, or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Briefing = Callable[..., Answer]
SOURCE = Path(__file__).parent.parent.parent


@pytest.fixture
def briefing(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Briefing:
    """Runs ``briefing`` in the newsroom through its own entry point; an exception that escapes it fails the test."""

    def run(*arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> Answer:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(cwd or root)
            patch.setattr(sys, "argv", ["briefing", *arguments])
            patch.setenv("COLUMNS", "200")
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            code = 0
            try:
                main.run()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        said = capfd.readouterr()
        assert "Traceback" not in said.err + said.out, said.err
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture
def process(root: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``briefing`` as a process of its own in the newsroom."""

    def start(*arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=cwd or root,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "200", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
