"""Alternative text that is the caption over again."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, fingerprint
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

ALIKE = 0.85


def _look(copy: Copy) -> Iterator[Finding]:
    captions = {figure.line: figure.caption for figure in copy.issue.figures()}
    for picture in copy.pictures:
        caption = captions.get(picture.place.line, "")
        if picture.alt is None or not caption:
            continue
        alt, said = fingerprint(picture.alt.text)[:500], fingerprint(caption)[:500]
        if alt and SequenceMatcher(None, alt, said, autojunk=False).ratio() > ALIKE:
            yield found(
                picture.alt,
                0,
                "the alternative text repeats the caption",
                "Say what the picture shows; the caption says who, where and when.",
            )


RULE = Rule(
    id="alt-repeats-caption",
    severity=Severity.WARNING,
    reason="Who listens hears the same sentence twice and still does not know what is to be seen.",
    bad='![The bridge in 2021](a.png "The bridge in 2021. (Credit: Desk)")',
    good='![A bridge over a river](a.png "The bridge in 2021. (Credit: Desk)")',
    look=_look,
)
