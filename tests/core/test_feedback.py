"""What events mean for a reader: tables, and the policy for soft bounces as a function of a set."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.event import EventType
from pipeline.core.feedback import Bar, SoftPolicy, Try, bar_of, gave_up, outweighs, worn_out
from pipeline.core.message import RejectReason

DAY = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = SoftPolicy(issues=3, within=timedelta(days=60))


def tries(*spec: tuple[int, int, bool]) -> list[Try]:
    """Campaign, day, delivered."""
    return [Try(campaign, DAY + timedelta(days=day), delivered) for campaign, day, delivered in spec]


@pytest.mark.parametrize(
    ("given", "met"),
    [
        ([], False),
        ([(1, 0, False), (2, 14, False)], False),
        ([(1, 0, False), (2, 14, False), (3, 28, False)], True),
        ([(1, 0, False), (1, 1, False), (1, 2, False)], False),  # one issue, however often
        ([(1, 0, False), (2, 14, False), (3, 61, False)], False),  # too far apart
        ([(1, 0, False), (2, 14, True), (3, 28, False), (4, 42, False)], False),  # one was delivered in between
        ([(0, -5, True), (1, 0, False), (2, 14, False), (3, 28, False)], True),
        ([(1, 0, False), (2, 14, False), (3, 28, False), (4, 42, True)], False),  # the mailbox is well again
    ],
)
def test_the_policy_for_soft_bounces(given: list[tuple[int, int, bool]], met: bool) -> None:
    news = tries(*given)
    found = worn_out(news, POLICY)
    assert (found is not None) == met
    for seed in range(5):
        assert worn_out(random.Random(seed).sample([*news, *news], 2 * len(news)), POLICY) == found


def test_the_default_is_five_issues_in_sixty_days() -> None:
    assert (SoftPolicy().issues, SoftPolicy().within) == (5, timedelta(days=60))


@pytest.mark.parametrize(
    ("type", "reason", "bar", "soft"),
    [
        (EventType.BOUNCED, RejectReason.BOUNCED, Bar.BOUNCED, False),
        (EventType.BOUNCED, None, Bar.BOUNCED, False),
        (EventType.BOUNCED, RejectReason.BLOCKED, None, True),
        (EventType.BOUNCED, RejectReason.SPAM, None, True),
        (EventType.COMPLAINED, RejectReason.SPAM, Bar.COMPLAINED, False),
        (EventType.DEFERRED, RejectReason.TIMED_OUT, None, True),
        (EventType.DELIVERED, None, None, False),
        (EventType.REJECTED, RejectReason.OTHER, None, False),
        (EventType.UNSUBSCRIBED, None, None, False),
    ],
)
def test_what_one_event_brings(type: EventType, reason: RejectReason | None, bar: Bar | None, soft: bool) -> None:
    assert bar_of(type, reason) is bar
    assert gave_up(type, reason, final=True) is soft


def test_a_deferral_that_is_tried_again_is_nothing() -> None:
    assert not gave_up(EventType.DEFERRED, None, final=False)


def test_a_complaint_outweighs_all_and_a_person_outweighs_the_policy() -> None:
    assert outweighs("complained", "bounced")
    assert outweighs("manual", "soft_bounced")
    assert outweighs("bounced", "manual")
    assert not outweighs("bounced", "bounced")
