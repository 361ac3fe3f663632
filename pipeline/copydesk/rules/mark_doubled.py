"""Punctuation typed twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_TWICE = re.compile(r",{2,}|;{2,}|،{2,}|，{2,}|。{2,}|(?<![.:])\.\.(?![./])|\.,|,\.(?!\w)")


def _look(copy: Copy) -> Iterator[Finding]:
    for passage, match in hits(copy, PROSE | FRONT | {Kind.HEADING, Kind.CAPTION, Kind.ALT}, _TWICE):
        said = match[0]
        if said == ".," and re.search(r"\b\w{1,4}$", passage.text[: match.start()]):
            continue  # "U.S., " and "Inc., " are right
        same = len(set(said)) == 1 and said[0] != "."  # of two stops nobody knows whether three were meant
        edit = repair(copy, passage, match.start(), match.end(), said[0]) if same else None
        yield replace(found(passage, match.start(), f"{said} is one mark too many", "Keep the one you mean."), edit=edit)


RULE = Rule(
    id="mark-doubled",
    severity=Severity.WARNING,
    reason="Two marks are what remains when a sentence was mended in haste.",
    fixes=True,
    bad="The talks end,, at last.",
    good="The U.S., at last, waits … and talks.",
    look=_look,
)
