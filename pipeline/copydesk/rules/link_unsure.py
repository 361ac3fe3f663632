"""A link of which nobody can tell whether it works."""

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
        if answer is not None and answer.verdict is Verdict.UNSURE:
            place = link.href_place
            yield Finding(place.line, place.column, f"the link {answer.said}: {clip(link.href)}", "Open it in a browser.")


RULE = Rule(
    id="link-unsure",
    severity=Severity.NOTE,
    reason="Many sites turn programs away and let people in; only a look tells. Looked for with `briefing check --links` only.",
    bad="See [the report](https://example.org/slow).",
    good="See [the report](https://example.org/report).",
    look=_look,
)
