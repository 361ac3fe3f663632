"""Phrases of advertisements."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, Copy, Kind
from pipeline.copydesk.tools import found, hits
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    phrases = [re.escape(phrase) for phrase in copy.style.lists.spam if phrase.strip()]
    if not phrases:
        return
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)
    for passage, match in hits(copy, FRONT | {Kind.HEADING}, pattern):
        yield found(passage, match.start(), f"spam filters know the phrase {match[0]!r}", "Say it in other words.")


RULE = Rule(
    id="spam-phrase",
    severity=Severity.WARNING,
    reason="Filters give points for phrases of advertisements in subjects and headings.",
    bad="subject: Act now for the bridge",
    good="subject: What to know about the bridge",
    look=_look,
)
