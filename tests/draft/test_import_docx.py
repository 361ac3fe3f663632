"""Word documents, made here with python-docx: what is taken, what is refused, what is listed."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Inches
from PIL import Image

from pipeline.draft.importing.kinds import Kind, kind_of
from pipeline.draft.importing.tidy import settle_pictures
from pipeline.draft.importing.values import DocumentImport
from pipeline.draft.importing.word import read_word
from pipeline.errors import Refusal


def picture(colour: str = "navy", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 36), colour).save(out, kind)
    return out.getvalue()


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def read(document: Any) -> DocumentImport:
    return settle_pictures(read_word(saved(document), file="story.docx"), {})


def link(paragraph: Any, address: str, words: str) -> None:
    """A hyperlink, which python-docx reads but does not write."""
    part = paragraph.part
    id = part.relate_to(address, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink", is_external=True)
    xml = f'<w:hyperlink {nsdecls("w", "r")} r:id="{id}"><w:r><w:t>{words}</w:t></w:r></w:hyperlink>'
    paragraph._p.append(parse_xml(xml))


def add(paragraph: Any, xml: str) -> None:
    paragraph._p.append(parse_xml(xml.replace(">", f" {nsdecls('w', 'r')}>", 1)))


def repacked(data: bytes, changes: dict[str, bytes | None]) -> bytes:
    """The package with some parts replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys([*old.namelist(), *changes]):
            content = changes.get(name, old.read(name) if name in old.namelist() else b"")
            if content is not None:
                new.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def story() -> Any:
    document = docx.Document()
    document.add_paragraph("Why A Ferry Waits", "Title")
    first = document.add_paragraph("The ferry has waited since ")
    first.add_run("spring").italic = True
    first.add_run(". Its owner ")
    link(first, "https://example.org/owner?a=1", "sold it")
    first.add_run(" twice.")
    document.add_heading("The Money", 1)
    label = document.add_paragraph()
    label.add_run("Why It ").bold = True
    label.add_run("Matters:").bold = True
    label.add_run("Because 5 * 3 is 15, and file_name_here stays.")
    document.add_paragraph("First item", "List Bullet")
    document.add_paragraph("Deeper item", "List Bullet 2")
    document.add_paragraph("Second item", "List Bullet")
    document.add_paragraph("Count one", "List Number")
    document.add_heading("A detail", 3)
    document.add_paragraph("We are waiting.", "Quote")
    document.add_paragraph("— Vera Lind, captain", "Quote")
    return document


def test_the_whole_of_a_plain_story(story: Any) -> None:
    found = read(story)
    assert found.title == "Why A Ferry Waits"
    assert found.unit == "paragraph"
    assert found.body_markdown == (
        "The ferry has waited since *spring*. Its owner [sold it](https://example.org/owner?a=1) twice.\n\n"
        "## The Money\n\n"
        "**Why It Matters:** Because 5 \\* 3 is 15, and file_name_here stays.\n\n"
        "- First item\n- Deeper item\n- Second item\n\n"
        "1. Count one\n\n"
        "### A detail\n\n"
        "> We are waiting.\n> -- Vera Lind, captain"
    ).replace("- First item\n- Deeper item\n- Second item", LISTED)
    assert found.dropped == ()
    assert found.problems == ()
    assert [(item.kind, item.first_line) for item in found.taken][:4] == [
        ("headline", 1),
        ("paragraph", 2),
        ("section", 3),
        ("paragraph", 4),
    ]


# "List Bullet 2" is a list of its own in Word, not a level of the first
LISTED = "- First item\n\n* Deeper item\n\n- Second item"


def test_levels_of_one_list_are_nested() -> None:
    document = docx.Document()
    document.add_paragraph("A sentence before the list.")
    for level, words in ((0, "Outer"), (1, "Inner"), (1, "Inner again"), (0, "Outer again")):
        paragraph = document.add_paragraph(words)
        paragraph._p.get_or_add_pPr().append(parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="1"/></w:numPr>'))
    nested = re.sub(r"(?m)^( *)(?:-|\d\.) ", r"\1* ", read(document).body_markdown)
    assert re.sub(r" +\*", "  *", nested) == "A sentence before the list.\n\n* Outer\n  * Inner\n  * Inner again\n* Outer again"


def test_a_picture_lies_beside_the_draft_with_its_words() -> None:
    document = docx.Document()
    document.add_heading("A Ferry", 1)
    document.add_paragraph("Before it.")
    document.add_picture(io.BytesIO(picture()), Inches(1))
    document.element.body.find(".//" + qn("wp:docPr")).set("descr", "A white ferry at a pier")
    document.add_paragraph("The ferry on May 3, 2026. (Credit: Example Agency)", "Caption")
    document.add_picture(io.BytesIO(picture("red", "JPEG")), Inches(1))
    found = read(document)
    first, second = found.pictures
    assert first.data == picture()
    assert f'![A white ferry at a pier]({first.name} "The ferry on May 3, 2026. (Credit: Example Agency)")' in found.body_markdown
    assert second.name.endswith(".jpg")
    assert f"![]({second.name})" in found.body_markdown
    assert [problem.rule for problem in found.problems] == ["import-alt"]
    without = settle_pictures(read_word(saved(document), file="story.docx"), {}, drop=True)
    assert [item.kind for item in without.dropped] == ["figure without its picture"] * 2
    assert "The ferry on May 3, 2026." in without.dropped[0].note


def test_tracked_changes_and_comments_are_refused_with_their_places(story: Any) -> None:
    target = story.paragraphs[1]
    add(target, '<w:ins w:id="1" w:author="Ann"><w:r><w:t>new words</w:t></w:r></w:ins>')
    add(target, '<w:del w:id="2" w:author="Ben"><w:r><w:delText>old words</w:delText></w:r></w:del>')
    story.add_comment(story.paragraphs[3].runs, text="Is this right?", author="Cid", initials="C")
    with pytest.raises(Refusal) as refused:
        read(story)
    said = refused.value.message
    assert "paragraph 2 (“The ferry has waited since spring" in said
    assert "inserted by Ann: “new words”" in said
    assert "deleted by Ben: “old words”" in said
    assert "paragraph 4 (“Why It Matters:Because" in said
    assert "comment by Cid: “Is this right?”" in said
    assert "accept or reject" in refused.value.hint


def test_what_a_draft_cannot_hold_is_listed() -> None:
    document = docx.Document()
    document.add_heading("A Ferry", 1)
    paragraph = document.add_paragraph("Running text with a ")
    link(paragraph, "file:///C:/secret.docx", "local link")
    hidden = paragraph.add_run("and what nobody sees")
    hidden.font.hidden = True
    gone = paragraph.add_run(" and struck words")
    gone.font.strike = True
    add(paragraph, "<w:r><w:object/></w:r>")
    document.sections[0].header.paragraphs[0].text = "Draft of May"
    table = document.add_table(2, 2)
    for cell, words in zip((c for row in table.rows for c in row.cells), ("Year", "Boats", "2025", "14"), strict=True):
        cell.text = words
    found = read(document)
    assert "local link" in found.body_markdown
    assert "- Year – Boats\n- 2025 – 14" in found.body_markdown
    assert {item.kind for item in found.dropped} == {"link", "hidden text", "embedded object", "page header"}
    assert {problem.rule for problem in found.problems} == {"import-link", "import-struck", "import-table"}
    assert "nobody sees" not in found.body_markdown


def test_bold_that_ends_inside_a_word_keeps_its_letters() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("He said ")
    paragraph.add_run("«no").bold = True
    paragraph.add_run("pe» and left.")
    found = read(document)
    assert "«nope» and left." in found.body_markdown.replace("*", "")


def test_a_field_is_a_link_and_superscripts_are_figures() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("See ")
    for xml in ('<w:fldChar w:fldCharType="begin"/>', '<w:instrText> HYPERLINK "https://example.org/x" </w:instrText>',
                '<w:fldChar w:fldCharType="separate"/>', "<w:t>this page</w:t>", '<w:fldChar w:fldCharType="end"/>'):  # fmt: skip
        add(paragraph, f"<w:r>{xml}</w:r>")
    paragraph.add_run(" about 10 m")
    paragraph.add_run("2").font.superscript = True
    assert read(document).body_markdown == "See [this page](https://example.org/x) about 10 m²"


def test_text_boxes_contents_controls_and_notes() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("A ferry waits")
    box = "<w:pict><w:txbxContent><w:p><w:r><w:t>words in a box</w:t></w:r></w:p></w:txbxContent></w:pict>"
    add(paragraph, f"<w:r>{box}</w:r>")
    add(paragraph, "<w:sdt><w:sdtContent><w:r><w:t> in a control</w:t></w:r></w:sdtContent></w:sdt>")
    add(paragraph, '<w:r><w:footnoteReference w:id="7"/></w:r>')
    data = saved(document)
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        rels = package.read("word/_rels/document.xml.rels").decode()
        types = package.read("[Content_Types].xml").decode()
    part = "/word/footnotes.xml"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    note = f'<w:footnotes {nsdecls("w")}><w:footnote w:id="7"><w:p><w:r><w:t>Since 1921.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    packed = repacked(data, {
        "word/footnotes.xml": note.encode(),
        "word/_rels/document.xml.rels": rels.replace(
            "</Relationships>", f'<Relationship Id="rId99" Type="{relation}" Target="footnotes.xml"/></Relationships>'
        ).encode(),
        "[Content_Types].xml": types.replace("</Types>", f'<Override PartName="{part}" ContentType="{kind}"/></Types>').encode(),
    })  # fmt: skip
    found = read_word(packed, file="story.docx")
    assert found.body_markdown == "A ferry waits in a control\\[1\\]\n\n\\[1\\] Since 1921."
    assert [(item.kind, item.note) for item in found.dropped] == [("text box", "words in a box")]
    assert "import-footnotes" in {problem.rule for problem in found.problems}


# --- what is no Word document -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.docx", b"plain words", "no Word document"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Word document"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password"),
        ("a.pdf", b"%PDF-1.7 words", "PDF"),
        ("a.txt", b"%PDF-1.7 words", "PDF"),
        ("a.odt", b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.text", "OpenDocument"),
        ("a.rtf", b"{\\rtf1 words}", "rich text"),
        ("a.zip", b"PK\x03\x04rest", "packed file"),
        ("a.mhtml", b"From: <Saved>", "web archive"),
    ],
)
def test_a_foreign_file_is_one_clear_refusal(name: str, data: bytes, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        kind_of(name, data)
    assert said in refused.value.message
    assert refused.value.hint


def test_the_kind_is_told_by_ending_and_content(story: Any) -> None:
    assert kind_of("a.docx", saved(story)) is Kind.WORD
    assert kind_of("a.htm", b"<p>x") is Kind.HTML
    assert kind_of("a.md", b"# x") is Kind.MARKDOWN
    assert kind_of("a.md", b"\xef\xbb\xbf<!-- saved -->\n<!DOCTYPE html><html>") is Kind.HTML
    assert kind_of("page", b"words") is Kind.PAGE_TEXT


def test_bombs_and_entities_are_refused_before_they_unpack(story: Any) -> None:
    data = saved(story)
    bomb = repacked(data, {f"word/media/{n}.bin": bytes(60_000_000) for n in range(4)})
    assert len(bomb) < 1_000_000
    entity = b'<!DOCTYPE x [<!ENTITY a "b">]>'
    for packed, said in (
        (bomb, "too large"),
        (repacked(data, {"word/settings.xml": b'<?xml version="1.0"?>' + entity + b"<w/>"}), "entity"),
        (repacked(data, {"word/big.xml": b" " * 40_000_000}), "too large"),
        (repacked(data, {"[Content_Types].xml": None}), "no Word document"),
        (repacked(data, {"word/document.xml": b"<broken"}), "damaged"),
        (repacked(data, {"word/document.xml": None}), "damaged"),
        (repacked(data, {"mimetype": b"application/vnd.oasis.opendocument.text"}), "OpenDocument"),
        (data[: len(data) // 2], "damaged"),
    ):
        with pytest.raises(Refusal) as refused:
            read_word(packed, file="story.docx")
        assert said in refused.value.message
