"""Every mixture of answers partitions the members: nobody is lost, nobody counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.campaign import BatchCause
from pipeline.core.message import Accepted, Outcome, Refused, RejectReason, TryLater, Unknown
from pipeline.core.settlement import settle

ANSWERS: list[Outcome] = [
    Accepted("<1@mail.example.org>"),
    Accepted("<2@mail.example.org>"),
    Refused(RejectReason.INVALID, "no such box"),
    TryLater(30.0, "too fast"),
    Unknown("hung up"),
]


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=30))
def test_members_are_partitioned(outcomes: list[Outcome]) -> None:
    members = list(range(100, 100 + len(outcomes)))
    found = settle(members, outcomes)
    accepted = sum(isinstance(one, Accepted) for one in outcomes)
    if found.cause in (BatchCause.POSTPONE, BatchCause.DOUBT):
        assert not found.later
        assert not found.unknown
        assert accepted == 0
        return
    out = [member for member, _ in found.refused] + list(found.later) + list(found.unknown) + [one for half in found.halves for one in half]
    assert len(out) == len(set(out)) == len(members) - accepted
    assert (found.cause is BatchCause.ACCEPT) == (accepted == len(members))
    assert (found.cause is BatchCause.REFUSE) == (accepted == 0)
    assert len(found.receipts) in (0, 1, accepted)


def test_one_fate_moves_the_batch_as_a_whole() -> None:
    assert settle([1, 2], [TryLater(3), TryLater(9)]).after_s == 9
    assert settle([1, 2], [TryLater(3), TryLater(9)]).cause is BatchCause.POSTPONE
    assert settle([1, 2], [Unknown(), Unknown("hung up")]).cause is BatchCause.DOUBT
    assert settle([1, 2], [Unknown(), Unknown("hung up")]).detail == "hung up"


def test_a_shared_receipt_is_kept_once() -> None:
    assert settle([1, 2], [Accepted("a"), Accepted("a")]).receipts == ("a",)
    assert settle([1, 2], [Accepted("a"), Accepted("b")]).receipts == ("a", "b")


@pytest.mark.parametrize("outcomes", [[], [Accepted("a")], [Accepted("a")] * 3])
def test_a_provider_that_miscounts_is_not_guessed_at(outcomes: list[Outcome]) -> None:
    with pytest.raises(ValueError, match="outcomes for"):
        settle([1, 2], outcomes)


def test_a_call_refused_as_a_whole_is_tried_again_by_halves() -> None:
    found = settle([1, 2, 3], [Refused(RejectReason.OTHER, "to parameter is not a valid address")] * 3)
    assert found.halves == ((1,), (2, 3))
    assert found.refused == ()
    assert settle([1], [Refused(RejectReason.OTHER, "no")]).halves == ()
    assert settle([1, 2], [Refused(RejectReason.INVALID, "no")] * 2).halves == ()
