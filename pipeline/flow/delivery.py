"""One batch, from the ledger to the provider and back. Three commits: claim, intent, result (docs/sending.md)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import repeat

from sqlalchemy import Connection

from pipeline.core.campaign import BatchCause, BatchState, CampaignCause, CampaignState
from pipeline.core.edition import content_of
from pipeline.core.message import Batch, Content, Recipient
from pipeline.core.settlement import Settlement, settle
from pipeline.core.token import seal_leave_tokens
from pipeline.errors import BriefingError, OutsideFault, ProviderFault, Refusal
from pipeline.flow import limits
from pipeline.flow.context import Sender, Station
from pipeline.providers.base import Call
from pipeline.store import batches, campaigns, editions, readers
from pipeline.store.batches import BatchKey, Claim
from pipeline.store.campaigns import Campaign
from pipeline.store.engine import in_turn, reading, transaction

log = logging.getLogger("pipeline.delivery")

CLAIM_LEASE = timedelta(seconds=60)
CALL_LEASE = timedelta(seconds=150)
"""Longer than the longest call a provider adapter makes (60 s) and the record after it. Both are for calls of 60 s (``claim_lease``)."""

RECORD_PAUSES_S = (1, 2, 4, 8, 15, 30)
"""How long to wait between tries to record an answer; together less than what is left of CALL_LEASE."""

LATERS_NEEDED = 3
"""Times "later" must have been said before time alone holds a campaign: a daily quota leaves a day between two of them."""

CONTENTS_KEPT = 8
"""Editions at hand: as many as newsletters commonly go out at one hour."""

NOTICE_S = 0.5
"""How soon a batch that waits for its turn notices that its campaign was stopped."""

LONG_INTENT_S = 2.0
"""A commit of the intent that takes longer says too little about when the call began."""

FROZEN_S = 0.2
"""Between the intent and the call at most: a machine that was suspended there must not send on an old intent."""


def claim_lease(sender: Sender) -> timedelta:
    """For how long a claimed batch is its worker's: shorter where the provider's calls are, but longer than it may wait for its turn."""
    return max(CLAIM_LEASE * (sender.provider.capabilities.call_limit_s / 60), limits.PATIENCE * 2)


def call_lease(sender: Sender) -> timedelta:
    """After which a call without a result is in doubt. Too short would raise doubts for nothing, but mail nobody twice: a doubt is
    settled only after the call's own time is over."""
    return CALL_LEASE * (sender.provider.capabilities.call_limit_s / 60)


def ready(sender: Sender, limit: int) -> list[BatchKey]:
    """Batches that may be delivered now."""
    with reading(sender.engine) as connection:
        return batches.ready(connection, sender.clock(), limit)


def deliver(sender: Sender, key: BatchKey) -> None:
    """Takes one batch as far as it will go. Losing a race is no error; a fault leaves the batch where the ledger says.

    Raises BriefingError after holding the campaign, DatabaseFault or DiskFault when the ledger cannot be written.
    """
    with in_turn(sender.engine):
        claimed = _claim(sender, key)
    if claimed is None:
        return
    claim, campaign, batch, start = claimed
    # Waiting comes before the intent: nobody can doubt a call that has not begun.
    if not _wait(sender, claim, (start - sender.clock()).total_seconds()):
        return
    with in_turn(sender.engine):
        try:
            call = sender.provider.compose(batch)
        except ValueError as error:
            # The protocol's word for "this provider cannot express that": no other batch would fare better.
            said = Refusal(f"{sender.provider.name} cannot send this issue: {error}")
            release(sender, claim, detail=said.message)
            hold(sender, campaign, said)
            raise said from error
        call = replace(call, leave_by=sender.monotonic() + sender.provider.capabilities.call_limit_s)
        intended = _intend(sender, claim, call)
    if intended is None:
        return
    if sender.monotonic() - intended > FROZEN_S:
        record(sender, claim, Settlement(cause=BatchCause.POSTPONE, detail="the machine stood still"))
        return
    try:
        settlement = submit(sender, claim, call)
    except BriefingError as error:
        # Raised only when certainly nothing was taken; no other batch would fare better, so the campaign waits for a person.
        record(sender, claim, Settlement(cause=BatchCause.POSTPONE, detail=error.message))
        hold(sender, campaign, error)
        raise
    if settlement.halves and not _may_split(sender, claim):
        said = Refusal(f"{sender.provider.name} refuses batch after batch: {settlement.detail}", hint="Mend what it names, then resume.")
        record(sender, claim, Settlement(cause=BatchCause.POSTPONE, detail=settlement.detail))
        hold(sender, campaign, said)
        return
    record(sender, claim, settlement)
    if settlement.cause is BatchCause.POSTPONE:
        back_off(sender, settlement)
        _lose_patience(sender, campaign, settlement)
    if settlement.cause is BatchCause.DOUBT:
        _break_circuit(sender, campaign, settlement)


def back_off(sender: Sender, settlement: Settlement) -> None:
    """The provider said "later": that is said to all workers."""
    if settlement.after_s:
        with transaction(sender.engine) as connection:
            limits.back_off(connection, sender, sender.clock() + timedelta(seconds=settlement.after_s))


def _lose_patience(sender: Sender, campaign: Campaign, settlement: Settlement) -> None:
    """Holds a campaign of which the provider has said nothing but "later" for too long: an editor may know why."""
    now, longest = sender.clock(), sender.settings.newsroom.sending.later_before_hold
    with transaction(sender.engine) as connection:
        since, times = campaigns.later(connection, campaign.id, now)
    if times >= LATERS_NEEDED and now - since >= longest:
        said = f'{sender.provider.name} has only said "later" since {since:%Y-%m-%d %H:%M} UTC, {times} times: {settlement.detail}'
        hold(sender, campaign, ProviderFault(said, hint="See what it waits for (a quota, a block, an outage), then resume."))


def _break_circuit(sender: Sender, campaign: Campaign, settlement: Settlement) -> None:
    """Holds a campaign whose calls end in doubt again and again: each more would be one more question."""
    limit = sender.settings.newsroom.sending.doubts_before_hold
    with reading(sender.engine) as connection:
        doubtful = batches.last_called(connection, campaign.id, limit) == [BatchState.IN_DOUBT] * limit
    if doubtful:
        said = f"{limit} calls to {sender.provider.name}, one after another, ended in doubt: {settlement.detail}"
        hold(sender, campaign, ProviderFault(said, hint="See whether the provider is well, then resume."))


def submit(sender: Sender, claim: Claim, call: Call) -> Settlement:
    """Hands the call over. Raises BriefingError when certainly nothing was taken; a fault of ours is recorded as a doubt first."""
    begun = sender.monotonic()
    try:
        outcomes = sender.provider.submit(call)
        sender.call_times.add(sender.monotonic() - begun)
        return settle(claim.members, outcomes)
    except BriefingError:
        raise
    except ValueError as error:
        return Settlement(cause=BatchCause.DOUBT, detail=f"the adapter miscounted: {error}")
    except Exception as error:
        # After the call may have left only the ledger's honest answer remains.
        record(sender, claim, Settlement(cause=BatchCause.DOUBT, detail=f"a fault while sending: {type(error).__name__}"))
        raise


def _claim(sender: Sender, key: BatchKey) -> tuple[Claim, Campaign, Batch, datetime] | None:
    """First commit: the batch is ours, its members are those who may still be mailed. Gives when it may leave, besides."""
    now = sender.clock()
    with transaction(sender.engine) as connection:
        claim = batches.claim(connection, key, now, claim_lease(sender), sender.worker)
        if claim is None:
            return None
        campaign = campaigns.get(connection, key.campaign_id)
        assert campaign is not None
        addresses = readers.mailable(connection, sender.vault, campaign.newsletter, claim.members)
        claim = batches.except_suppressed(connection, claim, [member for member in claim.members if member not in addresses], now)
        if not claim.members:
            batches.move(connection, claim, BatchCause.ACCEPT, accepted_at=now, lease_until=None, detail="everyone in it had left")
            return None
        crowded, until = limits.crowded(connection, sender, addresses)
        claim = batches.put_off(connection, claim, crowded, until, now)
        if not claim.members:
            return None
        admitted = limits.admit(connection, sender, len(claim.members))
        if admitted.not_before is not None:
            batches.move(
                connection, claim, BatchCause.RELEASE, lease_until=None, not_before=admitted.not_before, detail=f"waits: {admitted.why}"
            )
            return None
        instance = campaigns.instance_name(connection)
        content = content_for(connection, sender, campaign)
    return claim, campaign, batch_of(sender, claim, campaign, instance, content, addresses), admitted.start


def _wait(sender: Sender, claim: Claim, pause_s: float) -> bool:
    """Waits for the batch's turn. False: meanwhile the campaign was stopped, and the batch is given back."""
    while pause_s > 0:
        sender.sleep(min(pause_s, NOTICE_S))
        pause_s -= NOTICE_S
        if pause_s > 0:
            with reading(sender.engine) as connection:
                held = batches.still_held(connection, claim)
            if not held:
                release(sender, claim)
                return False
    return True


def content_for(connection: Connection, sender: Sender, campaign: Campaign) -> Content:
    """What every reader of a campaign gets, with the pictures that the mail carries. An edition never changes, so it is read once."""
    content = sender.contents.get(campaign.edition_id)
    if content is None:
        edition = editions.by_id(connection, campaign.edition_id).edition
        content = content_of(edition, editions.assets(connection, [name for name, _ in edition.embedded]))
        if len(sender.contents) >= CONTENTS_KEPT:
            sender.contents.clear()
        sender.contents[campaign.edition_id] = content
    return content


def batch_of(sender: Sender, claim: Claim, campaign: Campaign, instance: str, content: Content, addresses: Mapping[int, str]) -> Batch:
    """What the provider is to get: a function of the ledger alone, so that a repeat after a crash is the same to the byte."""
    leave = f"{sender.settings.newsroom.base_url}/leave/{campaign.newsletter}/"
    tokens = seal_leave_tokens(sender.leave_key, claim.members, campaign.newsletter, campaign.due_at)
    urls = [leave + token for token in tokens]
    return Batch(
        key=batches.provider_key(instance, claim.key, claim.generation),
        campaign=f"{instance}-{campaign.id}",
        content=content,
        recipients=tuple(
            map(tuple.__new__, repeat(Recipient), zip(claim.members, map(addresses.__getitem__, claim.members), urls, strict=True))
        ),
    )


def release(sender: Sender, claim: Claim, *, detail: str = "") -> None:
    """Gives a claimed batch back: no byte has left."""
    with transaction(sender.engine) as connection:
        batches.move(connection, claim, BatchCause.RELEASE, lease_until=None, detail=detail)


def _intend(sender: Sender, claim: Claim, call: Call) -> float | None:
    """Second commit, the last before the first byte leaves; gives the monotonic second of the intent.

    None: the campaign is not to be sent now (the batch is given back), or another worker holds the batch.
    """
    begun = sender.monotonic()
    with transaction(sender.engine) as connection:
        intended = batches.intend(connection, claim, sender.provider.name, call.digest, sender.clock(), call_lease(sender))
        if not intended:
            batches.move(connection, claim, BatchCause.RELEASE, lease_until=None)
    if not intended:
        return None
    if sender.monotonic() - begun > LONG_INTENT_S:
        record(sender, claim, Settlement(cause=BatchCause.POSTPONE, detail="the machine stood still"))
        return None
    return sender.monotonic()


def record(station: Station, claim: Claim, settlement: Settlement) -> None:
    """Third commit: what the provider said. An answer in hand is worth waiting for: without it the batch is in doubt.

    Tries again for about a minute when the disk is full or the database is away, then raises DatabaseFault or DiskFault.
    """
    for pause_s in (*RECORD_PAUSES_S, None):
        try:
            with transaction(station.engine) as connection:
                written = batches.record(connection, claim, settlement, station.clock())
            break
        except OutsideFault as error:
            named = {"batch": str(claim.key), "outcome": settlement.cause, "why": error.message}
            log.error("batch %(batch)s: %(outcome)s could not be recorded: %(why)s", named)
            if pause_s is None:
                raise
            station.sleep(pause_s)
    note = f": {settlement.detail}" if settlement.detail else ""
    note += "" if written else " (was settled by another)"
    log.info("batch %(batch)s: %(outcome)s%(note)s", {"batch": str(claim.key), "outcome": settlement.cause, "note": note})


def _may_split(sender: Sender, claim: Claim) -> bool:
    with reading(sender.engine) as connection:
        return batches.may_split(connection, claim.key.campaign_id)


def hold(sender: Sender, campaign: Campaign, error: BriefingError) -> None:
    """Stops a campaign until an editor has mended what stopped it."""
    with transaction(sender.engine) as connection:
        campaigns.move(
            connection, campaign.id, CampaignCause.HOLD, CampaignState.HELD, reason=f"{error.message}. {error.hint}".rstrip(". ")
        )
    named = {"campaign": campaign.id, "issue": campaign.issue_id, "why": error.message}
    log.error("campaign %(campaign)d (%(issue)s): held: %(why)s", named)


def sweep(sender: Sender) -> None:
    """Finds what a dead worker left: a claim goes back, a call that may have left is in doubt.

    What was put off after its campaign was cancelled is cancelled, too.
    """
    with transaction(sender.engine) as connection:
        released, doubted = batches.sweep(connection, sender.clock())
        for id in campaigns.cancelled_with_plans(connection):
            batches.cancel_open(connection, id)
    if released or doubted:
        log.warning("a worker died: %(released)d batches given back, %(doubted)d in doubt", {"released": released, "doubted": doubted})
