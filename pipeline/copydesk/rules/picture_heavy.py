"""A picture that takes long to load."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    limit = copy.style.limits.picture_kb
    for picture in copy.pictures:
        file = copy.evidence.pictures.get(picture.src)
        if file is not None and file.published > limit * 1000:
            yield Finding(
                picture.place.line, picture.place.column, f"readers load {file.published / 1000:.0f} KB for {clip(picture.src)}",
                f"{limit} KB are the most: save photographs as JPEG, and drawings with fewer colours.",
            )  # fmt: skip


RULE = Rule(
    id="picture-heavy",
    severity=Severity.WARNING,
    reason="On a slow or metered line a heavy picture costs the reader money, and is not seen.",
    bad='![A bridge over a river](heavy.png "The bridge in 2021. (Credit: Desk)")',
    good='![A bridge over a river](light.png "The bridge in 2021. (Credit: Desk)")',
    look=_look,
)
