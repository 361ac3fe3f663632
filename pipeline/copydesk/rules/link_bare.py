"""An address that is no link."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Edit, Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    for link in copy.links:
        if link.bare:
            place = link.place
            end = place.column + len(link.href)
            yield Finding(
                place.line, place.column, f"this address is no link: {clip(link.href)}", "Write  [words](https://address).",
                Edit(place.line, place.column, end, f"<{link.href}>"),
            )  # fmt: skip


RULE = Rule(
    id="link-bare",
    severity=Severity.WARNING,
    reason="Not every mail program makes a link of an address that is only text.",
    fixes=True,
    bad="Write to us at https://example.org/contact.",
    good="Write to us at <https://example.org/contact>.",
    look=_look,
)
