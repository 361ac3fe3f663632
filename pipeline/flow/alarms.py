"""Alarms: what needs a person of the newsroom, told to its people once each, by mail and by ``status``.

An alarm is read off the ledger and the calendar, so it outlives every process. While what it says lasts, it has one row, and the row
is what is mailed: at most ``len(PAUSES)`` tries each, counted before they are made.
"""

from __future__ import annotations

import hashlib
import html
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.core.campaign import CampaignState
from pipeline.core.message import Accepted, Batch, Content, Recipient, Refused
from pipeline.core.token import NOBODY, seal_leave_token
from pipeline.errors import BriefingError, Refusal
from pipeline.flow import seeds
from pipeline.flow.context import Sender, Station
from pipeline.store import alarms as rows
from pipeline.store import campaigns, occurrences
from pipeline.store.alarms import Alarm
from pipeline.store.campaigns import Campaign
from pipeline.store.engine import reading, transaction

PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), None)
"""What follows each try to mail an alarm; None: it was the last."""

DOUBT_WAITS = timedelta(minutes=15)
"""A batch may be in doubt for so long before somebody is told: most doubts end by themselves."""

MISSED_LASTS = timedelta(days=7)
"""For how long a missed slot is an alarm, unless an editor skips it or a later issue takes it."""

OVERDUE = ("asleep/", "unseen/")
"""What the alarms of the dead man begin with: nobody is at work, or the mail does not arrive."""

log = logging.getLogger("pipeline.alarms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that needs a person now. ``key`` is the same for as long as it is the same thing."""

    key: str
    title: str
    body: str


def go_round(sender: Sender) -> list[Alarm]:
    """Looks into the seed mailboxes, raises what is new, ends what is over, mails what is due. Gives the alarms that last."""
    seeds.look(sender)
    refresh(sender)
    mail(sender)
    return lasting(sender)


def lasting(station: Station) -> list[Alarm]:
    """The alarms that last, newest first."""
    with reading(station.engine) as connection:
        return rows.listed(connection)


def listed(station: Station) -> list[Alarm]:
    """The newest alarms, also those that are over."""
    with reading(station.engine) as connection:
        return rows.listed(connection, lasting=False)


def refresh(station: Station) -> int:
    """Makes the rows say what is so now; gives how many alarms are new."""
    found = {one.key: one for one in conditions(station)}
    if {one.key for one in lasting(station)} == set(found):
        return 0
    now, raised = station.clock(), 0
    with transaction(station.engine) as connection:
        rows.end(connection, found.keys(), now)
        for one in found.values():
            if rows.add(connection, key=one.key, title=one.title, body=one.body, now=now):
                raised += 1
                log.error("alarm: %(title)s", {"title": one.title})
    return raised


def conditions(station: Station) -> Iterator[Condition]:
    """What needs a person now, as ledger, calendar and seed mailboxes tell."""
    now, after = station.clock(), station.settings.newsroom.alarms.after
    with reading(station.engine) as connection:
        open_ones = campaigns.listed(connection, states=(CampaignState.SCHEDULED, CampaignState.SENDING, CampaignState.HELD))
        doubtful = rows.doubtful(connection, now - DOUBT_WAITS)
        missed = occurrences.missed(connection, now - MISSED_LASTS)
        in_doubt = {id: campaigns.get(connection, id) for id in doubtful}
    asleep: set[int] = set()
    for one in open_ones:
        if one.state is CampaignState.HELD:
            mark = hashlib.sha256(one.reason.encode()).hexdigest()[:8]
            yield _about(
                station, one, f"held/{one.id}/{mark}", "is held", f"Nothing of it leaves. The reason: {one.reason}",
                f"Mend what the reason names, then:  briefing resume {one.id}\nOr stop it for good:             briefing cancel {one.id}",
            )  # fmt: skip
        elif one.state is CampaignState.SCHEDULED and one.due_at + after <= now:
            asleep.add(one.id)
            yield _about(
                station, one, f"asleep/{one.id}", "has not started",
                f"It was due at {one.due_at:%Y-%m-%d %H:%M} UTC, and no worker has taken it up.",
                "See on the machine that sends:  briefing doctor\nStart the worker:               briefing serve",
            )  # fmt: skip
        elif one.state is CampaignState.SENDING and one.stale_at is not None:
            left = one.stale_at - station.settings.policy(one.newsletter).stale_after
            if left + after <= now:
                asleep.add(one.id)
                yield _about(
                    station, one, f"asleep/{one.id}", "is left alone",
                    f"It is being sent, and no worker has been there for it since {left:%Y-%m-%d %H:%M} UTC.",
                    "See on the machine that sends:  briefing doctor\nStart the worker:               briefing serve",
                )  # fmt: skip
    for id, readers in doubtful.items():
        there = in_doubt[id]
        if there is not None:
            yield _about(
                station, there, f"doubt/{id}", "has readers in doubt",
                f"Of {readers} readers we cannot tell whether the provider took their mail. They are not mailed again without your word.",
                f"See which batches:            briefing status {id}\n"
                f"Look for them at the provider, then:  briefing resolve {id}.N accepted|resend|drop",
            )  # fmt: skip
    for slot in missed:
        name = _name(station, slot.newsletter)
        yield Condition(
            key=f"missed/{slot.newsletter}/{slot.day}",
            title=f"{name}: no issue on {slot.day}",
            body=(
                f"By its cadence {name} was to come out on {slot.day} at {slot.at} ({slot.time_zone}). No issue was scheduled for it.\n\n"
                f"If it comes later:   briefing schedule ISSUE --at WHEN\nIf it does not come:  briefing skip {slot.newsletter} {slot.day}"
            ),
        )
    for one, said in _unseen(station, now, after):
        if one.id not in asleep:  # one fault, one alarm
            yield _about(
                station, one, f"unseen/{one.id}", "has not arrived",
                f"It was due at {one.due_at:%Y-%m-%d %H:%M} UTC and has not reached these seed mailboxes of ours:\n\n{said}",
                f"See how far it is:   briefing status {one.id}\n"
                "Look into the mailbox itself, also among the spam, and make sure that its address is on the list of readers.",
            )  # fmt: skip


def _unseen(station: Station, now: datetime, after: timedelta) -> Iterator[tuple[Campaign, str]]:
    """Mail that ought to be in the newsroom's own mailboxes by now, and is not."""
    for one, found in seeds.watched(station):
        if one.due_at + one.over + after > now:
            continue
        missing = [seed for seed, seen in found.items() if seen is None or seen.seen_at is None]
        if missing:
            said = "\n".join(
                f"  {seed}: {seen.said if (seen := found[seed]) is not None and seen.said else 'the mail is not there'}" for seed in missing
            )
            yield one, said


def _about(station: Station, one: Campaign, key: str, what: str, said: str, do: str) -> Condition:
    title = f"{_name(station, one.newsletter)}: campaign {one.id} {what}"
    return Condition(key=key, title=title, body=f"Issue {one.issue_id}, campaign {one.id}.\n{said}\n\n{do}")


def _name(station: Station, newsletter: str) -> str:
    there = station.settings.newsletters.get(newsletter)
    return there.name if there else newsletter


def mail(sender: Sender) -> int:
    """Mails the alarms that are due to those who have not been told; gives how many mails were taken."""
    people = sender.settings.newsroom.alarms.to
    if not people:
        return 0
    taken = 0
    with reading(sender.engine) as connection:
        due = rows.to_mail(connection, sender.clock())
    for one in due:
        pause = PAUSES[min(one.tries, len(PAUSES) - 1)]
        with transaction(sender.engine) as connection:
            if not rows.begin_try(connection, one, sender.clock() + pause if pause else None):
                continue
        told, said = set(one.told), ""
        for number, person in enumerate(people, 1):
            index = sender.vault.index(person).hex()
            if index in told:
                continue
            fault = _mail_one(sender, person, one.title, one.body, f"alarm-{one.id}-{one.tries + 1}-{number}")
            said = fault or said
            if not fault:
                told.add(index)
                taken += 1
        done = pause is None or all(sender.vault.index(person).hex() in told for person in people)
        with transaction(sender.engine) as connection:
            rows.end_try(connection, one.id, told=told, said=said, done=done)
        if said:
            given_up = "; it is not tried again" if done else ""
            named = {"alarm": one.id, "given_up": given_up, "why": said}
            log.error("alarm %(alarm)d could not be mailed to everybody%(given_up)s: %(why)s", named)
    return taken


def try_out(sender: Sender) -> list[str]:
    """Mails a test alarm to everybody who is told of alarms; gives for each what went wrong, or nothing. Raises Refusal."""
    people = sender.settings.newsroom.alarms.to
    if not people:
        raise Refusal("nobody is told of alarms", hint='Write into config/newsroom.toml, in a table [alarms]:  to = ["desk@example.org"]')
    mark = f"{sender.clock():%Y%m%d%H%M%S}"
    body = "This is a test: nothing is wrong. Alarms of this newsroom reach you by this way.\n\nThe alarms that last:  briefing alarms list"
    return [_mail_one(sender, one, "a test of the alarm", body, f"alarm-test-{mark}-{number}") for number, one in enumerate(people, 1)]


def _mail_one(sender: Sender, person: str, title: str, body: str, key: str) -> str:
    """One mail to one of the newsroom's people. Gives what went wrong, without an address; nothing when it was taken."""
    settings = sender.settings
    if not settings.newsletters:
        return "the newsroom has no newsletter, so no address to send from"
    first = settings.newsletters[min(settings.newsletters)]
    name, provider = settings.newsroom.name, sender.alarm_provider or sender.provider
    text = f"{body}\n\n-- \n{name}: an alarm of Briefing\n"
    content = Content(
        from_name=name, from_address=settings.newsroom.alarms.from_address or first.from_address, reply_to=first.reply_to,
        subject=f"[{name}] {title}", text=text,
        html=f'<!doctype html><html lang="en"><body><pre style="white-space:pre-wrap">{html.escape(text)}</pre></body></html>',
        list_id=f"alarms.{first.list_id}", list_name=f"{name}: alarms", language="en", archive_url="",
    )  # fmt: skip
    token = seal_leave_token(sender.leave_key, NOBODY, first.id, sender.clock())
    recipient = Recipient(NOBODY, person, f"{settings.newsroom.base_url}/leave/{first.id}/{token}")
    with reading(sender.engine) as connection:
        instance = campaigns.instance_name(connection)
    batch = Batch(key=f"{instance}-{key}", campaign=f"{instance}-{key}", content=content, recipients=(recipient,))
    try:
        (outcome,) = provider.send(batch)
    except BriefingError as error:
        return error.message
    except ValueError as error:
        return f"{provider.name} cannot send it: {error}"
    match outcome:
        case Accepted():
            return ""
        case Refused(reason, detail):
            return f"{provider.name} refused it: {detail or reason}"
        case _:
            return f"{provider.name}: {outcome.detail or 'it did not take it'}"
