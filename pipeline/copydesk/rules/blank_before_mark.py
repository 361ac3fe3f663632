"""A blank before a comma or a full stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_BLANK = re.compile(r"(?<=[\w)”’»]) +([,.;:!?،؛؟])(?=\s|$)")


def _look(copy: Copy) -> Iterator[Finding]:
    if copy.language == "fr":  # French sets one before high marks
        return
    for passage, match in hits(copy, PROSE | FRONT | {Kind.HEADING, Kind.CAPTION, Kind.ALT}, _BLANK):
        edit = repair(copy, passage, match.start(), match.end(), match[1])
        yield replace(found(passage, match.start(), f"a blank before {match[1]}", "Remove it."), edit=edit)


RULE = Rule(
    id="blank-before-mark",
    severity=Severity.WARNING,
    reason="A line may break there and begin with a comma.",
    fixes=True,
    bad="The talks end , at last.",
    good="The talks end, at last.",
    look=_look,
)
