"""Markup that stayed text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_STRAY = re.compile(r"\*{2,}|\]\(|\][ \t]+\(\s*(?:https?:|\ufffc)|^#{2,6}(?=\w)|&(?:nbsp|amp|quot|lt|gt|[mn]dash);|</?\w+>", re.MULTILINE)


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.of(frozenset(Kind) - {Kind.TITLE, Kind.SUBJECT, Kind.PREHEADER}):
        for match in _STRAY.finditer(passage.text):
            yield found(passage, match.start(), f"{match[0].strip()!r} is left of some markup", "Close it, remove it, or put \\ before it.")
    yield from _unclosed(copy)


def _unclosed(copy: Copy) -> Iterator[Finding]:
    """Asterisks that opened nothing: the parser left them in the text."""
    for passage in copy.of(frozenset(Kind) - {Kind.TITLE, Kind.SUBJECT, Kind.PREHEADER, Kind.ALT, Kind.CAPTION}):
        first, last = passage.place.line, passage.at(max(len(passage.text) - 1, 0)).line
        source = "\n".join(copy.lines[first - 1 : last])
        if source.count("**") % 2 and "\\*" not in source and "`" not in source:
            offset = source.rfind("**")
            line = first + source.count("\n", 0, offset)
            yield Finding(
                line,
                offset - (source.rfind("\n", 0, offset) + 1) + 1,
                "these ** have no partner",
                "Close the bold words, or remove the marks.",
            )


RULE = Rule(
    id="markup-stray",
    severity=Severity.WARNING,
    reason="Readers see the asterisks and brackets that were meant for the machine.",
    bad="**Why It Matters: because.",
    good="**Why It Matters:** because 2 * 3 is 6.",
    look=_look,
)
