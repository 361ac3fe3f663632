"""Newsrooms for the doors: a copy of the packaged one in a temporary folder, served over loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from pipeline import newsroom
from pipeline.app import load_settings, open_station
from pipeline.flow.context import Station

NEWSLETTER = "eurasia-briefing"
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A newsroom with the sample issues and two newsletters."""
    room = tmp_path / "room"
    for folder in ("config", "issues"):
        shutil.copytree(newsroom.packaged() / folder, room / folder)
    first = room / "config" / "newsletters" / f"{NEWSLETTER}.toml"
    second = first.with_name("second-letter.toml")
    second.write_text(first.read_text("utf-8").replace('name = "Eurasia Briefing"', 'name = "Second Letter"', 1), "utf-8")
    return room


@pytest.fixture
def station(root: Path) -> Iterator[Station]:
    """That newsroom with its database and keys."""
    opened = open_station(load_settings(root, {}))
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Skipped where there is none, except in CI."""
    if not CHROMIUM.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs a browser, and {CHROMIUM} is missing")
        pytest.skip(f"no browser: {CHROMIUM} is missing (name another one with the variable CHROMIUM)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield started
        started.close()
