"""A word written twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity

_TWICE = re.compile(r"(?<![\w’'-])([^\W\d_]+)(\s+)(\1)(?![\w’'-])", re.IGNORECASE)
_CERTAIN_LISTED = """
    a an and as at be but by for from has if into is it its of on or our than the their they this to was we were will with you your
    и в на с к по за из от для не он она они это как при или же
"""
_MEANT_LISTED = "had that bye very no so ha long now who чуть еле едва да нет очень далеко"
_CERTAIN, _MEANT = frozenset(_CERTAIN_LISTED.split()), frozenset(_MEANT_LISTED.split())


def _look(copy: Copy) -> Iterator[Finding]:
    for passage, match in hits(copy, PROSE | FRONT | {Kind.HEADING, Kind.ALT, Kind.CAPTION, Kind.SOURCE}, _TWICE):
        word = match[1].casefold()
        name = match[1][0].isupper() and match[3][0].isupper()  # Bora Bora, Baden Baden, and the end of one name before another
        if word in _MEANT or (name and word not in _CERTAIN):
            continue
        edit = repair(copy, passage, match.start(), match.end(), match[1]) if word in _CERTAIN else None
        yield replace(found(passage, match.start(3), f"{match[3]!r} stands there twice", "Remove one."), edit=edit)


RULE = Rule(
    id="word-doubled",
    severity=Severity.WARNING,
    reason="The eye of the writer skips a doubled word; the reader's does not.",
    fixes=True,
    bad="The talks end in the the capital.",
    good="He had had enough of the talks in Bora Bora.",
    look=_look,
)
