"""The mailbox to which reports of non-delivery and complaints come, read mail by mail (decision 26)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta

from pipeline.clock import Clock
from pipeline.core.event import Event
from pipeline.providers.arf import read_complaint
from pipeline.providers.bounces import Bounces
from pipeline.providers.dsn import read_dsn
from pipeline.providers.imap import ImapMailbox

FIRST_DAYS = timedelta(days=7)
"""How far back mails are read the first time, or when the mailbox was made anew: servers give up after five days at most."""

PIECE = 100
"""Mails whose events are kept in one commit."""

_PLACE = re.compile(r"([0-9]{1,10}):([0-9]{1,10})")
_log = logging.getLogger("pipeline.providers.mailbox")


class BounceMailbox:
    """Where ``bounces`` makes return addresses for."""

    def __init__(self, open_mailbox: Callable[[], ImapMailbox], bounces: Bounces, now: Clock) -> None:
        self._open, self._bounces, self._now = open_mailbox, bounces, now

    def events_after(self, place: str) -> Iterator[tuple[Sequence[Event], str]]:
        """The events of mails behind a place (``<UIDVALIDITY>:<UID>``), and the place behind them. Raises ProviderFault.

        Only what carries our mark counts: a report about whatever address can be written by anybody.
        """
        with closing(self._open()) as box:
            after = self._begin(box, place)
            counts = {"mails": 0, "reports": 0, "foreign": 0, "others": 0}
            events: list[Event] = []
            for uid, raw in box.fetch_new(after):
                found = read_dsn(raw, bounces=self._bounces, now=self._now()) or read_complaint(raw, bounces=self._bounces, now=self._now())
                ours = [one for one in found if one.batch_key]
                events += ours
                counts["mails"] += 1
                counts["reports" if ours else "foreign" if found else "others"] += 1
                after = uid
                if counts["mails"] % PIECE == 0:
                    yield events, f"{box.uidvalidity}:{after}"
                    events = []
            yield events, f"{box.uidvalidity}:{after}"
            if counts["mails"]:
                _log.info(
                    "bounce mailbox: %(mails)d mails read, %(reports)d reports about our mail, %(foreign)d reports without our mark, "
                    "%(others)d that are no report",
                    counts,
                )

    def ask(self) -> str:
        """Logs in and looks how much there is. Raises ProviderFault."""
        with closing(self._open()) as box:
            return f"the bounce mailbox opens, its next mail is number {box.uidnext}"

    def _begin(self, box: ImapMailbox, place: str) -> int:
        """The UID behind which is read: the remembered one, while the mailbox is the same."""
        known = _PLACE.fullmatch(place)
        if known and int(known[1]) == box.uidvalidity:
            return int(known[2])
        if known:
            _log.warning("bounce mailbox: it was made anew at the server; the last %(days)d days are read again", {"days": FIRST_DAYS.days})
        recent = box.search("", "", (self._now() - FIRST_DAYS).date())
        return min(recent, default=box.uidnext) - 1
