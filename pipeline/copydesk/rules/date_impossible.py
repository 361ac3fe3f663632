"""A day that no calendar has."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.calendar import named_days
from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.passages:
        for named in named_days(passage.text):
            if named.on(copy.issue.id.date) is None:
                said = passage.text[named.start : named.end]
                yield found(passage, named.start, f"there is no {said}", "Look up the date.")


RULE = Rule(
    id="date-impossible",
    severity=Severity.WARNING,
    reason="A day that no calendar has is a slip of the finger, and somebody will plan by it.",
    bad="The talks end on June 31 in Tashkent.",
    good="The talks end on June 30 in Tashkent.",
    look=_look,
)
