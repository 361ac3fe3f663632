"""Addresses that must not be mailed: barred and freed by hand, or read from a provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from pipeline.core.address import AddressRefused, parse_address
from pipeline.core.feedback import Bar
from pipeline.errors import ProviderFault, Refusal, UsageError
from pipeline.flow.context import Sender, Station
from pipeline.providers.base import PlaceForgotten, SuppressedPage, Suppressing
from pipeline.store import bookmarks, readers
from pipeline.store.engine import reading, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """How many addresses are suppressed for one reason."""

    newsletter: str
    #: ``*`` for all.
    reason: str
    source: str
    #: A provider's name, ``policy`` for soft bounces, empty for a person.
    addresses: int
    newest: datetime


def listed(station: Station) -> list[Barred]:
    """Counts by newsletter, reason and source; never an address."""
    with reading(station.engine) as connection:
        return [
            Barred(newsletter=row.newsletter, reason=row.reason, source=row.source, addresses=row.readers, newest=row.newest)
            for row in readers.suppressions(connection)
        ]


def add(station: Station, address: str, newsletter: str | None = None) -> bool:
    """Bars an address for one newsletter or all; False when it was barred already. Raises UsageError."""
    index = _index(station, address, newsletter)
    with transaction(station.engine) as connection:
        return readers.suppress(connection, index, newsletter or readers.ALL, Bar.MANUAL, station.clock())


def remove(station: Station, address: str, newsletter: str | None = None) -> bool:
    """Lifts the bar; False when there was none. Raises UsageError."""
    index = _index(station, address, newsletter)
    with transaction(station.engine) as connection:
        return readers.unsuppress(connection, index, newsletter or readers.ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of reading a provider's list."""

    provider: str
    read: int = 0
    added: int = 0
    present: int = 0
    #: Barred here before.
    passed_over: int = 0
    #: Entries that are about other mail of that account, or cannot be read.
    pages: int = 0
    resumed: bool = False
    #: Goes on where an earlier reading was interrupted; the numbers are of this one.


def fetch(sender: Sender, *, progress: Callable[[int], None] = lambda _: None) -> Fetched:
    """Bars every address that the provider does not mail (for all newsletters), with the provider as source.

    A page is one transaction with the place of the next, so an interrupted reading goes on there. An address that is barred already
    keeps the weightier reason; none is ever lifted. Raises Refusal when the provider keeps no list, and what it raises itself.
    """
    provider = sender.provider
    if not provider.capabilities.suppressions:
        raise Refusal(
            f"{provider.name} has no list of suppressed addresses that can be read",
            hint="docs/providers.md says which providers have one. A list in a file: briefing suppressions add, address by address.",
        )
    name = f"suppressions/{provider.name}"
    with reading(sender.engine) as connection:
        place = bookmarks.place(connection, sender.vault, name)
    done = Fetched(provider=provider.name, resumed=bool(place))
    while True:
        try:
            page = cast(Suppressing, provider).suppressed(place)
        except PlaceForgotten:
            if not place:
                raise Refusal(f"{provider.name} does not show its list from the beginning") from None
            place, done = "", replace(done, resumed=False)  # it keeps no pages that long: from the beginning, which does no harm
            continue
        done = _bar(sender, name, page, done)
        progress(done.read)
        if not page.following:
            return done
        if page.following == place:
            raise ProviderFault(f"{provider.name} names a page of its list as the one behind it", hint="Run it again later.")
        place = page.following


def _bar(sender: Sender, name: str, page: SuppressedPage, done: Fetched) -> Fetched:
    """Keeps one page and where the next begins."""
    with transaction(sender.engine) as connection:
        added = 0
        for one in page.entries:
            index = sender.vault.index(one.address)
            added += readers.suppress(connection, index, readers.ALL, one.bar, one.since, source=done.provider)
        bookmarks.move(connection, sender.vault, name, page.following, sender.clock())
    return replace(
        done,
        read=done.read + len(page.entries) + page.passed_over,
        added=done.added + added,
        present=done.present + len(page.entries) - added,
        passed_over=done.passed_over + page.passed_over,
        pages=done.pages + 1,
    )


def _index(station: Station, address: str, newsletter: str | None) -> bytes:
    if newsletter is not None:
        station.settings.newsletter(newsletter)
    try:
        return station.vault.index(parse_address(address))
    except AddressRefused as error:
        raise UsageError(f"this is no address: {error}") from None
