"""A full stop at the end of a headline."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import clip, found
from pipeline.core.problem import Severity

_STOP = re.compile(r"(?<=\w{3})[.。۔]$")


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.of([Kind.TITLE, Kind.HEADING]):
        if match := _STOP.search(passage.text):
            yield found(passage, match.start(), f"{clip(passage.text)!r} ends with a full stop", "Headlines have none.")


RULE = Rule(
    id="heading-stop",
    severity=Severity.WARNING,
    reason="A headline is no sentence; the stop looks like an accident.",
    bad="## A bridge is built.\n\nWords.",
    good="## A bridge for the U.S.\n\nWords.",
    look=_look,
)
