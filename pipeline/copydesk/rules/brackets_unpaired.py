"""A bracket that is not closed, or never opened."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import PROSE, Copy, Kind
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_PAIRS = {")": "(", "]": "[", "）": "（"}
_COUNTED = re.compile(r"(?:^|(?<=[\s(（]))(?:\d{1,3}|[a-zA-Zа-я]|[ivx]{1,4})\)")


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.of(PROSE | {Kind.HEADING, Kind.TITLE, Kind.ALT, Kind.CAPTION}):
        # "1)" and "a)" count and close nothing; a smile closes nothing either.
        counted = {match.end() - 1 for match in _COUNTED.finditer(passage.text)}
        opened: list[tuple[str, int]] = []
        for offset, character in enumerate(passage.text):
            if character in _PAIRS.values():
                opened.append((character, offset))
            elif character in _PAIRS:
                if opened and opened[-1][0] == _PAIRS[character]:
                    opened.pop()
                elif offset not in counted and passage.text[offset - 1 : offset] not in (":", ";", "-"):
                    yield found(passage, offset, f"{character} closes nothing", "Open the bracket, or remove it.")
        for character, offset in opened:
            yield found(passage, offset, f"{character} is not closed", "Close the bracket.")


RULE = Rule(
    id="brackets-unpaired",
    severity=Severity.WARNING,
    reason="A bracket that stays open leaves readers waiting for its end.",
    bad="The bridge (built in 1999 was closed.",
    good="The bridge (built in 1999) was closed.",
    look=_look,
)
