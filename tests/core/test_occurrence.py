"""The table of occurrences is total, and says what the calendar promises."""

from __future__ import annotations

from itertools import product

import pytest

from pipeline.core.campaign import Impossible
from pipeline.core.occurrence import OCCURRENCE, OccurrenceCause, OccurrenceState, occurrence_sources, occurrence_target


@pytest.mark.parametrize(("state", "cause"), list(product(OccurrenceState, OccurrenceCause)))
def test_every_cell_is_written(state: OccurrenceState, cause: OccurrenceCause) -> None:
    to = OCCURRENCE[(state, cause)]
    assert isinstance(to, OccurrenceState) or (isinstance(to, Impossible) and len(to) > 8)


def test_the_table_holds_nothing_else_and_each_cause_leads_to_one_state() -> None:
    assert len(OCCURRENCE) == len(OccurrenceState) * len(OccurrenceCause)
    assert [occurrence_target(cause) for cause in OccurrenceCause] == [
        OccurrenceState.TAKEN,
        OccurrenceState.PROPOSED,
        OccurrenceState.MISSED,
        OccurrenceState.SKIPPED,
        OccurrenceState.PROPOSED,
        OccurrenceState.RETIRED,
    ]


def test_what_an_issue_has_no_other_gets_and_no_change_of_the_cadence_takes_away() -> None:
    moves = {cause for cause in OccurrenceCause if not isinstance(OCCURRENCE[(OccurrenceState.TAKEN, cause)], Impossible)}
    assert moves == {OccurrenceCause.FREE}


def test_only_what_nobody_has_is_missed() -> None:
    assert occurrence_sources(OccurrenceCause.MISS) == (OccurrenceState.PROPOSED,)
