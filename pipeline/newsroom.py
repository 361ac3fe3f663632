"""Finding the newsroom directory, and the packaged one that lends it defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import NewsroomNotFound

MARK = Path("config") / "newsroom.toml"
"""A directory that holds this file is a newsroom."""

STYLE = Path("config") / "style.toml"
"""The house style; a newsroom without it has the packaged one."""

WORDS = Path("config") / "words.txt"
"""Words that are right though no dictionary has them, one a line; the packaged ones hold besides."""


def find(flag: Path | None, environ: Mapping[str, str], start: Path) -> Path:
    """The newsroom's directory: ``--newsroom``, else ``BRIEFING_NEWSROOM``, else the nearest parent of ``start``.

    Raises NewsroomNotFound.
    """
    named = flag or (Path(environ["BRIEFING_NEWSROOM"]) if environ.get("BRIEFING_NEWSROOM") else None)
    if named is not None:
        if not (named / MARK).is_file():
            source = "--newsroom" if flag else "BRIEFING_NEWSROOM"
            raise NewsroomNotFound(f"{named} ({source}) is not a newsroom: it has no {MARK}", hint=f"Lay one with: briefing init {named}")
        return named.resolve()
    for directory in (start.resolve(), *start.resolve().parents):
        if (directory / MARK).is_file():
            return directory
    raise NewsroomNotFound(
        f"no newsroom here: neither {start} nor a folder above it has {MARK}",
        hint="Lay a new one with: briefing init my-newsroom  (or name one with --newsroom DIR)",
    )


def packaged() -> Path:
    """The packaged newsroom: sample issues, default templates, default configuration.

    A wheel carries it inside the package (pyproject.toml, force-include); an editable install does not see it there, so
    the repository root is tried second.
    """
    inside = Path(__file__).parent / "_newsroom"
    return inside if (inside / MARK).is_file() else Path(__file__).parent.parent


def shown(path: Path, newsroom: Path) -> str:
    """A path as a person knows it: relative to the newsroom where it lies inside."""
    try:
        return str(path.resolve().relative_to(newsroom))
    except ValueError:
        return os.path.relpath(path) if path.is_absolute() and not os.path.relpath(path).startswith("../..") else str(path)
