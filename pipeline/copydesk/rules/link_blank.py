"""A blank at the edge of a link's words."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Edit, Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    for link in copy.links:
        words = link.raw_words
        if not words.strip() or words == words.strip() or "\n" in words:
            continue
        line, column = link.words_place.line, link.words_place.column
        written = copy.lines[line - 1][column - 1 : column - 1 + len(words)] == words
        # A blank may only be dropped where another one parts the words from their neighbours.
        left = not words[:1].isspace() or column < 3 or not copy.lines[line - 1][column - 3].isalnum()
        right = not words[-1:].isspace() or not link.after.isalnum()
        edit = Edit(line, column, column + len(words), words.strip()) if written and left and right else None
        at = column if words[:1].isspace() else column + len(words.rstrip())
        yield Finding(
            line, at, f"the words of the link {clip(words)!r} begin or end with a blank", "Put the blank outside the brackets.", edit
        )


RULE = Rule(
    id="link-blank",
    severity=Severity.WARNING,
    reason="The blank is underlined with the link.",
    fixes=True,
    bad="Read [the report ](https://example.org/a) today.",
    good="Read [the report](https://example.org/a) today.",
    look=_look,
)
