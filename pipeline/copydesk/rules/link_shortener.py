"""A shortened or counted address."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip, once, parts
from pipeline.core.problem import Severity

_LISTED = """
    bit.ly t.co tinyurl.com goo.gl ow.ly is.gd buff.ly rebrand.ly cutt.ly lnkd.in dlvr.it fb.me clck.ru vk.cc t.ly rb.gy shorturl.at trib.al
    l.facebook.com lm.facebook.com l.instagram.com out.reddit.com away.vk.com
"""
_HOSTS = frozenset(_LISTED.split())


def _look(copy: Copy) -> Iterator[Finding]:
    for link in once(copy.links):
        split = parts(link)
        host = (split.hostname or "").removeprefix("www.") if split else ""
        if host in _HOSTS or host.endswith((".list-manage.com", ".safelinks.protection.outlook.com", ".ct.sendgrid.net")):
            place = link.href_place
            yield Finding(
                place.line, place.column, f"{host} counts readers and hides where they go: {clip(link.href)}", "Link to the page itself."
            )


RULE = Rule(
    id="link-shortener",
    severity=Severity.WARNING,
    reason="A shortened address hides its goal, counts readers, and is what spam uses.",
    bad="See [the report](https://bit.ly/3abc).",
    good="See [the report](https://example.org/report).",
    look=_look,
)
