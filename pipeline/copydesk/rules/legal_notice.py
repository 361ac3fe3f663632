"""No legal notice in the issue's language."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    notices = {tag.partition("-")[0].lower() for tag, text in copy.newsletter.legal_notice.items() if text.strip()}
    if copy.language in notices or not (notices or copy.newsletter.needs_legal_notice):
        return
    title = copy.front(Kind.TITLE)
    given = f"it has {', '.join(sorted(notices))}" if notices else "it has none, and needs_legal_notice is set"
    yield Finding(
        title.place.line if title else 1, 1, f"the newsletter has no legal notice in {copy.issue.language!r} ({given})",
        "Add one to [legal_notice] in the newsletter's configuration.",
    )  # fmt: skip


RULE = Rule(
    id="legal-notice",
    severity=Severity.WARNING,
    reason="A warning that readers cannot read warns nobody.",
    bad="language: tg",
    good="language: en-GB",
    look=_look,
)
