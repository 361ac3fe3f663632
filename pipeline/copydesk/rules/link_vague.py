"""Link words that mean nothing on their own."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, fingerprint
from pipeline.copydesk.tools import clip
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    vague = {fingerprint(words) for words in copy.style.lists.vague_links}
    for link in copy.links:
        if not link.shown and not link.bare and fingerprint(link.words) in vague:
            yield Finding(
                link.words_place.line,
                link.words_place.column,
                f"the link's words are {clip(link.words)!r}",
                "Link the words that name the page.",
            )


RULE = Rule(
    id="link-vague",
    severity=Severity.WARNING,
    reason="Screen readers list links without their sentence; “here” leads nowhere in a list.",
    bad="The report is [here](https://example.org/report).",
    good="Read [the report on bridges](https://example.org/report).",
    look=_look,
)
