"""Addresses that must not be mailed, barred and freed by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.core.address import AddressRefused, parse_address
from pipeline.core.feedback import Bar
from pipeline.errors import UsageError
from pipeline.flow.context import Station
from pipeline.store import readers
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


def _index(station: Station, address: str, newsletter: str | None) -> bytes:
    if newsletter is not None:
        station.settings.newsletter(newsletter)
    try:
        return station.vault.index(parse_address(address))
    except AddressRefused as error:
        raise UsageError(f"this is no address: {error}") from None
