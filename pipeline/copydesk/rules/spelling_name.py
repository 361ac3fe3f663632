"""A name that no dictionary has."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.rules.spelling import misspelt
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    if copy.style.spelling.names:
        yield from misspelt(copy, lambda word: word[0].isupper() and not word.isupper())


RULE = Rule(
    id="spelling-name",
    severity=Severity.NOTE,
    reason="A name that is new to the newsroom is worth a second look. Silent unless `names = true` stands in `[spelling]`.",
    bad="The talks in Lukashinn end.",
    good="The talks in Kazakhstan end.",
    look=_look,
)
