"""Real processes of the command ``briefing``, forked from one that has loaded everything: they are at work at once.

What runs in them is the command itself, with its own arguments, environment, signals and exit. A run may name a safeguard that is taken
away first (``controls.py``): that is how the suite shows that it can fail.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)


class Brood:
    """The parent of all processes of a run. Whatever it started is gone when it is closed, also what was frozen."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._born: list[Process] = []

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, *, control: str = "") -> Process:
        """Starts ``briefing`` with these arguments. Nothing else of this process's environment is handed down."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps([list(arguments), dict(environment), str(log), control]) + "\n")
        self._parent.stdin.flush()
        born = Process(int(self._parent.stdout.readline()))
        self._born.append(born)
        return born

    def close(self) -> None:
        """Ends everything that still runs."""
        for one in self._born:
            one.kill()
        self._parent.communicate(timeout=30)

    def __enter__(self) -> Brood:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Process:
    """One of the processes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._gone = False

    @property
    def runs(self) -> bool:
        """Whether it is there, frozen or not. A number that was found gone once is never asked for again: it may be somebody else's."""
        return self._signal(0)

    def kill(self) -> None:
        """SIGKILL: no handler runs, no buffer is flushed, nothing is said."""
        self._signal(signal.SIGKILL)
        while self.runs:
            time.sleep(0.002)

    def freeze(self) -> None:
        """SIGSTOP: it stands still in the middle of whatever it does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> bool:
        if not self._gone:
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                self._gone = True
        return not self._gone


def _become(arguments: list[str], environment: dict[str, str], log: str, control: str) -> None:
    """In the child: the command, as the shell would start it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((null, out, out)):
        os.dup2(descriptor, number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["briefing", *arguments]
    if control:
        from tests.crash.controls import CONTROLS

        CONTROLS[control]()
    from pipeline.cli.main import run

    run()


def _serve() -> None:
    import pipeline.cli.main
    import pipeline.providers.registry
    import pipeline.providers.sandbox.run
    import pipeline.worker  # noqa: F401 - loaded once, before anything is forked
    import tests.crash.controls  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever dies is gone at once
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _become(*json.loads(line))
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    _serve()
