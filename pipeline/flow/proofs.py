"""Test mail: a draft as it is now, to the newsroom's own people only. Nothing is counted, kept or archived."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from enum import StrEnum

from pipeline.core.address import AddressRefused, address_key, parse_address
from pipeline.core.edition import content_of
from pipeline.core.message import Accepted, Batch, Content, Outcome, Recipient, Refused, TryLater
from pipeline.core.token import NOBODY, seal_leave_token
from pipeline.errors import Refusal, UsageError
from pipeline.flow import archive, drafts, rendering
from pipeline.flow.context import Sender
from pipeline.store import campaigns, readers
from pipeline.store.engine import reading

MARK = "[TEST]"
"""What the subject of a test mail begins with."""

log = logging.getLogger("pipeline.proofs")


class Fate(StrEnum):
    """What became of one test mail."""

    SENT = "sent"
    SUPPRESSED = "suppressed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    #: The provider certainly did not take it; trying again is safe.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One test mail and what became of it."""

    address: str
    fate: Fate
    receipt: str = ""
    detail: str = ""

    def __repr__(self) -> str:  # addresses stay out of logs and tracebacks
        return f"Proof({self.fate}, receipt={self.receipt!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """The answer to one test send."""

    issue_id: str
    subject: str
    digest: str
    #: Of the edition as it would be approved now; only the mark of the subject differs.
    proofs: tuple[Proof, ...]

    def count(self, *fates: Fate) -> int:
        """How many mails met one of these fates."""
        return sum(one.fate in fates for one in self.proofs)


def send(sender: Sender, reference: str, addresses: Sequence[str]) -> Proofs:
    """Mails the draft as it is now to people of the staff list. All is checked before the first byte leaves.

    Raises Refusal when an address is not on the list or the draft has errors, UsageError for what is no address,
    CredentialsRefused, ProviderFault, DiskFault.
    """
    chosen = _on_staff(sender, addresses)
    draft = rendering.sound(sender, reference)[0]
    edition, pictures = drafts.render(sender, draft)
    content = replace(content_of(edition, pictures), subject=f"{MARK} {edition.subject}")
    with reading(sender.engine) as connection:
        barred = {one for one in chosen if readers.suppressed(connection, sender.vault, edition.newsletter, one)}
        instance = campaigns.instance_name(connection)
    archive.write_media(sender, pictures)  # the mail shows them from there; names made from content give nothing away
    name = f"{instance}-test-{sender.clock().astimezone(UTC):%Y%m%d%H%M%S%f}"
    proofs = tuple(
        Proof(address=one, fate=Fate.SUPPRESSED) if one in barred else _send(sender, edition.newsletter, content, f"{name}-{number}", one)
        for number, one in enumerate(chosen, 1)
    )
    done = Proofs(issue_id=edition.issue_id, subject=content.subject, digest=edition.digest, proofs=proofs)
    named = {"issue": done.issue_id, "sent": done.count(Fate.SENT), "mails": len(proofs)}
    log.debug("test send of %(issue)s: %(sent)d of %(mails)d sent", named)
    return done


def _on_staff(sender: Sender, addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses as they are mailed, each once. Raises Refusal, UsageError; neither repeats an address."""
    staff = {address_key(one) for one in sender.settings.newsroom.staff}
    hint = (
        "Test mail goes to the newsroom's own people: write them into config/newsroom.toml, above the first [table], "
        'as  staff = ["desk@example.org"].'
    )
    if not staff:
        raise Refusal("the staff list is empty, so nobody can get a test mail", hint=hint)
    chosen: dict[str, str] = {}
    for number, text in enumerate(addresses, 1):
        which = f"address {number}" if len(addresses) > 1 else "this address"
        try:
            parsed = parse_address(text)
        except AddressRefused as error:
            several = "," in text or ";" in text
            raise UsageError(f"{which} cannot be used: {error}", hint="Give --to once for each person." if several else "") from None
        if address_key(parsed) not in staff:
            raise Refusal(f"{which} is not on the staff list; nothing was sent", hint=hint)
        chosen.setdefault(address_key(parsed), parsed)
    if not chosen:
        raise UsageError("a test mail needs an address", hint="Name one or more with --to.")
    return tuple(chosen.values())


def _send(sender: Sender, newsletter: str, content: Content, key: str, address: str) -> Proof:
    """One mail, one call: a bad address must not keep the test from the others."""
    token = seal_leave_token(sender.leave_key, NOBODY, newsletter, sender.clock())
    link = f"{sender.settings.newsroom.base_url}/leave/{newsletter}/{token}"
    recipient = Recipient(subscriber_id=NOBODY, address=address, unsubscribe_url=link)
    # Each test is a campaign of its own to the provider: the same person may get several, and none is a duplicate.
    batch = Batch(key=key, campaign=key.rpartition("-")[0], content=content, recipients=(recipient,))
    try:
        (outcome,) = sender.provider.send(batch)
    except ValueError as error:
        # The protocol's word for "this provider cannot express that", said before any byte leaves.
        raise Refusal(f"{sender.provider.name} cannot send this issue: {error}") from error
    return _proof(address, outcome)


def _proof(address: str, outcome: Outcome) -> Proof:
    match outcome:
        case Accepted(receipt):
            return Proof(address=address, fate=Fate.SENT, receipt=receipt)
        case Refused(reason, detail):
            return Proof(address=address, fate=Fate.REFUSED, detail=detail or str(reason))
        case TryLater(_, detail):
            return Proof(address=address, fate=Fate.NOT_SENT, detail=detail)
        case _:
            return Proof(address=address, fate=Fate.UNKNOWN, detail=outcome.detail)
