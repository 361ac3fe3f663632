"""What providers report: kept once, applied in any order to the same end; suppressions, departures, doubts."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update

from pipeline.core.campaign import CampaignState
from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.errors import Refusal
from pipeline.flow import backups, campaigns, delivery, doubts, feedback, readers, suppressions
from pipeline.flow.context import Sender
from pipeline.flow.feedback import Received
from pipeline.providers.base import Forged
from pipeline.store import batches, fates, tables
from pipeline.store import campaigns as campaign_rows
from pipeline.store import readers as reader_rows
from pipeline.store.engine import reading, transaction
from tests.flow.conftest import NEWSLETTER, Office
from tests.flow.test_doubts import PLAIN, SEARCHED, House, run

Open = Callable[..., Office]
_ids = itertools.count(1)


def key_of(office: Office, campaign: int, no: int = 1, generation: int = 1) -> str:
    with reading(office.sender.engine) as connection:
        return batches.provider_key(campaign_rows.instance_name(connection), batches.BatchKey(campaign, no), generation)


def news(office: Office, type: EventType, reader: int | None = 1, *, campaign: int = 1, no: int = 1, **more: Any) -> Event:
    """An event about one reader's message, by our own tags."""
    given: dict[str, Any] = {
        "id": f"e{next(_ids)}",
        "at": office.clock(),
        "batch_key": key_of(office, campaign, no),
        "subscriber_id": reader,
    }
    return Event(type=type, **(given | more))


def tell(office: Office, *events: Event) -> Received:
    """Received and applied."""
    received = feedback.receive(office.sender, "sandbox", events)
    feedback.apply_pending(office.sender)
    return received


def address(number: int) -> str:
    """Of the reader with that id."""
    return f"reader{number - 1}@example.org"


def bars(office: Office) -> list[tuple[str, str, str]]:
    with reading(office.sender.engine) as connection:
        rows = connection.execute(select(tables.suppression)).all()
    return sorted((row.newsletter, row.reason, row.source) for row in rows)


def standing(office: Office, number: int) -> str:
    found = readers.find(office.sender, address(number))
    assert found is not None
    return found.subscriptions[0][1]


def sent(open_office: Open, count: int = 3) -> Office:
    office = open_office()
    office.launch(count)
    office.deliver_ready()
    campaigns.close_finished(office.sender)
    return office


def test_a_bounce_suppresses_everywhere_and_shows_in_the_readers_fate(open_office: Open) -> None:
    office = sent(open_office)
    tell(office, news(office, EventType.BOUNCED, reason=RejectReason.BOUNCED))
    assert bars(office) == [("*", "bounced", "sandbox")]
    found = readers.find(office.sender, address(1))
    assert found is not None
    fate = found.issues[0][2]
    assert (fate.status, fate.news, fate.news_at) == ("sent", "bounced", office.clock())
    assert found.suppressions == (("*", "bounced", "sandbox", office.clock()),)
    assert campaigns.audience_size(office.sender, NEWSLETTER) == 2
    assert campaigns.news(office.sender, 1) == {"bounced": 1}
    tally = office.status(1).tally
    assert (tally.sent, tally.total) == (3, 3)


def test_a_refusal_of_our_mail_is_no_fault_of_the_mailbox(open_office: Open) -> None:
    office = sent(open_office)
    tell(office, news(office, EventType.BOUNCED, reason=RejectReason.BLOCKED, final=True))
    assert bars(office) == []
    assert campaigns.audience_size(office.sender, NEWSLETTER) == 3


def test_a_complaint_suppresses_and_an_unsubscription_ends_the_subscription(open_office: Open) -> None:
    office = sent(open_office)
    tell(office, news(office, EventType.COMPLAINED, 1), news(office, EventType.UNSUBSCRIBED, 2))
    assert bars(office) == [("*", "complained", "sandbox")]
    assert (standing(office, 1), standing(office, 2), standing(office, 3)) == ("confirmed", "unsubscribed", "confirmed")
    assert campaigns.audience_size(office.sender, NEWSLETTER) == 1


def test_an_event_is_kept_once_and_applied_once(open_office: Open) -> None:
    office = sent(open_office)
    one = news(office, EventType.UNSUBSCRIBED, 2)
    assert tell(office, one, one) == Received(kept=1, repeated=1)
    assert tell(office, one) == Received(kept=0, repeated=1)
    with reading(office.sender.engine) as connection:
        acts = connection.execute(select(tables.consent.c.evidence).where(tables.consent.c.act == "unsubscribed")).scalars().all()
        assert acts == ["reported by sandbox"]
        assert connection.execute(select(tables.event.c.id)).scalars().all() == [1]


def test_other_news_under_a_used_signature_is_forged_and_not_kept(open_office: Open) -> None:
    office = sent(open_office)
    one = news(office, EventType.DELIVERED, nonce="token")
    assert tell(office, one) == Received(1, 0)
    assert tell(office, one) == Received(0, 1)  # the same call once more
    with pytest.raises(Forged):
        feedback.receive(office.sender, "sandbox", [news(office, EventType.COMPLAINED, nonce="token")])
    feedback.apply_pending(office.sender)
    assert bars(office) == []
    office.clock.pass_by(hours=19)
    feedback.apply_pending(office.sender)
    with reading(office.sender.engine) as connection:
        assert connection.execute(select(tables.nonce)).all() == []


def test_an_old_unsubscription_does_not_end_a_newer_subscription(open_office: Open) -> None:
    office = sent(open_office)
    late = news(office, EventType.UNSUBSCRIBED, 1)
    office.clock.pass_by(days=1)
    with transaction(office.sender.engine) as connection:  # left and confirmed anew meanwhile
        reader_rows.leave(connection, 1, NEWSLETTER, method="a test", now=office.clock())
        mine = tables.subscription.c.subscriber_id == 1
        connection.execute(update(tables.subscription).where(mine).values(state="confirmed", since=office.clock()))
    tell(office, late)
    assert standing(office, 1) == "confirmed"
    office.clock.pass_by(days=1)
    tell(office, news(office, EventType.UNSUBSCRIBED, 1))
    assert standing(office, 1) == "unsubscribed"


def test_news_of_nobody_here_changes_nothing(open_office: Open) -> None:
    office = sent(open_office)
    ours = key_of(office, 1)
    strange: list[dict[str, Any]] = [
        {"batch_key": ours.replace(ours[:8], "00000000"), "subscriber_id": 1},  # another newsroom, or this one before a backup
        {"batch_key": key_of(office, 99), "subscriber_id": 1},
        {"batch_key": key_of(office, 1, 99), "subscriber_id": 1},
        {"batch_key": ours, "subscriber_id": 4711},
        {"batch_key": ours, "subscriber_id": 0},
        {"batch_key": ours, "subscriber_id": 2**70},
        {"batch_key": ours, "subscriber_id": None},
        {"batch_key": "a'; DROP TABLE event", "subscriber_id": 1},
        {"batch_key": "0-0-0-0" * 100, "subscriber_id": 1},
        {"batch_key": "", "subscriber_id": None, "address": "stranger@example.org"},
        {"batch_key": "", "subscriber_id": None, "receipt": "no such receipt"},
    ]
    tell(office, *(news(office, EventType.COMPLAINED, **{"reader": None, **one}) for one in _renamed(strange)))
    assert bars(office) == []
    assert campaigns.news(office.sender, 1) == {}
    assert feedback.apply_pending(office.sender) == 0
    with reading(office.sender.engine) as connection:
        assert connection.execute(select(tables.event.c.address_index).where(tables.event.c.address_index.is_not(None))).all() == []


def _renamed(given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"reader": one.pop("subscriber_id"), **one} for one in map(dict, given)]


def test_without_tags_the_address_finds_the_reader(open_office: Open) -> None:
    office = sent(open_office)
    tell(office, news(office, EventType.BOUNCED, None, batch_key="", address=address(2).upper()))
    assert bars(office) == [("*", "bounced", "sandbox")]
    assert campaigns.audience_size(office.sender, NEWSLETTER) == 2
    tell(office, news(office, EventType.DELIVERED, None, address=address(3)))  # the key, and an address
    assert campaigns.news(office.sender, 1) == {"delivered": 1}


def test_without_tags_and_address_the_receipt_finds_the_message(open_office: Open) -> None:
    office, id = run(open_office, House(PLAIN), 5)
    with reading(office.sender.engine) as connection:
        lines = bytes(connection.execute(select(tables.receipt.c.ids)).scalar_one()).decode().split("\n")
    feedback.receive(office.sender, "house", [news(office, EventType.COMPLAINED, None, batch_key="", receipt=lines[3])])
    feedback.apply_pending(office.sender)
    assert campaigns.news(office.sender, id) == {"complained": 1}
    found = readers.find(office.sender, address(4))
    assert found is not None and found.suppressions[0][1] == "complained"


def test_no_address_is_stored_with_an_event(open_office: Open) -> None:
    office = sent(open_office)
    told = news(office, EventType.BOUNCED, None, batch_key="", address=address(1), detail=f"550 <{address(1)}>: no such mailbox")
    feedback.receive(office.sender, "sandbox", [told])
    with reading(office.sender.engine) as connection:
        row = connection.execute(select(tables.event)).one()
    assert "reader0" not in repr(row)
    assert "no such mailbox" in row.detail


def test_a_suppressed_address_stays_out_of_imports_and_additions_until_a_person_lifts_it(open_office: Open) -> None:
    office = sent(open_office)
    tell(office, news(office, EventType.BOUNCED, 1), news(office, EventType.UNSUBSCRIBED, 2))
    with pytest.raises(Refusal, match="suppressed"):
        readers.add(office.sender, NEWSLETTER, address(1), consent="asked anew")
    path = office.sender.settings.var / "again.csv"
    path.write_text(f"email\n{address(1)}\n{address(2)}\n", "utf-8")
    report = readers.import_csv(office.sender, path, NEWSLETTER, consent="an old list")
    assert (report.added, report.present, report.refused) == (0, 1, 1)
    assert campaigns.audience_size(office.sender, NEWSLETTER) == 1
    assert [(one.newsletter, one.reason, one.source, one.addresses) for one in suppressions.listed(office.sender)] == [
        ("*", "bounced", "sandbox", 1)
    ]
    assert suppressions.remove(office.sender, address(1))
    assert suppressions.listed(office.sender) == []
    assert campaigns.audience_size(office.sender, NEWSLETTER) == 2


def test_the_bar_of_a_reader_whose_row_is_gone_follows_the_address(open_office: Open) -> None:
    office = sent(open_office)
    with transaction(office.sender.engine) as connection:
        for table in (tables.consent, tables.subscription):
            connection.execute(delete(table).where(table.c.subscriber_id == 1))
        connection.execute(delete(tables.subscriber).where(tables.subscriber.c.id == 1))
    tell(office, news(office, EventType.COMPLAINED, 1, address=address(1)))
    assert bars(office) == [("*", "complained", "sandbox")]
    with pytest.raises(Refusal, match="suppressed"):
        readers.add(office.sender, NEWSLETTER, address(1), consent="asked anew")


def test_a_bounce_between_two_batches_keeps_the_reader_out_of_the_second(open_office: Open) -> None:
    office = open_office()
    id = office.launch(1500)
    delivery.deliver(office.sender, delivery.ready(office.sender, 1)[0])
    tell(office, news(office, EventType.BOUNCED, None, batch_key="", address=address(1400)))
    office.deliver_ready()
    tally = office.status(id).tally
    assert (tally.sent, tally.suppressed, tally.total) == (1499, 1, 1500)


# --- soft bounces --------------------------------------------------------------------------------------------------------


def issues(office: Office, count: int) -> None:
    """More campaigns of the same issue to the same readers, as rows: what came before is not of interest here."""
    with transaction(office.sender.engine) as connection:
        for number in range(2, count + 1):
            for table in ("campaign", "batch"):
                columns = [one.name for one in tables.metadata.tables[table].columns]
                name = "id" if table == "campaign" else "campaign_id"
                chosen = [str(number) if one == name else f"issue_id || '{number}'" if one == "issue_id" else f'"{one}"' for one in columns]
                listed = ", ".join(f'"{one}"' for one in columns)
                connection.execute(text(f"INSERT INTO {table} ({listed}) SELECT {', '.join(chosen)} FROM {table} WHERE {name} = 1"))


def given_up(office: Office, campaign: int, day: int) -> Event:
    at = office.clock.now + timedelta(days=day)
    return news(office, EventType.DEFERRED, 1, campaign=campaign, at=at, final=True, reason=RejectReason.TIMED_OUT)


def test_soft_bounces_of_five_issues_suppress_and_a_late_delivery_lifts_it(open_office: Open) -> None:
    office = sent(open_office)
    issues(office, 6)
    tell(office, *(given_up(office, campaign, 7 * campaign) for campaign in range(1, 5)))
    assert bars(office) == []
    tell(office, given_up(office, 4, 29), given_up(office, 4, 30))
    assert bars(office) == []
    tell(office, given_up(office, 5, 35))
    assert bars(office) == [("*", "soft_bounced", "policy")]
    tell(office, news(office, EventType.DELIVERED, 1, campaign=3, at=office.clock.now + timedelta(days=22)))
    assert bars(office) == []


def test_a_delivery_lifts_no_other_bar(open_office: Open) -> None:
    office = sent(open_office)
    issues(office, 6)
    tell(office, *(given_up(office, campaign, 7 * campaign) for campaign in range(1, 6)))
    suppressions.add(office.sender, address(1))
    assert bars(office) == [("*", "manual", "")]
    tell(office, news(office, EventType.DELIVERED, 1, campaign=6, at=office.clock.now + timedelta(days=50)))
    assert bars(office) == [("*", "manual", "")]


# --- any order, any number of times --------------------------------------------------------------------------------------

KINDS = [
    (EventType.SENT, None, False), (EventType.DELIVERED, None, False), (EventType.DEFERRED, None, False),
    (EventType.DEFERRED, RejectReason.TIMED_OUT, True), (EventType.BOUNCED, RejectReason.BOUNCED, False),
    (EventType.BOUNCED, RejectReason.BLOCKED, True), (EventType.COMPLAINED, RejectReason.SPAM, False),
    (EventType.UNSUBSCRIBED, None, False),
    (EventType.REJECTED, RejectReason.OTHER, False), (EventType.OTHER, None, False),
]  # fmt: skip


def end_state(office: Office) -> object:
    """What readers and editors can see of it."""
    with reading(office.sender.engine) as connection:
        barred = sorted(tuple(row) for row in connection.execute(select(tables.suppression)))
        standings = sorted(
            tuple(row) for row in connection.execute(select(tables.subscription.c.subscriber_id, tables.subscription.c.state))
        )
        states = sorted(tuple(row) for row in connection.execute(select(tables.batch.c.campaign_id, tables.batch.c.state)))
    found = [readers.find(office.sender, address(number)) for number in (1, 2, 3)]
    fates = [[(issue, fate.status, fate.news, fate.news_at) for _, issue, fate in one.issues] for one in found if one]
    return barred, standings, states, fates, [campaigns.news(office.sender, id) for id in range(1, 6)]


def start_again(office: Office) -> None:
    with transaction(office.sender.engine) as connection:
        for table in (tables.event, tables.suppression, tables.receipt):
            connection.execute(delete(table))
        connection.execute(update(tables.subscription).values(state="confirmed", since=office.clock.now - timedelta(days=1)))
        connection.execute(update(tables.batch).values(state="in_doubt", accepted_at=None))


def test_order_and_repetition_make_no_difference(open_office: Open) -> None:
    office = sent(open_office)
    issues(office, 5)
    event = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(0, 80), st.sampled_from(KINDS))

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(specs=st.lists(event, max_size=25), chance=st.randoms(use_true_random=False))
    def check(specs: list[Any], chance: Any) -> None:
        events = [
            news(office, type, reader, campaign=campaign, at=office.clock.now + timedelta(days=day), reason=reason, final=final)
            for reader, campaign, day, (type, reason, final) in specs
        ]
        start_again(office)
        tell(office, *events)
        wanted = end_state(office)
        start_again(office)
        shuffled = [*events, *events]
        chance.shuffle(shuffled)
        while shuffled:
            part, shuffled = shuffled[:4], shuffled[4:]
            feedback.receive(office.sender, "sandbox", part)
            if chance.random() < 0.5:
                feedback.apply_pending(office.sender)
        feedback.apply_pending(office.sender)
        assert end_state(office) == wanted

    check()


def test_ten_thousand_events_in_bounded_time(open_office: Open) -> None:
    office = sent(open_office, 2000)
    kinds = [EventType.DELIVERED] * 17 + [EventType.BOUNCED, EventType.COMPLAINED, EventType.DEFERRED]
    events = [
        news(office, kinds[number % 20], 1 + number % 2000, batch_key=key, final=True, no=1)
        for key in (key_of(office, 1, 1),)
        for number in range(10_000)
    ]
    started = time.monotonic()
    for start in range(0, len(events), 500):
        feedback.receive(office.sender, "sandbox", events[start : start + 500])
    feedback.apply_pending(office.sender)
    took = time.monotonic() - started
    assert took < 60  # about three seconds on a quiet machine
    assert campaigns.news(office.sender, 1)["delivered"] == 850  # of the thousand in the first batch
    assert len(bars(office)) == 100


# --- doubts --------------------------------------------------------------------------------------------------------------


def ids_of(office: Office, campaign: int, no: int) -> list[int]:
    with reading(office.sender.engine) as connection:
        return sorted(fates.members_of(connection, batches.BatchKey(campaign, no)))


def hear(office: Office, *events: Event) -> int:
    feedback.receive(office.sender, "house", events)
    return feedback.apply_pending(office.sender)


def test_news_of_every_message_settles_a_batch_that_nobody_can_ask_about(open_office: Open) -> None:
    office, id = run(open_office, House(PLAIN, ["silent"]))
    office.clock.pass_by(hours=1)
    members = ids_of(office, id, 1)
    kinds = itertools.cycle([EventType.SENT, EventType.DELIVERED, EventType.BOUNCED, EventType.COMPLAINED, EventType.DEFERRED])
    told = [news(office, next(kinds), one, campaign=id, receipt=f"m-{one}") for one in members]
    assert hear(office, *told[:-1]) == 0
    assert doubts.reconcile(office.sender, id).held == 1
    assert "999 of its readers were mailed" in office.status(id).troubled[0].detail
    assert hear(office, told[-1]) == 1
    status = office.status(id)
    assert (status.tally.sent, status.tally.total) == (1500, 1500)
    assert campaigns.close_finished(office.sender) == 1
    found = readers.find(office.sender, address(members[3]))
    assert found is not None and found.issues[0][2].receipt == f"m-{members[3]}"


def test_news_that_came_before_the_doubt_settles_it_too(open_office: Open) -> None:
    office, id = run(open_office, House(PLAIN, ["silent"]), 3)
    hear(office, *(news(office, EventType.SENT, one, campaign=id) for one in ids_of(office, id, 1)[:2]))
    with transaction(office.sender.engine) as connection:
        connection.execute(update(tables.batch).values(state="submitting"))
    hear(office, *(news(office, EventType.SENT, one, campaign=id) for one in ids_of(office, id, 1)[2:]))
    with transaction(office.sender.engine) as connection:
        connection.execute(update(tables.batch).values(state="in_doubt"))
    assert doubts.reconcile(office.sender, id).settled == 1
    assert office.status(id).tally.sent == 3


def test_other_events_prove_nothing(open_office: Open) -> None:
    office, id = run(open_office, House(PLAIN, ["silent"]), 3)
    assert hear(office, *(news(office, EventType.OTHER, one, campaign=id) for one in ids_of(office, id, 1))) == 0
    assert office.status(id).tally.in_doubt == 3


@pytest.mark.parametrize(("verdict", "waiting", "expired"), [("resend", 6, 0), ("drop", 0, 6)])
def test_a_persons_word_does_not_stand_against_proof(open_office: Open, verdict: str, waiting: int, expired: int) -> None:
    house = House(PLAIN, ["lost"])
    office, id = run(open_office, house, 10)
    hear(office, *(news(office, EventType.DELIVERED, one, campaign=id) for one in ids_of(office, id, 1)[:4]))
    campaigns.resolve(office.sender, batches.BatchKey(id, 1), verdict, by="a test")
    tally = office.status(id).tally
    assert (tally.sent, tally.waiting, tally.expired, tally.total) == (4, waiting, expired, 10)
    office.deliver_ready()
    assert len(house.got) == waiting
    assert campaigns.close_finished(office.sender) == 1


def test_proof_counts_where_a_search_shows_nothing(open_office: Open) -> None:
    house = House(SEARCHED, ["lost"])
    office, id = run(open_office, house, 10)
    hear(office, *(news(office, EventType.DELIVERED, one, campaign=id) for one in ids_of(office, id, 1)[:4]))
    for _ in range(2):
        office.clock.pass_by(hours=1)
        doubts.reconcile(office.sender, id)
    tally = office.status(id).tally
    assert (tally.sent, tally.waiting) == (4, 6)
    office.deliver_ready()
    assert len(house.got) == 6


# --- polling -------------------------------------------------------------------------------------------------------------


def polling(office: Office) -> Sender:
    newsroom = office.sender.settings.newsroom.model_copy(update={"poll_events": True})
    return replace(office.sender, settings=replace(office.sender.settings, newsroom=newsroom))


def test_a_provider_is_asked_for_its_events_over_http(open_office: Open) -> None:
    office = open_office()
    path = office.sender.settings.var / "more.csv"
    path.parent.mkdir(exist_ok=True)
    rows = ("bounce+a@example.org", "complain+b@example.org", "soft+c@example.org", "unsubscribe+d@example.org")
    path.write_text("email\n" + "\n".join(rows) + "\n", "utf-8")
    readers.import_csv(office.sender, path, NEWSLETTER, consent="a test")
    id = office.launch(400)
    office.deliver_ready()
    campaigns.close_finished(office.sender)
    assert office.status(id).campaign.state is CampaignState.SENT
    assert feedback.poll(office.sender) == 0  # not wished
    sender = polling(office)
    assert feedback.poll(sender) == 0  # not complete yet
    office.clock.pass_by(minutes=5)
    assert feedback.poll(sender) == 400 + 1 + 2 + 2 + 2
    feedback.apply_pending(sender)
    assert bars(office) == [("*", "bounced", "sandbox"), ("*", "complained", "sandbox")]
    assert campaigns.news(sender, id) == {"delivered": 402, "bounced": 1, "complained": 1, "deferred": 1, "unsubscribed": 1}
    office.clock.pass_by(minutes=5)
    assert feedback.poll(sender) == 0
    assert campaigns.audience_size(sender, NEWSLETTER) == 401


class TestNewsOfAnEarlierLife:
    def test_it_finds_its_campaign_and_its_reader(self, open_office: Open) -> None:
        office = sent(open_office)
        old = key_of(office, 1)
        backups.mark_restored(office.sender.engine, office.clock(), office.clock, provider="sandbox")
        assert key_of(office, 1) != old
        told = Event(id="late", type=EventType.UNSUBSCRIBED, at=office.clock(), batch_key=old, subscriber_id=2)
        tell(office, told, news(office, EventType.DELIVERED, 1, batch_key=old))
        assert standing(office, 2) == "unsubscribed"
        assert campaigns.news(office.sender, 1) == {"unsubscribed": 1, "delivered": 1}

    def test_it_proves_what_the_restore_put_in_doubt(self, open_office: Open) -> None:
        office = open_office()
        id = office.launch(3)
        old, taken_at = key_of(office, id), office.clock()
        backups.mark_restored(office.sender.engine, taken_at, office.clock, provider="sandbox")
        assert office.status(id).tally.in_doubt == 3
        # In the life that was lost, they went in other batches and under a later generation.
        other = old.removesuffix("-1-1") + "-7-2"
        tell(office, *(news(office, EventType.DELIVERED, one, batch_key=other) for one in (1, 2, 3)))
        assert (office.status(id).tally.in_doubt, office.status(id).tally.sent) == (0, 3)

    def test_a_campaign_of_the_lost_life_is_not_taken_for_one_of_this(self, open_office: Open) -> None:
        office = sent(open_office)
        old = key_of(office, 2)  # made after the backup: this life knows nothing of it
        backups.mark_restored(office.sender.engine, office.clock(), office.clock, provider="sandbox")
        tell(office, Event(id="x", type=EventType.DELIVERED, at=office.clock(), batch_key=old, subscriber_id=1))
        assert campaigns.news(office.sender, 1) == {}


def test_old_events_are_cleared_but_not_while_the_policy_needs_them(open_office: Open) -> None:
    office = sent(open_office)
    newsroom = office.sender.settings.newsroom.model_copy(update={"events_kept": timedelta(days=1)})
    office = replace(office, sender=replace(office.sender, settings=replace(office.sender.settings, newsroom=newsroom)))
    tell(office, news(office, EventType.DELIVERED), news(office, EventType.DEFERRED, 2, final=True))
    office.clock.pass_by(days=59)
    assert feedback.clear_old(office.sender) == 0, "soft bounces of 60 days count"
    office.clock.pass_by(days=2)
    assert feedback.clear_old(office.sender) == 2
    assert campaigns.news(office.sender, 1) == {}
    assert bars(office) == []
