"""Mailgun's lists of addresses that it does not mail: bounces, complaints, unsubscribes (GET /v3/{domain}/bounces and so on).

A page names the next one by an address, so the place of a page is no less confidential than the entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from pipeline.core.feedback import Bar
from pipeline.providers.base import Suppressed, SuppressedPage

LISTS = {"bounces": Bar.BOUNCED, "complaints": Bar.COMPLAINED, "unsubscribes": Bar.UNSUBSCRIBED}
"""In the order in which they are read, and what an entry means here."""

PAGE = 100
"""Entries of a page: the default; an entry of the bounces carries the words of the server that refused."""

ALL_TAGS = "*"
"""The tag of an unsubscription from everything of the domain; any other is about mail of another program."""


def first_page(domain: str, name: str) -> str:
    """The path of a list's first page."""
    return f"/v3/{quote(domain)}/{name}?limit={PAGE}"


def list_of(domain: str, path: str) -> str | None:
    """Which list a path is a page of; None for a path that is no page of a list of this domain."""
    start = f"/v3/{quote(domain)}/"
    name = path.removeprefix(start).partition("?")[0].partition("/")[0]
    return name if path.startswith(start) and name in LISTS else None


def read_page(domain: str, name: str, items: Sequence[Mapping[str, object]], following: str) -> SuppressedPage:
    """What one page says. An empty page is the last of its list; then comes the next list."""
    entries: list[Suppressed] = []
    for item in items:
        entry = _entry(name, item)
        if entry is not None:
            entries.append(entry)
    names = [*LISTS]
    if not items or not following:
        after = names[names.index(name) + 1 :]
        following = first_page(domain, after[0]) if after else ""
    return SuppressedPage(entries, following, len(items) - len(entries))


def _entry(name: str, item: Mapping[str, object]) -> Suppressed | None:
    address, tags = str(item.get("address") or ""), item.get("tags")
    if "@" not in address or (name == "unsubscribes" and isinstance(tags, list) and tags and ALL_TAGS not in tags):
        return None
    try:
        at = parsedate_to_datetime(str(item.get("created_at")))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return Suppressed(address, LISTS[name], at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC))
