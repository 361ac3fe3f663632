"""Events in the store: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from pipeline.core.event import EventType
from pipeline.core.feedback import Bar, Try
from pipeline.core.message import RejectReason
from pipeline.store import batches, events, fates, readers, tables
from pipeline.store.batches import BatchKey
from pipeline.store.engine import reading, transaction
from pipeline.store.members import pack_members
from tests.conftest import SetClock


def row(clock: SetClock, id: str, type: EventType = EventType.DELIVERED, **more: Any) -> dict[str, Any]:
    return {
        "provider": "mailgun", "event_id": id, "type": type, "at": clock(), "received_at": clock(), "campaign_id": 1, "batch_no": 1,
        "subscriber_id": 7, "address_index": b"x", "receipt": "", "reason": "", "final": False, "detail": "", **more,
    }  # fmt: skip


def apply(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        events.one_at_a_time(connection)
        found = {one.id: (one.campaign_id, one.batch_no, one.subscriber_id) for one in events.waiting(connection, 100)}
        if found:
            events.mark_applied(connection, found, clock())


def test_an_event_is_kept_once_by_provider_and_id(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        assert events.keep(connection, [row(clock, "a"), row(clock, "b"), row(clock, "a", EventType.BOUNCED)]) == 2
        assert events.keep(connection, [row(clock, "a"), row(clock, "c"), row(clock, "a", provider="sandbox")]) == 2
        assert events.keep(connection, []) == 0
        assert [one.event_id for one in events.waiting(connection, 3)] == ["a", "b", "c"]


def test_what_is_applied_waits_no_more_and_forgets_the_address(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        events.keep(connection, [row(clock, "a")])
    apply(engine, clock)
    with reading(engine) as connection:
        assert events.waiting(connection, 10) == []
        kept = connection.execute(select(tables.event)).one()
        assert (kept.address_index, kept.applied_at, kept.subscriber_id) == (None, clock(), 7)


def test_a_signature_is_spent_once_until_it_is_forgotten(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        assert events.spend(connection, "mailgun", [], clock())
        assert events.spend(connection, "mailgun", ["t", "u"], clock())
        assert not events.spend(connection, "mailgun", ["t", "v"], clock())
        assert events.spend(connection, "sandbox", ["t"], clock())
        events.forget_spent(connection, clock() + timedelta(seconds=1))
        assert events.spend(connection, "mailgun", ["t"], clock())


def test_what_is_known_of_a_message(engine: Engine, clock: SetClock) -> None:
    later = clock() + timedelta(minutes=1)
    with transaction(engine) as connection:
        events.keep(
            connection,
            [
                row(clock, "a", EventType.SENT, receipt="m-7"),
                row(clock, "b", EventType.COMPLAINED, at=later),
                row(clock, "c", EventType.DELIVERED, at=later),
                row(clock, "d", EventType.DELIVERED),
                row(clock, "e", EventType.OTHER, subscriber_id=8),
                row(clock, "f", EventType.DEFERRED, campaign_id=2, final=True),
                row(clock, "g", EventType.BOUNCED, campaign_id=3, reason=RejectReason.BLOCKED),
                row(clock, "h", EventType.DEFERRED, campaign_id=4),
            ],
        )
        assert events.latest(connection, 7) == {}  # not applied yet
    apply(engine, clock)
    with reading(engine) as connection:
        assert {of: (found.type, found.at) for of, found in events.latest(connection, 7).items()}[1] == ("complained", later)
        assert events.counts(connection, 1) == {"sent": 1, "complained": 1, "delivered": 1, "other": 1}
        assert events.proven(connection, 1, [7, 8, 9]) == {7: "m-7"}
        assert events.proven(connection, 1, []) == {}
        tried = events.tries(connection, [7, 8])
        assert set(tried) == {7}
        assert sorted(tried[7], key=lambda one: (one.campaign_id, one.at)) == [
            Try(1, clock(), True), Try(1, later, True), Try(2, clock(), False), Try(3, clock(), False),
        ]  # fmt: skip


def test_the_weightiest_bar_is_kept_whatever_comes_first(engine: Engine, clock: SetClock) -> None:
    earlier = clock() - timedelta(days=1)
    with transaction(engine) as connection:
        assert readers.suppress(connection, b"i", readers.ALL, Bar.BOUNCED, clock(), source="mailgun")
        for bar, since, source in ((Bar.SOFT_BOUNCED, earlier, "policy"), (Bar.MANUAL, earlier, ""), (Bar.BOUNCED, earlier, "sandbox")):
            assert not readers.suppress(connection, b"i", readers.ALL, bar, since, source=source)
        (found,) = readers.suppressions(connection)
        assert (found.reason, found.source, found.readers, found.newest) == ("bounced", "sandbox", 1, earlier)
        readers.unsuppress_soft(connection, b"i")
        readers.suppress(connection, b"i", readers.ALL, Bar.COMPLAINED, clock(), source="mailgun")
        readers.suppress(connection, b"j", "weekly", Bar.MANUAL, clock())
        assert [(one.newsletter, one.reason) for one in readers.suppressions(connection)] == [("*", "complained"), ("weekly", "manual")]
        assert [one.reason for one in readers.suppressions(connection, b"j")] == ["manual"]


def test_a_poll_remembers_how_far_it_came(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        assert events.polled_until(connection, "mailgun") is None
        for _ in range(2):
            clock.pass_by(minutes=5)
            events.set_polled(connection, "mailgun", clock())
        assert events.polled_until(connection, "mailgun") == clock()


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("bcb89d4d-1-2-3", ("bcb89d4d", BatchKey(1, 2))),
        ("", None),
        ("bcb89d4d-1-2", None),
        ("bcb89d4d-1-2-3-4", None),
        ("bcb89d4d-1-2-x", None),
        ("bcb89d4d-1-99999999999-3", None),
        ("bcb89d4d-٧-2-3", None),
    ],
)
def test_a_key_at_the_provider_is_read_as_it_was_written(name: str, meaning: tuple[str, BatchKey] | None) -> None:
    assert batches.read_provider_key(name) == meaning


def test_a_receipt_names_a_reader_where_each_has_one(engine: Engine, clock: SetClock) -> None:
    with transaction(engine) as connection:
        _batches(connection, clock, {1: "only-one-for-all", 2: "m-4\nm-5"})
        found = fates.by_receipt(connection, "mailgun", {"m-5", "only-one-for-all", "m-9"}, clock() - timedelta(days=1))
        assert found == {"m-5": (BatchKey(1, 2), 5)}
        assert fates.by_receipt(connection, "other", {"m-5"}, clock() - timedelta(days=1)) == {}
        assert fates.by_receipt(connection, "mailgun", {"m-5"}, clock() + timedelta(days=1)) == {}


def _batches(connection: Any, clock: SetClock, receipts: dict[int, str]) -> None:
    now = clock()
    connection.execute(
        insert(tables.edition).values(
            id=1, issue_id="i", newsletter="n", digest="d", source_digest="s", content="{}", approved_by="a", approved_at=now
        )
    )
    connection.execute(
        insert(tables.campaign).values(
            id=1, edition_id=1, issue_id="i", newsletter="n", state="sending", due_at=now, wall_time="", time_zone="UTC", tzdata="x",
            not_after_s=1, if_late="hold", created_at=now,
        )
    )  # fmt: skip
    for no, ids in receipts.items():
        members = [2 * no, 2 * no + 1]
        connection.execute(
            insert(tables.batch).values(
                campaign_id=1, no=no, first_id=members[0], last_id=members[1], size=2, members=pack_members(members), state="accepted",
                not_before=now, provider="mailgun", accepted_at=now,
            )
        )  # fmt: skip
        connection.execute(insert(tables.receipt).values(campaign_id=1, batch_no=no, ids=ids.encode()))


def test_old_events_go_and_what_is_still_needed_stays(engine: Engine, clock: SetClock) -> None:
    old = clock()
    with transaction(engine) as connection:
        values = {"issue_id": "n/1", "newsletter": "n", "digest": "0", "source_digest": "0", "content": "{}", "approved_by": "t"}
        made = connection.execute(insert(tables.edition).returning(tables.edition.c.id), values | {"approved_at": old}).scalar_one()
        for id, state in ((1, "accepted"), (2, "in_doubt")):
            given = {
                "edition_id": made,
                "issue_id": f"n/{id}",
                "newsletter": "n",
                "state": "sending",
                "due_at": old,
            }
            connection.execute(
                insert(tables.campaign).values(
                    id=id, wall_time="", time_zone="UTC", tzdata="", not_after_s=1, if_late="hold", created_at=old, **given
                )
            )
            planned = {"campaign_id": id, "no": 1, "first_id": 7, "last_id": 7, "size": 1, "members": pack_members([7])}
            connection.execute(insert(tables.batch).values(state=state, not_before=old, **planned))
        events.keep(connection, [row(clock, f"a{number}") for number in range(5)])
        events.keep(connection, [row(clock, "open", campaign_id=2), row(clock, "nobody", campaign_id=None)])
    apply(engine, clock)
    with transaction(engine) as connection:
        events.keep(connection, [row(clock, "not applied")])
    clock.pass_by(days=10)
    with transaction(engine) as connection:
        events.keep(connection, [row(clock, "young")])
    apply_only = {"young"}
    with transaction(engine) as connection:
        waiting = {one.id: (1, 1, 7) for one in events.waiting(connection, 9) if one.event_id in apply_only}
        events.mark_applied(connection, waiting, clock())
    before, after, gone = clock() - timedelta(days=1), 0, []
    while True:
        with transaction(engine) as connection:
            last, count = events.clear(connection, after, before, 3)
        gone.append(count)
        if last is None:
            break
        after = last
    assert gone == [3, 2, 1], "page by page"
    with reading(engine) as connection:
        assert set(connection.execute(select(tables.event.c.event_id)).scalars()) == {"open", "not applied", "young"}
