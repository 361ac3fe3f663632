"""A link that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.evidence import Verdict
from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip, once
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    for link in once(copy.links):
        answer = copy.evidence.answers.get(link.href)
        if answer is not None and answer.verdict is Verdict.DEAD:
            place = link.href_place
            yield Finding(
                place.line, place.column, f"the link {answer.said}: {clip(link.href)}", "Copy the address anew, or link to a copy."
            )


RULE = Rule(
    id="link-dead",
    severity=Severity.WARNING,
    reason="A dead link takes the reader's trust along. Looked for with `briefing check --links` only.",
    bad="See [the report](https://example.org/gone).",
    good="See [the report](https://example.org/report).",
    look=_look,
)
