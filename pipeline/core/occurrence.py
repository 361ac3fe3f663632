"""The states of an occurrence, one coming out of a newsletter by its cadence, as a total table. Pure."""

from __future__ import annotations

from enum import StrEnum

from pipeline.core.campaign import Impossible


class OccurrenceState(StrEnum):
    """Where an occurrence is."""

    PROPOSED = "proposed"
    #: No issue has it yet.
    TAKEN = "taken"
    #: A campaign is to go out, or went out, for it.
    MISSED = "missed"
    #: Its time passed without an issue.
    SKIPPED = "skipped"
    #: An editor said: no issue that day.
    RETIRED = "retired"
    #: The cadence was changed, and this day is no longer in it.


class OccurrenceCause(StrEnum):
    """What may happen to an occurrence."""

    TAKE = "take"
    FREE = "free"
    #: Its campaign was cancelled before it started.
    MISS = "miss"
    SKIP = "skip"
    PROPOSE = "propose"
    #: An editor wants it after all, or the cadence has the day again.
    RETIRE = "retire"


_S, _C = OccurrenceState, OccurrenceCause
_NOBODY = Impossible("no issue has it")
_PAST = Impossible("its time is past")
_GONE = Impossible("the newsletter's cadence no longer has this day")

OCCURRENCE: dict[tuple[OccurrenceState, OccurrenceCause], OccurrenceState | Impossible] = {
    (_S.PROPOSED, _C.TAKE): _S.TAKEN,
    (_S.PROPOSED, _C.FREE): _NOBODY,
    (_S.PROPOSED, _C.MISS): _S.MISSED,
    (_S.PROPOSED, _C.SKIP): _S.SKIPPED,
    (_S.PROPOSED, _C.PROPOSE): Impossible("it is proposed already"),
    (_S.PROPOSED, _C.RETIRE): _S.RETIRED,
    (_S.TAKEN, _C.TAKE): Impossible("another issue has it"),
    (_S.TAKEN, _C.FREE): _S.PROPOSED,
    (_S.TAKEN, _C.MISS): Impossible("an issue has it"),
    (_S.TAKEN, _C.SKIP): Impossible("an issue has it; cancel its campaign first"),
    (_S.TAKEN, _C.PROPOSE): Impossible("an issue has it"),
    # The campaign is an editor's word and keeps its time, whatever the cadence says now.
    (_S.TAKEN, _C.RETIRE): Impossible("an issue has it"),
    # The issue comes after all, later than its hour.
    (_S.MISSED, _C.TAKE): _S.TAKEN,
    (_S.MISSED, _C.FREE): _NOBODY,
    (_S.MISSED, _C.MISS): Impossible("it is missed already"),
    # "We know": nobody need be told any more.
    (_S.MISSED, _C.SKIP): _S.SKIPPED,
    (_S.MISSED, _C.PROPOSE): _PAST,
    (_S.MISSED, _C.RETIRE): _PAST,
    (_S.SKIPPED, _C.TAKE): _S.TAKEN,
    (_S.SKIPPED, _C.FREE): _NOBODY,
    (_S.SKIPPED, _C.MISS): Impossible("it was skipped by an editor"),
    (_S.SKIPPED, _C.SKIP): Impossible("it is skipped already"),
    (_S.SKIPPED, _C.PROPOSE): _S.PROPOSED,
    (_S.SKIPPED, _C.RETIRE): Impossible("it was skipped by an editor"),
    (_S.RETIRED, _C.TAKE): _GONE,
    (_S.RETIRED, _C.FREE): _NOBODY,
    (_S.RETIRED, _C.MISS): _GONE,
    (_S.RETIRED, _C.SKIP): _GONE,
    (_S.RETIRED, _C.PROPOSE): _S.PROPOSED,
    (_S.RETIRED, _C.RETIRE): Impossible("it is retired already"),
}


def occurrence_sources(cause: OccurrenceCause) -> tuple[OccurrenceState, ...]:
    """The states in which a cause does something: the guard of the one statement that performs it."""
    return tuple(state for (state, c), to in OCCURRENCE.items() if c is cause and not isinstance(to, Impossible))


def occurrence_target(cause: OccurrenceCause) -> OccurrenceState:
    """The state a cause leads to; every cause has one."""
    (target,) = {to for (_, c), to in OCCURRENCE.items() if c is cause and not isinstance(to, Impossible)}
    assert isinstance(target, OccurrenceState)
    return target
