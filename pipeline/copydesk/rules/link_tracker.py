"""Parameters that follow a reader about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Edit, Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip, once, parts
from pipeline.core.problem import Severity

_TRACKERS = re.compile(
    r"(?:utm_\w+|fbclid|gclid|dclid|gbraid|wbraid|msclkid|yclid|ysclid|twclid|igshid|igsh|mc_cid|mc_eid|_hsenc|_hsmi|mkt_tok|vero_id|oly_\w+_id)=[^&#]*",
    re.IGNORECASE,
)


def _look(copy: Copy) -> Iterator[Finding]:
    for link in once(copy.links):
        split = parts(link)
        if split is None or not split.query:
            continue
        kept = [part for part in split.query.split("&") if not _TRACKERS.fullmatch(part)]
        if len(kept) == len(split.query.split("&")):
            continue
        start = link.href.index("?")
        end = start + 1 + len(split.query)
        place, clean = link.href_place, "?" + "&".join(kept) if kept else ""
        at = place.column + start
        whole = copy.lines[place.line - 1][at - 1 : at - 1 + end - start] == link.href[start:end]
        edit = Edit(place.line, at, at + end - start, clean) if whole else None
        names = ", ".join(part.partition("=")[0] for part in split.query.split("&") if part not in kept)
        yield Finding(place.line, at, f"the link carries a tracker ({clip(names)})", "Cut it off; the page opens without.", edit)


RULE = Rule(
    id="link-tracker",
    severity=Severity.WARNING,
    reason="We follow nobody, and hand nobody over to those who do.",
    fixes=True,
    bad="See [the report](https://example.org/report?id=7&utm_source=mail).",
    good="See [the report](https://example.org/report?id=7).",
    look=_look,
)
