"""A long number without commas."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits
from pipeline.core.problem import Severity

_LONG = re.compile(r"(?<![\w.,/:#№-])(?<!\bNo )(?<!\bISO )\d{5,15}(?![\w/:-]|[.,]\d)")


def _look(copy: Copy) -> Iterator[Finding]:
    if copy.language != "en":
        return
    for passage, match in hits(copy, PROSE | FRONT | {Kind.HEADING, Kind.CAPTION}, _LONG):
        yield found(passage, match.start(), f"{match[0]} is hard to read", f"Write {int(match[0]):,}, if it is a quantity.")


RULE = Rule(
    id="number-thousands",
    severity=Severity.WARNING,
    reason="Nobody counts zeros.",
    bad="Some 20000 reservists came.",
    good="Some 20,000 reservists came in 2021.",
    look=_look,
)
