"""A paragraph that is too long."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import PROSE, Copy
from pipeline.copydesk.tools import found, words
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    limit = copy.style.limits.paragraph_words * (2 if copy.language in ("zh", "ja") else 1)
    for passage in copy.of(PROSE):
        if (count := len(words(passage.text))) > limit:
            yield found(passage, 0, f"the paragraph has {count} words", f"{limit} are the most: part it with an empty line.")


RULE = Rule(
    id="paragraph-long",
    severity=Severity.WARNING,
    reason="On a phone a long paragraph is a grey wall.",
    bad=" ".join(["They talked and left."] * 60),
    good="They talked and left.\n\nOthers came.",
    look=_look,
)
