"""More links than a mail should have."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    limit = copy.style.limits.links
    if len(copy.links) > limit:
        place = copy.links[limit].place
        yield Finding(
            place.line, place.column, f"the issue has {len(copy.links)} links", f"{limit} are the most: move some to a page of their own."
        )


RULE = Rule(
    id="link-crowd",
    severity=Severity.WARNING,
    reason="Filters distrust mail that is mostly links, and readers find none of them.",
    bad="\n".join(f"- [Page {number}](https://example.org/{number})" for number in range(61)),
    good="- [Page 1](https://example.org/1)\n- [Page 2](https://example.org/2)",
    look=_look,
)
