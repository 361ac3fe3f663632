"""Link words that name another site."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip, parts
from pipeline.core.problem import Severity

_HOST = re.compile(r"(?:https?://)?(?:www\.)?((?:[\w-]+\.)+[a-z]{2,})(?:[/?#]\S*)?", re.IGNORECASE)


def _look(copy: Copy) -> Iterator[Finding]:
    for link in copy.links:
        match, split = _HOST.fullmatch(link.words.strip()), parts(link)
        if match is None or split is None or link.shown or link.bare:
            continue
        host, said = (split.hostname or "").removeprefix("www."), match[1].lower()
        if host != said and not host.endswith("." + said):
            place = link.words_place
            yield Finding(place.line, place.column, f"the words say {clip(said)}, the link leads to {clip(host)}", "Let them say the same.")


RULE = Rule(
    id="link-mismatch",
    severity=Severity.WARNING,
    reason="Words that name another site are the mark of fraud; filters look for it.",
    bad="See [bbc.com](https://example.org/a).",
    good="See [example.org](https://example.org/a).",
    look=_look,
)
