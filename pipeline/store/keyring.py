"""The newsroom's keys: files outside the data, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from pipeline.errors import ConfigurationError, DiskFault
from pipeline.store.engine import reading
from pipeline.store.tables import subscriber

KEY_OCTETS = 32


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The index key (look-ups of addresses) and the leave key (links in ``List-Unsubscribe``)."""

    index: bytes
    leave: bytes


def open_keyring(directory: Path, engine: Engine) -> Keyring:
    """Reads the keys; makes them on the first day, while the database has no reader.

    Raises ConfigurationError for a key that is missing beside existing readers, too open, or damaged; DiskFault.
    """
    names = ("index", "leave")
    missing = [name for name in names if not (directory / f"{name}.key").exists()]
    if missing:
        with reading(engine) as connection:
            if connection.execute(select(subscriber.c.id).limit(1)).first() is not None:
                raise ConfigurationError(
                    f"the key file {missing[0]}.key is missing, but the database already has readers", path=directory,
                    hint="Put back the keys this database was made with, or name their folder with BRIEFING_KEYS.",
                )  # fmt: skip
        for name in missing:
            _create(directory, f"{name}.key")
    return read_keyring(directory)


def read_keyring(directory: Path) -> Keyring:
    """Reads keys that must be there. Raises ConfigurationError."""
    return Keyring(**{name: _read(directory / f"{name}.key") for name in ("index", "leave")})


def _create(directory: Path, name: str) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two processes may start together on the first day: O_EXCL lets one win, and the other reads what it wrote.
        temporary = directory / f".{name}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_OCTETS) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, directory / name)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    except OSError as error:
        raise DiskFault(f"cannot write the key file {directory / name}: {error.strerror}") from None


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError("the key file can be read by others", path=path, hint=f"Run: chmod 600 {path}")
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"the key file cannot be read: {error}", path=path) from None
    if len(key) != KEY_OCTETS:
        raise ConfigurationError(f"the key file is damaged: {KEY_OCTETS} octets in hexadecimal expected", path=path)
    return key
