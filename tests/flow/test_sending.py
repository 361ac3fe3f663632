"""From an approved draft to every reader once: the ledger, the provider's moods, and what an editor may do meanwhile."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.core.campaign import BatchCause, CampaignState
from pipeline.core.message import Accepted, Batch, Outcome, Refused, RejectReason
from pipeline.core.settlement import Settlement
from pipeline.errors import CredentialsRefused, Refusal
from pipeline.flow import campaigns, delivery, readers, suppressions
from pipeline.providers.base import Call, Capabilities, Provider
from pipeline.store import batches
from pipeline.store.batches import BatchKey
from pipeline.store.engine import open_engine, transaction
from tests.flow.conftest import ISSUE, NEWSLETTER, Office

Open = Callable[..., Office]


def test_everybody_once_with_one_body_and_a_link_each(open_office: Open) -> None:
    office = open_office()
    id = office.launch(2500)
    assert office.deliver_ready() == 3
    assert campaigns.close_finished(office.sender) == 1
    status = office.status(id)
    assert status.campaign.state is CampaignState.SENT
    assert (status.tally.sent, status.tally.total, status.campaign.audience) == (2500, 2500, 2500)
    stats = office.inbox.store.stats()
    assert (stats.mails, stats.recipients, stats.duplicates, stats.calls) == (2500, 2500, 0, 3)


def test_a_second_worker_finds_nothing_to_do(open_office: Open) -> None:
    office = open_office()
    office.launch(100)
    keys = delivery.ready(office.sender, 10)
    for _ in range(3):
        for key in keys:
            delivery.deliver(office.sender, key)
    assert office.inbox.store.stats().mails == 100
    assert campaigns.launch_due(office.sender) == 0


def test_a_hung_up_call_is_in_doubt_never_repeated_and_keeps_the_campaign_open(open_office: Open) -> None:
    office = open_office("drop-after=1x")
    id = office.launch(1500)
    office.deliver_ready()
    office.clock.pass_by(hours=1)
    delivery.sweep(office.sender)
    assert office.deliver_ready() == 0
    assert campaigns.close_finished(office.sender) == 0
    status = office.status(id)
    assert (status.tally.in_doubt, status.tally.sent, status.tally.total) == (1000, 500, 1500)
    assert office.inbox.store.stats().duplicates == 0
    campaigns.resolve(office.sender, status.troubled[0].key, "accepted", by="the night editor")
    assert campaigns.close_finished(office.sender) == 1
    assert office.status(id).tally.sent == 1500


def test_a_person_may_have_a_doubtful_batch_sent_again(open_office: Open) -> None:
    office = open_office("drop-before=1x")
    id = office.launch(1000)
    office.deliver_ready()
    assert office.status(id).tally.in_doubt == 1000
    campaigns.resolve(office.sender, BatchKey(id, 1), "resend", by="the night editor")
    assert office.deliver_ready() == 1
    assert office.status(id).tally.sent == 1000
    assert office.inbox.store.stats().duplicates == 0
    with pytest.raises(Refusal, match="not in doubt"):
        campaigns.resolve(office.sender, BatchKey(id, 1), "resend", by="the night editor")


def test_a_throttled_batch_comes_back_when_the_provider_said(open_office: Open) -> None:
    office = open_office("429=1x")
    id = office.launch(1000)
    office.deliver_ready()
    assert office.status(id).tally.waiting == 1000
    assert office.deliver_ready() == 0
    office.clock.pass_by(minutes=10)
    assert office.deliver_ready() == 1
    assert office.status(id).tally.sent == 1000


def test_refused_credentials_hold_the_campaign_and_lose_nobody(open_office: Open) -> None:
    office = open_office("401")
    id = office.launch(1500)
    with pytest.raises(CredentialsRefused):
        delivery.deliver(office.sender, BatchKey(id, 1))
    status = office.status(id)
    assert status.campaign.state is CampaignState.HELD
    assert "API_KEY" in status.campaign.reason
    assert status.tally.waiting == 1500
    assert office.deliver_ready() == 0


def test_a_provider_that_is_not_there_is_tried_again(open_office: Open) -> None:
    office = open_office()
    id = office.launch(10)
    office.inbox.stop()
    office.deliver_ready()
    status = office.status(id)
    assert status.tally.waiting == 10
    assert "cannot" in status.troubled[0].detail


def test_readers_who_leave_between_plan_and_claim_get_nothing(open_office: Open) -> None:
    office = open_office()
    id = office.launch(50)
    suppressions.add(office.sender, "reader7@example.org")
    readers.leave_by_address(office.sender, NEWSLETTER, "Reader8@example.org")
    office.deliver_ready()
    tally = office.status(id).tally
    assert (tally.sent, tally.suppressed, tally.total) == (48, 2, 50)
    found = readers.find(office.sender, "reader7@example.org")
    assert found is not None
    assert found.issues[0][2].status == "suppressed"
    sent = readers.find(office.sender, "reader9@example.org")
    assert sent is not None
    assert sent.issues[0][2].status == "sent"
    assert sent.issues[0][2].provider == "sandbox"
    assert sent.issues[0][2].receipt


def test_pause_and_resume(open_office: Open) -> None:
    office = open_office()
    id = office.launch(1500)
    campaigns.pause(office.sender, id)
    assert office.deliver_ready() == 0
    delivery.deliver(office.sender, BatchKey(id, 1))
    assert office.inbox.store.stats().mails == 0
    with pytest.raises(Refusal, match="already paused"):
        campaigns.pause(office.sender, id)
    campaigns.resume(office.sender, id)
    assert office.deliver_ready() == 2
    assert office.status(id).tally.sent == 1500


def test_cancel_and_a_second_campaign_mail_nobody_twice(open_office: Open) -> None:
    office = open_office()
    id = office.launch(2500)
    delivery.deliver(office.sender, BatchKey(id, 1))
    campaigns.cancel(office.sender, id)
    tally = office.status(id).tally
    assert (tally.sent, tally.expired, tally.total) == (1000, 1500, 2500)
    assert office.deliver_ready() == 0
    again = campaigns.schedule(office.sender, ISSUE, at=office.clock())
    campaigns.launch_due(office.sender)
    assert office.status(again.id).campaign.audience == 1500
    office.deliver_ready()
    stats = office.inbox.store.stats()
    assert (stats.mails, stats.recipients) == (2500, 2500)


def test_a_call_that_was_put_off_after_the_cancel_is_cancelled_too(open_office: Open) -> None:
    office = open_office()
    id = office.launch(1000)
    with transaction(office.sender.engine) as connection:
        claim = batches.claim(connection, BatchKey(id, 1), office.clock(), timedelta(seconds=60))
        assert claim is not None
        assert batches.intend(connection, claim, "sandbox", "0" * 64, office.clock(), timedelta(seconds=150))
    campaigns.cancel(office.sender, id)
    delivery.record(office.sender, claim, Settlement(cause=BatchCause.POSTPONE, after_s=1, detail="later"))
    assert office.status(id).tally.waiting == 1000
    delivery.sweep(office.sender)
    assert office.status(id).tally.expired == 1000


def test_a_worker_that_died_in_the_call_leaves_a_doubt(open_office: Open) -> None:
    office = open_office()
    id = office.launch(1000)
    with transaction(office.sender.engine) as connection:
        claim = batches.claim(connection, BatchKey(id, 1), office.clock(), timedelta(seconds=60))
        assert claim is not None
        batches.intend(connection, claim, "sandbox", "0" * 64, office.clock(), timedelta(seconds=150))
        batches.expire_leases(connection, office.clock())
    delivery.sweep(office.sender)
    assert office.status(id).tally.in_doubt == 1000
    assert office.deliver_ready() == 0


class Choosy(Provider):
    """A provider that refuses a whole call for one address it does not name, as Mailgun may."""

    name = "choosy"
    capabilities = Capabilities(
        batch_size=1000, payload_limit=10**7, per_recipient_headers=True, idempotency_window_s=None, lookup=False,
        call_limit_s=60, lookup_settles_s=None, signed_webhooks=False, tracking_switch=True,
    )  # fmt: skip

    def __init__(self, *bad: int) -> None:
        self.bad, self.mailed, self.calls = {f"reader{number}@example.org" for number in bad}, Counter[str](), 0

    def compose(self, batch: Batch) -> Call:
        return Call(batch=batch, body=b"")

    def submit(self, call: Call) -> Sequence[Outcome]:
        self.calls += 1
        batch = call.batch
        addresses = [one.address for one in batch.recipients]
        if not self.bad.isdisjoint(addresses) or "everyone" in self.bad:
            return [Refused(RejectReason.OTHER, "a parameter is not valid")] * len(addresses)
        self.mailed.update(addresses)
        return [Accepted(batch.key)] * len(addresses)

    def close(self) -> None: ...


def test_one_bad_address_costs_one_reader_not_a_batch(open_office: Open) -> None:
    office, choosy = open_office(), Choosy(7, 612)
    office = replace(office, sender=replace(office.sender, provider=choosy))
    id = office.launch(1500)
    while office.deliver_ready():
        pass
    tally = office.status(id).tally
    assert (tally.sent, tally.refused, tally.total) == (1498, 2, 1500)
    assert set(choosy.mailed.values()) == {1}
    assert len(choosy.mailed) == 1498
    assert campaigns.close_finished(office.sender) == 1
    refused = readers.find(office.sender, "reader612@example.org")
    assert refused is not None
    assert refused.issues[0][2].status == "rejected"
    sent = readers.find(office.sender, "reader613@example.org")
    assert sent is not None
    assert sent.issues[0][2].status == "sent"


def test_an_issue_that_is_refused_for_everyone_is_held_soon(open_office: Open) -> None:
    office, choosy = open_office(), Choosy()
    choosy.bad = {"everyone"}
    office = replace(office, sender=replace(office.sender, provider=choosy))
    id = office.launch(5000)
    while office.deliver_ready():
        pass
    status = office.status(id)
    assert status.campaign.state is CampaignState.HELD
    assert "a parameter is not valid" in status.campaign.reason
    assert choosy.calls < 100
    assert status.tally.total == 5000


def test_an_answer_is_kept_until_the_database_takes_it(open_office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is locked just when the provider says yes: the answer is tried again, and there is no doubt."""
    monkeypatch.setattr("pipeline.store.engine.BUSY_TIMEOUT_MS", 50)
    office = open_office()
    id = office.launch(10)
    holder = sqlite3.connect(office.sender.settings.var / "briefing.db", isolation_level=None, check_same_thread=False)
    slept: list[float] = []

    class Locking(Provider):
        """The real provider, and a lock taken by somebody else while its answer is under way."""

        name, capabilities = office.sender.provider.name, office.sender.provider.capabilities

        def compose(self, batch: Batch) -> Call:
            return office.sender.provider.compose(batch)

        def submit(self, call: Call) -> Sequence[Outcome]:
            outcomes = office.sender.provider.submit(call)
            holder.execute("BEGIN EXCLUSIVE")
            return outcomes

        def close(self) -> None: ...

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            holder.close()

    delivery.deliver(replace(office.sender, provider=Locking(), sleep=sleep), BatchKey(id, 1))
    assert slept == [1, 2, 4]
    assert office.status(id).tally.sent == 10


def test_a_doubt_of_a_cancelled_campaign_is_not_sent_again(open_office: Open) -> None:
    office = open_office("drop-after=1x")
    id = office.launch(1000)
    office.deliver_ready()
    campaigns.cancel(office.sender, id)
    with pytest.raises(Refusal, match="was cancelled"):
        campaigns.resolve(office.sender, BatchKey(id, 1), "resend", by="the night editor")
    campaigns.resolve(office.sender, BatchKey(id, 1), "drop", by="the night editor")
    assert office.status(id).tally.expired == 1000


def test_the_key_of_a_doubt_is_the_one_the_provider_has(open_office: Open) -> None:
    office = open_office("drop-after=1x")
    id = office.launch(10)
    office.deliver_ready()
    shown = office.status(id).troubled[0].provider_key
    _, (mail,) = office.inbox.store.mails(limit=1)
    assert mail.variables["batch"] == shown


def test_the_same_on_postgresql(open_office: Open, postgres_url: str) -> None:
    engine = open_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    office = open_office("429=1x,drop-before=1x", BRIEFING_DATABASE=postgres_url)
    id = office.launch(2500)
    office.deliver_ready()
    office.clock.pass_by(minutes=10)
    office.deliver_ready()
    tally = office.status(id).tally
    assert (tally.sent + tally.in_doubt, tally.in_doubt) == (2500, 1000)
    campaigns.resolve(office.sender, office.status(id).troubled[0].key, "resend", by="the night editor")
    office.deliver_ready()
    assert campaigns.close_finished(office.sender) == 1
    stats = office.inbox.store.stats()
    assert (stats.mails, stats.duplicates) == (2500, 0)


def test_the_filebox_is_a_provider_like_any_other(root: Path, open_office: Open) -> None:
    office = open_office(BRIEFING_PROVIDER="filebox")
    id = office.launch(20)
    office.deliver_ready()
    assert office.status(id).tally.sent == 20
    assert len(list((root / "var" / "outbox").glob("*.eml"))) == 20
