"""What an SMTP server's words mean: an answer or a DSN's status -> a reason, without addresses (RFC 5321, 3463, 5248)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pipeline.core.message import Accepted, Outcome, Refused, RejectReason, TryLater, Unknown
from pipeline.providers.mailgun_answers import without_addresses

LATER_S = 60.0
"""After an answer 4yz: it names no time, and a minute is what greylisting commonly asks for at least."""

_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_SPAM = re.compile(r"\bspam|junk|unsolicited|\bbulk\b", re.IGNORECASE)
_RELAY = re.compile(r"\brelay", re.IGNORECASE)
_REASONS = {
    # RFC 3463 section 3.2, 3.3, 3.5, 3.8 and the IANA registry of enhanced status codes; the class digit is left off.
    "1.1": RejectReason.INVALID,  # no such mailbox
    "1.2": RejectReason.INVALID,  # no such domain
    "1.3": RejectReason.INVALID,  # syntax
    "1.6": RejectReason.INVALID,  # moved, no forwarding
    "1.10": RejectReason.INVALID,  # the domain takes no mail (RFC 7505)
    "2.1": RejectReason.BOUNCED,  # mailbox disabled
    "2.2": RejectReason.BOUNCED,  # mailbox full
    "4.4": RejectReason.INVALID,  # the domain cannot be routed to
    "4.7": RejectReason.TIMED_OUT,
}


class Stage(StrEnum):
    """Which command of a transaction was answered."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "the message"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; ``code`` is -1 when it does not begin with three digits."""

    stage: Stage
    code: int
    text: str

    def __repr__(self) -> str:  # the text may quote an address
        return f"Reply({self.stage}, {self.code})"


def outcome_of(reply: Reply, receipt: str) -> Outcome:
    """The table: what became of one message whose transaction ended with this answer."""
    detail = f"the server answered {reply.stage} with {said(reply.code, reply.text)}"
    match reply.code // 100:
        case 2 if reply.stage is Stage.END:
            return Accepted(receipt)
        case 4:  # "did not accept the command, and the requested action did not occur" in every stage
            return TryLater(LATER_S, detail)
        case 5:
            return Refused(_refusal(reply), detail)
        case _ if reply.stage is Stage.END:  # it has the whole message and says what nobody can read
            return Unknown(detail)
        case _:
            return TryLater(LATER_S, detail)


def said(code: int, text: str) -> str:
    """An answer for people: its code and first words, without addresses."""
    words = without_addresses(" ".join(text.split()))
    return f"{code}: {words}" if code > 0 else "something that is no answer of SMTP"


def enhanced_status(text: str) -> str:
    """The first enhanced status code in a text, or ''."""
    found = _ENHANCED.search(text)
    return found[1] if found else ""


def reject_reason(status: str, text: str) -> RejectReason | None:
    """What an enhanced status means for good; None when it says nothing of the kind."""
    if _SPAM.search(text):
        return RejectReason.SPAM
    subject = status.partition(".")[2]
    if subject.startswith("7."):
        return RejectReason.BLOCKED
    return _REASONS.get(subject)


def _refusal(reply: Reply) -> RejectReason:
    # Of us and not of a reader: the same for all is read as a fault of the set-up (core.settlement), and stops the campaign.
    if reply.stage is Stage.MAIL or _RELAY.search(reply.text):
        return RejectReason.OTHER
    status = enhanced_status(reply.text)
    if reason := reject_reason(status, reply.text):
        return reason
    # Old servers give three digits only (RFC 5321 section 4.2.3): 550, 551 and 553 are about the mailbox that was named.
    no_mailbox = reply.stage is Stage.RCPT and not status and reply.code in (550, 551, 553)
    return RejectReason.INVALID if no_mailbox else RejectReason.OTHER
