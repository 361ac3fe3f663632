"""Pictures on their way: from beside the draft into the approval, the archive and the mail."""

from __future__ import annotations

import email
import email.policy
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pipeline.core.problem import Severity
from pipeline.flow import drafts, editions, rendering
from pipeline.providers.sandbox.rendering import whole_message
from tests.flow.conftest import ISSUE, NEWSLETTER, Office

Open = Callable[..., Office]


def embed(root: Path) -> None:
    path = root / "config" / "newsletters" / f"{NEWSLETTER}.toml"
    path.write_text('pictures = "embedded"\n' + path.read_text("utf-8"), "utf-8")


def beside(root: Path) -> Path:
    """The folder of the issue, and in it its picture, ``contracts.png``."""
    return root / "issues" / ISSUE


def problems(office: Office) -> dict[str, tuple[Severity, int, str]]:
    return {one.rule: (one.severity, one.line, one.message) for one in rendering.examine(office.sender, ISSUE)[1]}


def test_the_archive_gets_every_file_its_page_offers_and_they_are_made_once(open_office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    office = open_office()
    office.launch(3)
    approval, draft = editions.current(office.sender, ISSUE)
    page = (office.sender.settings.var / "archive" / ISSUE / "index.html").read_text("utf-8")
    asked = set(re.findall(r"\.\./\.\./media/([a-z0-9.-]+)", page))
    assert asked >= set(approval.edition.renditions) != set()
    for name in asked:
        with Image.open(office.sender.settings.var / "archive" / "media" / name) as image:
            image.load()
            assert not image.getexif()
    monkeypatch.setattr("pipeline.flow.editions.make_renditions", lambda data, picture, wanted: pytest.fail("again") if wanted else ())
    editions._renditions(office.sender, draft, approval.edition.renditions)


def test_looking_at_a_draft_makes_none_of_the_webs_files(open_office: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    office = open_office()
    monkeypatch.setattr("pipeline.render.pictures._web_bytes", lambda *given, **more: pytest.fail("slow work"))
    rendering.examine(office.sender, ISSUE)
    rendering.write(office.sender, ISSUE, tmp_path)


def test_an_embedded_picture_travels_in_every_mail_and_lies_in_the_archive(root: Path, open_office: Open) -> None:
    embed(root)
    office = open_office()
    office.launch(3)
    office.deliver_ready()
    approval, _ = editions.current(office.sender, ISSUE)
    assert approval.edition.embedded
    total, _ = office.inbox.store.mails()
    assert total == 3
    for number in (1, 2, 3):
        mail = office.inbox.store.mail(number)
        assert mail is not None
        message = email.message_from_bytes(whole_message(mail), policy=email.policy.default)
        assert not message.defects
        html = mail.html or ""
        carried = {part["Content-ID"].strip("<>"): part.get_payload(decode=True) for part in message.walk() if part["Content-ID"]}
        assert set(re.findall(r'src="cid:([^"]*)"', html)) == set(carried)
        assert "/media/" not in html
        for name, id in approval.edition.embedded:
            assert carried[id] == (office.sender.settings.var / "archive" / "media" / name).read_bytes()


def test_the_sample_mail_carries_them_too(root: Path, open_office: Open, tmp_path: Path) -> None:
    embed(root)
    written = rendering.write(open_office().sender, ISSUE, tmp_path)
    eml = next(path for path in written.paths if path.suffix == ".eml").read_bytes()
    kinds = [part.get_content_type() for part in email.message_from_bytes(eml).walk()]
    assert kinds[:4] == ["multipart/alternative", "text/plain", "multipart/related", "text/html"]
    assert set(kinds[4:]) <= {"image/png", "image/jpeg"} != set()


def test_what_a_mail_may_carry_has_a_limit(root: Path, open_office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    office = open_office()
    monkeypatch.setattr(rendering, "WARN_MESSAGE_BYTES", 1000)
    assert "message-size" not in problems(office)  # hosted pictures are not part of the mail
    embed(root)
    office = open_office()
    assert problems(office)["message-size"][0] is Severity.WARNING
    monkeypatch.setattr(rendering, "MAX_MESSAGE_BYTES", 2000)
    assert problems(office)["message-size"][0] is Severity.ERROR


def test_bad_pictures_are_problems_with_their_line(root: Path, open_office: Open, tmp_path: Path) -> None:
    office, picture = open_office(), beside(root) / "contracts.png"
    line = next(n for n, text in enumerate((beside(root) / "index.md").read_text("utf-8").split("\n"), 1) if "contracts.png" in text)
    good = picture.read_bytes()
    outside = tmp_path / "passport.png"
    outside.write_bytes(good)

    def said() -> str:
        severity, where, message = problems(office)["picture-missing"]
        assert (severity, where) == (Severity.ERROR, line)
        return message

    picture.write_bytes(b"")
    assert "empty" in said()
    picture.write_bytes(b"<svg><script>alert(1)</script></svg>")
    assert "export it as PNG" in said()
    picture.write_bytes(good[: len(good) // 2])
    assert "damaged or cut short" in said()
    picture.unlink()
    assert "there is no picture" in said()
    picture.symlink_to(outside)
    assert "outside the draft's folder" in said()
    picture.unlink()
    os.mkfifo(picture)
    assert "is not a file" in said()
    picture.unlink()
    picture.mkdir()
    assert "is not a file" in said()


def test_moving_pictures_are_warned_of(root: Path, open_office: Open) -> None:
    office, picture = open_office(), beside(root) / "contracts.png"
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("#ff0000", "#0000ff")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    picture.write_bytes(out.getvalue())
    found = problems(office)
    assert found["picture-animated"][0] is Severity.WARNING
    assert "first frame" in found["picture-animated"][2]


def test_a_focus_reaches_mail_and_web(root: Path, open_office: Open) -> None:
    draft = beside(root) / "index.md"
    draft.write_text(re.sub(r"(!\[[^\]]*\]\(contracts\.png [^\n]*\))", r'\1{focus="50% 0%"}', draft.read_text("utf-8")), "utf-8")
    office = open_office()
    edition, pictures = drafts.render(office.sender, drafts.read(office.sender, ISSUE))
    cut = next(one for one in pictures if one.name.startswith("contracts"))
    assert cut.crop is not None
    assert abs(cut.width / cut.height - 16 / 9) < 0.01
    assert f'{cut.name}"' in edition.html
