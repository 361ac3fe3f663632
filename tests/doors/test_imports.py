"""Each kind of document through the door: imported, its pictures described, checked without an error, rendered."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from docx.shared import Inches
from PIL import Image

from tests.doors.conftest import Briefing

NEWSLETTER = ("--newsletter", "eurasia-briefing")
PROSE = "The ferry has waited since spring, and its owner sold it twice."


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1280, 720), "steelblue").save(out, "JPEG")
    return out.getvalue()


def word(folder: Path) -> Path:
    document = docx.Document()
    document.add_paragraph("Why A Ferry Waits", "Title")
    document.add_paragraph(PROSE)
    document.add_heading("The Money", 1)
    document.add_picture(io.BytesIO(photo()), Inches(2))
    document.add_paragraph("The ferry on May 3, 2026. (Credit: Example Agency)", "Caption")
    document.add_paragraph("First item", "List Bullet")
    document.save(str(folder / "story.docx"))
    return folder / "story.docx"


def page(folder: Path) -> Path:
    (folder / "story_files").mkdir()
    (folder / "story_files" / "ferry 1.jpg").write_bytes(photo())
    text = (
        f"<!doctype html><title>x</title><nav>Home</nav><main><h1>Why A Ferry Waits</h1><p>{PROSE}</p><h2>The Money</h2>"
        '<figure><img src="story_files/ferry%201.jpg"><figcaption>The ferry on May 3, 2026. (Credit: Example Agency)</figcaption></figure>'
        "<ul><li>First item</ul></main>"
    )
    (folder / "story.html").write_text(text, "utf-8")
    return folder / "story.html"


def note(folder: Path) -> Path:
    (folder / "ferry.jpg").write_bytes(photo())
    text = (
        f"---\ntitle: Why A Ferry Waits\nlayout: post\n---\n\n{PROSE}\n\nThe Money\n---------\n\n"
        '![](ferry.jpg "The ferry on May 3, 2026. (Credit: Example Agency)")\n\n* First item\n'
    )
    (folder / "story.md").write_text(text, "utf-8")
    return folder / "story.md"


@pytest.mark.parametrize(("make", "unit"), [(word, "paragraph"), (page, "line"), (note, "line")])
def test_a_document_becomes_an_issue(briefing: Briefing, root: Path, tmp_path: Path, make: Callable[[Path], Path], unit: str) -> None:
    (tmp_path / "given").mkdir()
    done = briefing("import", str(make(tmp_path / "given")), *NEWSLETTER, "--date", "2026-05-06", "--json")
    assert done.code == 0, done.err
    assert done.json["unit"] == unit
    assert done.json["title"] == "Why A Ferry Waits"
    assert [problem["rule"] for problem in done.json["problems"]] == ["import-alt"]
    draft = Path(done.json["path"])
    (picture,) = map(Path, done.json["pictures"])
    assert (picture.parent, picture.read_bytes()) == (draft.parent, photo())
    issue = done.json["issue"]
    assert "image-alt" in briefing("check", issue).out
    draft.write_text(re.sub(r"!\[\]", "![A white ferry at a pier]", draft.read_text("utf-8")), "utf-8")
    checked = briefing("check", issue)
    assert checked.code == 0, checked.out
    assert f"{issue}: 0 errors" in checked.out
    assert briefing("render", issue, "--out", "out").code == 0
    html = next((root / "out").glob("*.html")).read_text("utf-8")
    assert "A white ferry at a pier" in html
    assert "The Money" in html
    again = briefing("import", str(next((tmp_path / "given").glob("story.*[!s]"))), *NEWSLETTER, "--date", "2026-05-06")
    assert again.code == 1
    assert "exists already" in again.err


def test_the_report_for_people(briefing: Briefing, tmp_path: Path) -> None:
    out = briefing("import", str(note(tmp_path)), *NEWSLETTER, "--drop-pictures", "--out", str(tmp_path / "draft.md")).out
    assert "took     line 2         headline: Why A Ferry Waits" in out
    assert "dropped  line 3         front matter key: layout: post" in out
    assert "dropped  line 11        figure without its picture: ferry.jpg (left out)" in out
    assert not (tmp_path / "draft.md").read_text("utf-8").count("![")


def test_the_day_of_the_document_holds_until_another_is_given(briefing: Briefing, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(f"---\ntitle: A Ferry\ndate: 2025-05-04\n---\n{PROSE}\n", "utf-8")
    first = briefing("import", str(tmp_path / "a.md"), *NEWSLETTER, "--json").json
    second = briefing("import", str(tmp_path / "a.md"), *NEWSLETTER, "--date", "2026-05-06", "--json").json
    assert (first["issue"], second["issue"]) == ("eurasia-briefing/2025-05-04-a-ferry", "eurasia-briefing/2026-05-06-a-ferry")


def test_a_page_reaches_no_file_outside_its_folder(briefing: Briefing, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(photo())
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    sources = ("../secret.jpg", str(tmp_path / "secret.jpg"), f"file://{tmp_path}/secret.jpg", "link.jpg", "a\0b.jpg", "x" * 5000)
    (folder / "a.md").write_text("# A Ferry\n\n" + PROSE + "\n\n" + "".join(f"![a](<{one}>)\n\n" for one in sources), "utf-8")
    done = briefing("import", str(folder / "a.md"), *NEWSLETTER, "--json").json
    assert done["pictures"] == []
    assert {item["kind"] for item in done["dropped"]} == {"figure without its picture"}
    # Markdown knows no file: addresses; that one stays in the draft as the characters it is
    assert len(done["dropped"]) == len(sources) - 1
    assert "file://" in Path(done["path"]).read_text("utf-8")
    by_name = briefing("import", str(folder / "a.md"), *NEWSLETTER, "--date", "2026-05-06", "--pictures", str(tmp_path), "--json").json
    assert Path(by_name["pictures"][0]).name == "secret.jpg"


def test_undecided_changes_are_refused_and_nothing_is_written(briefing: Briefing, root: Path, tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph(PROSE)
    document.add_comment(paragraph.runs, text="Is this so?", author="Ann", initials="A")
    document.save(str(tmp_path / "a.docx"))
    before = sorted((root / "issues").rglob("*"))
    done = briefing("import", str(tmp_path / "a.docx"), *NEWSLETTER)
    assert done.code == 1
    assert "paragraph 1 (“The ferry has waited since spring" in done.err
    assert "comment by Ann: “Is this so?”" in done.err
    assert sorted((root / "issues").rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "data", "code", "said"),
    [
        ("a.docx", b"words", 1, "no Word document"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 1, "old Word document"),
        ("a.pdf", b"%PDF-1.7", 1, "is a PDF"),
        ("a.html", b"", 1, "is empty"),
        ("a.md", b"\xff\xfa", 2, "not UTF-8"),
        ("a.md", b"w" * 11_000_000, 1, "11 MB of text"),
    ],
)
def test_what_cannot_be_imported_is_one_clear_answer(
    briefing: Briefing, tmp_path: Path, name: str, data: bytes, code: int, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    done = briefing("import", str(tmp_path / name), *NEWSLETTER)
    assert done.code == code
    assert said in done.err
