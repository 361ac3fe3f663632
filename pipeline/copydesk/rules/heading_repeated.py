"""Two sections with the same heading."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind, fingerprint
from pipeline.copydesk.tools import clip, found
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for passage in copy.of([Kind.HEADING]):
        key = fingerprint(passage.text)
        if key in seen and key:
            yield found(passage, 0, f"{clip(passage.text)!r} is a heading already in line {seen[key]}", "Call one of them otherwise.")
        seen.setdefault(key, passage.place.line)


RULE = Rule(
    id="heading-repeated",
    severity=Severity.WARNING,
    reason="Who moves by headings cannot tell two of the same words apart.",
    bad="## A bridge\n\nWords.\n\n## A bridge\n\nWords.",
    good="## A bridge\n\nWords.\n\n## A border\n\nWords.",
    look=_look,
)
