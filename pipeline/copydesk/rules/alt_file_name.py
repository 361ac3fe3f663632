"""A file's name where the alternative text should be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_NAME = re.compile(r"\s*(?:\S+\.(?:jpe?g|png|gif|webp|heic|tiff?)|(?:IMG|DSC|DSCN|PXL|Screenshot)[-_ ]?\d[\w-]*)\s*", re.IGNORECASE)


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.of([Kind.ALT]):
        if _NAME.fullmatch(passage.text):
            yield found(passage, 0, "the alternative text is the name of a file", "Say what the picture shows.")


RULE = Rule(
    id="alt-file-name",
    severity=Severity.WARNING,
    reason="A file's name, read aloud, tells nobody anything.",
    bad='![IMG_2041.jpg](a.png "The bridge in 2021. (Credit: Desk)")',
    good='![A bridge over a river](a.png "The bridge in 2021. (Credit: Desk)")',
    look=_look,
)
