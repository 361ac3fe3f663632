"""A currency sign on the wrong side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_AFTER = re.compile(r"(?<![\w.,$€£¥])(\d+(?:[.,]\d+)*) ?([$€£¥])(?![\w$€£¥])")
_BLANK = re.compile(r"(?<![\w])([$€£¥]) +(?=\d)")


def _look(copy: Copy) -> Iterator[Finding]:
    if copy.language != "en":
        return
    kinds = PROSE | FRONT | {Kind.HEADING, Kind.CAPTION, Kind.ALT}
    for passage, match in hits(copy, kinds, _AFTER):
        edit = repair(copy, passage, match.start(), match.end(), match[2] + match[1])
        yield replace(
            found(passage, match.start(), f"{match[2]} stands behind its number", f"In English: {match[2]}{match[1]}."), edit=edit
        )
    for passage, match in hits(copy, kinds, _BLANK):
        edit = repair(copy, passage, match.start(), match.end(), match[1])
        yield replace(found(passage, match.start(), f"a blank behind {match[1]}", "Remove it."), edit=edit)


RULE = Rule(
    id="number-currency",
    severity=Severity.WARNING,
    reason="In English the sign of a currency stands before its number.",
    fixes=True,
    bad="It cost 500$ a day.",
    good="It cost $500 a day.",
    look=_look,
)
