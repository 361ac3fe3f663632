"""Every sample issue against the bars of docs/figures.md, as far as a machine without node and java can measure them.

The samples are the packaged issues and the Chinese newsroom beside this file.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline import app
from pipeline.flow import rendering
from tests.conftest import REPOSITORY, SHARED

CHINESE = Path(__file__).parent / "newsroom-zh"
SCORE = SHARED / "tools" / "score_email.py"
SAMPLES = [(REPOSITORY, path.parent) for path in sorted(REPOSITORY.glob("issues/*/*/index.md"))]
SAMPLES += [(CHINESE, path.parent) for path in sorted(CHINESE.glob("issues/*/*/index.md"))]

LATIN_BYTES_PER_TEXT_BYTE = 2.6
STYLE_BYTES = 2048
CLIP_BYTES = 102 * 1024  # Gmail hides the rest


class _Seen(HTMLParser):
    """The text a reader sees, and the style sheets."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.style = "", ""
        self._inside: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("br", "hr", "img", "meta"):
            self._inside.append((tag, "display:none" in (dict(attrs).get("style") or "")))

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._inside]
        if "style" in tags:
            self.style += data
        elif "body" in tags and not any(hidden for _, hidden in self._inside):
            self.text += data + " "


@pytest.fixture(scope="module", params=SAMPLES, ids=[f"{issue.parent.name}/{issue.name}" for _, issue in SAMPLES])
def mail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample's .eml, as ``briefing render`` writes it."""
    newsroom, issue = request.param
    desk = app.open_desk(app.load_settings(newsroom, {}))
    done = rendering.write(desk, f"{issue.parent.name}/{issue.name}", tmp_path_factory.mktemp("rendered"))
    return next(path for path in done.paths if path.suffix == ".eml")


def test_there_is_a_sample_in_every_script() -> None:
    languages = {re.search(r"^language: (\w+)", (issue / "index.md").read_text(), re.M) for _, issue in SAMPLES}
    assert {found[1] for found in languages if found} >= {"ru", "ug"}
    assert any(newsroom == CHINESE for newsroom, _ in SAMPLES)


def test_the_mail_is_light(mail: Path) -> None:
    message = message_from_bytes(mail.read_bytes(), policy=policy.default)
    part = message.get_body(("html",))
    assert part is not None
    html = part.get_content()
    seen = _Seen()
    seen.feed(html)
    text = " ".join(seen.text.split())
    assert len(text) > 500
    assert len(html.encode()) < CLIP_BYTES
    assert 0 < len(seen.style.encode()) <= STYLE_BYTES
    if message["Content-Language"] == "en":
        assert len(html.encode()) <= LATIN_BYTES_PER_TEXT_BYTE * len(text.encode())


@pytest.mark.skipif(not SCORE.exists(), reason=f"the scoring script is not at {SCORE} (BRIEFING_SHARED)")
def test_markup_headers_and_plain_part_have_no_fault(mail: Path, tmp_path: Path) -> None:
    report = tmp_path / "score.json"
    command = [sys.executable, str(SCORE), str(mail), "--skip", "vnu,cie,ens,axe,sa,rsp", "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"lint": 0' in report.read_text(), report.read_text()
    assert '"mime": 0' in report.read_text(), report.read_text()


@pytest.mark.skipif(shutil.which("spamassassin") is None, reason="SpamAssassin is not installed")
def test_spamassassin_finds_nothing_but_two_alphabets(mail: Path) -> None:
    """A Russian mail holds Latin addresses, which one rule minds (docs/decisions/0016-points-for-a-script.md)."""
    done = subprocess.run(["spamassassin", "-L", "-t"], input=mail.read_bytes(), capture_output=True, timeout=180)
    report = done.stdout.rpartition(b"Content analysis details:")[2].decode()
    points = re.search(r"\((-?[\d.]+) points", report)
    assert points is not None, done.stderr.decode()
    assert float(points[1]) <= 0, report
