"""The metrics are those of the ledger, in a form that Prometheus reads, and name nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pipeline import app
from pipeline.errors import ConfigurationError
from pipeline.flow import delivery, metrics
from pipeline.providers.call_times import BOUNDS_S, CallTimes
from pipeline.serving import start_app
from pipeline.store.engine import open_engine
from pipeline.web.vitals import create_vitals
from tests.flow.conftest import Office

Open = Callable[..., Office]
_LINE = re.compile(r"# (HELP|TYPE) [a-z_]+ .+|([a-z_]+)(\{[a-z_]+=\"[^\"]*\"(,[a-z_]+=\"[^\"]*\")*\})? (-?\d+(\.\d+)?(e[+-]\d+)?)")


def read(text: str) -> dict[str, float]:
    """Every sample by name and labels; fails on a line that is not of the format."""
    found = {}
    for line in text.splitlines():
        assert _LINE.fullmatch(line), line
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = float(value)
    assert text.endswith("\n")
    return found


def test_the_figures_are_those_of_the_ledger(open_office: Open) -> None:
    office = open_office("drop-after=1x", BRIEFING_SANDBOX_CLASS="neither")
    office.launch(2500)
    office.clock.pass_by(seconds=90)
    before = read(metrics.exposition(office.sender))
    assert before['briefing_batches{state="planned"}'] == 3
    assert before["briefing_oldest_ready_batch_seconds"] == 90
    assert before["briefing_provider_call_seconds_count"] == 0
    for key in delivery.ready(office.sender, 2):
        delivery.deliver(office.sender, key)
    after = read(metrics.exposition(office.sender))
    assert after["briefing_readers_in_doubt"] == 1000
    assert after['briefing_messages_total{outcome="accepted"}'] == 1000
    assert (after['briefing_batches{state="in_doubt"}'], after['briefing_batches{state="accepted"}']) == (1, 1)
    assert after['briefing_campaigns{state="sending"}'] == 1
    assert after["briefing_provider_call_seconds_count"] == 2
    assert after['briefing_provider_call_seconds_bucket{le="+Inf"}'] == 2
    office.deliver_ready()
    assert read(metrics.exposition(office.sender))["briefing_oldest_ready_batch_seconds"] == 0


def test_a_database_that_is_away_is_said_and_not_raised(open_office: Open, tmp_path: Path) -> None:
    office = open_office()
    away = open_engine(f"sqlite:///{tmp_path / 'none' / 'x.db'}")
    sender = replace(office.sender, engine=away)
    found = read(metrics.exposition(sender))
    assert found["briefing_database_up"] == 0
    assert "briefing_readers_in_doubt" not in found
    served = start_app(create_vitals(sender, lambda: ""))
    assert httpx.get(f"{served.url}/healthz").status_code == 200
    assert httpx.get(f"{served.url}/readyz").status_code == 503
    served.stop()
    away.dispose()


def test_ready_is_what_the_worker_says(open_office: Open) -> None:
    said = ["the worker has not begun"]
    served = start_app(create_vitals(open_office().sender, lambda: said[0]))
    answer = httpx.get(f"{served.url}/readyz")
    assert (answer.status_code, answer.text) == (503, "the worker has not begun\n")
    said[0] = ""
    assert httpx.get(f"{served.url}/readyz").status_code == 200
    answer = httpx.get(f"{served.url}/metrics")
    assert answer.headers["content-type"] == metrics.CONTENT_TYPE
    assert httpx.post(f"{served.url}/metrics").status_code == 405
    served.stop()


def test_a_histogram_is_cumulated_and_counts_its_bounds_in() -> None:
    times = CallTimes()
    for seconds in (BOUNDS_S[0], BOUNDS_S[0] + 0.001, 1000.0):
        times.add(seconds)
    counts, total = times.read()
    assert (counts[0], counts[1], counts[-1]) == (1, 1, 1)
    assert total == pytest.approx(1000.101)


@pytest.mark.parametrize("value", ["9108", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "http://127.0.0.1:9108", "::1:9108"])
def test_a_place_that_is_none_stops_the_start(root: Path, value: str) -> None:
    with (root / "config" / "newsroom.toml").open("a") as file:
        file.write(f'\n[metrics]\nlisten = "{value}"\n')
    with pytest.raises(ConfigurationError, match="an address and a port"):
        app.load_settings(root, {})


def test_an_address_of_the_newer_kind_is_a_place(root: Path) -> None:
    with (root / "config" / "newsroom.toml").open("a") as file:
        file.write('\n[metrics]\nlisten = "[::1]:9108"\n')
    assert app.load_settings(root, {}).newsroom.metrics.place() == ("::1", 9108)
