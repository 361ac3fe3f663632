"""A section that the newsletter always has."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    if copy.issue.translation_of is not None:
        return  # a translation may carry less than its original, and names its sections in its own language
    present = {section.kind.value for section in copy.issue.sections}
    named = {kind: heading for heading, kind in reversed(copy.newsletter.sections.items())}
    title = copy.front(Kind.TITLE)
    line = title.place.line if title else 1
    for kind in copy.style.sections.always:
        if kind in named and kind not in present:
            yield Finding(
                line, 1, f"this issue has no section {named[kind]!r}", "Write it, or take the kind out of always in config/style.toml."
            )


RULE = Rule(
    id="section-missing",
    severity=Severity.WARNING,
    reason="Readers look for the sections they know; one that is lacking was mostly forgotten.",
    bad="## Expert corner\n\nWords.",
    good="## Expert Corner\n\n**Q:** Why?\n\n## Until Next Time\n\nThank you.",
    look=_look,
)
