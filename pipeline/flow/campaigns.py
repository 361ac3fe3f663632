"""Campaigns: schedule, launch what is due, pause, resume, cancel, close; and say where the readers are."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from pipeline.clock import zone_rules
from pipeline.core.campaign import CAMPAIGN, BatchCause, CampaignCause, CampaignState, Impossible, Tally
from pipeline.core.occurrence import OccurrenceCause
from pipeline.core.schedule import Fit, Lateness, WallTime, judge_lateness, readers_a_step, resolve_again
from pipeline.errors import BriefingError, DatabaseFault, Refusal, UsageError
from pipeline.flow import archive, delivery, drafts, editions, limits
from pipeline.flow.context import Sender, Station
from pipeline.flow.doubts import set_apart, settle_proven
from pipeline.store import alarms, batches, campaigns, doubts, events, occurrences, readers
from pipeline.store import editions as edition_rows
from pipeline.store.batches import BatchKey, Waiting
from pipeline.store.campaigns import AlreadyScheduled, Campaign
from pipeline.store.engine import reading, transaction
from pipeline.store.occurrences import Occurrence

TEND = timedelta(minutes=1)
"""How often a worker writes that it is there for the campaigns that are being sent."""

GAP = timedelta(minutes=5)
"""A spread campaign that nobody tended for longer keeps its pace from now on, instead of catching up all at once."""

log = logging.getLogger("pipeline.campaigns")

LAST_BEGIN_S = 1.5 * delivery.FROZEN_S
"""After a pause: a call whose intent was committed just before may yet begin, so long as its worker did not stand still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A campaign, where its readers are, and the batches a person may want to know of."""

    campaign: Campaign
    tally: Tally
    troubled: tuple[Waiting, ...]
    ends_at: datetime | None = None
    #: When the last batch of a spread campaign may leave.
    arrived: tuple[str, ...] = ()
    #: What is known of each seed mailbox, in words.


def schedule(
    station: Station,
    reference: str,
    *,
    at: datetime | WallTime,
    not_after: timedelta | None = None,
    if_late: str | None = None,
    over: timedelta | None = None,
    occurrence: Occurrence | None = None,
) -> Campaign:
    """Schedules the approved edition of an issue. ``at`` is an instant or a wall time that is unambiguous by now.

    The campaign takes ``occurrence`` of the cadence; without one, that of the issue's own day, if nobody has it.
    Raises Refusal when it is not approved, in the past, or scheduled already, or somebody else has just taken the occurrence.
    """  # fmt: skip
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
                time_zone=station.settings.zone(newsletter), tzdata=zone_rules(),
                not_after=policy.not_after if not_after is None else not_after, if_late=if_late or policy.if_late, now=now,
                fold=int(isinstance(at, WallTime) and at.fit is Fit.OVERLAP and at.first == at.second),
                over=policy.over if over is None else over,
            )  # fmt: skip
            day = occurrence.day if occurrence else draft.id.date
            taken = occurrences.inherit(connection, newsletter.id, day, id, str(draft.id)) or occurrences.move(
                connection, newsletter.id, day, OccurrenceCause.TAKE, campaign_id=id
            )
            if occurrence is not None and not taken:
                raise Refusal(f"the slot of {day} has just been taken", hint=f"See: briefing calendar {newsletter.id}")
            return _existing(connection, id)
    except AlreadyScheduled:
        with reading(station.engine) as connection:
            there = next(one for one in campaigns.listed(connection, issue_id=str(draft.id)) if one.state is not CampaignState.CANCELLED)
        raise Refusal(
            f"{draft.id} has a campaign already: number {there.id}, {there.state}",
            hint="An issue goes out once." if there.state is CampaignState.SENT else f"Cancel that one first: briefing cancel {there.id}",
        ) from None


def resolve_anew(station: Station) -> int:
    """Looks up again what the wall times of coming campaigns mean, when the rules of time zones have changed. Gives how many moved."""
    rules, moved = zone_rules(), 0
    with reading(station.engine) as connection:
        coming = campaigns.listed(connection, states=(CampaignState.SCHEDULED,))
    outdated = [one for one in coming if one.wall_time and one.tzdata != rules]
    if outdated:
        ZoneInfo.clear_cache()  # this process may have read the older rules
    for one in outdated:
        due = resolve_again(datetime.fromisoformat(one.wall_time), one.time_zone, one.fold)
        reason = one.reason
        if due != one.due_at:
            reason = (
                f"moved from {one.due_at:%Y-%m-%d %H:%M} to {due:%Y-%m-%d %H:%M} UTC: "
                f"the rules of {one.time_zone} have changed (tzdata {rules}, before {one.tzdata})"
            )
        with transaction(station.engine) as connection:
            written = campaigns.reschedule(connection, one.id, due_at=due, tzdata=rules, reason=reason)
        if written and due != one.due_at:
            moved += 1
            log.warning("campaign %(campaign)d (%(issue)s): %(why)s", {"campaign": one.id, "issue": one.issue_id, "why": reason})
    return moved


def tend(station: Station) -> int:
    """Says of every campaign that is being sent that a worker is there; holds those that were left alone for too long. Gives how many.

    What counts is that nobody was there, not that nothing left: a campaign that waits for its limits for days is tended.
    """
    held, now = 0, station.clock()
    with reading(station.engine) as connection:
        begun = campaigns.listed(connection, states=(CampaignState.SENDING, CampaignState.PAUSED))
    for one in begun:
        limit = station.settings.policy(one.newsletter).stale_after
        if one.stale_at is not None and one.stale_at <= now:
            left_at = f"{one.stale_at - limit:%Y-%m-%d %H:%M} UTC"
            why = "it was paused" if one.state is CampaignState.PAUSED else "no worker was there for it"
            reason = f"{why} from {left_at} on, and its news may be old; see whether it still holds, then resume or cancel it"
            with transaction(station.engine) as connection:
                stale = campaigns.hold_stale(connection, one.id, now, reason)
            if stale:
                held += 1
                named = {"campaign": one.id, "issue": one.issue_id, "why": reason}
                log.warning("campaign %(campaign)d (%(issue)s): held: %(why)s", named)
        elif one.state is CampaignState.SENDING and not (one.stale_at and now + limit - TEND < one.stale_at <= now + limit):
            with transaction(station.engine) as connection:
                campaigns.tend(connection, one.id, now, now + limit)
                if one.over and one.stale_at is not None and now - (one.stale_at - limit) > GAP:
                    batches.spread(connection, one.id, now, one.over)
    return held


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
            log.error(
                "campaign %(campaign)d (%(issue)s): cannot start: %(why)s",
                {"campaign": one.id, "issue": one.issue_id, "why": error.message},
            )
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
            if to is CampaignState.CANCELLED:
                occurrences.free(connection, one.id)
            named = {"campaign": one.id, "issue": one.issue_id, "state": to, "why": reason}
            log.warning("campaign %(campaign)d (%(issue)s): %(state)s: %(why)s", named)


def _launch(sender: Sender, one: Campaign, *, from_held: bool) -> bool:
    """The compare-and-set and the plan in one transaction, then the archive page: mail links to it, so it comes first."""
    now = sender.clock()
    with transaction(sender.engine) as connection:
        if not campaigns.launch(connection, one.id, now, from_held=from_held):
            return False
        earlier = [other.id for other in campaigns.listed(connection, issue_id=one.issue_id) if other.id != one.id]
        mailed = batches.reached(connection, earlier) if earlier else set()
        ids = (id for id in readers.audience(connection, one.newsletter) if id not in mailed)
        size = limits.batch_size(sender)
        if one.over:
            size = min(size, readers_a_step(readers.audience_size(connection, one.newsletter), one.over))
        count, planned = batches.plan(connection, one.id, ids, size, now)
        if not planned:
            campaigns.move(connection, one.id, CampaignCause.HOLD, CampaignState.HELD, reason="nobody is subscribed to this newsletter")
            log.warning("campaign %(campaign)d (%(issue)s): held: nobody is subscribed", {"campaign": one.id, "issue": one.issue_id})
            return False
        taken_at, names = campaigns.restored_from(connection), campaigns.earlier_names(connection, one.issue_id)
        if taken_at is not None and names:
            # What a life before the restore may have mailed is asked for first, reader by reader.
            campaigns.set_values(connection, one.id, earlier=" ".join(names))
            doubts.restore(connection, taken_at, now, sender.provider.name, campaign_id=one.id)
        campaigns.set_values(connection, one.id, audience=planned, stale_at=now + sender.settings.policy(one.newsletter).stale_after)
        if one.over:
            batches.spread(connection, one.id, now, one.over)
    named = {"campaign": one.id, "issue": one.issue_id, "readers": planned, "batches": count}
    log.info("campaign %(campaign)d (%(issue)s): sending to %(readers)d readers in %(batches)d batches", named)
    publish_pending(sender)
    return True


def publish_pending(sender: Sender) -> int:
    """Publishes the editions of campaigns that have started and are not in the archive yet.

    The page first, then the mark that lets its mail leave, then the lists that name it: killed anywhere in between, the
    next call goes on, and no mail ever leads to a page that is not there.
    """
    with reading(sender.engine) as connection:
        pending = [
            one for one in campaigns.listed(connection, states=(CampaignState.SENDING, CampaignState.PAUSED, CampaignState.HELD))
            if one.audience is not None and one.published_at is None
        ]  # fmt: skip
    for one in pending:
        archive.write_issue(sender, one.edition_id)
        with transaction(sender.engine) as connection:
            campaigns.set_values(connection, one.id, published_at=one.started_at)
            sender.dispatcher.enqueue(connection, batches.planned(connection, one.id))
    if pending:
        archive.write_lists(sender)
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
            if there.audience is None:
                occurrences.free(connection, id)
        else:
            campaigns.move(connection, id, cause, to, stale_at=station.clock() + station.settings.policy(there.newsletter).stale_after)
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
            now = sender.clock()
            stale_at = now + sender.settings.policy(there.newsletter).stale_after
            campaigns.move(connection, id, CampaignCause.RESUME, to, later_since=None, stale_at=stale_at)
            if there.over:
                batches.spread(connection, id, now, there.over)
            if there.published_at is not None:
                sender.dispatcher.enqueue(connection, batches.planned(connection, id))
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
                named = {"campaign": id, "issue": there.issue_id, "sent": tally.sent, "audience": there.audience}
                log.info("campaign %(campaign)d (%(issue)s): sent to %(sent)d of %(audience)d readers", named)
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
    log.warning("batch %(batch)s: in doubt, resolved as %(verdict)s", {"batch": str(rest), "verdict": verdict})


def status(station: Station, id: int) -> Status:
    """Where one campaign is. Raises UsageError when there is none of that number."""
    with reading(station.engine) as connection:
        there = _existing(connection, id)
        troubled = batches.troubled(connection, id, campaigns.instance_name(connection))
        ends_at = batches.last_planned(connection, id) if there.over else None
        arrived = tuple(
            f"{one.seed} {f'{one.seen_at:%H:%M} UTC' if one.seen_at else one.said or 'not yet'}" for one in alarms.arrivals(connection, id)
        )
        return Status(
            campaign=there, tally=campaigns.tally(connection, id), troubled=tuple(troubled), ends_at=ends_at, arrived=arrived
        )  # fmt: skip


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
