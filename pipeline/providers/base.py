"""What every mail provider adapter offers. Adding one: one module, one line in registry.py, one docs page, one
instance of the contract suite in tests/contract/."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pipeline.core.event import Event
from pipeline.core.feedback import Bar
from pipeline.core.message import Batch, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do; the pipeline asks here instead of knowing names."""

    batch_size: int
    #: Recipients one call takes at most.
    payload_limit: int
    #: Bytes of one request or message at most.
    per_recipient_headers: bool
    #: A different ``List-Unsubscribe`` for each recipient inside one call.
    idempotency_window_s: int | None
    #: Seconds for which a repeated key returns the first answer; None: a repeat is a second mailing.
    lookup: bool
    #: A batch can be searched for by our own key (``Searchable``).
    call_limit_s: float
    #: After so long no byte of a call leaves any more.
    lookup_settles_s: int | None
    #: Seconds after which the search shows everything that was taken, by the provider's own word; None: it gives none.
    signed_webhooks: bool
    tracking_switch: bool
    #: Opens and clicks can be switched off on every message.
    polling: bool = False
    #: Its events can be asked for by their time (``Polled``).
    mailbox: bool = False
    #: Its reports lie in a mailbox of ours, one behind the other (``Reporting``).
    suppressions: bool = False
    #: Its list of addresses that it does not mail can be read (``Suppressing``).


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A batch in the provider's own form, before it leaves. The same batch gives the same bytes, today and after a crash."""

    batch: Batch
    body: bytes
    content_type: str = ""
    leave_by: float | None = None
    #: Second of ``clock.since_boot`` after which no byte may leave: the ledger counts it from the intent. None: from ``submit``.

    @property
    def digest(self) -> str:
        """SHA-256 of the body: what is repeated under one idempotency key must be this again, byte for byte."""
        return hashlib.sha256(self.body).hexdigest()


class Provider(Protocol):
    """A mail provider. Calls are synchronous and safe from several threads."""

    name: str
    capabilities: Capabilities

    def compose(self, batch: Batch) -> Call:
        """Puts one batch into the provider's form. ValueError when it asks for what the provider cannot express."""
        ...

    def submit(self, call: Call) -> Sequence[Outcome]:
        """Hands over one call; one Outcome a recipient, in the batch's order.

        Whatever the provider or the network does becomes an Outcome. Exceptions say that certainly nobody was mailed and
        that no other batch would fare better: CredentialsRefused on 401 or 403; ProviderFault when what answers is not
        this provider; DiskFault when a local one cannot write.
        """
        ...

    def send(self, batch: Batch) -> Sequence[Outcome]:
        """Both in one, for what has no ledger: test mail."""
        return self.submit(self.compose(batch))

    def ask(self) -> Asked:
        """Asks for something that changes nothing, so that wrong credentials come to light before a mailing. Raises BriefingError."""
        return Asked("is not asked: the first mail shows whether it takes any")

    def names(self, from_domain: str) -> SendingNames | None:
        """Under which names in the DNS mail of that ``From`` domain leaves; None when none leaves this machine."""
        return None

    def close(self) -> None:
        """Lets go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider answered to a call that changes nothing."""

    said: str
    #: For people, after the provider's name: "answers a search".
    date: datetime | None = None
    #: What time it is there (RFC 9110 section 6.6.1), when it says so.


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingNames:
    """What receivers look up in the DNS for our mail. Empty where the provider answers for it, or only the provider knows it."""

    envelope: str = ""
    #: The domain of the envelope sender, whose SPF record is asked for (RFC 7208).
    spf_includes: str = ""
    #: What that record has to include.
    envelope_optional: bool = False
    #: Without that record mail leaves under a domain of the provider's own.
    dkim_domain: str = ""
    #: ``d=`` of the signature (RFC 6376).
    dkim_selector: str = ""
    dkim_key: str = ""
    #: ``p=`` of the record, when the private key is ours.


class Searchable(Protocol):
    """What a provider offers besides when its capabilities say ``lookup``."""

    def lookup(self, batch: Batch) -> Sequence[str | None]:
        """For each recipient the receipt under which the provider has the message of this batch key, or None.

        None says only that the search does not show it: a search may lag behind what was taken, so whoever asks decides
        when absence is believed. Raises BriefingError when the provider cannot be asked now.
        """
        ...

    def mailed(self, campaign: str) -> Mapping[str, str]:
        """Everybody whom the provider shows under a campaign's name (``Batch.campaign``), in whatever batch: address key
        (``core.address.address_key``) to receipt. As above, what it does not show is no proof. Raises BriefingError.
        """
        ...


NONCE_VALID = timedelta(hours=9)
"""For how long a signature that covers no body is accepted, and therefore remembered: longer than a provider goes on repeating a call."""


class Polled(Protocol):
    """What a provider offers besides when its capabilities say ``polling``."""

    def events_between(self, since: datetime, until: datetime) -> Iterator[Sequence[Event]]:
        """Its events of that time, page by page, each under the id it has in a webhook. Raises BriefingError when it cannot be asked."""
        ...


class Reporting(Protocol):
    """What a provider offers besides when its capabilities say ``mailbox``."""

    def events_after(self, place: str) -> Iterator[tuple[Sequence[Event], str]]:
        """The events behind a place, piece by piece, each with the place behind it. Empty is the first day. Raises BriefingError."""
        ...


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One address that the provider does not mail, and why."""

    address: str
    bar: Bar
    since: datetime

    def __repr__(self) -> str:  # no address
        return f"Suppressed({self.bar}, since={self.since:%Y-%m-%d})"


@dataclass(frozen=True, slots=True)
class SuppressedPage:
    """One page of that list."""

    entries: Sequence[Suppressed]
    following: str
    #: Where the next page begins, in the provider's words, which may hold an address; empty after the last.
    passed_over: int = 0
    #: Entries that mean nothing here or cannot be read.


class PlaceForgotten(Exception):
    """The provider knows the place no more at which a page was to begin."""


class Suppressing(Protocol):
    """What a provider offers besides when its capabilities say ``suppressions``."""

    def suppressed(self, place: str) -> SuppressedPage:
        """A page of its list of addresses that it does not mail, from a place; empty is the beginning.

        Raises PlaceForgotten, and BriefingError when it cannot be asked now.
        """
        ...


class Forged(Exception):
    """A webhook call that the provider did not sign, or signed too long ago. The text holds nothing of the call."""


class Listening(Protocol):
    """What a provider offers besides when it sends news to ``POST /hooks/<provider>``."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Makes sure that the provider sent this, lately. ``headers`` go by lower-case names. Raises Forged."""
        ...

    def parse(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        """The news in a verified call. ValueError when it is not what the provider documents; unknown kinds are ``other``."""
        ...

    def sample(self, now: datetime, *, forged: bool = False) -> tuple[Mapping[str, str], bytes] | None:
        """Headers and body of a call that says nothing, signed as the provider would; ``forged``: signed with a key of chance.

        None when only the provider can sign.
        """
        ...
