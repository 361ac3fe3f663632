"""Two blanks where one belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_BLANKS = re.compile(r"(?<=\S) {2,}(?=\S)")


def _look(copy: Copy) -> Iterator[Finding]:
    for passage, match in hits(copy, Kind, _BLANKS):
        edit = repair(copy, passage, match.start(), match.end(), " ")
        if edit is None:  # two blanks, but one belongs to a link or the like
            continue
        yield replace(found(passage, match.start(), f"{len(match[0])} blanks in a row", "One is enough."), edit=edit)


RULE = Rule(
    id="blank-doubled",
    severity=Severity.WARNING,
    reason="The plain text part and subjects show every blank.",
    fixes=True,
    bad="The talks end.  Nobody  came.",
    good="The talks end. Nobody came.",
    look=_look,
)
