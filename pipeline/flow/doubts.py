"""Batches in doubt: settled with the provider where it can answer, left to a person where it cannot (docs/sending.md).

Never a blind repeat. A provider that keeps our key gives its first answer again; one that can be searched is believed when
it shows the batch, and when it does not, only from behind a mark that shows that its search has caught up.

After a restore the ledger is older than reality: a reader of a batch that was open then may have been mailed in that batch, in
a part of it, or under a later generation. So the provider is asked for the whole campaign by its old names, reader by reader.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection

from pipeline.core.address import address_key
from pipeline.core.campaign import BatchCause
from pipeline.core.message import Accepted, Batch, TryLater, Unknown
from pipeline.core.settlement import Settlement, settle
from pipeline.errors import BriefingError
from pipeline.flow import delivery, limits
from pipeline.flow.context import Sender, Station
from pipeline.providers.base import Searchable
from pipeline.store import batches, campaigns, events, readers
from pipeline.store import doubts as rows
from pipeline.store.batches import BatchKey, Claim
from pipeline.store.campaigns import Campaign
from pipeline.store.doubts import Doubt
from pipeline.store.engine import reading, transaction

log = logging.getLogger("pipeline.doubts")

LOOK_AGAIN = timedelta(seconds=5)
"""Between two looks at the provider's search, and between the two that must agree before absence is believed."""

LOOKS_NEEDED = 2
"""Looks behind the watermark, one after another, that did not show the batch."""

SEARCH_KEPT = timedelta(days=2)
"""How far back a search is believed: Mailgun keeps events "at least 3 days" (Events, API reference), others longer."""

_Mailed = dict[int, Mapping[str, str] | BriefingError]
"""What the provider shows under the old names of a campaign, asked once a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What became of the batches in doubt that were looked at."""

    settled: int = 0
    waiting: int = 0
    #: To be looked at again by the worker.
    held: int = 0
    #: For a person: the provider cannot tell.


def reconcile(sender: Sender, campaign_id: int | None = None) -> Reconciled:
    """Settles what can be settled now. With a campaign, all of its batches in doubt, otherwise those whose next look is due.

    Safe beside other workers: every move is guarded, so a batch that somebody else settles meanwhile is left alone.
    """
    with reading(sender.engine) as connection:
        found = rows.doubts(connection, sender.clock(), campaign_id=campaign_id)
    counts, mailed = {"settled": 0, "waiting": 0, "held": 0}, _Mailed()
    for doubt in found:
        counts[_settle(sender, doubt, mailed)] += 1
    return Reconciled(**counts)


def _settle(sender: Sender, doubt: Doubt, mailed: _Mailed) -> str:
    """One batch; gives ``settled``, ``waiting`` or ``held``."""
    provider, now = sender.provider, sender.clock()
    if _settle_proven(sender, doubt.claim):
        return "settled"
    if doubt.provider != provider.name:
        return _hold(sender, doubt, f"it was handed to {doubt.provider}, and {provider.name} is configured now")
    with reading(sender.engine) as connection:
        campaign = campaigns.get(connection, doubt.key.campaign_id)
        assert campaign is not None
        batch = _batch_again(sender, campaign, doubt.claim)
    if doubt.restored:
        return _look_back(sender, campaign, doubt, batch, mailed)
    window = provider.capabilities.idempotency_window_s
    if window is not None and now - doubt.intended_at < timedelta(seconds=window) * 0.9 - delivery.call_lease(sender):
        return _repeat(sender, campaign, doubt, batch)
    if provider.capabilities.lookup:
        return _look(sender, doubt, batch)
    return _hold(sender, doubt, f"{provider.name} cannot be asked about it")


def _batch_again(sender: Sender, campaign: Campaign, claim: Claim) -> Batch:
    """The batch as it was called: frozen members, also those who have left the list since."""
    with reading(sender.engine) as connection:
        content = delivery.content_for(connection, sender, campaign)
        addresses = readers.addresses_of(connection, sender.vault, claim.members)
        instance = campaigns.instance_name(connection)
    here = replace(claim, members=tuple(one for one in claim.members if one in addresses))
    return delivery.batch_of(sender, here, campaign, instance, content, addresses)


def _repeat(sender: Sender, campaign: Campaign, doubt: Doubt, batch: Batch) -> str:
    """The same bytes under the same key: the provider says again what it said first, or takes the batch now."""
    try:
        call = sender.provider.compose(batch)
    except ValueError as error:
        return _hold(sender, doubt, f"it cannot be composed again: {error}")
    if call.digest != doubt.body_digest:
        return _hold(sender, doubt, "what would be repeated is no longer what was sent: settings or readers have changed")
    with transaction(sender.engine) as connection:
        soon = limits.admit(connection, sender, len(batch.recipients))
        lease = delivery.call_lease(sender)
        claim = None if soon.start > sender.clock() else rows.repeat(connection, doubt, sender.clock(), lease, sender.worker)
        begun = sender.monotonic()
    if claim is None:
        return "waiting"  # the campaign stands still, or somebody else settled it
    doubt = replace(doubt, fence=claim.fence)
    if sender.monotonic() - begun > delivery.FROZEN_S:
        delivery.record(sender, claim, Settlement(cause=BatchCause.DOUBT, detail="the machine stood still"))
        return "waiting"
    call = replace(call, leave_by=begun + sender.provider.capabilities.call_limit_s)
    try:
        settlement = delivery.submit(sender, claim, call)
    except BriefingError as error:
        delivery.record(sender, claim, Settlement(cause=BatchCause.DOUBT, detail=error.message))
        delivery.hold(sender, campaign, error)
        return "held"
    if settlement.cause is BatchCause.POSTPONE:
        delivery.back_off(sender, settlement)
        # "Not now" is an answer to the repeat; it says nothing of the call before.
        settlement = Settlement(cause=BatchCause.DOUBT, detail=settlement.detail)
    if settlement.cause is BatchCause.REFUSE:
        # Nor does a refusal: a repeat of what was taken gets the first answer, unless the provider looks at the call before the key.
        delivery.record(sender, claim, Settlement(cause=BatchCause.DOUBT, detail=settlement.detail))
        return _hold(sender, doubt, f"the repeat was refused, which says nothing of the call before ({settlement.detail})")
    delivery.record(sender, claim, settlement)
    if settlement.cause is not BatchCause.DOUBT:
        return "settled"
    _wait(sender, doubt, looks=0, detail=settlement.detail)
    return "waiting"


def _look_back(sender: Sender, campaign: Campaign, doubt: Doubt, batch: Batch, mailed: _Mailed) -> str:
    """A doubt that a restore made. A repeat under the old key proves nothing here: the readers may have been mailed under another."""
    provider = cast(Searchable, sender.provider)
    if not sender.provider.capabilities.lookup:
        return _hold(sender, doubt, f"the database was restored, and {doubt.provider} cannot be asked what was mailed before")
    if sender.clock() - doubt.intended_at > SEARCH_KEPT:
        return _hold(sender, doubt, f"the database was restored, and {doubt.provider} may no longer show what was mailed before")

    def find() -> Sequence[str | None]:
        if campaign.id not in mailed:
            try:
                mailed[campaign.id] = {key: id for name in campaign.earlier for key, id in provider.mailed(name).items()}
            except BriefingError as error:
                mailed[campaign.id] = error
        shown = mailed[campaign.id]
        if isinstance(shown, BriefingError):
            raise shown
        return [shown.get(address_key(one.address)) for one in batch.recipients]

    return _look(sender, doubt, batch, find)


def _look(sender: Sender, doubt: Doubt, batch: Batch, find: Callable[[], Sequence[str | None]] | None = None) -> str:
    """Asks the provider's search. What it shows is a fact; what it does not show is believed late and twice."""
    provider = cast(Searchable, sender.provider)
    try:
        found = _with_proof(sender, doubt, batch, find() if find else provider.lookup(batch))
        absent = sum(receipt is None for receipt in found)
        if absent and not _caught_up(sender, provider, doubt):
            return _wait(sender, doubt, looks=0, detail=f"{absent} of {len(found)} not found at {doubt.provider} yet; looking again")
    except BriefingError as error:
        return _wait(sender, doubt, looks=0, detail=f"{doubt.provider} cannot be asked: {error.message}")
    if absent and doubt.looks and doubt.not_before > sender.clock():
        return "waiting"  # a person asked: a look so soon after the one before is not a second one
    if absent and doubt.looks + 1 < LOOKS_NEEDED:
        return _wait(
            sender, doubt, looks=doubt.looks + 1, detail=f"{absent} of {len(found)} not found at {doubt.provider}; looking once more"
        )
    _write(sender, doubt, batch, found)
    return "settled"


def _write(sender: Sender, doubt: Doubt, batch: Batch, found: Sequence[str | None]) -> None:
    detail = f"found at {doubt.provider}: {sum(one is not None for one in found)} of {len(found)}"
    now = sender.clock()
    if not any(found):
        with transaction(sender.engine) as connection:
            resent = rows.resolve(
                connection, doubt.key, BatchCause.RESEND, detail=f"{doubt.provider} never took it", now=now, seen=doubt.claim
            )
        if resent:
            log.warning("batch %(batch)s: in doubt, not at the provider: it is sent again", {"batch": str(doubt.key)})
        return
    outcomes = [TryLater(0.0, detail) if receipt is None else Accepted(receipt) for receipt in found]
    members = tuple(one.subscriber_id for one in batch.recipients)
    settlement = replace(settle(members, outcomes), detail=detail)
    delivery.record(sender, doubt.claim, settlement)


def _caught_up(sender: Sender, provider: Searchable, doubt: Doubt) -> bool:
    """Whether the search shows everything up to the call in doubt: by the provider's own word, or because it shows a later one."""
    capabilities = sender.provider.capabilities
    arrived_by = _arrived_by(sender, doubt)
    settles_s = capabilities.lookup_settles_s
    if settles_s is not None and sender.clock() > arrived_by + timedelta(seconds=settles_s):
        return True
    with reading(sender.engine) as connection:
        later = rows.accepted_after(connection, doubt.provider, arrived_by)
        if later is None:
            return False
        key, generation, members = later
        campaign = campaigns.get(connection, key.campaign_id)
        assert campaign is not None
    witness = Claim(key=key, generation=generation, fence=0, members=members)
    return all(provider.lookup(_batch_again(sender, campaign, witness)))


def _arrived_by(sender: Sender, doubt: Doubt) -> datetime:
    """The latest moment at which a byte of the call could have left; a restore counts on the old worker's having stopped."""
    begun = doubt.intended_at
    if doubt.restored:
        with reading(sender.engine) as connection:
            begun = campaigns.instance_since(connection)
    return begun + timedelta(seconds=sender.provider.capabilities.call_limit_s)


def _wait(sender: Sender, doubt: Doubt, *, looks: int, detail: str) -> str:
    with transaction(sender.engine) as connection:
        rows.look_again(connection, doubt, when=sender.clock() + LOOK_AGAIN, looks=looks, detail=detail)
    return "waiting"


def _hold(sender: Sender, doubt: Doubt, why: str) -> str:
    """Nothing a machine may do: the batch waits for ``briefing resolve``, or for events that prove it was taken."""
    with transaction(sender.engine) as connection:
        if taken := len(events.proven(connection, doubt.key.campaign_id, doubt.members)):
            why = f"{why}, but events show that {taken} of its readers were mailed"
        when = sender.clock() + timedelta(minutes=15)
        rows.look_again(connection, doubt, when=when, looks=0, detail=f"{why}: it waits for a person")
    return "held"


def settle_proven(station: Station, campaign_ids: Collection[int]) -> int:
    """Settles every batch in doubt of whose readers all have news: the provider took it. Gives how many."""
    with reading(station.engine) as connection:
        claims = rows.in_doubt(connection, campaign_ids) if campaign_ids else []
    return sum(_settle_proven(station, claim) for claim in claims)


def _settle_proven(station: Station, claim: Claim) -> bool:
    with reading(station.engine) as connection:
        proven = events.proven(connection, claim.key.campaign_id, claim.members)
    if not claim.members or len(proven) < len(claim.members):
        return False
    delivery.record(station, claim, _accepted(claim, proven))
    return True


def _accepted(claim: Claim, proven: dict[int, str]) -> Settlement:
    """Accepted where there is news; the others stay in doubt. A receipt that no event named is none."""
    outcomes = [Accepted(proven[one]) if one in proven else Unknown() for one in claim.members]
    settlement = settle(claim.members, outcomes)
    detail = f"events show that {len(proven)} of {len(claim.members)} were taken"
    return replace(settlement, detail=detail, receipts=settlement.receipts if all(settlement.receipts) else ())


def _with_proof(sender: Sender, doubt: Doubt, batch: Batch, found: Sequence[str | None]) -> Sequence[str | None]:
    """What the search shows, and what events show although the search does not."""
    with reading(sender.engine) as connection:
        proven = events.proven(connection, doubt.key.campaign_id, doubt.members)
    return [
        receipt if receipt is not None else (proven[one.subscriber_id] or batch.key) if one.subscriber_id in proven else None
        for one, receipt in zip(batch.recipients, found, strict=True)
    ]


def set_apart(connection: Connection, key: BatchKey, now: datetime) -> BatchKey | None:
    """Before a person's word that a batch was not mailed: those of whom events say otherwise are accepted. Gives the batch of the others.

    None when there are no others, or no such batch in doubt.
    """
    claim = next((one for one in rows.in_doubt(connection, (key.campaign_id,)) if one.key == key), None)
    if claim is None:
        return None
    proven = events.proven(connection, key.campaign_id, claim.members)
    if not proven:
        return key
    batches.record(connection, claim, _accepted(claim, proven), now)
    named = {"batch": str(key), "proven": len(proven), "readers": len(claim.members)}
    log.warning("batch %(batch)s: events show that %(proven)d of %(readers)d were mailed", named)
    rest = [one.key for one in rows.in_doubt(connection, (key.campaign_id,)) if set(one.members) <= set(claim.members)]
    return rest[0] if rest else None
