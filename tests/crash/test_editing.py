"""Killed in the middle of an approval, or of a scheduling: it is there, or it is not, and the same command does it again."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pipeline import app
from pipeline.flow import campaigns, editions, starter
from pipeline.store.engine import reading
from pipeline.store.tables import asset, edition
from tests.crash.processes import Brood
from tests.crash.rooms import ISSUE


def test_killed_while_it_is_approved_or_scheduled_it_is_so_or_not(tmp_path: Path, brood: Brood) -> None:
    root, log = tmp_path / "newsroom", tmp_path / "processes.log"
    starter.lay(root)
    environment = {"HOME": str(tmp_path), "USER": "test", "PATH": os.environ["PATH"]}

    def command(*arguments: str, control: str = "") -> None:
        process = brood.start(["--newsroom", str(root), *arguments], environment, log, control=control)
        until = time.monotonic() + 60
        while process.runs:
            assert time.monotonic() < until
            time.sleep(0.01)

    station = app.open_station(app.load_settings(root, {}))
    try:
        command("approve", ISSUE, control="dies approving")
        with reading(station.engine) as connection:
            assert connection.execute(edition.select()).first() is None
            assert connection.execute(asset.select()).first() is None
        command("approve", ISSUE)
        assert editions.current(station, ISSUE), log.read_text()
        command("schedule", ISSUE, "--at", "in 3h", control="dies scheduling")
        assert campaigns.listed(station) == []
        command("schedule", ISSUE, "--at", "in 3h")
        assert [str(one.campaign.state) for one in campaigns.listed(station)] == ["scheduled"], log.read_text()
    finally:
        station.close()
