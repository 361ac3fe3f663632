"""The states of a campaign and of a batch, as total tables: every cell is written, also what does not happen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CampaignState(StrEnum):
    """Where a campaign is."""

    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    HELD = "held"
    #: Waits for an editor: late, changed since approval, or stopped by a fault that no retry can mend.
    SENT = "sent"
    CANCELLED = "cancelled"


class CampaignCause(StrEnum):
    """What may happen to a campaign."""

    LAUNCH = "launch"
    HOLD = "hold"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    FINISH = "finish"


class Impossible(str):
    """Why a cause does nothing in a state; shown to the person who asked."""

    __slots__ = ()


_S, _C = CampaignState, CampaignCause

CAMPAIGN: dict[tuple[CampaignState, CampaignCause], CampaignState | Impossible] = {
    (_S.SCHEDULED, _C.LAUNCH): _S.SENDING,
    (_S.SCHEDULED, _C.HOLD): _S.HELD,
    (_S.SCHEDULED, _C.PAUSE): Impossible("it has not started; cancel it, or schedule it anew"),
    (_S.SCHEDULED, _C.RESUME): Impossible("it is not paused; it starts by itself when it is due"),
    (_S.SCHEDULED, _C.CANCEL): _S.CANCELLED,
    (_S.SCHEDULED, _C.FINISH): Impossible("it has not started"),
    (_S.SENDING, _C.LAUNCH): Impossible("it has already started"),
    (_S.SENDING, _C.HOLD): _S.HELD,
    (_S.SENDING, _C.PAUSE): _S.PAUSED,
    (_S.SENDING, _C.RESUME): Impossible("it is already being sent"),
    (_S.SENDING, _C.CANCEL): _S.CANCELLED,
    (_S.SENDING, _C.FINISH): _S.SENT,
    (_S.PAUSED, _C.LAUNCH): Impossible("it is paused; resume it"),
    (_S.PAUSED, _C.HOLD): _S.HELD,
    (_S.PAUSED, _C.PAUSE): Impossible("it is already paused"),
    (_S.PAUSED, _C.RESUME): _S.SENDING,
    (_S.PAUSED, _C.CANCEL): _S.CANCELLED,
    # A pause that meets the last batch in flight: everything is settled, so there is nothing left to pause.
    (_S.PAUSED, _C.FINISH): _S.SENT,
    (_S.HELD, _C.LAUNCH): Impossible("it waits for an editor; resume or cancel it"),
    (_S.HELD, _C.HOLD): Impossible("it is already held"),
    (_S.HELD, _C.PAUSE): Impossible("it is held: nothing is being sent"),
    # Before the plan exists this means "start now", afterwards "go on"; flow.campaigns.resume tells the two apart.
    (_S.HELD, _C.RESUME): _S.SENDING,
    (_S.HELD, _C.CANCEL): _S.CANCELLED,
    # Held by refused credentials while the last batch was in flight, and that one was accepted.
    (_S.HELD, _C.FINISH): _S.SENT,
    (_S.SENT, _C.LAUNCH): Impossible("it has been sent"),
    (_S.SENT, _C.HOLD): Impossible("it has been sent"),
    (_S.SENT, _C.PAUSE): Impossible("it has been sent"),
    (_S.SENT, _C.RESUME): Impossible("it has been sent"),
    (_S.SENT, _C.CANCEL): Impossible("it has been sent; mail cannot be called back"),
    (_S.SENT, _C.FINISH): Impossible("it has been sent"),
    (_S.CANCELLED, _C.LAUNCH): Impossible("it was cancelled; schedule the issue anew"),
    (_S.CANCELLED, _C.HOLD): Impossible("it was cancelled"),
    (_S.CANCELLED, _C.PAUSE): Impossible("it was cancelled"),
    (_S.CANCELLED, _C.RESUME): Impossible("it was cancelled; schedule the issue anew"),
    (_S.CANCELLED, _C.CANCEL): Impossible("it is already cancelled"),
    (_S.CANCELLED, _C.FINISH): Impossible("it was cancelled"),
}


def sources(cause: CampaignCause) -> tuple[CampaignState, ...]:
    """The states in which a cause does something: the guard of the one statement that performs it."""
    return tuple(state for (state, c), to in CAMPAIGN.items() if c is cause and not isinstance(to, Impossible))


class BatchState(StrEnum):
    """Where a batch is. The members of a batch, less its exceptions, share its fate."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    #: A worker holds it; no byte has left.
    SUBMITTING = "submitting"
    #: Committed before the call leaves. After a crash this means: we cannot tell.
    ACCEPTED = "accepted"
    PARTLY_ACCEPTED = "partly_accepted"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    CANCELLED = "cancelled"


class BatchCause(StrEnum):
    """What may happen to a batch."""

    CLAIM = "claim"
    RELEASE = "release"
    #: Given back before the intent: certainly nothing was sent.
    INTEND = "intend"
    POSTPONE = "postpone"
    #: The provider certainly took nothing; try again later.
    ACCEPT = "accept"
    ACCEPT_PARTLY = "accept_partly"
    REFUSE = "refuse"
    DOUBT = "doubt"
    CANCEL = "cancel"
    REPEAT = "repeat"
    #: The same bytes once more under the same key, to a provider that answers a repeat with its first answer.
    RESEND = "resend"
    #: A person's word (or proof) that nobody in the batch was mailed: send it.
    DROP = "drop"
    #: A person's word that the doubt is to end without another mail.
    RESTORE = "restore"
    #: The ledger is a backup, older than reality: what was open then may have left since.


_B, _D = BatchState, BatchCause
_SETTLED = Impossible("its fate is known and final")
_NOT_LEFT = Impossible("no call has left for it")
_NOT_DOUBT = Impossible("it is not in doubt")
_AWAY = Impossible("the call has left; only its result can move it")

BATCH: dict[tuple[BatchState, BatchCause], BatchState | Impossible] = {
    (_B.PLANNED, _D.CLAIM): _B.CLAIMED,
    (_B.PLANNED, _D.RELEASE): Impossible("nobody holds it"),
    (_B.PLANNED, _D.INTEND): Impossible("it must be claimed first"),
    (_B.PLANNED, _D.POSTPONE): _NOT_LEFT,
    (_B.PLANNED, _D.ACCEPT): _NOT_LEFT,
    (_B.PLANNED, _D.ACCEPT_PARTLY): _NOT_LEFT,
    (_B.PLANNED, _D.REFUSE): _NOT_LEFT,
    (_B.PLANNED, _D.DOUBT): _NOT_LEFT,
    (_B.PLANNED, _D.CANCEL): _B.CANCELLED,
    (_B.PLANNED, _D.REPEAT): _NOT_DOUBT,
    (_B.PLANNED, _D.RESEND): Impossible("it is going to be sent anyway"),
    (_B.PLANNED, _D.DROP): _NOT_DOUBT,
    (_B.PLANNED, _D.RESTORE): _B.IN_DOUBT,
    (_B.CLAIMED, _D.CLAIM): Impossible("another worker holds it"),
    (_B.CLAIMED, _D.RELEASE): _B.PLANNED,
    (_B.CLAIMED, _D.INTEND): _B.SUBMITTING,
    (_B.CLAIMED, _D.POSTPONE): _NOT_LEFT,
    # A batch all of whose members left the list since the plan: settled without a call.
    (_B.CLAIMED, _D.ACCEPT): _B.ACCEPTED,
    (_B.CLAIMED, _D.ACCEPT_PARTLY): _NOT_LEFT,
    (_B.CLAIMED, _D.REFUSE): _NOT_LEFT,
    (_B.CLAIMED, _D.DOUBT): _NOT_LEFT,
    (_B.CLAIMED, _D.CANCEL): _B.CANCELLED,
    (_B.CLAIMED, _D.REPEAT): _NOT_DOUBT,
    (_B.CLAIMED, _D.RESEND): Impossible("it is going to be sent anyway"),
    (_B.CLAIMED, _D.DROP): _NOT_DOUBT,
    (_B.CLAIMED, _D.RESTORE): _B.IN_DOUBT,
    (_B.SUBMITTING, _D.CLAIM): _AWAY,
    (_B.SUBMITTING, _D.RELEASE): _AWAY,
    (_B.SUBMITTING, _D.INTEND): Impossible("the intent is already recorded"),
    (_B.SUBMITTING, _D.POSTPONE): _B.PLANNED,
    (_B.SUBMITTING, _D.ACCEPT): _B.ACCEPTED,
    (_B.SUBMITTING, _D.ACCEPT_PARTLY): _B.PARTLY_ACCEPTED,
    (_B.SUBMITTING, _D.REFUSE): _B.REFUSED,
    (_B.SUBMITTING, _D.DOUBT): _B.IN_DOUBT,
    (_B.SUBMITTING, _D.CANCEL): _AWAY,
    (_B.SUBMITTING, _D.REPEAT): _AWAY,
    (_B.SUBMITTING, _D.RESEND): _AWAY,
    (_B.SUBMITTING, _D.DROP): _AWAY,
    (_B.SUBMITTING, _D.RESTORE): _B.IN_DOUBT,
    (_B.ACCEPTED, _D.CLAIM): _SETTLED,
    (_B.ACCEPTED, _D.RELEASE): _SETTLED,
    (_B.ACCEPTED, _D.INTEND): _SETTLED,
    (_B.ACCEPTED, _D.POSTPONE): _SETTLED,
    (_B.ACCEPTED, _D.ACCEPT): _SETTLED,
    (_B.ACCEPTED, _D.ACCEPT_PARTLY): _SETTLED,
    (_B.ACCEPTED, _D.REFUSE): _SETTLED,
    (_B.ACCEPTED, _D.DOUBT): _SETTLED,
    (_B.ACCEPTED, _D.CANCEL): _SETTLED,
    (_B.ACCEPTED, _D.REPEAT): _SETTLED,
    (_B.ACCEPTED, _D.RESEND): _SETTLED,
    (_B.ACCEPTED, _D.DROP): _SETTLED,
    (_B.ACCEPTED, _D.RESTORE): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.CLAIM): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.RELEASE): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.INTEND): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.POSTPONE): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.ACCEPT): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.ACCEPT_PARTLY): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.REFUSE): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.DOUBT): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.CANCEL): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.REPEAT): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.RESEND): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.DROP): _SETTLED,
    (_B.PARTLY_ACCEPTED, _D.RESTORE): _SETTLED,
    (_B.REFUSED, _D.CLAIM): _SETTLED,
    (_B.REFUSED, _D.RELEASE): _SETTLED,
    (_B.REFUSED, _D.INTEND): _SETTLED,
    (_B.REFUSED, _D.POSTPONE): _SETTLED,
    (_B.REFUSED, _D.ACCEPT): _SETTLED,
    (_B.REFUSED, _D.ACCEPT_PARTLY): _SETTLED,
    (_B.REFUSED, _D.REFUSE): _SETTLED,
    (_B.REFUSED, _D.DOUBT): _SETTLED,
    (_B.REFUSED, _D.CANCEL): _SETTLED,
    (_B.REFUSED, _D.REPEAT): _SETTLED,
    (_B.REFUSED, _D.RESEND): _SETTLED,
    (_B.REFUSED, _D.DROP): _SETTLED,
    (_B.REFUSED, _D.RESTORE): _SETTLED,
    (_B.IN_DOUBT, _D.CLAIM): Impossible("it may have been mailed; settle the doubt first"),
    (_B.IN_DOUBT, _D.RELEASE): Impossible("it may have been mailed; settle the doubt first"),
    (_B.IN_DOUBT, _D.INTEND): Impossible("it may have been mailed; settle the doubt first"),
    # A worker that was taken for dead brings its answer: what the provider said is a fact, late or not.
    (_B.IN_DOUBT, _D.POSTPONE): _B.PLANNED,
    (_B.IN_DOUBT, _D.ACCEPT): _B.ACCEPTED,
    (_B.IN_DOUBT, _D.ACCEPT_PARTLY): _B.PARTLY_ACCEPTED,
    (_B.IN_DOUBT, _D.REFUSE): _B.REFUSED,
    (_B.IN_DOUBT, _D.DOUBT): Impossible("it is already in doubt"),
    # Cancelling a campaign does not make a doubt go away.
    (_B.IN_DOUBT, _D.CANCEL): Impossible("it may have been mailed; settle the doubt first"),
    (_B.IN_DOUBT, _D.DROP): _B.CANCELLED,
    (_B.IN_DOUBT, _D.RESTORE): _B.IN_DOUBT,
    (_B.IN_DOUBT, _D.REPEAT): _B.SUBMITTING,
    (_B.IN_DOUBT, _D.RESEND): _B.PLANNED,
    (_B.CANCELLED, _D.CLAIM): _SETTLED,
    (_B.CANCELLED, _D.RELEASE): _SETTLED,
    (_B.CANCELLED, _D.INTEND): _SETTLED,
    (_B.CANCELLED, _D.POSTPONE): _SETTLED,
    (_B.CANCELLED, _D.ACCEPT): _SETTLED,
    (_B.CANCELLED, _D.ACCEPT_PARTLY): _SETTLED,
    (_B.CANCELLED, _D.REFUSE): _SETTLED,
    (_B.CANCELLED, _D.DOUBT): _SETTLED,
    (_B.CANCELLED, _D.CANCEL): _SETTLED,
    (_B.CANCELLED, _D.REPEAT): _SETTLED,
    (_B.CANCELLED, _D.RESEND): _SETTLED,
    (_B.CANCELLED, _D.DROP): _SETTLED,
    (_B.CANCELLED, _D.RESTORE): _SETTLED,
}

OPEN = (BatchState.PLANNED, BatchState.CLAIMED, BatchState.SUBMITTING, BatchState.IN_DOUBT)
"""The states in which a batch still keeps its campaign from being ``sent``."""


def batch_sources(cause: BatchCause) -> tuple[BatchState, ...]:
    """The states in which a cause does something."""
    return tuple(state for (state, c), to in BATCH.items() if c is cause and not isinstance(to, Impossible))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many of a campaign's readers are where; the seven always add up to the audience."""

    waiting: int = 0
    submitting: int = 0
    sent: int = 0
    refused: int = 0
    suppressed: int = 0
    in_doubt: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """The sum of all seven."""
        return self.waiting + self.submitting + self.sent + self.refused + self.suppressed + self.in_doubt + self.expired

    @property
    def done(self) -> int:
        """Readers whose fate is final."""
        return self.sent + self.refused + self.suppressed + self.expired
