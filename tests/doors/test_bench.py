"""Every measure names its baseline, measured in the same run; no test says how fast is fast enough."""

from __future__ import annotations

import pytest

from tests.doors.conftest import Briefing


@pytest.mark.parametrize("what", ["render", "import", "send", "archive"])
def test_a_measure_has_its_baseline(briefing: Briefing, what: str) -> None:
    found = briefing("bench", what, "--readers", "50", "--json").json
    assert found["what"] == what
    assert found["seconds"] > 0
    assert found["baseline_seconds"] > 0
    assert found["ratio"] > 0
