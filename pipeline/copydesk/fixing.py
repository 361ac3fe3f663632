"""Making certain repairs in a draft's text, and showing them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import unified_diff

from pipeline.copydesk.finding import Edit


def apply(source: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made. Of two that overlap the first is made; the next look finds the other again.

    Line ends stay what they are, each of them, and so does a byte order mark.
    """
    mark = "\ufeff" if source.startswith("\ufeff") else ""
    pieces = re.split(r"(\r\n|\r|\n)", source.removeprefix("\ufeff"))
    last: tuple[int, int] | None = None
    chosen = []
    for edit in sorted(set(edits)):
        if last is None or (edit.line, edit.column) >= last:
            chosen.append(edit)
            last = (edit.line, edit.end)
    for edit in reversed(chosen):
        line = pieces[2 * (edit.line - 1)]
        pieces[2 * (edit.line - 1)] = line[: edit.column - 1] + edit.replacement + line[edit.end - 1 :]
    return mark + "".join(pieces)


def diff(before: str, after: str, file: str) -> str:
    """A unified diff; empty when nothing changed."""
    old, new = (re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")) for text in (before, after))
    return "\n".join(unified_diff(old, new, f"{file} (before)", f"{file} (after)", n=1, lineterm=""))
