"""What news from providers means for a reader. Functions of a set of events: their order and their repetition do not matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pipeline.core.event import EventType
from pipeline.core.message import RejectReason


class Bar(StrEnum):
    """Why an address is suppressed; a later one in this list outweighs those before it."""

    SOFT_BOUNCED = "soft_bounced"
    UNSUBSCRIBED = "unsubscribed"
    #: On a provider's list because its owner wants no mail of this sender; our own departures end subscriptions instead.
    MANUAL = "manual"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


ABOUT_US = frozenset({RejectReason.BLOCKED, RejectReason.SPAM, RejectReason.TIMED_OUT})
"""Reasons that say something of our mail or of the way to the mailbox, and nothing of the mailbox."""

PROOF = frozenset(EventType) - {EventType.OTHER}
"""Events that only come of a message which the provider took."""

_TELLING = (
    EventType.OTHER, EventType.SENT, EventType.DEFERRED, EventType.DELIVERED, EventType.FAILED, EventType.REJECTED, EventType.BOUNCED,
    EventType.UNSUBSCRIBED, EventType.COMPLAINED,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftPolicy:
    """When mail that is given up on again and again ends in a suppression."""

    issues: int = 5
    within: timedelta = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Try:
    """How one message ended: delivered, or given up on for now."""

    campaign_id: int
    at: datetime
    delivered: bool


def outweighs(bar: str, other: str) -> bool:
    """Whether one reason for a suppression takes the place of another."""
    order = list(Bar)
    return order.index(Bar(bar)) > order.index(Bar(other))


def bar_of(type: EventType, reason: RejectReason | None) -> Bar | None:
    """The suppression that one event alone brings: a complaint, or a bounce that is not about us."""
    if type is EventType.COMPLAINED:
        return Bar.COMPLAINED
    return Bar.BOUNCED if type is EventType.BOUNCED and reason not in ABOUT_US else None


def gave_up(type: EventType, reason: RejectReason | None, *, final: bool) -> bool:
    """A soft bounce: the provider tries no more, but the mailbox may be well tomorrow."""
    return (type is EventType.DEFERRED and final) or (type is EventType.BOUNCED and reason in ABOUT_US)


def worn_out(tries: Iterable[Try], policy: SoftPolicy) -> datetime | None:
    """When the policy was met, or None: mail of so many campaigns was given up on, the last within so long, none delivered since."""
    tries = list(tries)
    delivered = max((one.at for one in tries if one.delivered), default=None)
    failed = [one for one in tries if not one.delivered and (delivered is None or one.at > delivered)]
    if not failed:
        return None
    newest = max(one.at for one in failed)
    counted = {one.campaign_id for one in failed if one.at >= newest - policy.within}
    return newest if len(counted) >= policy.issues else None


def weight(type: EventType) -> int:
    """Which of two events of the same instant tells more of a message's fate."""
    return _TELLING.index(type)
