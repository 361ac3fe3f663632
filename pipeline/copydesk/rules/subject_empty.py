"""A subject that holds the newsletter's name and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind, fingerprint
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    passage = copy.front(Kind.SUBJECT)
    if passage is None:
        return
    left = fingerprint(passage.text).removeprefix(fingerprint(copy.newsletter.name)).strip()
    if len(left) < copy.style.limits.subject_characters:
        yield found(passage, 0, "the subject says nothing about this issue", "Name the lead story, or leave the subject out.")


RULE = Rule(
    id="subject-empty",
    severity=Severity.WARNING,
    reason="A subject that fits every issue gives no reason to open this one.",
    bad='subject: "The Weekly: News"',
    good='subject: "The Weekly: Kabul, one year on"',
    look=_look,
)
