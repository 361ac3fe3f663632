"""The whole way through, as the README tells it: the demo, and an imported page that ends in an inbox and in the archive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from pipeline.providers.sandbox.store import SandboxStore
from pipeline.serving import LOOPBACK, listen
from tests.conftest import REPOSITORY

ENVIRONMENT = {**{name: value for name, value in os.environ.items() if not name.startswith("BRIEFING_")}, "PYTHONPATH": str(REPOSITORY)}


def briefing(*arguments: str, cwd: Path, code: int = 0) -> str:
    """Runs the command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def free_port() -> int:
    """A port that is free now."""
    with listen(LOOPBACK, 0, next_free=False) as listener:
        return int(listener.getsockname()[1])


def test_the_demo_mails_a_thousand_readers_once(tmp_path: Path) -> None:
    out = briefing("demo", "--once", "--recipients", "1000", "--json", "--dir", "demo", "--port", str(free_port()), cwd=tmp_path)
    result = json.loads(out)
    assert {key: result[key] for key in ("recipients", "sent", "refused", "suppressed", "in_doubt", "duplicates")} == {
        "recipients": 1000,
        "sent": 1000,
        "refused": 0,
        "suppressed": 0,
        "in_doubt": 0,
        "duplicates": 0,
    }
    with closing(SandboxStore(tmp_path / "demo" / "var" / "sandbox.db")) as store:
        assert store.stats().mails == 1000
        _, listed = store.mails(limit=1000)
        mails = [mail for one in listed if (mail := store.mail(one.id)) is not None]
        assert len({(mail.subject, mail.html, mail.text) for mail in mails}) == 1
        assert len({dict(mail.headers)["List-Unsubscribe"] for mail in mails}) == len({mail.address for mail in mails}) == 1000
    # A second run starts clean.
    assert json.loads(briefing("demo", "--once", "--recipients", "10", "--json", "--dir", "demo", cwd=tmp_path))["sent"] == 10


def test_the_demo_touches_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("mine", "utf-8")
    briefing("demo", "--once", "--dir", "work", cwd=tmp_path, code=1)
    assert (tmp_path / "work" / "notes.txt").read_text("utf-8") == "mine"


@pytest.fixture
def serving(root: Path) -> Iterator[tuple[str, str]]:
    """``briefing serve`` on free ports; gives the archive's and the sandbox's address."""
    web, inbox = free_port(), free_port()
    config = root / "config" / "newsroom.toml"
    text = config.read_text("utf-8").replace("http://127.0.0.1:8025", f"http://127.0.0.1:{inbox}")
    config.write_text(text.replace("https://briefing.example.org", f"http://127.0.0.1:{web}"), "utf-8")
    server = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "serve", "--port", str(web)],
        cwd=root,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    addresses = f"http://127.0.0.1:{web}", f"http://127.0.0.1:{inbox}"
    wait(lambda: all(answers(url) for url in addresses))
    yield addresses
    server.terminate()
    assert server.wait(timeout=30) == 0


def answers(url: str) -> bool:
    """Whether something answers there."""
    try:
        return httpx.get(url + "/", timeout=2).status_code < 500
    except httpx.HTTPError:
        return False


def wait(done: Callable[[], bool], seconds: float = 60) -> None:
    """Until it is so; fails after a minute."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


PAGE = """Accessibility links

Example Newsroom

Dams, Debts, And A Border Reopened


The sluice gates of an upland dam are opened for an inspection on April 3, 2026.
The sluice gates of an upland dam are opened for an inspection on April 3, 2026.

Officials from three countries met on a bridge this week and agreed to share its water. The text they signed is short.

What Was Agreed

The upstream state will announce each release of water two weeks ahead. In return its neighbors forgive a part of an old debt.

What Comes Next

Engineers are to report in autumn. Until then the gauges on both banks are read by both sides, every morning, at the same minute.

XS
SM
MD
LG
"""


def test_an_imported_page_arrives_and_stands_in_the_archive(root: Path, serving: tuple[str, str]) -> None:
    web, inbox = serving
    (root / "page.txt").write_text(PAGE, "utf-8")
    (root / "readers.csv").write_text("email\none@example.org\ntwo@example.org\nthree@example.org\n", "utf-8")
    imported = json.loads(
        briefing("import", "page.txt", "--newsletter", "eurasia-briefing", "--drop-pictures", "--date", "2026-04-08", "--json", cwd=root)
    )
    issue = imported["issue"]
    briefing("check", issue, cwd=root)
    briefing("render", issue, "--out", "out", cwd=root)
    briefing("readers", "import", "readers.csv", "--newsletter", "eurasia-briefing", "--consent", "a test", cwd=root)
    briefing("approve", issue, cwd=root)
    campaign = json.loads(briefing("send", issue, "--json", cwd=root))["campaign"]
    wait(lambda: json.loads(briefing("status", str(campaign), "--json", cwd=root))["state"] == "sent")

    listed = httpx.get(f"{inbox}/api/messages").json()
    mails = [httpx.get(f"{inbox}/api/messages/{item['id']}").json() for item in listed["items"]]
    assert len(mails) == 3
    for name in ("html", "text"):
        assert len({mail[name] for mail in mails}) == 1
    headers = [dict(mail["headers"]) for mail in mails]
    assert len({header["Subject"] for header in headers}) == 1
    links = {header["List-Unsubscribe"] for header in headers}
    assert len(links) == 3
    assert all("What Was Agreed" in mail["html"] and "both sides, every morning" in " ".join(mail["text"].split()) for mail in mails)

    page = httpx.get(f"{web}/{issue}/")
    assert page.status_code == 200
    assert "What Comes Next" in page.text
    feed = httpx.get(f"{web}/eurasia-briefing/feed.xml").text
    assert "Engineers are to report in autumn" in feed

    # The header's link lets its reader go by one POST (RFC 8058), and only that one.
    link = next(iter(links)).strip("<>")
    assert httpx.get(link).status_code == 200
    assert json.loads(briefing("readers", "stats", "--json", cwd=root)) == {"eurasia-briefing": {"confirmed": 3}}
    assert httpx.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert json.loads(briefing("readers", "stats", "--json", cwd=root)) == {"eurasia-briefing": {"confirmed": 2, "unsubscribed": 1}}


def test_the_given_article_becomes_an_issue(root: Path, shared: Callable[[str], Path]) -> None:
    source = shared("input/page-text.txt")
    imported = json.loads(
        briefing("import", str(source), "--newsletter", "eurasia-briefing", "--drop-pictures", "--date", "2021-07-20", "--json", cwd=root)
    )
    assert sum(item["kind"] == "section" for item in imported["taken"]) == 4
    assert sum(item["kind"] == "figure without its picture" for item in imported["dropped"]) == 4
    briefing("check", imported["issue"], cwd=root)
    first = briefing("render", imported["issue"], "--out", "one", cwd=root).split()
    second = briefing("render", imported["issue"], "--out", "two", cwd=root).split()
    suffixes = {"".join(Path(name).suffixes) for name in first if "media" not in name}
    assert suffixes == {".html", ".txt", ".eml", ".web.html", ".json"}
    for one, two in zip(first, second, strict=True):
        assert (root / one).read_bytes() == (root / two).read_bytes()
