"""Writing files whole or not at all, and holding one so that nobody else does."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import DiskFault, Refusal

HINT = "Free some space or check the rights, then run it again."


def write_file(path: Path, data: bytes, *, durable: bool = True) -> Path:
    """Writes beside the place and renames, so that a reader sees the old file or the new one. Raises DiskFault."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise DiskFault(f"cannot write {path}: {error.strerror}", hint=HINT) from None
    return path


def write_new(path: Path, data: bytes) -> Path:
    """Writes a file that must not exist yet. Raises Refusal when it does, DiskFault."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    if path.exists():
        raise Refusal(f"{path} exists already", hint="Choose another name, or edit that file.")
    write_file(temporary, data)
    try:
        # A link fails where a rename would replace: two people who start the same draft do not overwrite each other.
        os.link(temporary, path)
    except FileExistsError:
        raise Refusal(f"{path} exists already", hint="Choose another name, or edit that file.") from None
    except OSError as error:
        raise DiskFault(f"cannot write {path}: {error.strerror}", hint=HINT) from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


@contextmanager
def only_one(path: Path | None, said: str) -> Iterator[None]:
    """Holds an OS lock on a file; the system frees it when its holder dies, however it dies. None: nothing to hold.

    Raises Refusal with what is ``said`` when another process holds it.
    """
    if path is None:
        yield
        return
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refusal(said, hint="One is enough for one machine; stop the other one first.") from None
        yield


def is_held(path: Path) -> bool:
    """Whether another process holds the lock of ``only_one`` on a file."""
    if not path.exists():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
