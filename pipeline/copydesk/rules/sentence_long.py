"""A sentence that is too long."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import PROSE, Copy
from pipeline.copydesk.tools import found, sentences, words
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    limit = copy.style.limits.sentence_words * (2 if copy.language in ("zh", "ja") else 1)  # a word of theirs is about two characters
    for passage in copy.of(PROSE):
        for offset, sentence in sentences(passage.text):
            if (count := len(words(sentence))) > limit:
                yield found(passage, offset, f"the sentence has {count} words", f"{limit} are the most: make two of it.")


RULE = Rule(
    id="sentence-long",
    severity=Severity.WARNING,
    reason="A sentence that does not fit on a phone is read twice or not at all.",
    bad=" ".join(["They talked and"] * 20) + " left.",
    good="They talked. They left.",
    look=_look,
)
