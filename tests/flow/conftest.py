"""A newsroom that mails: real SQLite, the sandbox over real HTTP, a set clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import app
from pipeline.flow import campaigns, delivery, editions, readers
from pipeline.flow.campaigns import Status
from pipeline.flow.context import Sender
from pipeline.providers.sandbox.adapter import DoubtClass
from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.run import RunningServer, start_in_thread
from tests.conftest import SetClock

NEWSLETTER = "eurasia-briefing"
ISSUE = f"{NEWSLETTER}/2021-08-18-after-kabul"


@dataclass(frozen=True, slots=True)
class Office:
    """A sender, its sandbox, and the few things tests do with them."""

    sender: Sender
    inbox: RunningServer
    clock: SetClock

    def subscribe(self, count: int) -> None:
        """Imports made-up readers."""
        path = self.sender.settings.var / "readers.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("email\n" + "".join(f"reader{number}@example.org\n" for number in range(count)), "utf-8")
        readers.import_csv(self.sender, path, NEWSLETTER, consent="a test")

    def launch(self, count: int = 2500) -> int:
        """Subscribes, approves, schedules for now, launches; gives the campaign."""
        self.subscribe(count)
        editions.approve(self.sender, ISSUE, approved_by="test")
        made = campaigns.schedule(self.sender, ISSUE, at=self.clock())
        campaigns.launch_due(self.sender)
        return made.id

    def tended(self, *, hours: int) -> None:
        """Time goes by, and a worker is there."""
        for _ in range(hours):
            self.clock.pass_by(hours=1)
            campaigns.tend(self.sender)

    def deliver_ready(self) -> int:
        """Delivers what is ready now, one batch after another; gives how many."""
        keys = delivery.ready(self.sender, 1000)
        for key in keys:
            delivery.deliver(self.sender, key)
        return len(keys)

    def status(self, id: int) -> Status:
        """Where a campaign is."""
        return campaigns.status(self.sender, id)


@pytest.fixture
def open_office(root: Path, clock: SetClock) -> Iterator[Callable[..., Office]]:
    """Opens an office whose sandbox plays the faults of a specification."""
    stops: list[Callable[[], None]] = []

    def open_(faults: str = "", **environment: str) -> Office:
        doubt_class = DoubtClass(environment.get("BRIEFING_SANDBOX_CLASS", "search"))
        inbox = start_in_thread(root / "var" / "sandbox.db", faults=parse_faults(faults), now=clock, doubt_class=doubt_class)
        stops.append(inbox.stop)
        sender = app.open_sender(app.load_settings(root, {"BRIEFING_SANDBOX_BASE_URL": inbox.url, **environment}), clock)
        stops.append(sender.close)
        return Office(sender, inbox, clock)

    yield open_
    for stop in reversed(stops):
        stop()
