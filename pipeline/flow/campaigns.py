"""Campaigns: schedule, launch what is due, pause, resume, cancel, close; and say where the readers are."""

from __future__ import annotations

import importlib.metadata
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from pipeline.core.campaign import CAMPAIGN, BatchCause, CampaignCause, CampaignState, Impossible, Tally
from pipeline.core.schedule import Lateness, WallTime, judge_lateness
from pipeline.errors import BriefingError, DatabaseFault, Refusal, UsageError
from pipeline.flow import archive, delivery, drafts, editions, limits
from pipeline.flow.context import Sender, Station
from pipeline.flow.doubts import set_apart, settle_proven
from pipeline.store import batches, campaigns, doubts, events, readers
from pipeline.store import editions as edition_rows
from pipeline.store.batches import BatchKey, Waiting
from pipeline.store.campaigns import AlreadyScheduled, Campaign
from pipeline.store.engine import reading, transaction

log = logging.getLogger("pipeline.campaigns")

LAST_BEGIN_S = 1.5 * delivery.FROZEN_S
"""After a pause: a call whose intent was committed just before may yet begin, so long as its worker did not stand still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A campaign, where its readers are, and the batches a person may want to know of."""

    campaign: Campaign
    tally: Tally
    troubled: tuple[Waiting, ...]


def schedule(
    station: Station, reference: str, *, at: datetime | WallTime, not_after: timedelta | None = None, if_late: str | None = None
) -> Campaign:
    """Schedules the approved edition of an issue. ``at`` is an instant or a wall time that is unambiguous by now.

    Raises Refusal when it is not approved, in the past, or scheduled already.
    """
    approval, draft = editions.current(station, reference)
    newsletter = station.settings.newsletter(draft.id.newsletter)
    now = station.clock()
    due = at.first if isinstance(at, WallTime) else at
    if due < now - timedelta(seconds=1):
        raise Refusal(f"{due:%Y-%m-%d %H:%M} UTC is past", hint=f"To send at once: briefing send {draft.id}")
    wall = at.wall.isoformat(" ") if isinstance(at, WallTime) else ""
    policy = newsletter.schedule
    try:
        with transaction(station.engine) as connection:
            id = campaigns.add(
                connection, edition_id=approval.id, issue_id=str(draft.id), newsletter=newsletter.id, due_at=due, wall_time=wall,
                time_zone=station.settings.zone(newsletter), tzdata=tzdata_version(),
                not_after=policy.not_after if not_after is None else not_after, if_late=if_late or policy.if_late, now=now,
            )  # fmt: skip
            return _existing(connection, id)
    except AlreadyScheduled:
        with reading(station.engine) as connection:
            there = next(one for one in campaigns.listed(connection, issue_id=str(draft.id)) if one.state is not CampaignState.CANCELLED)
        raise Refusal(
            f"{draft.id} has a campaign already: number {there.id}, {there.state}",
            hint="An issue goes out once." if there.state is CampaignState.SENT else f"Cancel that one first: briefing cancel {there.id}",
        ) from None


def tzdata_version() -> str:
    """The version of the time-zone rules in force, kept with every wall time that was resolved by them."""
    return importlib.metadata.version("tzdata")


def launch_due(sender: Sender) -> int:
    """Starts every campaign whose time has come, or treats it by its policy when it is too late. Gives how many started.

    Idempotent and safe from several processes: the decision is one guarded statement.
    """
    with reading(sender.engine) as connection:
        due = campaigns.due(connection, sender.clock())
    started = 0
    for one in due:
        try:
            started += _launch_or_hold(sender, one)
        except BriefingError as error:
            log.error("campaign %d (%s): cannot start: %s", one.id, one.issue_id, error.message)
    return started


def _launch_or_hold(sender: Sender, one: Campaign) -> bool:
    now = sender.clock()
    verdict = judge_lateness(one.due_at, now, one.not_after, one.if_late)
    if verdict is Lateness.DROP:
        _stop(sender, one, CampaignCause.CANCEL, f"it was due at {one.due_at:%Y-%m-%d %H:%M} UTC, and the policy is to drop what is late")
        return False
    if verdict is Lateness.HOLD:
        _stop(sender, one, CampaignCause.HOLD, f"it was due at {one.due_at:%Y-%m-%d %H:%M} UTC, and no worker was running then")
        return False
    changed = _changed_since_approval(sender, one)
    if changed:
        _stop(sender, one, CampaignCause.HOLD, changed)
        return False
    return _launch(sender, one, from_held=False)


def _changed_since_approval(sender: Sender, one: Campaign) -> str:
    with reading(sender.engine) as connection:
        approval = edition_rows.by_id(connection, one.edition_id)
    try:
        draft = drafts.read(sender, one.issue_id)
    except BriefingError as error:
        return f"its draft cannot be compared with what was approved: {error.message}"
    return (
        "" if draft.source_digest == approval.source_digest else "its draft was changed after the approval; approve it again, then resume"
    )


def _stop(sender: Sender, one: Campaign, cause: CampaignCause, reason: str) -> None:
    to = CAMPAIGN[(one.state, cause)]
    assert isinstance(to, CampaignState)
    with transaction(sender.engine) as connection:
        if campaigns.move(connection, one.id, cause, to, reason=reason):
            log.warning("campaign %d (%s): %s: %s", one.id, one.issue_id, to, reason)


def _launch(sender: Sender, one: Campaign, *, from_held: bool) -> bool:
    """The compare-and-set and the plan in one transaction, then the archive page: mail links to it, so it comes first."""
    now = sender.clock()
    with transaction(sender.engine) as connection:
        if not campaigns.launch(connection, one.id, now, from_held=from_held):
            return False
        earlier = [other.id for other in campaigns.listed(connection, issue_id=one.issue_id) if other.id != one.id]
        mailed = batches.reached(connection, earlier) if earlier else set()
        ids = (id for id in readers.audience(connection, one.newsletter) if id not in mailed)
        count, planned = batches.plan(connection, one.id, ids, limits.batch_size(sender), now)
        if not planned:
            campaigns.move(connection, one.id, CampaignCause.HOLD, CampaignState.HELD, reason="nobody is subscribed to this newsletter")
            log.warning("campaign %d (%s): held: nobody is subscribed", one.id, one.issue_id)
            return False
        taken_at, names = campaigns.restored_from(connection), campaigns.earlier_names(connection, one.issue_id)
        if taken_at is not None and names:
            # What a life before the restore may have mailed is asked for first, reader by reader.
            campaigns.set_values(connection, one.id, earlier=" ".join(names))
            doubts.restore(connection, taken_at, now, sender.provider.name, campaign_id=one.id)
        campaigns.set_values(connection, one.id, audience=planned)
    log.info("campaign %d (%s): sending to %d readers in %d batches", one.id, one.issue_id, planned, count)
    publish_pending(sender)
    return True


def publish_pending(station: Station) -> int:
    """Publishes the editions of campaigns that have started and are not in the archive yet.

    The page first, then the mark that lets its mail leave, then the lists that name it: killed anywhere in between, the
    next call goes on, and no mail ever leads to a page that is not there.
    """
    with reading(station.engine) as connection:
        pending = [
            one for one in campaigns.listed(connection, states=(CampaignState.SENDING, CampaignState.PAUSED, CampaignState.HELD))
            if one.audience is not None and one.published_at is None
        ]  # fmt: skip
    for one in pending:
        archive.write_issue(station, one.edition_id)
        with transaction(station.engine) as connection:
            campaigns.set_values(connection, one.id, published_at=one.started_at)
    if pending:
        archive.write_lists(station)
    return len(pending)


def pause(station: Station, id: int) -> Campaign:
    """Stops new calls: no intent is written once this commits, and when it returns, no request begins any more. Those under way end
    by themselves. Raises Refusal."""
    paused = _control(station, id, CampaignCause.PAUSE)
    station.sleep(LAST_BEGIN_S)
    return paused


def cancel(station: Station, id: int) -> Campaign:
    """Ends a campaign: what has not left will not. Raises Refusal."""
    return _control(station, id, CampaignCause.CANCEL)


def _control(station: Station, id: int, cause: CampaignCause) -> Campaign:
    with transaction(station.engine) as connection:
        there = _existing(connection, id)
        to = CAMPAIGN[(there.state, cause)]
        if isinstance(to, Impossible):
            raise Refusal(f"campaign {id} cannot be changed so: {to}")
        if cause is CampaignCause.CANCEL:
            campaigns.move(connection, id, cause, to, finished_at=station.clock())
            batches.cancel_open(connection, id)
        else:
            campaigns.move(connection, id, cause, to)
        return _existing(connection, id)


def resume(sender: Sender, id: int) -> Campaign:
    """Goes on with a paused campaign, or starts a held one on an editor's word. Raises Refusal."""
    with reading(sender.engine) as connection:
        there = _existing(connection, id)
    to = CAMPAIGN[(there.state, CampaignCause.RESUME)]
    if isinstance(to, Impossible):
        raise Refusal(f"campaign {id} cannot be resumed: {to}")
    if there.audience is None:
        changed = _changed_since_approval(sender, there)
        if changed:
            raise Refusal(f"campaign {id} cannot be resumed: {changed}", hint=f"briefing approve {there.issue_id}")
        if not _launch(sender, there, from_held=True):
            with reading(sender.engine) as connection:
                raise Refusal(f"campaign {id} did not start: {_existing(connection, id).reason}")
    else:
        with transaction(sender.engine) as connection:
            campaigns.move(connection, id, CampaignCause.RESUME, to)
    with reading(sender.engine) as connection:
        return _existing(connection, id)


def close_finished(station: Station) -> int:
    """Closes campaigns none of whose batches is open, after checking that the sums match the frozen audience."""
    closed = 0
    with reading(station.engine) as connection:
        if not campaigns.finishable(connection):
            return 0
    with transaction(station.engine) as connection:
        for id in campaigns.finishable(connection):
            there, tally = _existing(connection, id), campaigns.tally(connection, id)
            if tally.total != there.audience:
                raise DatabaseFault(
                    f"campaign {id}: the ledger adds up to {tally.total}, the audience is {there.audience}; it is left open",
                    hint="This must never happen: keep the database as it is and report it.",
                )
            if campaigns.move(connection, id, CampaignCause.FINISH, CampaignState.SENT, finished_at=station.clock()):
                closed += 1
                log.info("campaign %d (%s): sent to %d of %d readers", id, there.issue_id, tally.sent, there.audience)
    return closed


def resolve(station: Station, key: BatchKey, verdict: str, *, by: str) -> None:
    """A person's word about a batch in doubt: ``accepted``, ``resend`` or ``drop``; kept with who said it. Raises Refusal."""
    cause = {"accepted": BatchCause.ACCEPT, "resend": BatchCause.RESEND, "drop": BatchCause.DROP}[verdict]
    now = station.clock()
    settle_proven(station, (key.campaign_id,))
    with transaction(station.engine) as connection:
        there = _existing(connection, key.campaign_id)
        if cause is BatchCause.RESEND and there.state is CampaignState.CANCELLED:
            raise Refusal(f"campaign {there.id} was cancelled: nothing of it is sent any more", hint="Say accepted or drop.")
        detail = f"{verdict}: said by {by} at {now:%Y-%m-%d %H:%M} UTC"
        rest = key if cause is BatchCause.ACCEPT else set_apart(connection, key, now)
        if rest is None or not doubts.resolve(connection, rest, cause, detail=detail, now=now):
            raise Refusal(f"batch {key} is not in doubt", hint=f"See: briefing status {key.campaign_id}")
    log.warning("batch %s: in doubt, resolved as %s", rest, verdict)


def status(station: Station, id: int) -> Status:
    """Where one campaign is. Raises UsageError when there is none of that number."""
    with reading(station.engine) as connection:
        there = _existing(connection, id)
        troubled = batches.troubled(connection, id, campaigns.instance_name(connection))
        return Status(campaign=there, tally=campaigns.tally(connection, id), troubled=tuple(troubled))


def news(station: Station, id: int) -> dict[str, int]:
    """Of how many readers of a campaign the provider has reported each kind of event (``core.event.EventType``)."""
    with reading(station.engine) as connection:
        return events.counts(connection, id)


def listed(station: Station, limit: int = 10) -> list[Status]:
    """The newest campaigns."""
    with reading(station.engine) as connection:
        ids = [one.id for one in campaigns.listed(connection, limit=limit)]
    return [status(station, id) for id in ids]


def audience_size(station: Station, newsletter: str) -> int:
    """How many readers would get an issue now."""
    with reading(station.engine) as connection:
        return readers.audience_size(connection, newsletter)


def _existing(connection: Connection, id: int) -> Campaign:
    there = campaigns.get(connection, id)
    if there is None:
        raise UsageError(f"there is no campaign {id}", hint="See the campaigns with: briefing status")
    return there
