"""What is handed to a provider and what comes back, in words no provider owns.

A ``Batch`` is the slice one provider call takes; a ``Recipient`` is one message's share of it; an ``Outcome`` is what
became of one message. Statuses and reasons are django-anymail's words, plus our own where it has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class RejectReason(StrEnum):
    """Why a message was refused."""

    INVALID = "invalid"
    BOUNCED = "bounced"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    SPAM = "spam"
    UNSUBSCRIBED = "unsubscribed"
    OTHER = "other"


class Recipient(NamedTuple):
    """One reader's share of a batch. A tuple, since a campaign makes millions."""

    subscriber_id: int
    address: str
    unsubscribe_url: str
    #: https, carries the reader's token, goes into ``List-Unsubscribe`` only (RFC 8058).

    def __repr__(self) -> str:  # addresses stay out of logs and tracebacks
        return f"Recipient(subscriber_id={self.subscriber_id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class InlinePicture:
    """A picture that travels inside the mail; the HTML shows it as ``cid:<content_id>`` (RFC 2392)."""

    content_id: str
    #: ``<name>@<domain>``, without angle brackets; letters, digits, hyphens and dots.
    name: str
    #: The file's name for a reader who saves it.
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What every reader of a campaign gets, byte for byte."""

    from_name: str
    from_address: str
    reply_to: str
    subject: str
    html: str
    text: str
    list_id: str
    #: The RFC 2919 identifier without angle brackets.
    list_name: str
    language: str
    archive_url: str
    #: The issue's own page (RFC 5064 ``Archived-At``).
    list_archive_url: str = ""
    #: The page of all the newsletter's issues (RFC 2369 ``List-Archive``).
    inline: tuple[InlinePicture, ...] = ()
    #: Empty where the HTML shows its pictures from the archive.


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One provider call: the same content for up to ``capabilities.batch_size`` recipients.

    ``key`` is a function of campaign, batch number and generation, never random per attempt: it is the tag by which a
    batch in doubt can be looked up, and the idempotency key where a provider has one.
    """

    key: str
    campaign: str
    #: Our campaign id as text.
    content: Content
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message; ``receipt`` is its id for it."""

    receipt: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will not take the message, now or later."""

    reason: RejectReason
    detail: str = ""
    #: For people; holds no address.


@dataclass(frozen=True, slots=True)
class TryLater:
    """The provider certainly did not take the message; ask again after ``after_s`` seconds."""

    after_s: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """We cannot tell whether the provider took the message: never repeated by machine without proof."""

    detail: str = ""


Outcome = Accepted | Refused | TryLater | Unknown
