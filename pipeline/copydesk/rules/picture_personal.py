"""A picture's file that says who made it, with which camera, or where."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip
from pipeline.core.problem import Severity

_WORDS = {"gps": "where it was taken", "camera": "whose camera took it", "names": "somebody's name"}


def _look(copy: Copy) -> Iterator[Finding]:
    credited = {figure.line for figure in copy.issue.figures() if figure.credit}
    for picture in copy.pictures:
        file = copy.evidence.pictures.get(picture.src)
        personal = set(file.personal) if file is not None else set()
        if picture.place.line in credited:
            personal.discard("names")  # the photographer, whom the caption names
        if personal:
            said = " and ".join(words for kind, words in _WORDS.items() if kind in personal)
            yield Finding(
                picture.place.line, picture.place.column, f"the file {clip(picture.src)} says {said}",
                "Readers do not get that, but whoever gets the draft does: save the picture without its metadata.",
            )  # fmt: skip


RULE = Rule(
    id="picture-personal",
    severity=Severity.WARNING,
    reason="A place or a serial number leads to whoever took the picture. What is published is free of both; drafts are shared, too.",
    bad='![A bridge over a river](phone.jpg "The bridge in 2021. (Credit: Desk)")',
    good='![A bridge over a river](light.png "The bridge in 2021. (Credit: Desk)")',
    look=_look,
)
