"""What becomes of a batch of which nobody can tell: by key, by search, or by a person, and never by a blind repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from pipeline.core.campaign import BatchCause, CampaignState
from pipeline.core.message import Accepted, Batch, Outcome, Refused, RejectReason, TryLater, Unknown
from pipeline.core.settlement import Settlement
from pipeline.errors import CredentialsRefused, ProviderFault
from pipeline.flow import campaigns, doubts, readers
from pipeline.flow.doubts import Reconciled
from pipeline.providers.base import Call, Capabilities, Provider
from pipeline.store import batches
from pipeline.store import doubts as rows
from tests.flow.conftest import NEWSLETTER, Office

Open = Callable[..., Office]

PLAIN = Capabilities(
    batch_size=1000, payload_limit=10**8, per_recipient_headers=True, idempotency_window_s=None, lookup=False, call_limit_s=60,
    lookup_settles_s=None, signed_webhooks=False, tracking_switch=True,
)  # fmt: skip
KEYED = replace(PLAIN, idempotency_window_s=3600)
SEARCHED = replace(PLAIN, lookup=True, lookup_settles_s=1800)


@dataclass
class House(Provider):
    """A provider in memory: what it took under which key, and a script of what happens to the next calls."""

    capabilities: Capabilities = PLAIN
    script: list[str] = field(default_factory=list)
    name: str = "house"

    def __post_init__(self) -> None:
        self.taken: dict[str, tuple[str, ...]] = {}
        self.bodies: dict[str, str] = {}
        self.got, self.calls, self.shown = Counter[str](), 0, True

    def compose(self, batch: Batch) -> Call:
        lines = [batch.key, *(f"{one.address} {one.unsubscribe_url}" for one in batch.recipients)]
        return Call(batch=batch, body="\n".join(lines).encode())

    def submit(self, call: Call) -> Sequence[Outcome]:
        self.calls += 1
        batch, fate = call.batch, self.script.pop(0) if self.script else "ok"
        if fate == "throttle":
            return [TryLater(30, "later")] * len(batch.recipients)
        if fate == "refuse":
            return [Refused(RejectReason.OTHER, "no")] * len(batch.recipients)
        if fate == "401":
            raise CredentialsRefused("the key is refused", hint="Mend it.")
        known = self.capabilities.idempotency_window_s is not None and batch.key in self.taken
        if fate != "lost" and not known:
            self.take(batch)
            self.bodies[batch.key] = call.digest
        if fate in ("lost", "silent"):
            return [Unknown("no answer")] * len(batch.recipients)
        assert not known or self.bodies[batch.key] == call.digest, "another body under the same key"
        return [Accepted(f"{batch.key}/{number}") for number, _ in enumerate(batch.recipients)]

    def take(self, batch: Batch, share: float = 1.0) -> None:
        """Mails the first of a batch."""
        addresses = tuple(one.address for one in batch.recipients)
        self.taken[batch.key] = addresses[: int(len(addresses) * share)]
        self.got.update(self.taken[batch.key])

    def lookup(self, batch: Batch) -> Sequence[str | None]:
        if not self.shown:
            raise ProviderFault("the search is down")
        there = self.taken.get(batch.key, ())
        return [f"found-{one.subscriber_id}" if one.address in there else None for one in batch.recipients]

    def close(self) -> None: ...


def run(open_office: Open, house: House, count: int = 1500) -> tuple[Office, int]:
    """A campaign whose first batches met what the script says."""
    office = open_office()
    office = replace(office, sender=replace(office.sender, provider=house))
    id = office.launch(count)
    office.deliver_ready()
    return office, id


def test_a_key_gives_the_first_answer_again(open_office: Open) -> None:
    house = House(KEYED, ["silent"])
    office, id = run(open_office, house)
    assert office.status(id).tally.in_doubt == 1000
    assert doubts.reconcile(office.sender) == Reconciled(settled=1)
    assert office.status(id).tally.sent == 1500
    assert set(house.got.values()) == {1}
    assert campaigns.close_finished(office.sender) == 1


def test_a_key_mails_a_batch_that_was_lost(open_office: Open) -> None:
    house = House(KEYED, ["lost", "ok", "lost"])
    office, id = run(open_office, house)
    assert doubts.reconcile(office.sender) == Reconciled(waiting=1)
    office.clock.pass_by(minutes=1)
    assert doubts.reconcile(office.sender) == Reconciled(settled=1)
    assert office.status(id).tally.sent == 1500
    assert set(house.got.values()) == {1}


def test_not_now_is_no_answer_about_the_call_before(open_office: Open) -> None:
    house = House(KEYED, ["silent", "ok", "throttle"])
    office, id = run(open_office, house)
    assert doubts.reconcile(office.sender) == Reconciled(waiting=1)
    assert office.status(id).tally.in_doubt == 1000
    assert office.deliver_ready() == 0
    office.clock.pass_by(seconds=20)
    assert doubts.reconcile(office.sender) == Reconciled(waiting=1)
    assert house.calls == 3, "it was called again before the time it named"
    office.clock.pass_by(seconds=11)
    assert doubts.reconcile(office.sender) == Reconciled(settled=1)


def test_a_repeat_is_the_same_bytes_though_a_reader_has_left(open_office: Open) -> None:
    house = House(KEYED, ["silent"])
    office, id = run(open_office, house)
    readers.leave_by_address(office.sender, NEWSLETTER, "reader7@example.org")
    assert doubts.reconcile(office.sender) == Reconciled(settled=1)
    assert office.status(id).tally.sent == 1500


def test_other_bytes_are_never_repeated(open_office: Open) -> None:
    house = House(KEYED, ["silent"])
    office, id = run(open_office, house)
    moved = office.sender.settings.newsroom.model_copy(update={"base_url": "https://elsewhere.example.org"})
    sender = replace(office.sender, settings=replace(office.sender.settings, newsroom=moved))
    assert doubts.reconcile(sender) == Reconciled(held=1)
    assert "no longer what was sent" in office.status(id).troubled[0].detail
    assert house.calls == 2


def test_after_its_window_a_key_is_worth_nothing(open_office: Open) -> None:
    house = House(KEYED, ["silent"])
    office, id = run(open_office, house)
    office.clock.pass_by(hours=1)
    assert doubts.reconcile(office.sender) == Reconciled(held=1)
    assert house.calls == 2
    assert "waits for a person" in office.status(id).troubled[0].detail


def test_without_key_and_search_a_person_decides(open_office: Open) -> None:
    house = House(PLAIN, ["silent"])
    office, id = run(open_office, house)
    for _ in range(5):
        office.clock.pass_by(hours=1)
        doubts.reconcile(office.sender)
    assert office.status(id).tally.in_doubt == 1000
    assert house.calls == 2


def test_what_the_search_shows_is_a_fact(open_office: Open) -> None:
    house = House(SEARCHED, ["silent"])
    office, id = run(open_office, house)
    assert doubts.reconcile(office.sender) == Reconciled(settled=1)
    assert office.status(id).tally.sent == 1500
    found = readers.find(office.sender, "reader7@example.org")
    assert found is not None
    assert (found.issues[0][2].receipt or "").startswith("found-")
    assert house.calls == 2


def test_absence_is_believed_after_the_providers_own_time_and_twice(open_office: Open) -> None:
    house = House(SEARCHED, ["lost", "ok"])
    office, id = run(open_office, house)
    assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    office.clock.pass_by(minutes=29)
    assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    office.clock.pass_by(minutes=5)
    assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    assert house.calls == 2
    office.clock.pass_by(minutes=1)
    assert doubts.reconcile(office.sender, id) == Reconciled(settled=1)
    assert office.deliver_ready() == 1
    assert office.status(id).tally.sent == 1500
    assert set(house.got.values()) == {1}
    assert len({key for key in house.taken if key.endswith("-2")}) == 1


def test_absence_is_believed_when_a_later_call_is_shown(open_office: Open) -> None:
    house = House(replace(SEARCHED, lookup_settles_s=None), ["lost", "throttle"])
    office, id = run(open_office, house)
    office.clock.pass_by(minutes=2)
    assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    assert office.deliver_ready() == 1  # the second batch, accepted well after the first call could have arrived
    for settled in (Reconciled(waiting=1), Reconciled(settled=1)):
        office.clock.pass_by(minutes=1)
        assert doubts.reconcile(office.sender, id) == settled
    assert office.deliver_ready() == 1
    assert set(house.got.values()) == {1}
    assert len(house.got) == 1500


def test_a_search_that_lags_sends_nobody_a_second_mail(open_office: Open) -> None:
    """The later call is not shown either: the search has not caught up, so absence means nothing."""
    house = House(replace(SEARCHED, lookup_settles_s=None), ["silent", "throttle"])
    office, id = run(open_office, house)
    office.clock.pass_by(minutes=2)
    office.deliver_ready()
    hidden, house.taken = house.taken, {}
    for _ in range(4):
        office.clock.pass_by(minutes=1)
        assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    house.taken = hidden
    assert doubts.reconcile(office.sender, id) == Reconciled(settled=1)
    assert set(house.got.values()) == {1}


def test_found_in_part_the_rest_is_mailed(open_office: Open) -> None:
    house = House(SEARCHED, ["lost"])
    office, id = run(open_office, house, 1000)
    with pytest.MonkeyPatch.context() as patch:
        seen: list[Batch] = []

        def listening(batch: Batch) -> Sequence[str | None]:
            seen.append(batch)
            return [None] * len(batch.recipients)

        patch.setattr(house, "lookup", listening)
        doubts.reconcile(office.sender, id)
    house.take(seen[0], share=0.4)
    for settled in (Reconciled(waiting=1), Reconciled(settled=1)):
        office.clock.pass_by(hours=1)
        assert doubts.reconcile(office.sender, id) == settled
    tally = office.status(id).tally
    assert (tally.sent, tally.waiting, tally.total) == (400, 600, 1000)
    assert office.deliver_ready() == 1
    assert set(house.got.values()) == {1}
    assert len(house.got) == 1000


def test_a_search_that_is_down_is_asked_again(open_office: Open) -> None:
    house = House(SEARCHED, ["silent"])
    office, id = run(open_office, house)
    house.shown = False
    assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    assert "the search is down" in office.status(id).troubled[0].detail
    house.shown = True
    assert doubts.reconcile(office.sender, id) == Reconciled(settled=1)


def test_another_provider_is_not_asked(open_office: Open) -> None:
    house = House(SEARCHED, ["silent"])
    office, id = run(open_office, house)
    other = replace(office.sender, provider=House(SEARCHED, name="other"))
    assert doubts.reconcile(other, id) == Reconciled(held=1)
    assert "handed to house" in office.status(id).troubled[0].detail


def test_a_paused_campaign_repeats_nothing(open_office: Open) -> None:
    house = House(KEYED, ["silent"])
    office, id = run(open_office, house)
    campaigns.pause(office.sender, id)
    assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    assert house.calls == 2
    campaigns.resume(office.sender, id)
    assert doubts.reconcile(office.sender, id) == Reconciled(settled=1)


def test_a_refused_key_while_repeating_keeps_the_doubt_and_holds_the_campaign(open_office: Open) -> None:
    house = House(KEYED, ["silent", "ok", "401"])
    office, id = run(open_office, house)
    assert doubts.reconcile(office.sender, id) == Reconciled(held=1)
    status = office.status(id)
    assert status.campaign.state is CampaignState.HELD
    assert status.tally.in_doubt == 1000


@pytest.mark.parametrize("fault", ["drop-after", "5xx-after", "drop-before", "5xx", "half", "json", "accept-then-timeout"])
def test_the_sandbox_is_asked_over_http(open_office: Open, fault: str) -> None:
    office = open_office(f"{fault}=1x", BRIEFING_SANDBOX_TIMEOUT="5")
    id = office.launch(1500)
    office.deliver_ready()
    assert office.status(id).tally.in_doubt == 1000
    for _ in range(3):
        office.clock.pass_by(minutes=2)
        doubts.reconcile(office.sender)
    office.deliver_ready()
    assert office.status(id).tally.sent == 1500
    stats = office.inbox.store.stats()
    assert (stats.recipients, stats.duplicates) == (1500, 0)


@pytest.mark.parametrize("fault", ["drop-after", "half", "drop-before", "5xx"])
def test_the_sandbox_with_keys_is_repeated_over_http(open_office: Open, fault: str) -> None:
    office = open_office(f"{fault}=1x", BRIEFING_SANDBOX_CLASS="key")
    id = office.launch(1500)
    office.deliver_ready()
    assert office.status(id).tally.in_doubt == 1000
    assert doubts.reconcile(office.sender) == Reconciled(settled=1)
    assert office.status(id).tally.sent == 1500
    stats = office.inbox.store.stats()
    assert (stats.recipients, stats.duplicates) == (1500, 0)


def test_the_sandbox_with_neither_is_left_to_a_person(open_office: Open) -> None:
    office = open_office("drop-after=1x", BRIEFING_SANDBOX_CLASS="neither")
    id = office.launch(1500)
    office.deliver_ready()
    assert doubts.reconcile(office.sender) == Reconciled(held=1)
    assert office.status(id).tally.in_doubt == 1000


def test_a_search_that_lags_within_its_word_sends_nobody_a_second_mail(open_office: Open) -> None:
    office = open_office("drop-after=1x,lag=90s", BRIEFING_SANDBOX_SETTLES="120", BRIEFING_SANDBOX_TIMEOUT="5")
    id = office.launch(1500)
    office.deliver_ready()
    office.clock.pass_by(seconds=80)
    assert doubts.reconcile(office.sender) == Reconciled(waiting=1)
    office.clock.pass_by(seconds=20)
    assert doubts.reconcile(office.sender) == Reconciled(settled=1)
    assert office.status(id).tally.sent == 1500
    assert office.inbox.store.stats().duplicates == 0


class TestSeveralAtOnce:
    """Two workers look at the same batch. What the slower one has seen may be about a call that is long settled."""

    def test_a_worker_that_slept_over_its_second_look_does_not_send_again(self, open_office: Open) -> None:
        house = House(SEARCHED, ["lost", "silent"])
        office, id = run(open_office, house, 10)
        office.clock.pass_by(hours=1)
        doubts.reconcile(office.sender)  # the first look
        office.clock.pass_by(seconds=6)
        original, slept = house.lookup, list[bool]()

        def sleeping(batch: Batch) -> Sequence[str | None]:
            seen = original(batch)
            if not slept:
                slept.append(True)
                # Meanwhile another worker believes the same, sends again, and gets no answer to a call that was taken.
                doubts.reconcile(office.sender)
                office.deliver_ready()
                assert office.status(id).tally.in_doubt == 10
            return seen

        house.lookup = sleeping  # type: ignore[method-assign]
        doubts.reconcile(office.sender)
        for _ in range(4):
            office.clock.pass_by(hours=1)
            office.deliver_ready()
            doubts.reconcile(office.sender)
        assert office.status(id).tally.sent == 10
        assert set(house.got.values()) == {1}

    def test_what_was_seen_of_an_earlier_call_of_the_same_generation_settles_nothing(self, open_office: Open) -> None:
        house = House(SEARCHED, ["lost"])
        office, id = run(open_office, house, 10)
        with office.sender.engine.begin() as connection:
            seen = rows.doubts(connection, office.clock())[0]
            later = replace(seen, fence=seen.fence + 1)
            assert not rows.look_again(connection, later, when=office.clock(), looks=1, detail="")
            assert not rows.resolve(connection, seen.key, BatchCause.RESEND, detail="", now=office.clock(), seen=later.claim)
            assert rows.resolve(connection, seen.key, BatchCause.RESEND, detail="", now=office.clock(), seen=seen.claim)
        assert office.status(id).tally.waiting == 10


def test_two_looks_at_once_are_one(open_office: Open) -> None:
    house = House(SEARCHED, ["lost"])
    office, id = run(open_office, house, 10)
    office.clock.pass_by(hours=1)
    for _ in range(3):
        assert doubts.reconcile(office.sender, id) == Reconciled(waiting=1)
    office.clock.pass_by(seconds=6)
    assert doubts.reconcile(office.sender, id) == Reconciled(settled=1)


def test_a_call_after_a_doubt_is_looked_for_from_the_beginning(open_office: Open) -> None:
    house = House(SEARCHED, ["lost"])
    office, id = run(open_office, house, 10)
    office.clock.pass_by(hours=1)
    doubts.reconcile(office.sender)
    with office.sender.engine.begin() as connection:
        seen = rows.doubts(connection, office.clock() + timedelta(minutes=1))[0]
        assert seen.looks == 1
        # A frozen worker wakes and says that the provider took nothing.
        batches.record(connection, seen.claim, Settlement(cause=BatchCause.POSTPONE), office.clock())
    house.script = ["lost"]
    office.deliver_ready()
    with office.sender.engine.begin() as connection:
        assert rows.doubts(connection, office.clock() + timedelta(minutes=1))[0].looks == 0
    assert office.status(id).tally.in_doubt == 10


def test_a_refusal_of_a_repeat_says_nothing_of_the_call_before(open_office: Open) -> None:
    house = House(KEYED, ["silent", "refuse"])
    office, id = run(open_office, house, 10)
    assert doubts.reconcile(office.sender) == Reconciled(held=1)
    assert office.status(id).tally.in_doubt == 10, "it was taken: nobody of it may be mailed again"
    assert office.status(id).troubled[0].detail.startswith("the repeat was refused")
    office.clock.pass_by(minutes=16)
    doubts.reconcile(office.sender)
    assert office.status(id).tally.sent == 10
    assert set(house.got.values()) == {1}


def test_a_machine_that_slept_before_a_repeat_repeats_nothing(open_office: Open) -> None:
    house = House(KEYED, ["silent"])
    office, id = run(open_office, house, 10)
    ticks = iter(range(0, 10_000, 100))
    office = replace(office, sender=replace(office.sender, monotonic=lambda: float(next(ticks))))
    assert doubts.reconcile(office.sender) == Reconciled(waiting=1)
    assert house.calls == 1
    assert office.status(id).tally.in_doubt == 10
