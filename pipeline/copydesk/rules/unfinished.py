"""Marks that a writer leaves for later."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import found, hits
from pipeline.core.problem import Severity

_MARK = re.compile(
    r"\b(?:TODO|FIXME|TBD|TBC|TK(?:TK)*|XXX(?!\s+(?:Olymp|Games))X*)\b|\?{3,}|\blorem ipsum\b"
    r"|\[(?:…|\.{3}|\?+|name|date|link|source|check)\]|_{3,}"
)


def _look(copy: Copy) -> Iterator[Finding]:
    for passage, match in hits(copy, Kind, _MARK):
        yield found(passage, match.start(), f"{match[0]!r} is unfinished", "Finish it, or remove it.")


RULE = Rule(
    id="unfinished",
    severity=Severity.ERROR,
    reason="A mark left for later means that this issue is not ready to go.",
    bad="About TK people crossed the river.",
    good="About 350 people crossed the river.",
    look=_look,
)
