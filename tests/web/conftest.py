"""The doors over loopback, and a real browser before them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from pipeline.core.token import seal_leave_token
from pipeline.flow import readers
from pipeline.flow.context import Station
from pipeline.serving import start_app
from pipeline.web.public import create_public

NEWSLETTER = "eurasia-briefing"
OTHER = "second-letter"
ADDRESS = "reader@example.org"
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


@pytest.fixture
def root(root: Path) -> Path:
    """A newsroom with a second newsletter, so that one can be told from another."""
    first = root / "config" / "newsletters" / f"{NEWSLETTER}.toml"
    first.with_name(f"{OTHER}.toml").write_text(
        first.read_text("utf-8").replace('name = "Eurasia Briefing"', 'name = "Second Letter"', 1), "utf-8"
    )
    return root


@pytest.fixture
def public(station: Station) -> Iterator[str]:
    """The public site's address."""
    running = start_app(create_public(station), name="public site")
    yield running.url
    running.stop()


@pytest.fixture
def client(public: str) -> Iterator[httpx.Client]:
    """Talks to the public site."""
    with httpx.Client(base_url=public, trust_env=False) as opened:
        yield opened


@pytest.fixture
def token(station: Station) -> str:
    """The leave token of a reader of both newsletters."""
    for newsletter in (NEWSLETTER, OTHER):
        readers.add(station, newsletter, ADDRESS, consent="test")
    return seal_leave_token(station.leave_key, 1, NEWSLETTER, station.clock())


def states(station: Station) -> dict[str, str]:
    """That reader's subscriptions."""
    found = readers.find(station, ADDRESS)
    assert found is not None
    return {newsletter: state for newsletter, state, _ in found.subscriptions}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Tests that need it are skipped where there is none, and fail there in CI."""
    if not CHROMIUM.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs a browser, and {CHROMIUM} is missing")
        pytest.skip(f"no browser: {CHROMIUM} is missing (name another one with the variable CHROMIUM)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield started
        started.close()


class Watched:
    """A page in a browser, with everything it asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}") if message.type != "log" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def assert_quiet(self, base: str) -> None:
        """Nothing was asked of another machine, and nothing is in the console."""
        assert [url for url in self.requests if not url.startswith((base, "data:"))] == []
        assert self.complaints == []


@pytest.fixture
def tab(browser: Browser) -> Iterator[Watched]:
    """A fresh tab of 1280 by 900 pixels."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Watched(context.new_page())
    context.close()
