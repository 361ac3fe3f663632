"""Capitals and exclamation marks in what an inbox shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, Copy
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_MARKS = re.compile(r"[!！]\s*[!！?？]|[?？]\s*[!！?？]")
_CAPITALS = re.compile(r"\b[^\W\d_]{2,}(?: +[^\W\d_]{2,}){2,}\b")


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.of(FRONT):
        if match := _MARKS.search(passage.text):
            yield found(passage, match.start(), f"the {passage.kind} shouts: {match[0]}", "One mark is enough, and mostly none is needed.")
        run = next((one for one in _CAPITALS.finditer(passage.text) if _shouts(one[0])), None)
        if run is not None:
            yield found(passage, run.start(), f"the {passage.kind} shouts in capitals", "Write it as a sentence.")


def _shouts(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return sum(character.isupper() for character in letters) > 0.7 * len(letters)


RULE = Rule(
    id="subject-shouting",
    severity=Severity.WARNING,
    reason="Capitals and rows of exclamation marks look like spam, to readers and to filters.",
    bad="subject: YOU MUST READ THIS today",
    good="subject: What NATO and the UN want",
    look=_look,
)
