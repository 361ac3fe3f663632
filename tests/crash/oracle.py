"""A provider in memory that remembers everything, in each of the three classes of docs/sending.md; misbehaves when told to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pipeline.core.address import address_key
from pipeline.core.message import Accepted, Batch, Outcome, Recipient, Refused, RejectReason, TryLater, Unknown
from pipeline.errors import CredentialsRefused
from pipeline.providers.base import Call, Capabilities, Provider
from pipeline.providers.sandbox.adapter import DoubtClass

CALL_LIMIT_S = 60
KEY_WINDOW_S = 3600
LAG = timedelta(seconds=20)
"""How far the search is behind."""

OTHERS = (Refused(RejectReason.OTHER, "one address is bad"),)


class Fault(StrEnum):
    """What one call can end in."""

    NONE = "none"
    LATER = "later"
    REFUSED = "refused"
    #: The whole call, for a reason that names nobody.
    ONE_REFUSED = "one refused"
    HALF_LATER = "half later"
    HALF_UNKNOWN = "half unknown"
    #: The first half was taken and said so, nobody knows of the others, who were taken.
    LOST = "lost"
    #: Taken, and the answer was lost.
    NEVER_ARRIVED = "never arrived"
    MISCOUNTED = "miscounted"
    #: Taken, and the adapter gives too few outcomes.
    CRASHED = "crashed"
    #: Taken, and the adapter has a fault of its own.
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class Message:
    """One mail that the provider took."""

    issue: str
    campaign: str
    key: str
    reader: Recipient
    receipt: str
    at: datetime


@dataclass(slots=True)
class Oracle(Provider):
    """The provider. It outlives every worker; whoever asks it afterwards learns the truth."""

    kind: DoubtClass
    now: Callable[[], datetime]
    settles_s: int | None = 30
    #: What it says of its search; None: nothing, so a later call must be seen there.
    bad: frozenset[str] = frozenset()
    #: Addresses for which it refuses the whole call, without naming them.
    plans: list[Fault] = field(default_factory=list)
    #: For the next calls.
    taken: list[Message] = field(default_factory=list)
    posts: list[datetime] = field(default_factory=list)
    answers: dict[str, tuple[str, Sequence[Outcome], datetime]] = field(default_factory=dict)
    before_taking: Callable[[Call], None] = lambda call: None
    after_taking: Callable[[Call], None] = lambda call: None
    composing: Callable[[Batch], None] = lambda batch: None
    name: str = "oracle"
    capabilities: Capabilities = field(init=False)

    def __post_init__(self) -> None:
        self.capabilities = Capabilities(
            batch_size=1000, payload_limit=10**9, per_recipient_headers=True, call_limit_s=CALL_LIMIT_S, signed_webhooks=True,
            tracking_switch=True, idempotency_window_s=KEY_WINDOW_S if self.kind is DoubtClass.KEY else None,
            lookup=self.kind is DoubtClass.SEARCH, lookup_settles_s=self.settles_s if self.kind is DoubtClass.SEARCH else None,
        )  # fmt: skip

    def compose(self, batch: Batch) -> Call:
        """The same batch gives the same bytes."""
        self.composing(batch)
        said = [batch.key, batch.campaign, batch.content.subject, batch.content.html, [list(one) for one in batch.recipients]]
        return Call(batch=batch, body=json.dumps(said).encode())

    def submit(self, call: Call) -> Sequence[Outcome]:
        """One call, as it was planned."""
        begun = self.now()
        self.posts.append(begun)
        self.before_taking(call)
        batch, fault = call.batch, self.plans.pop(0) if self.plans else Fault.NONE
        readers = batch.recipients
        if self.now() - begun > timedelta(seconds=CALL_LIMIT_S):
            return (Unknown("the call was cut"),) * len(readers)
        if fault is Fault.CREDENTIALS:
            raise CredentialsRefused("oracle refused the key")
        if fault is Fault.NEVER_ARRIVED:
            return (Unknown("no answer"),) * len(readers)
        if fault is Fault.LATER:
            return (TryLater(90.0, "429"),) * len(readers)
        if self.kind is DoubtClass.KEY and batch.key in self.answers:
            digest, said, until = self.answers[batch.key]
            if self.now() <= until:
                outcomes = said if digest == call.digest else (Unknown("409"),) * len(readers)
                self.after_taking(call)
                return (Unknown("no answer"),) * len(readers) if fault is Fault.LOST else outcomes
        outcomes = self._take(batch, fault)
        if any(isinstance(one, Accepted) for one in outcomes):
            self.answers[batch.key] = call.digest, outcomes, self.now() + timedelta(seconds=KEY_WINDOW_S)
        self.after_taking(call)
        if fault is Fault.LOST:
            return (Unknown("no answer"),) * len(readers)
        if fault is Fault.HALF_UNKNOWN:
            half = (len(readers) + 1) // 2
            return (*outcomes[:half], *(Unknown("no answer"),) * (len(readers) - half))
        if fault is Fault.MISCOUNTED:
            return outcomes[1:]
        if fault is Fault.CRASHED:
            raise RuntimeError("a fault of the adapter")
        return outcomes

    def _take(self, batch: Batch, fault: Fault) -> Sequence[Outcome]:
        if fault is Fault.REFUSED or any(one.address in self.bad for one in batch.recipients):
            return OTHERS * len(batch.recipients)
        first_refused = 1 if fault is Fault.ONE_REFUSED else 0
        until = (len(batch.recipients) + 1) // 2 if fault is Fault.HALF_LATER else len(batch.recipients)
        outcomes: list[Outcome] = []
        for position, one in enumerate(batch.recipients):
            if position < first_refused:
                outcomes.append(Refused(RejectReason.INVALID, "no such mailbox"))
            elif position >= until:
                outcomes.append(TryLater(30.0, "too many"))
            else:
                receipt = f"<{len(self.taken)}@oracle.example.org>"
                self.taken.append(Message(batch.content.archive_url, batch.campaign, batch.key, one, receipt, self.now()))
                outcomes.append(Accepted(receipt))
        return tuple(outcomes)

    def send(self, batch: Batch) -> Sequence[Outcome]:
        """Not used: the machine sends campaigns."""
        return self.submit(self.compose(batch))

    def close(self) -> None:
        """Nothing to let go of."""

    def _shown(self) -> list[Message]:
        return [one for one in self.taken if one.at + LAG <= self.now()]

    def lookup(self, batch: Batch) -> Sequence[str | None]:
        """By key, behind the lag."""
        found = {one.reader.address: one.receipt for one in self._shown() if one.key == batch.key}
        return [found.get(one.address) for one in batch.recipients]

    def mailed(self, campaign: str) -> Mapping[str, str]:
        """By campaign, behind the lag."""
        return {address_key(one.reader.address): one.receipt for one in self._shown() if one.campaign == campaign}

    def mails(self) -> Counter[tuple[str, str]]:
        """How often each address got each issue."""
        return Counter((one.issue, one.reader.address) for one in self.taken)
