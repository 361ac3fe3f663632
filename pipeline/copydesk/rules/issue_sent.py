"""An issue that readers have already."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind, fingerprint
from pipeline.copydesk.tools import words
from pipeline.core.problem import Severity

MOSTLY = 0.5
"""From this share of its long paragraphs on an issue is another one over again."""


def _look(copy: Copy) -> Iterator[Finding]:
    limit = copy.style.limits.repeated_words
    long = [passage.text for passage in copy.of([Kind.PARAGRAPH, Kind.ITEM]) if len(words(passage.text)) >= limit]
    keys = {fingerprint(text) for text in long}
    for id, paragraphs in copy.evidence.sent.items():
        again = len(keys & paragraphs)
        if keys and again / len(keys) >= MOSTLY:
            title = copy.front(Kind.TITLE)
            yield Finding(
                title.place.line if title else 1, 1, f"readers have this text already: {again} of {len(keys)} paragraphs were sent in {id}",
                "Check that this is the issue you mean.",
            )  # fmt: skip
            return


_TEXT = (
    "In the harbour nothing has moved since spring, and the cranes, which were to load forty ships a day, stand with their arms in the fog."
)

RULE = Rule(
    id="issue-sent",
    severity=Severity.WARNING,
    reason="Who gets the same issue twice stops opening the next. Needs the database; without one nothing is said.",
    bad=_TEXT,
    good="They talked for two days about the bridge, and on the third day they went home without a word for those who waited at the river.",
    look=_look,
)
