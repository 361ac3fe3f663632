"""News from a provider about a message it took, in words no provider owns (django-anymail's, with our own batch and reader)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipeline.core.message import RejectReason


class EventType(StrEnum):
    """What happened to a message. Opens and clicks are not here: we ask no provider for them and drop those that come."""

    SENT = "sent"
    #: The provider took it: proof for a batch in doubt.
    REJECTED = "rejected"
    FAILED = "failed"
    #: The provider could not even try: its own fault or a template's.
    BOUNCED = "bounced"
    #: For good: the mailbox does not exist or refuses us.
    DEFERRED = "deferred"
    #: For now: the provider tries again, or has given up on a soft bounce (``final``).
    DELIVERED = "delivered"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One piece of news. ``id`` is the provider's own and is kept once; what it cannot say is empty or None."""

    id: str
    type: EventType
    at: datetime
    batch_key: str = ""
    #: Our key, when it came back with the event: ``<instance>-<campaign>-<batch>-<generation>``.
    subscriber_id: int | None = None
    receipt: str = ""
    address: str = ""
    #: Only for finding the reader when nothing of ours came back; never stored or logged.
    reason: RejectReason | None = None
    final: bool = False
    #: Of a deferral: the provider has given up on this message.
    detail: str = ""
    #: For people; holds no address.
    nonce: str = ""
    #: What the provider signed once and for this call alone, where it signs no body: other news under it is forged.

    def __repr__(self) -> str:  # addresses stay out of logs and tracebacks
        return f"Event({self.type}, id={self.id!r}, batch={self.batch_key!r}, subscriber_id={self.subscriber_id})"
