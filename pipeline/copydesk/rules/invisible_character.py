"""A character that nobody sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_HIDDEN = re.compile("[\u00ad\u200b\u2060\ufeff]")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAKS_WORDS = frozenset({"km", "lo", "my", "th", "bo"})


def _look(copy: Copy) -> Iterator[Finding]:
    for passage, match in hits(copy, Kind, _HIDDEN):
        if match[0] == "\u200b" and copy.language in _BREAKS_WORDS:  # it parts words there
            continue
        edit = repair(copy, passage, match.start(), match.end(), "")
        name = unicodedata.name(match[0], "").lower()
        yield replace(found(passage, match.start(), f"an invisible character stands here ({name})", "Remove it."), edit=edit)
    for passage, match in hits(copy, Kind, _TURNS):
        name = unicodedata.name(match[0], "").lower()
        yield found(
            passage,
            match.start(),
            f"an invisible character turns the text around here ({name})",
            "Remove it; the language sets the direction.",
        )


RULE = Rule(
    id="invisible-character",
    severity=Severity.WARNING,
    reason="What came along from another program breaks searches, links and lines.",
    fixes=True,
    bad="The bor\u200bder is open.",
    good="The border is open.",
    look=_look,
)
