"""A word of two alphabets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import clip, found, hits, script
from pipeline.core.problem import Severity

_WORD = re.compile(r"[^\W\d_]{2,}")


def _look(copy: Copy) -> Iterator[Finding]:
    for passage, match in hits(copy, Kind, _WORD):
        if match[0].isascii():
            continue
        scripts = {script(character) for character in match[0]} - {""}
        if len(scripts) > 1:
            odd = min(scripts, key=lambda one: sum(script(character) == one for character in match[0]))
            letter = next(character for character in match[0] if script(character) == odd)
            yield found(passage, match.start(), f"{clip(match[0])!r} mixes alphabets: {letter!r} is {odd.title()}", "Type the word anew.")


RULE = Rule(
    id="word-mixed",
    severity=Severity.WARNING,
    reason="A Cyrillic letter in a Latin word looks right and is never found by a search.",
    bad="The Kremlin and Mоscow agree.",
    good="The Kremlin and Москва agree.",
    look=_look,
)
