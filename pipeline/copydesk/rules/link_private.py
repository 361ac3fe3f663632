"""A link into a private network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip, once, parts
from pipeline.core.problem import Severity

_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid")


def _look(copy: Copy) -> Iterator[Finding]:
    for link in once(copy.links):
        split = parts(link)
        if split is not None and split.hostname and _private(split.hostname):
            place = link.href_place
            yield Finding(place.line, place.column, f"only your own network can open {clip(link.href)}", "Link to the public address.")


def _private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        host = host.rstrip(".").lower()
        return "." not in host or host.rpartition(".")[2] in _NAMES


RULE = Rule(
    id="link-private",
    severity=Severity.ERROR,
    reason="No reader can open it, and it tells strangers how your network is built.",
    bad="See [the plan](https://192.168.1.20/plan).",
    good="See [the plan](https://example.org/plan).",
    look=_look,
)
