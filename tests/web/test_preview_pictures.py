"""The preview's pictures: those a mail carries, and the web page's files, made when a browser asks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from pipeline import app
from pipeline.core.issue import IssueId
from pipeline.web.preview.views import VIEWS, mail_copy
from pipeline.web.preview.workbench import Rendering, Workbench
from tests.conftest import SetClock

ISSUE = IssueId.parse("eurasia-briefing/2021-08-18-after-kabul")
BASE = "http://127.0.0.1:8010"


def opened(root: Path, clock: SetClock) -> tuple[Workbench, Rendering]:
    bench = Workbench(root, lambda: app.open_desk(app.load_settings(root, {}), clock))
    rendering = bench.look(ISSUE, BASE).rendering
    assert rendering is not None
    return bench, rendering


def test_what_a_mail_carries_is_shown_in_every_frame(root: Path, clock: SetClock) -> None:
    path = root / "config" / "newsletters" / "eurasia-briefing.toml"
    path.write_text('pictures = "embedded"\n' + path.read_text("utf-8"), "utf-8")
    bench, rendering = opened(root, clock)
    assert rendering.public.html.count("cid:") == len(rendering.public.embedded) > 0
    assert rendering.mail.parts[2].kind.startswith("image/")
    shown = [copy for view in VIEWS if view.mail and (copy := mail_copy(rendering, view.frame)) is not None]
    assert shown
    for copy in shown:
        assert "cid:" not in copy
    for name, _ in rendering.public.embedded:
        assert f"{BASE}/media/{name}" in shown[0]
        assert bench.file(f"media/{name}") is not None


def test_a_file_of_the_web_page_is_made_when_it_is_asked_for_and_once(root: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, rendering = opened(root, clock)
    name = next(one for one in rendering.public.renditions if one.endswith("-480.avif"))
    assert f"media/{name}" not in rendering.files
    found = bench.file(f"media/{name}")
    assert found is not None
    assert found[1] == "image/avif"
    assert Image.open(io.BytesIO(found[0])).width == 480
    monkeypatch.setattr("pipeline.web.preview.workbench.make_renditions", pytest.fail)
    assert bench.file(f"media/{name}") == found
    assert bench.file("media/nothing-000000000000-480.avif") is None


def test_a_source_that_is_gone_by_then_is_no_fault(root: Path, clock: SetClock) -> None:
    bench, rendering = opened(root, clock)
    for path in (root / "issues" / str(ISSUE)).glob("*.png"):
        path.unlink()
    assert bench.file(f"media/{rendering.public.renditions[0]}") is None
