"""Blocks -> a draft: CommonMark that says what the document said, below front matter that YAML cannot misread.

Every paragraph is read back as it is written. Where marks would be read otherwise than meant (bold that ends in the middle of
a word, as word processors allow), the words stay and the marks go, and the report says where.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date

from markdown_it import MarkdownIt

from pipeline.core.issue import (
    Block,
    Code,
    Emphasis,
    Figure,
    Inline,
    LineBreak,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Strong,
    Text,
    plain,
)
from pipeline.core.issue import SubHeading as Heading
from pipeline.draft.importing.values import DocumentImport, Notes
from pipeline.draft.page.write import heading, inline, picture

_READER = MarkdownIt("commonmark")


def body(blocks: Iterable[Block], notes: Notes) -> str:
    """The blocks as Markdown."""
    return "\n\n".join(_lists_apart([_block(block, notes) for block in blocks]))


def to_draft(document: DocumentImport, *, date: date, author: str | None = None) -> str:
    """The complete draft. ``author`` is the id of ``config/authors/<id>.toml``: a byline is only a name, so the caller maps it."""

    def quoted(value: str) -> str:
        # a JSON string is a YAML double-quoted scalar
        return json.dumps(value, ensure_ascii=False)

    front = [f"title: {quoted(document.title)}", *(f"{key}: {quoted(value)}" for key, value in document.front), f"date: {date.isoformat()}"]
    if author is not None:
        front.append(f"author: {quoted(author)}")
    if document.language:
        front.append(f"language: {quoted(document.language)}")
    if document.topics:
        front.append(f"topics: [{', '.join(quoted(topic) for topic in document.topics)}]")
    return "\n".join(["---", *front, "---", "", document.body_markdown, ""])


# --- blocks ------------------------------------------------------------------


def _block(block: Block, notes: Notes) -> str:
    notes.place = block.line
    match block:
        case Heading():
            return "#" * (block.level - 2) + heading(plain(block.content))
        case Paragraph():
            return _paragraph(block.content, notes)
        case Figure():
            return _figure(block)
        case ListBlock():
            return _list(block, notes)
        case Quote():
            return _quote(block, notes)
        case Rule():
            return "***"


def _figure(block: Figure) -> str:
    written = picture(block.src, block.caption, block.credit)
    if not (block.caption or block.credit):
        written = written.removesuffix(' "")') + ")"
    # the page's writer knows no alternative texts: copied text has none
    alt = re.sub(r"[\\`*_\[\]<]|&(?=#?\w+;)", r"\\\g<0>", " ".join(block.alt.split()))
    return f"![{alt}" + written.removeprefix("![")


def _list(block: ListBlock, notes: Notes) -> str:
    out: list[str] = []
    for number, item in enumerate(block.items, block.start):
        mark = f"{number}. " if block.ordered else "- "
        text = "\n\n".join(_lists_apart([_block(one, notes) for one in item]))
        if all(isinstance(one, Paragraph | ListBlock) for one in item) and sum(isinstance(one, Paragraph) for one in item) <= 1:
            text = text.replace("\n\n", "\n")
        out.append(mark + _indented(text, len(mark)))
    return "\n".join(out)


def _indented(text: str, width: int) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * width + line if line else "" for line in rest)])


def _quote(block: Quote, notes: Notes) -> str:
    lines = "\n\n".join(_paragraph(content, notes) for content in block.paragraphs).split("\n")
    if block.attribution:
        lines.append(f"-- {inline(block.attribution)}")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _lists_apart(written: Sequence[str]) -> list[str]:
    """Two lists in a row would run together; every second one has the other sign."""
    out: list[str] = []
    for text in written:
        before = out[-1] if out else ""
        if text.startswith("- ") and before.startswith("- "):
            text = re.sub(r"^- ", "* ", text, flags=re.MULTILINE)
        elif re.match(r"\d+\. ", text) and re.match(r"\d+\. ", before):
            text = re.sub(r"^(\d+)\. ", r"\1) ", text, flags=re.MULTILINE)
        out.append(text)
    return out


# --- running text ------------------------------------------------------------


def _paragraph(content: Sequence[Inline], notes: Notes) -> str:
    for attempt in (content, _without_marks(content), (Text(plain(tuple(content))),)):
        written = "\\\n".join(_line_start(line) for line in _inlines(attempt).split("\0"))
        if _said(written) == _meant(attempt):
            break
        notes.warn("import-marks", "bold or italics were left out here: " + _start(content), "Mark the words again in the draft.")
    return written


def _line_start(written: str) -> str:
    """A line that no sign at its beginning makes a list, a heading or a quote."""
    bare = written.lstrip()
    # only the signs at the start matter; ``paragraph`` would escape the marks again
    if re.match(r"(?:[+-](?= |$)|#{1,6}(?= |$)|>|-{2,}|={1,}|\+{2,}|:(?=[: ]))", bare):
        return "\\" + bare
    return re.sub(r"^(\d{1,9})([.)])(?= |$)", r"\1\\\2", bare)


def _inlines(content: Sequence[Inline]) -> str:
    """Inlines as Markdown; a hard break is a NUL until the lines' starts are safe."""
    out: list[str] = []
    for node in content:
        match node:
            case Text(value):
                text = inline(" ".join(value.split("\n")))
                out.append("\\" + text if text.startswith("_") and out else text)
            case Code(value):
                ticks = "`" * (max((len(run) for run in re.findall(r"`+", value)), default=0) + 1)
                pad = " " if value.startswith("`") or value.endswith("`") else ""
                out.append(f"{ticks}{pad}{value}{pad}{ticks}")
            case LineBreak():
                out.append("\0")
            case Strong(children):
                out.append(f"**{_inlines(children)}**")
            case Emphasis(children):
                out.append(f"*{_inlines(children)}*")
            case Link(href, children):
                if out and out[-1].endswith("!"):
                    out[-1] = out[-1][:-1] + "\\!"
                out.append(_link(href, children))
    return "".join(out)


def _link(href: str, children: Sequence[Inline]) -> str:
    target = f"<{href}>" if re.search(r"[\s()]", href) else href
    words = plain(tuple(children))
    if words == href and href.startswith("https://"):
        return f"<{href}>"
    # addresses among the words of a link are words: a link cannot hold another
    return f"[{re.sub(r'<(https?://[^<>]*)>', _word, _inlines(children))}]({target})"


def _word(match: re.Match[str]) -> str:
    return re.sub(r"[\\`*_\[\]]", r"\\\g<0>", match[1])


def _without_marks(content: Sequence[Inline]) -> tuple[Inline, ...]:
    """The same words and links without bold and italics."""
    out: list[Inline] = []
    for node in content:
        match node:
            case Strong(children) | Emphasis(children):
                out += _without_marks(children)
            case Link(href, children):
                out.append(Link(href, _without_marks(children)))
            case _:
                out.append(node)
    return tuple(out)


def _start(content: Sequence[Inline]) -> str:
    return plain(tuple(content)).strip()[:40]


def _said(written: str) -> list[tuple[str, str]]:
    """What CommonMark reads in a paragraph: runs of letters with the marks they stand in."""
    tokens = _READER.parse(written)
    if len(tokens) != 3 or tokens[0].type != "paragraph_open":
        return [("not one paragraph", "")]
    marks: list[str] = []
    out: list[tuple[str, str]] = []
    for token in tokens[1].children or []:
        if token.nesting == 1:
            marks.append(token.type[:4])
        elif token.nesting == -1:
            marks.pop()
        else:
            look = "".join(mark for mark in marks if mark != "link")
            out.append((look, " " if token.type in ("softbreak", "hardbreak") else token.content))
    return _runs(out)


def _meant(content: Sequence[Inline], marks: str = "") -> list[tuple[str, str]]:
    """The same for what was to be written."""
    return _runs(_pieces(content, marks))


def _pieces(content: Sequence[Inline], marks: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for node in content:
        match node:
            case Strong(children):
                out += _pieces(children, marks + "stro")
            case Emphasis(children):
                out += _pieces(children, marks + "em_o")
            case Link(_, children):
                out += _pieces(children, marks)
            case LineBreak():
                out.append((marks, " "))
            case Text(value) | Code(value):
                # the writer's one change of wording
                out.append((marks, re.sub(r"(?<!\S)--(?!\S)", "–", value)))
    return out


def _runs(pieces: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours of one mark joined, blanks set aside."""
    out: list[tuple[str, str]] = []
    for marks, text in pieces:
        text = "".join(text.split())
        if not text:
            continue
        if out and out[-1][0] == marks:
            out[-1] = marks, out[-1][1] + text
        else:
            out.append((marks, text))
    return out
