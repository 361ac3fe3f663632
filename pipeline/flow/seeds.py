"""Seed mailboxes: a few addresses of the newsroom's own on the list of readers, looked into to see whether the mail arrives."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from pipeline.core.headers import url_value
from pipeline.errors import BriefingError, ConfigurationError
from pipeline.flow import occurrences
from pipeline.flow.context import Desk, Station
from pipeline.providers.imap import ImapMailbox
from pipeline.settings import Seed
from pipeline.store import alarms as rows
from pipeline.store import campaigns, editions
from pipeline.store.alarms import Arrival
from pipeline.store.campaigns import Campaign
from pipeline.store.engine import reading, transaction

WATCHED = timedelta(hours=24)
"""For how long after its time an issue is looked for."""

LOOK = timedelta(minutes=1)
LOOK_LATER = timedelta(minutes=10)
"""How often a mailbox is looked into for an issue: in its first hour, and afterwards."""

SKEW = timedelta(minutes=1)
"""How far a mail server's clock may be behind ours."""

EARLY = timedelta(hours=12)
"""How long before its slot an issue may have come out, for a look that knows the cadence only."""

log = logging.getLogger("pipeline.seeds")


def watched(station: Station) -> Iterator[tuple[Campaign, dict[str, Arrival | None]]]:
    """The campaigns of the last day that have started, each with what is known of it in every mailbox that reads its newsletter."""
    now, mailboxes = station.clock(), station.settings.newsroom.alarms.seeds
    if not mailboxes:
        return
    with reading(station.engine) as connection:
        for id in rows.due_between(connection, now - WATCHED, now):
            one = campaigns.get(connection, id)
            if one is None or one.started_at is None:
                continue
            known = {seen.seed: seen for seen in rows.arrivals(connection, id)}
            found = {name: known.get(name) for name, seed in mailboxes.items() if _reads(seed, one.newsletter)}
            if found:
                yield one, found


def look(station: Station) -> int:
    """Looks into the seed mailboxes for what has not been seen there yet; gives how many arrivals are new. A mailbox that cannot be
    read is no error here: it is written down, and an alarm comes of it when the mail is overdue."""
    now, seen = station.clock(), 0
    wanted: dict[str, list[Campaign]] = {}
    for one, found in watched(station):
        pause = LOOK if now - one.due_at < timedelta(hours=1) else LOOK_LATER
        for name, known in found.items():
            if known is None or (known.seen_at is None and now - known.looked_at >= pause):
                wanted.setdefault(name, []).append(one)
    for name, missing in wanted.items():
        found_in, said = _look_into(station, name, missing)
        with transaction(station.engine) as connection:
            for one in missing:
                rows.write_look(connection, one.id, name, now=now, seen=one.id in found_in, said=said)
        seen += len(found_in)
    return seen


def _look_into(station: Station, name: str, wanted: list[Campaign]) -> tuple[set[int], str]:
    """Which of the campaigns are in a mailbox, and why it could not be read."""
    found: set[int] = set()
    try:
        mailbox = open_mailbox(station, name)
        try:
            for one in wanted:
                with reading(station.engine) as connection:
                    url = editions.by_id(connection, one.edition_id).edition.archive_url
                assert one.started_at is not None
                if mailbox.arrived("Archived-At", url_value("Archived-At", url), one.started_at - SKEW):
                    found.add(one.id)
        finally:
            mailbox.close()
    except BriefingError as error:
        log.warning("seed mailbox %(seed)s: %(why)s", {"seed": name, "why": error.message})
        return found, error.message
    return found, ""


def open_mailbox(desk: Desk, name: str) -> ImapMailbox:
    """Opens a seed mailbox. Raises ConfigurationError, CredentialsRefused, ProviderFault."""
    seed = desk.settings.newsroom.alarms.seeds[name]
    if not seed.password:
        variable = f"BRIEFING_ALARMS_SEEDS_{name.upper()}_PASSWORD"
        raise ConfigurationError(f"the seed mailbox {name} has no password", hint=f"Set {variable} in the environment.")
    tls = seed.security == "tls"
    return ImapMailbox(seed.host, seed.port or (993 if tls else 143), seed.user, seed.password, tls, folder=seed.folder)


def overdue_by_cadence(desk: Desk) -> list[str]:
    """What the settings and the mailboxes alone tell, without the database: every newsletter whose last slot brought no mail of its
    ``List-Id``, in words. A mailbox that cannot be read is said, too."""
    alarms, now, said = desk.settings.newsroom.alarms, desk.clock(), list[str]()
    for name, seed in alarms.seeds.items():
        due = []
        for newsletter in desk.settings.newsletters.values():
            slot = occurrences.previous(desk, newsletter)
            late = slot is not None and slot.first + newsletter.schedule.over + alarms.after <= now < slot.first + WATCHED
            if slot is not None and late and _reads(seed, newsletter.id):
                due.append((newsletter, slot))
        if not due:
            continue
        try:
            mailbox = open_mailbox(desk, name)
            try:
                for newsletter, slot in due:
                    if not mailbox.arrived("List-Id", newsletter.list_id, slot.first - EARLY):
                        said.append(f"{newsletter.name}: nothing of the slot of {slot.wall:%Y-%m-%d %H:%M} ({slot.zone}) is in {name}")
            finally:
                mailbox.close()
        except BriefingError as error:
            said.append(f"{name}: {error.message}")
    return said


def _reads(seed: Seed, newsletter: str) -> bool:
    return not seed.newsletters or newsletter in seed.newsletters
