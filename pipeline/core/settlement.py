"""What a provider's answers mean for a batch: decided here, performed by store.batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.campaign import BatchCause
from pipeline.core.message import Accepted, Outcome, Refused, RejectReason, TryLater, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The move a batch makes, and the members that go another way."""

    cause: BatchCause
    receipts: tuple[str, ...] = ()
    #: One for all accepted members if they share it, else one each, in ascending order of subscriber id.
    refused: tuple[tuple[int, Refused], ...] = ()
    later: tuple[int, ...] = ()
    #: Members that move to a new batch, to be tried again.
    unknown: tuple[int, ...] = ()
    #: Members that move to a new batch that is in doubt.
    halves: tuple[tuple[int, ...], ...] = ()
    #: All members, to be tried again in two batches: the call was refused as a whole, most likely for one of them.
    after_s: float = 0.0
    detail: str = ""


def settle(members: Sequence[int], outcomes: Sequence[Outcome]) -> Settlement:
    """Reads one outcome a member. A batch that shares one fate moves as a whole; otherwise the minority moves out.

    Raises ValueError when there is not exactly one outcome a member: a provider adapter that miscounts must not be guessed at.
    """
    if len(members) != len(outcomes) or not members:
        raise ValueError(f"{len(outcomes)} outcomes for {len(members)} members")
    first = outcomes[0]
    if isinstance(first, Accepted) and outcomes.count(first) == len(outcomes):
        return Settlement(cause=BatchCause.ACCEPT, receipts=(first.receipt,))
    pairs = list(zip(members, outcomes, strict=True))
    accepted = [outcome.receipt for _, outcome in pairs if isinstance(outcome, Accepted)]
    refused = tuple((member, outcome) for member, outcome in pairs if isinstance(outcome, Refused))
    later = [(member, outcome) for member, outcome in pairs if isinstance(outcome, TryLater)]
    unknown = [(member, outcome) for member, outcome in pairs if isinstance(outcome, Unknown)]
    if len(refused) == len(pairs) > 1 and len(set(outcomes)) == 1 and refused[0][1].reason is RejectReason.OTHER:
        # Some providers refuse a whole call for one bad address without naming it: nobody was mailed, so look for it by halves.
        middle = len(members) // 2
        return Settlement(cause=BatchCause.REFUSE, halves=(tuple(members[:middle]), tuple(members[middle:])), detail=refused[0][1].detail)
    after_s = max((outcome.after_s for _, outcome in later), default=0.0)
    detail = next((o.detail for o in outcomes if not isinstance(o, Accepted) and o.detail), "")
    if len(later) == len(pairs):
        return Settlement(cause=BatchCause.POSTPONE, after_s=after_s, detail=detail)
    if len(unknown) == len(pairs):
        return Settlement(cause=BatchCause.DOUBT, detail=detail)
    if not accepted:
        cause = BatchCause.REFUSE
    else:
        cause = BatchCause.ACCEPT if len(accepted) == len(pairs) else BatchCause.ACCEPT_PARTLY
    return Settlement(
        cause=cause,
        receipts=(accepted[0],) if accepted and len(set(accepted)) == 1 else tuple(accepted),
        refused=refused,
        later=tuple(member for member, _ in later),
        unknown=tuple(member for member, _ in unknown),
        after_s=after_s,
        detail=detail,
    )
