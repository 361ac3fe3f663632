"""Laying a newsroom: configuration with one newsletter, its author, the sample issues."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline import newsroom
from pipeline.errors import DiskFault, Refusal

IGNORED = """# What the program writes, and what must never be shared.
/var/
/keys/
"""


def lay(directory: Path, settings: Mapping[str, str] | None = None) -> list[Path]:
    """Copies the packaged newsroom into an empty or new directory; ``settings`` replaces values of newsroom.toml by name.

    Gives the files. Raises Refusal when something is there already, DiskFault.
    """
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise Refusal(f"{directory} is not empty", hint="Name a new directory: nothing of yours is ever overwritten.")
        directory.mkdir(parents=True, exist_ok=True)
        source = newsroom.packaged()
        for name in ("config", "issues"):
            shutil.copytree(source / name, directory / name)
        (directory / "templates").mkdir()
        (directory / ".gitignore").write_text(IGNORED, "utf-8")
        _set(directory / newsroom.MARK, settings or {})
    except OSError as error:
        raise DiskFault(f"cannot lay the newsroom in {directory}: {error.strerror}") from None
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _set(path: Path, settings: Mapping[str, str]) -> None:
    """Replaces values in a TOML file by dotted name, keeping its comments."""
    lines, table = path.read_text("utf-8").splitlines(), ""
    for number, line in enumerate(lines):
        if header := re.match(r"\[([^\]]+)\]", line):
            table = header[1] + "."
        elif (key := re.match(r"(\w+)\s*=", line)) and table + key[1] in settings:
            lines[number] = f'{key[1]} = "{settings[table + key[1]]}"'
    path.write_text("\n".join(lines) + "\n", "utf-8")
