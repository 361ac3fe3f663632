"""Rates, quotas, mail domains and the circuit breaker, over a real database; time is set, so that an hour takes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from pipeline.core.campaign import CampaignState
from pipeline.flow import campaigns, delivery, readers
from pipeline.settings import Sending, Warming
from tests.flow.conftest import ISSUE, NEWSLETTER, Office
from tests.flow.test_doubts import PLAIN, House

Open = Callable[..., Office]


def limited(open_office: Open, house: House, **limits: object) -> Office:
    """An office with these limits, whose sleep is the clock's."""
    office = open_office()
    newsroom = office.sender.settings.newsroom.model_copy(update={"sending": Sending.model_validate(limits)})
    settings = replace(office.sender.settings, newsroom=newsroom)

    def sleep(seconds: float) -> None:
        office.clock.pass_by(seconds=seconds)

    return replace(office, sender=replace(office.sender, settings=settings, provider=house, sleep=sleep))


def test_calls_leave_at_the_rate_and_no_reader_is_lost(open_office: Open) -> None:
    house = House()
    office = limited(open_office, house, readers_per_second=500, batch_size=250)
    id, begun = office.launch(5000), office.clock()
    while office.status(id).tally.waiting:
        if not office.deliver_ready():
            office.clock.pass_by(seconds=1)
    assert office.status(id).tally.sent == 5000
    # The first burst is free: 4,500 readers at 500 a second.
    assert 9 <= (office.clock() - begun).total_seconds() <= 12
    assert set(house.got.values()) == {1}


def test_a_provider_that_says_later_says_it_to_all(open_office: Open) -> None:
    house = House(script=["throttle"])
    office = limited(open_office, house)
    id = office.launch(3000)
    office.deliver_ready()
    assert house.calls == 1
    assert office.status(id).tally.waiting == 3000
    office.clock.pass_by(seconds=31)
    office.deliver_ready()
    assert office.status(id).tally.sent == 3000


def test_a_provider_that_says_nothing_but_later_is_left_alone_in_the_end(open_office: Open) -> None:
    house = House(script=["throttle"] * 1000)
    office = limited(open_office, house, later_before_hold="1h")
    id, begun = office.launch(3000), office.clock()
    while office.status(id).campaign.state is CampaignState.SENDING:
        office.deliver_ready()
        office.clock.pass_by(seconds=31)
        assert office.clock() - begun < timedelta(hours=2), "it knocks for ever"
    assert timedelta(hours=1) <= office.clock() - begun
    assert 'only said "later" since' in office.status(id).campaign.reason
    assert office.status(id).tally.waiting == 3000
    # An editor's word gives it as long again.
    campaigns.resume(office.sender, id)
    office.deliver_ready()
    assert office.status(id).campaign.state is CampaignState.SENDING
    house.script.clear()
    office.clock.pass_by(seconds=31)
    office.deliver_ready()
    assert office.status(id).tally.sent == 3000


def test_a_quota_that_answers_once_a_day_is_no_endless_later(open_office: Open) -> None:
    house = House(script=["throttle", "throttle"])
    office = limited(open_office, house, later_before_hold="1h")
    id = office.launch(500)
    for _ in range(2):
        office.deliver_ready()
        office.tended(hours=24)
    assert office.status(id).campaign.state is CampaignState.SENDING
    office.deliver_ready()
    assert office.status(id).tally.sent == 500


def test_a_daily_quota_sends_the_rest_tomorrow(open_office: Open) -> None:
    house = House()
    office = limited(open_office, house, readers_per_day=2000)
    id = office.launch(5000)
    for sent in (2000, 4000, 5000):
        while office.deliver_ready():
            pass
        assert office.status(id).tally.sent == sent
        office.tended(hours=24)
    assert "used up" not in office.status(id).campaign.reason


def test_a_new_domain_is_warmed_up(open_office: Open) -> None:
    house = House()
    office = limited(open_office, house)
    start = office.clock().date()
    warming = Warming(start=start, readers_per_day=(100, 300))
    office = limited(open_office, house, warmup=warming.model_dump())
    id = office.launch(1000)
    for sent in (100, 400, 1000):
        while office.deliver_ready():
            pass
        assert office.status(id).tally.sent == sent
        office.tended(hours=24)
    assert start < date.max


def test_a_mail_domain_gets_so_many_a_minute_and_the_others_do_not_wait(open_office: Open) -> None:
    house = House()
    office = limited(open_office, house, domains={"slow.example.org": 50})
    path = office.sender.settings.var / "slow.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("email\n" + "".join(f"r{n}@slow.example.org\n" for n in range(170)), "utf-8")
    readers.import_csv(office.sender, path, NEWSLETTER, consent="a test")
    id = office.launch(800)
    slow = []
    for _ in range(5):
        while office.deliver_ready():
            pass
        slow.append(sum(n for address, n in house.got.items() if address.endswith("@slow.example.org")))
        office.clock.pass_by(seconds=61)
    assert slow == [50, 100, 150, 170, 170]
    status = office.status(id)
    assert (status.tally.sent, status.tally.total) == (970, 970)
    assert Counter(house.got.values()) == {1: 970}


def test_doubt_after_doubt_holds_the_campaign(open_office: Open) -> None:
    house = House(PLAIN, ["silent"] * 50)
    office = limited(open_office, house, batch_size=100)
    id = office.launch(2000)
    office.deliver_ready()
    status = office.status(id)
    assert status.campaign.state is CampaignState.HELD
    assert "ended in doubt" in status.campaign.reason
    assert (status.tally.in_doubt, status.tally.waiting) == (500, 1500)
    assert house.calls == 5


def test_a_good_call_in_between_closes_the_circuit(open_office: Open) -> None:
    house = House(PLAIN, (["silent"] * 4 + ["ok"]) * 4)
    office = limited(open_office, house, batch_size=100)
    id = office.launch(2000)
    office.deliver_ready()
    assert office.status(id).campaign.state is CampaignState.SENDING


@pytest.mark.parametrize("size", [1, 7])
def test_a_newsroom_may_ask_for_smaller_batches(open_office: Open, size: int) -> None:
    house = House()
    office = limited(open_office, house, batch_size=size)
    office.launch(20)
    office.deliver_ready()
    assert house.calls == -(-20 // size)
    assert campaigns.close_finished(office.sender) == 1
    assert ISSUE


@pytest.mark.parametrize("stop", [campaigns.pause, campaigns.cancel])
def test_a_batch_that_waits_for_its_turn_notices_that_its_campaign_was_stopped(open_office: Open, stop: Callable[..., object]) -> None:
    house = House()
    office = limited(open_office, house, calls_per_second=0.25, batch_size=100)
    id = office.launch(200)
    key, other = delivery.ready(office.sender, 2)
    delivery.deliver(office.sender, key)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        office.clock.pass_by(seconds=seconds)
        if len(slept) == 2:
            stop(office.sender, id)

    delivery.deliver(replace(office.sender, sleep=sleep), other)
    assert slept == [delivery.NOTICE_S] * 2, "the wait was to last four seconds"
    assert office.status(id).tally.submitting == 0
    assert list(map(len, house.taken.values())) == [100]
