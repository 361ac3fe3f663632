"""A weekday that does not fit its date."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.calendar import DAY_NAMES, weekdays
from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.passages:
        for named in weekdays(passage.text):
            day = named.on(copy.issue.id.date)
            if day is None or day.weekday() == named.weekday or named.weekday is None:
                continue
            said = DAY_NAMES[named.weekday]
            yield found(
                passage,
                named.start,
                f"{day.isoformat()} is a {DAY_NAMES[day.weekday()]}, not a {said}",
                "Look up which of the two is right.",
            )


RULE = Rule(
    id="weekday",
    severity=Severity.WARNING,
    reason="A weekday that does not fit its date sends readers to the wrong day.",
    bad="They meet on Thursday, August 6, 2021, in Avaza.",
    good="They meet on Friday, August 6, 2021, in Avaza.",
    look=_look,
)
