"""Writing files whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
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
