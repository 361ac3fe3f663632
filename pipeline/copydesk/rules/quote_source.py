"""A pull quote without a name."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.core.issue import Quote
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    for block in copy.issue.blocks():
        if isinstance(block, Quote) and not block.attribution:
            column = copy.lines[block.line - 1].find(">") + 1
            yield Finding(block.line, column, "the pull quote does not say who speaks", "End it with a line  > -- Name, role.")


RULE = Rule(
    id="quote-source",
    severity=Severity.WARNING,
    reason="Words set large need a name under them.",
    bad="> We will come.",
    good="> We will come.\n> -- Maria Example, mayor\n\nThe mayor said: “We will come.”",
    look=_look,
)
