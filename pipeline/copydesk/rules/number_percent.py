"""A blank before a percent sign."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_BLANK = re.compile(r"(?<=\d)[ \u00a0\u202f]+%(?!\w)")
_WITHOUT = frozenset({"en", "zh", "ja", "fa", "ar", "ug", "tr", "it", "pt"})


def _look(copy: Copy) -> Iterator[Finding]:
    if copy.language not in _WITHOUT:  # German, French, Russian and others set a blank
        return
    for passage, match in hits(copy, PROSE | FRONT | {Kind.HEADING, Kind.CAPTION, Kind.ALT}, _BLANK):
        edit = repair(copy, passage, match.start(), match.end(), "%")
        yield replace(found(passage, match.start(), "a blank before %", "Remove it."), edit=edit)


RULE = Rule(
    id="number-percent",
    severity=Severity.WARNING,
    reason="A line may break between the number and its sign.",
    fixes=True,
    bad="Some 15 % of them left.",
    good="Some 15% of them left.",
    look=_look,
)
