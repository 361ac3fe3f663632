"""The copies that the preview shows of a mail: marked, mirrored, without pictures, cut off."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pipeline.core.issue import Figure, Issue, IssueId, LineBreak, ListBlock, Paragraph, Rule, Section, SectionKind, Strong, Text
from pipeline.core.message import Content
from pipeline.core.mime import compose
from pipeline.web.preview.copies import CLIPPED_AT, Composed, mirrored, pictures_off
from pipeline.web.preview.marks import find_marks, line_before, marked, target


def paragraph(line: int, text: str, label: str | None = None) -> Paragraph:
    return Paragraph(content=(Text(text),), label=label, line=line)


def issue(*sections: Section) -> Issue:
    return Issue(
        id=IssueId("a", date(2026, 12, 2), "b"), title="A  title", subject="s", preheader="p", authors=(), language="en",
        opening=(
            paragraph(8, "Same words."),
            Paragraph(content=(Text("One"), LineBreak(), Strong((Text("two & three"),))), line=10),
            Figure(src="x.png", alt='A "quoted" map', line=12),
            Rule(line=14),
        ),
        sections=sections,
    )  # fmt: skip


HTML = (
    '<html><head></head><body id="body"><p>Same</p><h1>A title</h1>\n<p class="p">Same words.</p>'
    "<p>One<br><strong>two &amp; three</strong></p><div><img alt='A \"quoted\" map' src=x></div><hr class=r>"
    "<h2>Part</h2><ul><li>Same words.</li><li><p>Why: b</p><p>c</p></li></ul></body></html>"
)


def test_blocks_are_found_by_their_words_in_reading_order() -> None:
    items = (paragraph(18, "Same words."),), (paragraph(19, "b", "Why:"), paragraph(21, "c"))
    section = Section(
        kind=SectionKind.PLAIN, title=(Text("Part"),), line=16, blocks=(ListBlock(ordered=False, items=items, line=18),)
    )  # fmt: skip
    copy = marked(HTML, find_marks(HTML, issue(section)))
    for start in (
        '<h1 id="line-1">', '<p id="line-8" class="p">', '<p id="line-10">One', '<img id="line-12" alt=', '<hr id="line-14" class=r>',
        '<h2 id="line-16">', '<li id="line-18">', '<p id="line-19">Why', '<p id="line-21">c',
    ):  # fmt: skip
        assert copy.count(start) == 1, start
    assert ":target{" in copy


def test_a_block_whose_words_are_not_there_is_passed_over() -> None:
    gone = Section(kind=SectionKind.PLAIN, title=(Text("Gone"),), line=16, blocks=(paragraph(18, "Gone too"), paragraph(20, "c")))
    assert [mark.line for mark in find_marks(HTML, issue(gone))] == [1, 8, 10, 12, 14, 20]


def test_a_line_belongs_to_the_block_that_begins_at_or_before_it() -> None:
    marks = find_marks(HTML, issue())
    assert [target(marks, line) for line in (1, 3, 8, 9, 13, 99)] == ["line-1", "line-1", "line-8", "line-8", "line-12", "line-14"]
    assert target((), 3) == ""


@pytest.mark.parametrize(
    ("now", "line", "expected"),
    [
        ("abcdef", 4, 4),
        ("abXYcdef", 5, 3),
        ("abXYcdef", 3, 2),
        ("bcdef", 1, 2),
        ("abZdef", 3, 3),
        ("Xabcdef", 1, 1),
        ("abcdefX", 7, 6),
        ("", 1, 6),
    ],
)
def test_a_line_is_found_in_the_version_before(now: str, line: int, expected: int) -> None:
    assert line_before(line, list("abcdef"), list(now)) == expected


def test_mirroring_changes_sides_in_styles_only() -> None:
    html = (
        '<html dir="ltr"><style>.s{padding-left:1px}.t{padding:1px 2px 3px 4px!important}</style><p dir="rtl" align="right" '
        "style='text-align:left; font-family:\"A\"; margin:0 1px; border-right:0'>left, right: padding:1px 2px 3px 4px</p>"
    )
    assert mirrored(html) == (
        '<html dir="rtl"><style>.s{padding-right:1px}.t{padding:1px 4px 3px 2px!important}</style><p dir="ltr" align="left" '
        "style='text-align:right; font-family:\"A\"; margin:0 1px; border-left:0'>left, right: padding:1px 2px 3px 4px</p>"
    )
    assert mirrored(mirrored(html)) == html


def test_an_alternative_text_stays_text() -> None:
    copy = pictures_off('<p><img id="line-3" alt=\'a > "b" &lt;i&gt;\' width="50" height="20" src="x"> <img src="y"></p>')
    assert "<img" not in copy
    assert ">a &gt; &quot;b&quot; &lt;i&gt;</span>" in copy
    assert 'id="line-3"' in copy
    assert "aspect-ratio:50/20" in copy


def composed(html: str) -> Composed:
    content = Content(
        from_name="N", from_address="n@example.org", reply_to="", subject="Größe", html=html, text="Text.\n", list_id="n.example.org",
        list_name="N", language="en", archive_url="https://example.org/",
    )  # fmt: skip
    sample = compose(
        content, to="r@example.org", unsubscribe_url="https://example.org/l", message_id="a@b", date=datetime(2026, 12, 2, tzinfo=UTC)
    )
    return Composed(sample)


@pytest.mark.parametrize(("letter", "encoding"), [("plain words and words and words — ", "quoted-printable"), ("сло", "base64")])
def test_the_clip_counts_the_encoded_part(letter: str, encoding: str) -> None:
    body = f"<table><tr><td><p>{letter * 30_000}</p></td></tr></table>"
    mail = composed(f"<html><head><style>p{{}}</style></head><body>{body}</body></html>\n")
    plain, html = mail.parts
    assert (plain.kind, html.kind, html.encoding) == ("text/plain", "text/html", encoding)
    assert sum(part.encoded for part in mail.parts) < len(mail.raw) < sum(part.encoded for part in mail.parts) + 1500
    assert mail.html_size == html.encoded > CLIPPED_AT
    clipped = mail.clipped()
    assert "<style" not in clipped
    assert clipped.count("[Message clipped]") == 1
    before, _, _ = clipped.partition("</p></td></tr></table><div")
    assert before != clipped, "what was open is closed before the note"
    assert before.rstrip(" —plainwordsсло").endswith("<p>"), "no half character and no half tag"


def test_a_small_mails_parts_have_their_sizes() -> None:
    mail = composed("<p>x</p>\n")
    assert [(part.kind, part.decoded) for part in mail.parts] == [("text/plain", 7), ("text/html", 10)], "with the line ends of mail"
    assert mail.headers.startswith("From: N <n@example.org>\nTo: r@example.org\nSubject: =?utf-8?b?R3LDtsOfZQ==?=\n")
    assert "\n\n" not in mail.headers
