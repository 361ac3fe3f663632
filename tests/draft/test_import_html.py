"""Saved web pages and what Google Docs exports: the article is taken, everything else is listed."""

from __future__ import annotations

import base64

import pytest

from pipeline.draft.importing.decode import decode
from pipeline.draft.importing.tidy import settle_pictures
from pipeline.draft.importing.values import DocumentImport
from pipeline.draft.importing.web import read_html
from pipeline.errors import Refusal, UsageError

JPEG = b"\xff\xd8\xff\xe0 a picture"
PNG = b"\x89PNG\r\n\x1a\n a picture"

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Why A Ferry Waits | Example</title>
<meta name="author" content="Vera Lind"><meta property="article:published_time" content="2026-05-04T08:00:00Z">
<link rel="canonical" href="https://example.org/ferry"><script>track()</script></head><body>
<nav><a href="/">Home</a> <a href="/world">World</a></nav>
<main><article>
<h1>Why A Ferry Waits</h1>
<p class="byline">By Vera Lind</p>
<figure><img src="page_files/ferry.jpg" alt="A white ferry">
<figcaption>The ferry on May 3, 2026. <span class="credit">Example Agency</span></figcaption></figure>
<p>The ferry has <b>waited</b> since <i>spring</i>, and its <a href="/owner?a=1">owner</a> sold it twice.</p>
<h3>The Money</h3>
<p><strong>Why It Matters:</strong> A crossing<wbr> costs 5 &lt; 6 crowns &amp; 10 m<sup>2</sup>.</p>
<ul><li>First item<li>Second item<ul><li>Deeper item</li></ul></ul>
<blockquote><p>We are waiting.</p><footer>— Vera Lind, captain</footer></blockquote>
<p>A chart stood here. <img src="https://cdn.example.org/chart.png" alt="A chart"></p>
<form action="/subscribe"><input name="mail"><button>Subscribe now</button></form>
<iframe src="https://video.example.org/1"></iframe>
<div class="share-bar"><a href="https://social.example.org/">Share this</a></div>
<h5>The End</h5><p>1. No list begins here.<br># And no heading.</p>
</article></main>
<aside><h2>More stories</h2><p>Another story that is told elsewhere.</p></aside>
<footer>All rights reserved</footer></body></html>"""


def read(page: str | bytes, **found: bytes) -> DocumentImport:
    data = page.encode() if isinstance(page, str) else page
    return settle_pictures(read_html(data, file="page.html"), found)


def article(inner: str) -> str:
    return f"<html><head><title>T</title></head><body><article><h1>A Ferry</h1>{inner}</article></body></html>"


def body(inner: str) -> str:
    return read(article(inner)).body_markdown


def test_the_article_is_taken_as_it_reads() -> None:
    found = settle_pictures(read_html(PAGE.encode(), file="page.html"), {"page_files/ferry.jpg": JPEG})
    assert found.title == "Why A Ferry Waits"
    assert found.byline == "Vera Lind"
    assert found.body_markdown == (
        '![A white ferry](ferry.jpg "The ferry on May 3, 2026. (Credit: Example Agency)")\n\n'
        "The ferry has **waited** since *spring*, and its [owner](https://example.org/owner?a=1) sold it twice.\n\n"
        "## The Money\n\n"
        "**Why It Matters:** A crossing costs 5 \\< 6 crowns & 10 m².\n\n"
        "- First item\n- Second item\n  - Deeper item\n\n"
        "> We are waiting.\n> -- Vera Lind, captain\n\n"
        "A chart stood here.\n\n"
        "### The End\n\n"
        "1\\. No list begins here.\\\n\\# And no heading."
    )
    assert [(one.name, one.data) for one in found.pictures] == [("ferry.jpg", JPEG)]


def test_everything_else_is_listed_with_its_line() -> None:
    found = settle_pictures(read_html(PAGE.encode(), file="page.html"), {"page_files/ferry.jpg": JPEG})
    dropped = {(item.kind, item.first_line): item.note for item in found.dropped}
    assert dropped == {
        ("date line", 1): "published 2026-05-04T08:00:00Z: give the issue's day with --date",
        ("navigation", 5): "Home World",
        ("byline", 8): "By Vera Lind",
        ("remote picture", 16): "https://cdn.example.org/chart.png (an import fetches nothing): A chart",
        ("form", 17): "Subscribe now",
        ("embedded page", 18): "https://video.example.org/1",
        ("site furniture", 19): "Share this",
        ("side column", 22): "More stories Another story that is told elsewhere.",
        ("footer", 23): "All rights reserved",
    }


def test_a_page_without_article_is_read_where_its_text_stands() -> None:
    text = "".join(f"<p>This is the paragraph number {n} of a story about a ferry that waits.</p>" for n in range(5))
    page = f"<div id=menu><ul><li><a href=/>Home</a></ul></div><div><div class=text><h2>A Ferry</h2>{text}</div></div><div>Imprint</div>"
    found = read(f"<html><head><title>A Ferry</title></head><body>{page}</body></html>")
    assert found.body_markdown.count("This is the paragraph") == 5
    assert "Home" not in found.body_markdown
    assert {"Home", "Imprint", "the headline again: A Ferry"} <= {item.note for item in found.dropped}


GOOGLE = """<html><head><meta content="text/html; charset=UTF-8" http-equiv="content-type"><style type="text/css">
.lst-kix_abc-0>li:before{content:"x"}.c1{font-weight:700}.c2{font-style:italic}.c3{font-weight:400}</style></head>
<body class="c9 doc-content"><p class="c0 title" id="h.1"><span class="c3">A Ferry From A Document</span></p>
<p class="c0"><span class="c1">Why It Matters:</span><span class="c3"> It has a </span><span class="c2"><a class="c5"
href="https://www.google.com/url?q=https://example.org/a%3Fb%3D1&amp;sa=D&amp;source=editors&amp;usg=x">link</a></span><span>.</span></p>
<h1 class="c7"><span>First Part</span></h1>
<ul class="c8 lst-kix_abc-0 start"><li><span>Outer</span></li></ul><ul class="c8 lst-kix_abc-1 start"><li><span>Inner</span></li></ul>
<ul class="c8 lst-kix_abc-0"><li><span>Outer again</span></li></ul>
<h2 class="c7"><span>Below It</span></h2><p><span style="overflow: hidden"><img alt="" src="images/image1.png" title=""></span></p>
<p class="c0"><span></span></p>{more}</body></html>"""


def test_a_google_document_keeps_marks_lists_and_links() -> None:
    found = settle_pictures(read_html(GOOGLE.replace("{more}", "").encode(), file="g.html"), {"images/image1.png": PNG})
    assert found.title == "A Ferry From A Document"
    assert found.body_markdown == (
        "**Why It Matters:** It has a *[link](https://example.org/a?b=1)*.\n\n## First Part\n\n"
        "- Outer\n  - Inner\n- Outer again\n\n### Below It\n\n![](image1.png)"
    )
    assert [problem.rule for problem in found.problems] == ["import-alt"]


def test_open_comments_of_a_google_document_are_refused() -> None:
    more = (
        '<p><span>A doubtful line</span><sup><a href="#cmnt1" id="cmnt_ref1">[a]</a></sup></p>'
        '<div><p><a href="#cmnt_ref1" id="cmnt1">[a]</a><span>Is this so?</span></p></div>'
    )
    with pytest.raises(Refusal) as refused:
        read(GOOGLE.replace("{more}", more))
    assert "“A doubtful line" in refused.value.message
    assert "Is this so?" in refused.value.message


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>a *star* and [brackets] and `ticks`</p>", "a \\*star\\* and \\[brackets\\] and \\`ticks\\`"),
        ("<p>wo<b>rd</b>s <b> spaced </b>out</p>", "wo**rd**s **spaced** out"),
        ("<p>one</p><p>two<br><br>three</p>", "one\n\ntwo\n\nthree"),
        ("<p>x <a href='https://example.org/a_(b)'>y</a></p>", "x [y](<https://example.org/a_(b)>)"),
        ("<p>Look!<a href='https://example.org/'>y</a></p>", "Look\\![y](https://example.org/)"),
        ("<ul><li>a</ul><ul><li>b</ul>", "- a\n\n* b"),
        ("<ol start=3><li>c<li>d</ol>", "3. c\n4. d"),
        ("<ol><li><h4>Head</h4>text</ol>", "1. **Head**\n\n   text"),
        ("<table><tr><td><p>only places</p></td></tr></table>", "only places"),
        ("<p>a <q>b</q> <code>x*y</code></p>", "a “b” `x*y`"),
        ("<dl><dt>Term</dt><dd>Meaning</dd></dl>", "**Term**\n\nMeaning"),
        ("bare text <p>then a paragraph", "bare text\n\nthen a paragraph"),
        ("<blockquote>alone</blockquote>", "> alone"),
        ("<p>text <script>x()</script>goes <!-- on --> on</p>", "text goes on"),
        ("<p>&amp;amp; &lt;b&gt;</p>", "\\&amp; \\<b>"),
        ("<p>::: note</p>", "\\::: note"),
    ],
)
def test_html_as_markdown(html: str, markdown: str) -> None:
    assert body(html) == markdown


def test_pictures_are_taken_by_what_they_are() -> None:
    inline = "data:image/png;base64," + base64.b64encode(PNG).decode()
    html = (
        f'<p>Text.</p><img src="{inline}" alt="a"><img src="x.php?id=1" alt="b"><img src="evil.png" alt="c"><img src="t" width=1 height=1>'
    )
    found = settle_pictures(read_html(article(html).encode(), file="p.html"), {"x.php?id=1": JPEG, "evil.png": b"<svg onload=x>"})
    assert [(one.name, one.data) for one in found.pictures] == [("picture.png", PNG), ("x.jpg", JPEG)]
    assert {item.kind for item in found.dropped} == {"figure without its picture", "tracking picture"}


def test_encodings_are_those_that_the_page_names() -> None:
    assert "naïve" in read(article("<p>na\xefve</p>").replace("<head>", '<head><meta charset="iso-8859-1">').encode("cp1252")).body_markdown
    assert "поезд" in read(article("<p>поезд</p>").replace("<head>", '<head><meta charset="windows-1251">').encode("cp1251")).body_markdown
    assert decode("\ufeffüber".encode("utf-16"), "f", declared=True).endswith("über")
    with pytest.raises(UsageError, match=r"page\.html:2: the file is not UTF-8"):
        read(b"<p>one\n\xff\xfe")


@pytest.mark.parametrize("page", ["", "<html></html>", "<div>" * 500 + "deep", "<p>a" + "<b><i>" * 300, "<script>only()</script>"])
def test_what_is_no_page_is_refused(page: str) -> None:
    with pytest.raises(Refusal):
        read(page)


def test_a_page_of_millions_of_entities_stays_small() -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><html><body><p>&b;&b; a paragraph of text</p></body></html>'
    assert len(read(bomb).body_markdown) < 200
