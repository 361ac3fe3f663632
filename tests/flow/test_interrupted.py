"""A campaign that was left alone for hours waits for an editor, one that waits for its limits does not; a spread one keeps its pace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.core.campaign import CampaignState
from pipeline.flow import campaigns, delivery, editions
from pipeline.store import batches
from pipeline.store.engine import reading, transaction
from tests.flow.conftest import ISSUE, Office

Open = Callable[..., Office]


def begun(office: Office) -> int:
    """A campaign of three batches, one of them sent."""
    id = office.launch(2500)
    campaigns.tend(office.sender)
    delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])
    return id


@pytest.mark.parametrize(("hours", "held"), [(5.9, False), (7, True)])
def test_a_process_dead_for_hours_does_not_go_on_with_old_news(open_office: Open, hours: float, held: bool) -> None:
    office = open_office()
    id = begun(office)
    office.clock.pass_by(hours=hours)
    # Before any tick, too: what another worker hands out is asked of the ledger.
    assert bool(delivery.ready(office.sender, 10)) is not held
    assert campaigns.tend(office.sender) == int(held)
    assert (office.deliver_ready() == 0) is held
    status = office.status(id)
    assert status.campaign.state is (CampaignState.HELD if held else CampaignState.SENDING)
    if held:
        assert "no worker was there for it from 2021-08-18 04:30 UTC on" in status.campaign.reason
        assert status.tally.sent == 1000
        campaigns.resume(office.sender, id)
        assert campaigns.tend(office.sender) == 0
        assert office.deliver_ready() == 2
        assert office.status(id).tally.sent == 2500


def test_a_worker_that_slept_with_a_batch_in_hand_does_not_send_it(open_office: Open) -> None:
    office = open_office()
    id = begun(office)
    with transaction(office.sender.engine) as connection:
        key = batches.ready(connection, office.clock(), 1)[0]
        claim = batches.claim(connection, key, office.clock(), timedelta(seconds=60))
    assert claim is not None
    office.clock.pass_by(hours=7)
    with transaction(office.sender.engine) as connection:
        assert not batches.intend(connection, claim, "sandbox", "digest", office.clock(), timedelta(seconds=150))
    assert office.status(id).tally.submitting == 0


def test_paused_for_hours_it_waits_for_an_editors_word(open_office: Open) -> None:
    office = open_office()
    id = begun(office)
    office.clock.pass_by(hours=1)
    campaigns.tend(office.sender)
    campaigns.pause(office.sender, id)
    office.clock.pass_by(hours=5.5)
    assert campaigns.tend(office.sender) == 0
    office.clock.pass_by(hours=1)
    assert campaigns.tend(office.sender) == 1
    assert "it was paused from 2021-08-18 05:30 UTC on" in office.status(id).campaign.reason
    assert campaigns.resume(office.sender, id).state is CampaignState.SENDING
    assert office.deliver_ready() == 2


def test_slow_by_its_limits_for_days_is_not_stale(open_office: Open, root: Path) -> None:
    path = root / "config" / "newsroom.toml"
    path.write_text(path.read_text("utf-8") + "\n[sending]\nreaders_per_day = 1000\n", "utf-8")
    office = open_office()
    id = office.launch(2500)
    for _ in range(3 * 24):
        office.clock.pass_by(hours=1)
        assert campaigns.tend(office.sender) == 0
        office.deliver_ready()
    assert office.status(id).tally.sent == 2500
    assert office.clock() - office.status(id).campaign.due_at > timedelta(days=2)


def test_it_is_written_once_a_minute_not_at_every_tick(open_office: Open) -> None:
    office = open_office()
    id = begun(office)
    before = office.status(id).campaign.stale_at
    office.clock.pass_by(seconds=59)
    campaigns.tend(office.sender)
    assert office.status(id).campaign.stale_at == before
    office.clock.pass_by(seconds=1)
    campaigns.tend(office.sender)
    assert office.status(id).campaign.stale_at == office.clock() + timedelta(hours=6)


def spread(office: Office, readers: int, hours: float) -> int:
    office.subscribe(readers)
    editions.approve(office.sender, ISSUE, approved_by="test")
    made = campaigns.schedule(office.sender, ISSUE, at=office.clock(), over=timedelta(hours=hours))
    campaigns.launch_due(office.sender)
    return made.id


def sent_by_minute(office: Office, id: int, minutes: int) -> list[int]:
    """How many readers were sent it, minute by minute."""
    counts = []
    for _ in range(minutes):
        campaigns.tend(office.sender)
        office.deliver_ready()
        counts.append(office.status(id).tally.sent)
        office.clock.pass_by(minutes=1)
    return counts


def test_a_few_readers_are_spread_evenly_too(open_office: Open) -> None:
    office = open_office()
    id = spread(office, 36, 0.2)
    status = office.status(id)
    assert status.ends_at == office.clock() + timedelta(minutes=11)
    assert sent_by_minute(office, id, 12) == [3 * minute for minute in range(1, 13)]


def test_after_a_pause_the_rest_keeps_its_pace(open_office: Open) -> None:
    office = open_office()
    id = spread(office, 36, 0.2)
    sent_by_minute(office, id, 4)
    campaigns.pause(office.sender, id)
    office.clock.pass_by(hours=1)
    assert office.deliver_ready() == 0
    campaigns.resume(office.sender, id)
    assert sent_by_minute(office, id, 8) == [12 + 3 * minute for minute in range(1, 9)]


def test_after_an_interruption_the_rest_keeps_its_pace(open_office: Open) -> None:
    office = open_office()
    id = spread(office, 36, 0.2)
    sent_by_minute(office, id, 4)
    office.clock.pass_by(hours=2)
    assert sent_by_minute(office, id, 8) == [12 + 3 * minute for minute in range(1, 9)]


def test_big_batches_stay_as_big_as_they_may_be(open_office: Open) -> None:
    office = open_office()
    id = spread(office, 2500, 0.05)
    with reading(office.sender.engine) as connection:
        last = batches.last_planned(connection, id)
    assert last == office.clock() + timedelta(minutes=2)
    assert office.deliver_ready() == 1
