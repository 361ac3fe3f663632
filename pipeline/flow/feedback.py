"""What providers report: kept at once, applied by the worker, in any order and any number of times with the same end.

A bounce or a complaint suppresses the address for every newsletter, an unsubscription ends one subscription, mail that is
given up on again and again suppresses by a policy (docs/sending.md). And whatever a provider reports of a message proves that it
took it, which settles batches in doubt.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row

from pipeline.core.address import without_addresses
from pipeline.core.event import Event, EventType
from pipeline.core.feedback import Bar, SoftPolicy, bar_of, gave_up, worn_out
from pipeline.core.message import RejectReason
from pipeline.flow import doubts
from pipeline.flow.context import Sender, Station
from pipeline.providers.base import NONCE_VALID, Forged, Polled, Reporting
from pipeline.store import batches, bookmarks, campaigns, events, fates, readers
from pipeline.store.batches import BatchKey
from pipeline.store.engine import reading, transaction

log = logging.getLogger("pipeline.feedback")

PAGE = 1000
"""Events applied in one transaction."""

RECEIPTS_KEPT = timedelta(days=35)
"""How far back a message is looked for by its receipt alone."""

FIRST_POLL = timedelta(days=1)
"""How far back a provider is asked the first time: the shortest time for which one of them keeps events."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of the events of one call."""

    kept: int
    repeated: int


def receive(station: Station, provider: str, news: Sequence[Event]) -> Received:
    """Keeps events that a provider reported, each once. One commit: when this returns they are not lost.

    Raises Forged when something new comes under a signature that was used before; nothing is kept then.
    """
    spent = {one.nonce for one in news if one.nonce}
    with transaction(station.engine) as connection:
        fresh = events.spend(connection, provider, spent, station.clock())
        received = _keep(station, connection, provider, news)
        if not fresh and received.kept:
            raise Forged("other news came under the same signature before")
    return received


def _keep(station: Station, connection: Connection, provider: str, news: Sequence[Event]) -> Received:
    instance = campaigns.instance_name(connection)
    named = [batches.read_provider_key(one.batch_key) for one in news]
    # Of an earlier life of this database: the campaign goes by another name now, and its readers may be in other batches.
    before = campaigns.by_earlier_name(connection) if any(key is not None and key[0] != instance for key in named) else {}
    kept = events.keep(
        connection, [_row(station, provider, _place(key, instance, before), one) for one, key in zip(news, named, strict=True)]
    )
    return Received(kept, len(news) - kept)


def _place(named: tuple[str, BatchKey] | None, instance: str, before: Mapping[str, int]) -> tuple[int, int | None] | None:
    """Campaign and batch that a key at the provider names; None for a key of another newsroom, whose numbers mean nothing here."""
    if named is None:
        return None
    life, key = named
    if life == instance:
        return key.campaign_id, key.no
    campaign = before.get(f"{life}-{key.campaign_id}")
    return None if campaign is None else (campaign, None)


def _row(station: Station, provider: str, place: tuple[int, int | None] | None, one: Event) -> dict[str, Any]:
    return {
        "provider": provider,
        "event_id": one.id if len(one.id) <= 200 else hashlib.sha256(one.id.encode()).hexdigest(),
        "type": one.type,
        "at": one.at,
        "received_at": station.clock(),
        "campaign_id": place[0] if place else None,
        "batch_no": place[1] if place else None,
        "subscriber_id": one.subscriber_id if place and one.subscriber_id and one.subscriber_id < 2**63 else None,
        "address_index": station.vault.index(one.address) if one.address else None,
        "receipt": one.receipt[:500],
        "reason": one.reason or "",
        "final": one.final,
        "detail": without_addresses(one.detail) if one.detail else "",
    }


def apply_pending(station: Station) -> int:
    """Applies what was kept and not applied yet; gives how many batches in doubt that settled."""
    settled = 0
    while True:
        with transaction(station.engine) as connection:
            events.one_at_a_time(connection)
            events.forget_spent(connection, station.clock() - 2 * NONCE_VALID)
            rows = events.waiting(connection, PAGE)
            touched = _apply(station, connection, rows) if rows else set()
        settled += doubts.settle_proven(station, touched)
        if len(rows) < PAGE:
            return settled


def _apply(station: Station, connection: Connection, rows: Sequence[Row[Any]]) -> set[int]:
    """One page of events; gives the campaigns they are about."""
    whose = _resolve(connection, rows)
    events.mark_applied(connection, whose, station.clock())
    known = readers.indexes_of(connection, sorted({reader for _, _, reader in whose.values() if reader is not None}))
    newsletters: dict[int, str] = {}
    tried: set[int] = set()
    for row in rows:
        campaign, _, reader = whose[row.id]
        if reader is None:
            continue
        if campaign is not None and campaign not in newsletters:
            there = campaigns.get(connection, campaign)
            newsletters[campaign] = there.newsletter if there else ""
        type, reason = EventType(row.type), RejectReason(row.reason) if row.reason else None
        # A reader whose own row is gone may still complain: then the event has brought the address.
        index = known.get(reader, bytes(row.address_index) if row.address_index is not None else None)
        bar = bar_of(type, reason)
        if bar is not None and index is not None:
            readers.suppress(connection, index, readers.ALL, bar, row.at, source=row.provider)
        if type is EventType.UNSUBSCRIBED and reader in known:
            _leave(connection, reader, newsletters.get(campaign or 0), row)
        if type is EventType.DELIVERED or gave_up(type, reason, final=row.final):
            tried.add(reader)
    _judge_tries(station, connection, tried, known)
    nobodys = sum(reader is None for _, _, reader in whose.values())
    log.info("events: %(applied)d applied, %(nobodys)d of nobody here", {"applied": len(rows), "nobodys": nobodys})
    return set(newsletters)


def _leave(connection: Connection, reader: int, newsletter: str | None, row: Row[Any]) -> None:
    """Ends the subscription the message came by; without one to name, all of them: who asks to be left alone is."""
    ended = [newsletter] if newsletter else [one.newsletter for one in readers.subscriptions(connection, reader)]
    for one in ended:
        readers.leave(connection, reader, one, method=f"reported by {row.provider}", now=row.at)


def _judge_tries(station: Station, connection: Connection, subscriber_ids: Iterable[int], known: dict[int, bytes]) -> None:
    """The policy for soft bounces, on all that is known of a reader: a delivery that is reported late lifts what it disproves."""
    given = station.settings.newsroom.soft_bounces
    policy = SoftPolicy(issues=given.issues, within=given.within)
    for reader, tries in events.tries(connection, sorted(subscriber_ids)).items():
        if reader not in known:
            continue
        readers.unsuppress_soft(connection, known[reader])
        since = worn_out(tries, policy)
        if since is not None:
            readers.suppress(connection, known[reader], readers.ALL, Bar.SOFT_BOUNCED, since, source="policy")


Whose = tuple[int | None, int | None, int | None]


def _resolve(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, Whose]:
    """Campaign, batch and reader of each event: by our own tags, else by the address, else by the receipt; else all None.

    Tags count only where that reader is in that batch. What is nobody's here changes nothing.
    """
    members: dict[BatchKey, frozenset[int]] = {}

    def belongs(key: BatchKey, reader: int) -> bool:
        if key not in members:
            members[key] = fates.members_of(connection, key)
        return reader in members[key]

    by_address = readers.by_index(connection, sorted({bytes(row.address_index) for row in rows if row.address_index is not None}))
    found: dict[int, Whose] = {}
    for row in rows:
        reader = by_address.get(bytes(row.address_index)) if row.address_index is not None else None
        key = _batch_of(connection, row, reader)
        if key is not None and row.subscriber_id is not None and belongs(key, row.subscriber_id):
            found[row.id] = (key.campaign_id, key.no, row.subscriber_id)
        elif reader is None:
            found[row.id] = (None, None, None)
        elif key is not None and belongs(key, reader):
            found[row.id] = (key.campaign_id, key.no, reader)
        else:
            found[row.id] = (None, None, reader)
    _resolve_by_receipt(connection, rows, found)
    return found


def _batch_of(connection: Connection, row: Row[Any], reader: int | None) -> BatchKey | None:
    """The batch an event names. News of an earlier life names a campaign alone: there it is looked for by the reader.

    Readers keep their numbers over lives, and no number is given twice (``store.readers``).
    """
    if row.campaign_id is None:
        return None
    if row.batch_no is not None:
        return BatchKey(row.campaign_id, row.batch_no)
    whose = row.subscriber_id if row.subscriber_id is not None else reader
    return None if whose is None else fates.batch_with(connection, row.campaign_id, whose)


def _resolve_by_receipt(connection: Connection, rows: Sequence[Row[Any]], found: dict[int, Whose]) -> None:
    """Fills in what the provider's own ids for messages tell, where nothing else told the campaign."""
    untold = [row for row in rows if row.receipt and found[row.id][0] is None]
    for provider in {row.provider for row in untold}:
        mine = [row for row in untold if row.provider == provider]
        since = min(row.at for row in mine) - RECEIPTS_KEPT
        told = fates.by_receipt(connection, provider, {row.receipt for row in mine}, since)
        for row in mine:
            if row.receipt in told:
                key, reader = told[row.receipt]
                found[row.id] = (key.campaign_id, key.no, reader)


def clear_old(station: Station) -> int:
    """Removes events that were applied and are older than ``events_kept``, a page a transaction; gives how many.

    Never one that the policy for soft bounces still looks at.
    """
    newsroom = station.settings.newsroom
    before = station.clock() - max(newsroom.events_kept, newsroom.soft_bounces.within)
    after: int | None = 0
    cleared = 0
    while after is not None:
        with transaction(station.engine) as connection:
            events.forget_spent(connection, station.clock() - 2 * NONCE_VALID)
            after, gone = events.clear(connection, after, before, PAGE)
        cleared += gone
    if cleared:
        log.info("events: %(events)d older than %(day)s removed", {"events": cleared, "day": before.date()})
    return cleared


def poll(sender: Sender) -> int:
    """Asks the provider for its events since the last time, where the newsroom wishes it; gives how many were new. A mailbox of
    reports is read when it is configured.

    Only up to the moment whose events are complete by the provider's own word, so each is read once. A crash in between reads
    some again, which does nothing. Raises BriefingError when the provider cannot be asked.
    """
    provider = sender.provider
    if provider.capabilities.mailbox:
        return _read_mailbox(sender)
    if not (sender.settings.newsroom.poll_events and provider.capabilities.polling):
        return 0
    until = sender.clock() - timedelta(seconds=provider.capabilities.lookup_settles_s or 0)
    with reading(sender.engine) as connection:
        since = events.polled_until(connection, provider.name) or until - FIRST_POLL
    kept = 0
    if since < until:
        for page in cast(Polled, provider).events_between(since, until):
            with transaction(sender.engine) as connection:
                kept += _keep(sender, connection, provider.name, page).kept
        with transaction(sender.engine) as connection:
            events.set_polled(connection, provider.name, until)
    return kept


def polls(sender: Sender) -> bool:
    """Whether there is anything to ask for."""
    able = sender.provider.capabilities
    return able.mailbox or (able.polling and sender.settings.newsroom.poll_events)


def _read_mailbox(sender: Sender) -> int:
    """A piece of the mailbox is one commit with the place behind it; what is read twice after a crash is kept once."""
    provider, kept = sender.provider, 0
    name = f"mailbox/{provider.name}"
    with reading(sender.engine) as connection:
        place = bookmarks.place(connection, sender.vault, name)
    for page, behind in cast(Reporting, provider).events_after(place):
        with transaction(sender.engine) as connection:
            kept += _keep(sender, connection, provider.name, page).kept
            bookmarks.move(connection, sender.vault, name, behind, sender.clock())
    return kept
