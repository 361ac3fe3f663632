"""A unit that sticks to its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_GLUED = re.compile(r"(?<![\w.,-])(\d+(?:[.,]\d+)*)(km|kg|mm|cm|mph|km/h|kWh|MWh|GWh|MW|GW|км|кг|см|мм|млн|млрд|тыс)(?!\w)")


def _look(copy: Copy) -> Iterator[Finding]:
    for passage, match in hits(copy, PROSE | FRONT | {Kind.HEADING, Kind.CAPTION, Kind.ALT}, _GLUED):
        edit = repair(copy, passage, match.start(), match.end(), f"{match[1]} {match[2]}")
        yield replace(found(passage, match.start(), f"no blank between {match[1]} and {match[2]}", "Put one there."), edit=edit)


RULE = Rule(
    id="number-unit",
    severity=Severity.WARNING,
    reason="A number and its unit are two words (SI Brochure, 5.4.3).",
    fixes=True,
    bad="The border is 76km long.",
    good="The border is 76 km long.",
    look=_look,
)
