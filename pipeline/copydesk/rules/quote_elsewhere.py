"""A pull quote that stands nowhere in the text."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import PROSE, Copy, Kind, fingerprint
from pipeline.copydesk.tools import clip
from pipeline.core.issue import Quote, plain
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    text = " ".join(fingerprint(passage.text) for passage in copy.of(PROSE - {Kind.QUOTE}))
    own = [fingerprint(name) for name in copy.own_names if fingerprint(name)]
    for block in copy.issue.blocks():
        if not isinstance(block, Quote) or not block.attribution or any(name in fingerprint(block.attribution) for name in own):
            continue
        for paragraph in block.paragraphs:
            said = plain(paragraph)
            # An ellipsis stands for words left out: what is around it must be there.
            if not all(fingerprint(part) in text for part in said.replace("...", "…").split("…")):
                column = copy.lines[block.line - 1].find(">") + 1
                yield Finding(
                    block.line, column, f"these words stand nowhere in the text: {clip(said)!r}", "Quote what is written, word for word."
                )


RULE = Rule(
    id="quote-elsewhere",
    severity=Severity.WARNING,
    reason="A pull quote repeats the text; where they differ, one of them misquotes somebody. The newsroom's own words are left alone.",
    bad="> We will go.\n> -- Maria Example, mayor\n\nThe mayor said: “We will come.”",
    good="> We will come.\n> -- Maria Example, mayor\n\nThe mayor said: “We will come.”",
    look=_look,
)
