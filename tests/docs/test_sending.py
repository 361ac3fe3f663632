"""The tables of docs/sending.md are those of core.campaign; its figures are those of the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.campaign import BATCH, CAMPAIGN, BatchCause, BatchState, CampaignCause, CampaignState, Impossible, Tally
from pipeline.core.occurrence import OCCURRENCE, OccurrenceCause, OccurrenceState
from pipeline.dispatch.local import LocalDispatcher
from pipeline.flow import alarms, campaigns, doubts, occurrences, seeds
from pipeline.flow.delivery import CALL_LEASE, CLAIM_LEASE, FROZEN_S, LONG_INTENT_S, NOTICE_S
from pipeline.flow.presence import BEAT_S
from pipeline.settings import Alarms, Lateness
from pipeline.store.workers import DEAD_AFTER, LEASE
from pipeline.worker import ALARMS_S, SWEEP_S, TICK_S

PAGE = (Path(__file__).parents[2] / "docs" / "sending.md").read_text("utf-8")
FINAL = (BatchState.ACCEPTED, BatchState.PARTLY_ACCEPTED, BatchState.REFUSED, BatchState.CANCELLED)


def _table(cells: Mapping[Any, object], columns: Sequence[tuple[str, ...]], causes: Sequence[str]) -> str:
    """A state machine as Markdown: a row a cause, a column a state, or several that share every cell."""
    lines = ["| | " + " | ".join(", ".join(states) for states in columns) + " |", "| --- |" + " --- |" * len(columns)]
    for cause in causes:
        row = []
        for states in columns:
            targets = {"–" if isinstance(to, Impossible) else str(to) for to in (cells[(state, cause)] for state in states)}
            assert len(targets) == 1, (states, cause)
            row.append(targets.pop())
        lines.append(f"| {cause} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _on_page(name: str) -> str:
    return PAGE.partition(f"<!-- table: {name} -->\n")[2].partition("\n\n")[0]


def test_the_table_of_campaigns_is_the_code() -> None:
    assert _on_page("campaign") == _table(CAMPAIGN, [(state,) for state in CampaignState], list(CampaignCause))


def test_the_table_of_batches_is_the_code() -> None:
    opened = [(state,) for state in (BatchState.PLANNED, BatchState.CLAIMED, BatchState.SUBMITTING, BatchState.IN_DOUBT)]
    assert {state for (state,) in opened} | set(FINAL) == set(BatchState)
    assert _on_page("batch") == _table(BATCH, [*opened, FINAL], list(BatchCause))


def test_the_table_of_slots_is_the_code() -> None:
    assert _on_page("occurrence") == _table(OCCURRENCE, [(state,) for state in OccurrenceState], list(OccurrenceCause))


def test_the_figures_of_calendar_and_alarms_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    assert (occurrences.AHEAD.days, occurrences.SHOWN_BEHIND.days, ALARMS_S) == (56, 28, 10)
    assert (Lateness().stale_after.total_seconds(), campaigns.TEND.total_seconds(), campaigns.GAP.total_seconds()) == (21600, 60, 300)
    assert (Alarms().after.total_seconds(), alarms.DOUBT_WAITS.total_seconds(), alarms.MISSED_LASTS.days) == (900, 900, 7)
    assert (len(alarms.PAUSES), sum(pause.total_seconds() for pause in alarms.PAUSES if pause) // 60) == (5, 81)
    assert (seeds.WATCHED.days, seeds.LOOK.total_seconds()) == (1, 60)
    figures = (
        "next eight weeks", "(six hours)", "once a minute", "five minutes in which", "fifteen minutes (`alarms.after`)", "after seven days",
        "at most five tries are made, over eighty minutes", "or after a day", "within some ten seconds", "each minute in the first hour",
    )  # fmt: skip
    for figure in figures:
        assert figure in text, figure


def test_the_final_states_of_a_batch_are_final() -> None:
    assert all(isinstance(BATCH[(state, cause)], Impossible) for state in FINAL for cause in BatchCause)


def test_the_counts_are_those_of_a_tally() -> None:
    section = PAGE.partition("## What the counts")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip().replace(" ", "_") for line in section.splitlines() if line.startswith("| ")][2:]
    assert rows == list(Tally.__dataclass_fields__)


def test_the_figures_are_those_of_the_code() -> None:
    assert CLAIM_LEASE.total_seconds() == 60
    assert CALL_LEASE.total_seconds() == 150
    assert (FROZEN_S, LONG_INTENT_S, NOTICE_S) == (0.2, 2, 0.5)
    assert (BEAT_S, DEAD_AFTER.total_seconds(), LEASE.total_seconds()) == (1, 5, 5)
    assert doubts.LOOK_AGAIN.total_seconds() == 5
    assert doubts.LOOKS_NEEDED == 2
    assert (TICK_S, SWEEP_S) == (1, 2)
    assert LocalDispatcher()._threads == 4  # "four at a time"
    assert (Lateness().not_after.total_seconds(), Lateness().if_late) == (7200, "hold")
    for figure in (
        "60 seconds for a claim, 150 for a call",
        "0.2 seconds",
        "longer than two seconds is given back",
        "goes back within half a second",
        "silent for five seconds",
        "another leads within six",
        "every second",
        "every two seconds",
        "four at a time",
        "two hours",
    ):
        assert figure in " ".join(PAGE.split()), figure
