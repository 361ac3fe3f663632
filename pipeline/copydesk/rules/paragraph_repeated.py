"""A paragraph that stands there twice, or stood in an earlier issue."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind, fingerprint
from pipeline.copydesk.tools import clip, found, words
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    limit = copy.style.limits.repeated_words
    earlier = {**copy.evidence.others, **copy.evidence.sent}
    seen: dict[str, int] = {}
    for passage in copy.of([Kind.PARAGRAPH, Kind.ITEM]):
        if len(words(passage.text)) < limit:
            continue
        key = fingerprint(passage.text)
        issue = next((id for id, paragraphs in earlier.items() if key in paragraphs), None)
        if key in seen:
            yield found(passage, 0, f"this paragraph stands already in line {seen[key]}", "Remove one of them.")
        elif issue is not None:
            when = "was sent already" if issue in copy.evidence.sent else "stood already"
            yield found(passage, 0, f"this paragraph {when} in {clip(issue, 90)}", "Write it anew, or say that you repeat it.")
        seen.setdefault(key, passage.place.line)


_TEXT = "They talked for two days about the bridge over the river, and on the third day they went home without a word for those who waited."

RULE = Rule(
    id="paragraph-repeated",
    severity=Severity.WARNING,
    reason="A paragraph pasted from the last issue is an old draft, or an old story.",
    bad=f"{_TEXT}\n\n{_TEXT}",
    good=_TEXT,
    look=_look,
)
