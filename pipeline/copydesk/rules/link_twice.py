"""The same address twice in one section."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    seen: dict[tuple[int, str], int] = {}
    for link in copy.links:
        key = (link.section, link.href.rstrip("/"))
        if key in seen:
            yield Finding(
                link.place.line, link.place.column, f"the section links to {clip(link.href)} already in line {seen[key]}", "Once is enough."
            )
        seen.setdefault(key, link.place.line)


RULE = Rule(
    id="link-twice",
    severity=Severity.WARNING,
    reason="Who hears a list of links takes two for two pages.",
    bad="[The report](https://example.org/a) is out. [It](https://example.org/a) is long.",
    good="[The report](https://example.org/a) is out. [Its annex](https://example.org/b) is long.",
    look=_look,
)
