"""A preheader that says the subject again."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind, fingerprint
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    passage = copy.front(Kind.PREHEADER)
    said = fingerprint(passage.text) if passage else ""
    if passage is None or len(said) < 8:
        return
    subject = fingerprint(copy.issue.subject).removeprefix(fingerprint(copy.newsletter.name)).strip()
    for name, text in (("subject", subject), ("headline", fingerprint(copy.issue.title))):
        if len(text) >= 8 and (said.startswith(text) or text.startswith(said)):
            yield found(passage, 0, f"the preheader repeats the {name}", "Say what else is inside.")
            return


RULE = Rule(
    id="preheader-repeats",
    severity=Severity.WARNING,
    reason="Inboxes show both side by side; a repetition wastes the second line.",
    bad="preheader: The headline of this test",
    good="preheader: A bridge, a border and what they cost",
    look=_look,
)
