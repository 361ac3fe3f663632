"""The crash matrix: where a process dies, what the ledger shows, what the next start does, and which test proves it.

The tables of docs/sending.md and docs/reliability.md are made of it (tests/docs/test_reliability.py). To add a way to die is to add
a row here, and a row without a test is a failure.
"""

from __future__ import annotations

from dataclasses import dataclass

_GRID = "tests/crash/test_grid.py::test_nobody_is_lost_and_nobody_gets_it_twice"
_STORM = "tests/crash/test_storm.py::test_killed_and_frozen_at_random_nobody_is_lost_and_nobody_gets_it_twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to die. ``proofs`` are tests; one with a point in brackets is the grid's at that point of ``dying.POINTS``."""

    dies: str
    ledger: str
    next: str
    proofs: tuple[str, ...]


MATRIX: tuple[Row, ...] = (
    Row(
        dies="while an issue is approved or scheduled",
        ledger="the old state or the new one",
        next="nothing to do",
        proofs=("tests/crash/test_editing.py::test_killed_while_it_is_approved_or_scheduled_it_is_so_or_not",),
    ),
    Row(
        dies="before the send is due, and comes back in time",
        ledger="scheduled",
        next="starts it on time",
        proofs=("tests/flow/test_launching.py::test_late_by_policy",),
    ),
    Row(
        dies="before the send is due, and comes back late",
        ledger="scheduled",
        next="starts it, or holds or drops it: [Late](#late)",
        proofs=("tests/flow/test_launching.py::test_late_by_policy",),
    ),
    Row(
        dies="during the launch",
        ledger="scheduled, no batches: one transaction",
        next="launches it",
        proofs=(f"{_GRID}[planning]",),
    ),
    Row(
        dies="after the launch, before the page is published",
        ledger="sending, nothing published",
        next="publishes, then sends",
        proofs=(f"{_GRID}[publishing]",),
    ),
    Row(
        dies="between two batches",
        ledger="sending, batches planned",
        next="goes on; after more than six hours it is held: [Late](#late)",
        proofs=(f"{_GRID}[recorded]", _STORM),
    ),
    Row(
        dies="after a claim",
        ledger="claimed",
        next="gives the batch back, sends it",
        proofs=(f"{_GRID}[claimed]", f"{_GRID}[before the intent]"),
    ),
    Row(
        dies="after the intent: before, during or after the call",
        ledger="submitting",
        next="the batch is [in doubt](#in-doubt); the others go on",
        proofs=(f"{_GRID}[intended]", f"{_GRID}[in the body]", f"{_GRID}[before the answer]", f"{_GRID}[answered]"),
    ),
    Row(
        dies="after the result",
        ledger="accepted, or what was said",
        next="nothing to do",
        proofs=(f"{_GRID}[recorded]",),
    ),
    Row(
        dies="while a doubt is settled",
        ledger="in doubt, or submitting while a call is repeated",
        next="asks again; what was asked before counts only if the batch was not called since",
        proofs=(
            f"{_GRID}[reconciling]",
            _STORM,
            "tests/flow/test_doubts.py::TestSeveralAtOnce::test_a_worker_that_slept_over_its_second_look_does_not_send_again",
        ),
    ),
    Row(
        dies="after the last batch, before the campaign is closed",
        ledger="sending, no batch open",
        next="adds up and closes it",
        proofs=(f"{_GRID}[closing]",),
    ),
    Row(
        dies="not at all: it stands still longer than its lease, and wakes",
        ledger="what another worker has made of the batch",
        next="an old intent sends nothing; a late answer counts if it is about the last call",
        proofs=(
            _STORM,
            "tests/crash/test_grid.py::TestNegativeControls::test_a_zombie_without_a_fence_mails_twice",
            "tests/providers/test_http_call.py::test_a_call_whose_time_was_over_before_it_began_certainly_did_not_leave",
            "tests/flow/test_doubts.py::test_a_machine_that_slept_before_a_repeat_repeats_nothing",
        ),
    ),
    Row(
        dies="not at all: the disk is full",
        ledger="submitting, and the answer is kept in memory",
        next="writes the answer once there is room; if it dies meanwhile, the batch is in doubt",
        proofs=("tests/crash/test_weather.py::test_a_full_disk_stops_the_sending_and_nothing_else",),
    ),
    Row(
        dies="the database, in the middle of a commit",
        ledger="the commit whole, or not at all",
        next="tries what it has to write again; claims and calls of nobody go back or are in doubt",
        proofs=("tests/crash/test_weather.py::test_postgresql_restarted_as_by_a_power_cut_while_three_workers_send",),
    ),
    Row(
        dies="the provider, or the way to it",
        ledger="planned where nothing left, in doubt where a call had begun",
        next="waits, and goes on when it is back",
        proofs=("tests/crash/test_weather.py::test_a_provider_that_goes_away_is_waited_for",),
    ),
)


def sending_table() -> str:
    """As docs/sending.md shows it."""
    lines = ["| The process dies | The ledger shows | The next start |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {row.dies} | {row.ledger} | {row.next} |" for row in MATRIX)])


def proof_table() -> str:
    """As docs/reliability.md shows it: each row with its tests, by file and name."""
    lines = ["| The process dies | Proved by |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {row.dies} | {'; '.join(_short(one) for one in row.proofs)} |" for row in MATRIX)])


def _short(proof: str) -> str:
    path, _, name = proof.partition("::")
    test, _, point = name.rpartition("::")[2].partition("[")
    file = path.removeprefix("tests/")
    return f"`{file}` at *{point.rstrip(']')}*" if point else f"`{file}`: {test.removeprefix('test_').replace('_', ' ')}"
