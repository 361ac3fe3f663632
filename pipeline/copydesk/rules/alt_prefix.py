"""Alternative text that says that a picture is a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_PREFIX = re.compile(
    r"\s*(?:(?:an?|the|this)\s+)?(?:image|photo|photograph|picture|pic|graphic|screenshot)\s+(?:of|showing|shows|that shows)\b"
    r"|\s*(?:изображение|фотография|фото|картинка|снимок)\b|\s*на\s+(?:фото|фотографии|снимке|картинке)\b|\s*(?:图为|图片|照片)"
    r"|\s*(?:تصویر|عکس)\b",
    re.IGNORECASE,
)


def _look(copy: Copy) -> Iterator[Finding]:
    for passage in copy.of([Kind.ALT]):
        if match := _PREFIX.match(passage.text):
            yield found(
                passage,
                0,
                f"the alternative text begins with {match[0].strip()!r}",
                "Screen readers say that by themselves; begin with what it shows.",
            )


RULE = Rule(
    id="alt-prefix",
    severity=Severity.WARNING,
    reason="Screen readers announce a picture before they read its text.",
    bad='![Photo of a bridge](a.png "The bridge in 2021. (Credit: Desk)")',
    good='![A bridge over a river](a.png "The bridge in 2021. (Credit: Desk)")',
    look=_look,
)
