"""What the fuzzers begin with: the sample issues, and documents made of them."""

from __future__ import annotations

import io
import zipfile
from functools import cache

import docx

from tests.fuzz.holds import ROOT

DRAFT_WORDS = (
    "---\n", "\n\n", "## ", "### ", "::: note\n", "\n:::\n", "> ", "> -- ", "- ", "1. ", "**", "*", "`", "```\n", "    ", "![", "](", "[a]: ",
    "https://", "mailto:", "tel:", "javascript:", "<", ">", "&", "&#0;", "&lt;", '"', "'", "\\", "\t", "\r\n", "\r", "\0", "\ufeff", "\u202e",
    "\u2028", "\u0085", "title: ", "subject: ", "preheader: ", "date: ", "authors: [", "topics: [", "language: ", "translation_of: ", "|", "&a",
    "*a", "!!python/object:", "!!binary ", "<!--", "-->", "<b onx=1>", "Q: ", "A: ", "(Credit: ", "[1]", "()", "xn--", "％", "中", "ا",
)  # fmt: skip
HTML_WORDS = (
    "<article>", "<p>", "<h1>", "<h2>", "<ul>", "<ol start=", "<li>", "<blockquote>", "<cite>", "<figure>", "<figcaption>", "<img src=", "<table>",
    "<tr>", "<td>", "<a href=", "<b>", "<i>", "<s>", "<br>", "<pre>", "<wbr>", "<!--", "<![CDATA[", "<script>", "<style>", "<svg>", "<math>",
    "<template>", "<meta charset=", "utf-16", "utf-7", "data:image/png;base64,", "class=", "lst-kix_1-1", "c0", "title", "&nbsp;", "&#xD800;", "&#0;",
    "</", "/>", "<base href=", "<title>", "<header>", "<dl>", "<dt>", "<q>", "<?xml", "<!DOCTYPE", "\0",
)  # fmt: skip
WORD_WORDS = (
    "<w:p>", "</w:p>", "<w:r>", "<w:t>", "<w:tab/>", "<w:br/>", "<w:tbl>", "<w:tr>", "<w:tc>", "<w:hyperlink r:id=", "<w:ins>", "<w:del>", "<w:numPr>",
    "<w:ilvl w:val=", "<w:numId w:val=", "<w:pStyle w:val=", "<w:drawing>", "<w:pict>", "<w:sdt>", "<w:sdtContent>", "<w:fldChar w:fldCharType=",
    "<w:instrText>", "<w:footnoteReference w:id=", "<w:sym w:char=", "<w:sectPr>", "w:val=", "Heading1", "Title", "Caption", "-1", "99999999999",
    "<mc:AlternateContent>", "<w:txbxContent>", "<w:b/>", "<w:i w:val=", "<w:u/>", "<w:vertAlign w:val=", "<!DOCTYPE", "<!ENTITY", "&#0;",
)  # fmt: skip


@cache
def drafts() -> tuple[bytes, ...]:
    """The sample issues, and a small one of every kind of block."""
    small = (
        '---\ntitle: A Ferry\nsubject: "S: A Ferry"\npreheader: What\ndate: 2021-08-18\nauthors: [desk]\ntopics: [A, B]\n---\n\nHello *all* '
        '**of** `you`, [words](https://example.org/a?b=c&d=e "t").  \nNext ![in](a.png) line.\n\n**Why It Matters:** Because.\n\n'
        '![alt](ferry.png "Caption. (Credit: Agency)")\n\n## Expert Corner\n\n**Q:** Who?\n\n**A:** <me@example.org>\n\n> Said\n> -- Name\n\n'
        "## More\n\n1. **One:** a\n   - b\n2. two [x][y]\n\n::: note Title\nText\n:::\n\n### Sub\n\n***\n\n[y]: https://example.org/y\n"
    )
    return (small.encode(), *(path.read_bytes() for path in sorted(ROOT.glob("issues/*/*/index.md"))))


@cache
def pages() -> tuple[bytes, ...]:
    """Web pages: one of every element, and one as Google Docs writes it."""
    return (
        b"<!doctype html><title>T | Site</title><base href=https://example.org/><nav>Home</nav><article><header><h1>A Ferry</h1></header>"
        b"<p>The ferry has <b>waited</b> since <i>spring</i>,<br>and <a href=/x>its owner</a> <s>sold</s> <sup>2</sup> <q>it</q>.</p><h2>Money</h2>"
        b"<figure><img src=a.jpg alt=A><figcaption>Cap <span class=credit>Agency</span></figcaption></figure><ul><li>One<ol start=3><li>Two</ol></ul>"
        b"<blockquote><p>Said</p><cite>Name</cite></blockquote><table><tr><td>a<td>b<tr><td>c<td>d</table><pre>x\n y</pre><hr><dl><dt>t<dd>d</dl>"
        b"<form><input></form><script>x()</script><img src=data:image/png;base64,iVBORw0K></article><footer>End</footer>",
        b"<html><head><style>.c0{font-weight:700}.c1{font-style:italic}</style></head><body class='c2 doc-content'><p class='title'><span>A Ferry</span></p>"
        b"<p><span class=c0>Bold</span><span class=c1>it</span></p><ul class='lst-kix_a1-0 start'><li>one</ul><ul class='lst-kix_a1-1'><li>two</ul>"
        b"<p>Text<sup><a href=#ftnt1 id=ftnt_ref1>[1]</a></sup></p></body></html>",
    )


@cache
def page_texts() -> tuple[bytes, ...]:
    """The text of a page as a browser copies it."""
    one = (
        "Home\nMenu\nShare\n\nWhy A Ferry Waits\n\nNovember 18, 2026 06:00 GMT\n\nBy The Briefing Desk\n\nThe ferry at Lower Mill. (Credit: Agency)\n\n"
        "The ferry has waited since spring, and its owner sold it twice.\n\nThe Money\n\nWhy It Matters: Because it does, and nobody says so.\n\n"
        "1. First: a story of its own.\n2. Second: another one.\n• A point\n• Another\n\nQ: Who?\nA: Nobody.\n\nSubscribe\nRead more\nAll rights reserved\n"
    )
    return (one.encode(), drafts()[0])


def package(parts: dict[str, bytes]) -> bytes:
    """A Word document with some of its parts replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word())) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), parts.get(name, old.read(name)))
    return out.getvalue()


@cache
def word() -> bytes:
    """A Word document with headings, lists, a table and a link."""
    document = docx.Document()
    document.add_paragraph("A Ferry", "Title")
    paragraph = document.add_paragraph("The ferry has ")
    paragraph.add_run("waited").bold = True
    paragraph.add_run(" since spring.").italic = True
    document.add_heading("The Money", 1)
    document.add_paragraph("One", "List Bullet")
    document.add_paragraph("Two", "List Number 2")
    document.add_paragraph("Said", "Quote")
    document.add_paragraph("A caption", "Caption")
    table = document.add_table(2, 2)
    table.cell(0, 0).text = "a"
    table.cell(1, 1).text = "d"
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def part(name: str) -> bytes:
    """One part of that document."""
    with zipfile.ZipFile(io.BytesIO(word())) as package:
        return package.read(name)
