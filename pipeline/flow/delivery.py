"""One batch, from the ledger to the provider and back. Three commits: claim, intent, result (docs/sending.md)."""

from __future__ import annotations

import logging
from datetime import timedelta

from pipeline.core.campaign import BatchCause, CampaignCause, CampaignState
from pipeline.core.edition import content_of
from pipeline.core.message import Batch, Recipient
from pipeline.core.settlement import Settlement, settle
from pipeline.core.token import seal_leave_token
from pipeline.errors import BriefingError, OutsideFault, Refusal
from pipeline.flow.context import Sender
from pipeline.store import batches, campaigns, editions, readers
from pipeline.store.batches import BatchKey, Claim
from pipeline.store.campaigns import Campaign
from pipeline.store.engine import reading, transaction

log = logging.getLogger("pipeline.delivery")

CLAIM_LEASE = timedelta(seconds=60)
CALL_LEASE = timedelta(seconds=150)
"""Longer than the longest call a provider adapter makes (60 s) and the record after it."""

RECORD_PAUSES_S = (1, 2, 4, 8, 15, 30)
"""How long to wait between tries to record an answer; together less than what is left of CALL_LEASE."""

FROZEN_S = 0.2
"""Between the intent and the call at most: a machine that was suspended there must not send on an old intent."""


def ready(sender: Sender, limit: int) -> list[BatchKey]:
    """Batches that may be delivered now."""
    with reading(sender.engine) as connection:
        return batches.ready(connection, sender.clock(), limit)


def deliver(sender: Sender, key: BatchKey) -> None:
    """Takes one batch as far as it will go. Losing a race is no error; a fault leaves the batch where the ledger says.

    Raises BriefingError after holding the campaign, DatabaseFault or DiskFault when the ledger cannot be written.
    """
    claimed = _claim(sender, key)
    if claimed is None:
        return
    claim, campaign, batch = claimed
    intended = _intend(sender, claim)
    if intended is None:
        return
    if sender.monotonic() - intended > FROZEN_S:
        _record(sender, claim, Settlement(cause=BatchCause.POSTPONE, detail="the machine stood still"))
        return
    try:
        settlement = _call(sender, claim, batch)
    except BriefingError as error:
        # Raised only when certainly nothing was taken; no other batch would fare better, so the campaign waits for a person.
        _record(sender, claim, Settlement(cause=BatchCause.POSTPONE, detail=error.message))
        _hold(sender, campaign, error)
        raise
    except Exception as error:
        # A fault of our own after the call may have left: only the ledger's honest answer remains.
        _record(sender, claim, Settlement(cause=BatchCause.DOUBT, detail=f"a fault while sending: {type(error).__name__}"))
        raise
    if settlement.halves and not _may_split(sender, claim):
        said = Refusal(f"{sender.provider.name} refuses batch after batch: {settlement.detail}", hint="Mend what it names, then resume.")
        _record(sender, claim, Settlement(cause=BatchCause.POSTPONE, detail=settlement.detail))
        _hold(sender, campaign, said)
        return
    _record(sender, claim, settlement)


def _call(sender: Sender, claim: Claim, batch: Batch) -> Settlement:
    """Hands the batch over. Raises BriefingError when certainly nothing was taken."""
    try:
        outcomes = sender.provider.send(batch)
    except ValueError as error:
        # The protocol's word for "this provider cannot express that", said before any byte leaves.
        raise Refusal(f"{sender.provider.name} cannot send this issue: {error}") from error
    try:
        return settle(claim.members, outcomes)
    except ValueError as error:
        return Settlement(cause=BatchCause.DOUBT, detail=f"the adapter miscounted: {error}")


def _claim(sender: Sender, key: BatchKey) -> tuple[Claim, Campaign, Batch] | None:
    """First commit: the batch is ours, its members are those who may still be mailed."""
    now = sender.clock()
    with transaction(sender.engine) as connection:
        claim = batches.claim(connection, key, now, CLAIM_LEASE)
        if claim is None:
            return None
        campaign = campaigns.get(connection, key.campaign_id)
        assert campaign is not None
        addresses = readers.mailable(connection, sender.vault, campaign.newsletter, claim.members)
        claim = batches.except_suppressed(connection, claim, [member for member in claim.members if member not in addresses], now)
        if not claim.members:
            batches.move(connection, claim, BatchCause.ACCEPT, accepted_at=now, lease_until=None, detail="everyone in it had left")
            return None
        instance = campaigns.instance_name(connection)
        edition = editions.by_id(connection, campaign.edition_id).edition
        content = content_of(edition, editions.assets(connection, [name for name, _ in edition.embedded]))
    leave = f"{sender.settings.newsroom.base_url}/leave/{campaign.newsletter}"
    recipients = tuple(
        Recipient(
            subscriber_id=member,
            address=addresses[member],
            unsubscribe_url=f"{leave}/{seal_leave_token(sender.leave_key, member, campaign.newsletter, campaign.due_at)}",
        )
        for member in claim.members
    )
    batch_key = batches.provider_key(instance, key, claim.generation)
    return claim, campaign, Batch(key=batch_key, campaign=f"{instance}-{campaign.id}", content=content, recipients=recipients)


def _intend(sender: Sender, claim: Claim) -> float | None:
    """Second commit, the last before the first byte leaves; gives the monotonic second of the intent.

    None: the campaign is not to be sent now (the batch is given back), or another worker holds the batch.
    """
    with transaction(sender.engine) as connection:
        if batches.intend(connection, claim, sender.provider.name, sender.clock(), CALL_LEASE):
            return sender.monotonic()
        batches.move(connection, claim, BatchCause.RELEASE, lease_until=None)
    return None


def _record(sender: Sender, claim: Claim, settlement: Settlement) -> None:
    """Third commit: what the provider said. An answer in hand is worth waiting for: without it the batch is in doubt.

    Tries again for about a minute when the disk is full or the database is away, then raises DatabaseFault or DiskFault.
    """
    for pause_s in (*RECORD_PAUSES_S, None):
        try:
            with transaction(sender.engine) as connection:
                written = batches.record(connection, claim, settlement, sender.clock())
            break
        except OutsideFault as error:
            log.error("batch %s: %s could not be recorded: %s", claim.key, settlement.cause, error.message)
            if pause_s is None:
                raise
            sender.sleep(pause_s)
    note = f": {settlement.detail}" if settlement.detail else ""
    log.info("batch %s: %s%s%s", claim.key, settlement.cause, note, "" if written else " (was settled by another)")


def _may_split(sender: Sender, claim: Claim) -> bool:
    with reading(sender.engine) as connection:
        return batches.may_split(connection, claim.key.campaign_id)


def _hold(sender: Sender, campaign: Campaign, error: BriefingError) -> None:
    with transaction(sender.engine) as connection:
        campaigns.move(
            connection, campaign.id, CampaignCause.HOLD, CampaignState.HELD, reason=f"{error.message}. {error.hint}".rstrip(". ")
        )
    log.error("campaign %d (%s): held: %s", campaign.id, campaign.issue_id, error.message)


def sweep(sender: Sender) -> None:
    """Finds what a dead worker left: a claim goes back, a call that may have left is in doubt."""
    with transaction(sender.engine) as connection:
        released, doubted = batches.sweep(connection, sender.clock())
    if released or doubted:
        log.warning("a worker died: %d batches given back, %d in doubt", released, doubted)
