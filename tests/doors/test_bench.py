"""Every measure names its baseline, measured in the same run; no test says how fast is fast enough."""

from __future__ import annotations

import pytest

from tests.doors.conftest import Briefing


@pytest.mark.parametrize("what", ["render", "import", "send", "archive", "lookup"])
def test_a_measure_has_its_baseline(briefing: Briefing, what: str) -> None:
    found = briefing("bench", what, "--recipients", "50", "--json").json
    assert found["what"] == what
    assert found["seconds"] > 0
    assert found["baseline_seconds"] > 0
    assert found["ratio"] > 0


@pytest.mark.parametrize(("provider", "calls"), [("mailgun", 1), ("resend", 2), ("ses", 3)])
def test_a_send_is_counted_on_both_sides(briefing: Briefing, provider: str, calls: int) -> None:
    # The command fails when the ledger and the sink, a program of its own, count differently.
    found = briefing("bench", "send", "--provider", provider, "--recipients", "120", "--workers", "2", "--latency", "20", "--json").json
    assert (found["count"], found["calls"]) == (120, calls)
    assert found["seconds"] > found["launch_seconds"] > 0
    assert found["seconds"] - found["launch_seconds"] >= 0.02
    assert found["cpu_seconds"] > 0
    assert found["peak_memory_bytes"] > 1_000_000
    assert found["database_bytes"] > found["ledger_bytes"] >= 0
    assert found["share_of_ceiling"] == pytest.approx(1 / found["ratio"], rel=0.5, abs=0.001)
