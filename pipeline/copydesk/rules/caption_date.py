"""A caption that does not say when."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.calendar import NAMED_DAY
from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_DATED = re.compile(r"\d{4}|\b(?:file photo|undated|archive photo)\b|\bархив|без даты|资料图|آرشیو", re.IGNORECASE)


def _look(copy: Copy) -> Iterator[Finding]:
    captions = {figure.line: figure.caption for figure in copy.issue.figures()}
    for picture in copy.pictures:
        caption = captions.get(picture.place.line, "")
        if picture.caption is not None and caption and not _DATED.search(caption) and not NAMED_DAY.search(caption):
            yield found(
                picture.caption, 0, "the caption does not say when the picture was made", "Add the day or the year, or write: file photo."
            )


RULE = Rule(
    id="caption-date",
    severity=Severity.WARNING,
    reason="An undated picture is taken for one of today.",
    bad='![A bridge over a river](a.png "The bridge. (Credit: Desk)")',
    good='![A bridge over a river](a.png "The bridge on July 14. (Credit: Desk)")',
    look=_look,
)
