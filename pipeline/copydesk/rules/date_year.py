"""A day of which nobody can tell the year."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.calendar import named_days
from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import PROSE, Copy, Kind
from pipeline.copydesk.tools import found, sentences
from pipeline.core.problem import Severity

NEAR = 45
"""Days within which nobody doubts which day is meant, even over New Year."""

_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d{2}(?!\d)")
_NAME = re.compile(r"\s*(?:attacks?|terrorist|events|movement|uprising|revolution|parade|holiday|day)\b", re.IGNORECASE)


def _look(copy: Copy) -> Iterator[Finding]:
    today = copy.issue.id.date
    for passage in copy.of(PROSE | {Kind.CAPTION}):
        for offset, sentence in sentences(passage.text):
            if _YEAR.search(sentence):
                continue  # the year that stands there holds for all its days
            for named in named_days(sentence):
                day = named.on(today)
                if day is None or day.year == today.year or abs((day - today).days) <= NEAR or _NAME.match(sentence, named.end):
                    continue
                first, second = sorted((day.year, today.year))
                yield found(
                    passage, offset + named.start, f"{sentence[named.start : named.end]} of which year, {first} or {second}?",
                    "Add the year.",
                )  # fmt: skip


RULE = Rule(
    id="date-year",
    severity=Severity.WARNING,
    reason="A day without a year is one of this year; where the nearest such day is not, readers take the wrong one.",
    bad="The base is handed over on January 20.",
    good="The base is handed over on January 20, 2022, and the talks go on until September 20.",
    look=_look,
)
