"""A piece of a web page -> blocks. One walk over the elements; a block element ends the paragraph before it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

from lxml import etree

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
    SubHeading,
    Text,
    plain,
)  # fmt: skip
from pipeline.draft.figures import split_credit
from pipeline.draft.importing.hrefs import href_of
from pipeline.draft.importing.runs import BREAK, Run, inlines
from pipeline.draft.importing.tidy import Raw, captioned
from pipeline.draft.importing.values import Notes
from pipeline.draft.importing.web_drops import reason_to_drop, shown, words_of
from pipeline.draft.importing.web_looks import Look, look_of

_CONTAINERS = frozenset({
    "div", "section", "article", "main", "header", "body", "html", "center", "address", "details", "summary", "hgroup", "form", "fieldset",
    "p", "dd", "td", "th", "tr", "tbody", "thead", "tfoot", "caption", "li", "aside", "footer", "legend", "figcaption", "dl", "search",
})  # fmt: skip
_DASH = re.compile(r"^\s*(?:--+|[—–―])\s*")
_GOOGLE_LIST = re.compile(r"lst-kix_(\w+)-(\d)")


class Walker:
    """Walks one page; ``out`` is where finished blocks go."""

    def __init__(self, raw: Raw, notes: Notes, *, whole: int, classes: Mapping[str, str], base: str = "", markdown: bool = False) -> None:
        self.raw, self.notes, self.out = raw, notes, raw.blocks
        self.whole = whole
        self.classes = classes
        self.base = base
        self.markdown = markdown
        self.runs: list[Run] = []
        self.pending: list[Figure] = []
        self.skipped: set[Any] = set()
        self.started = 1

    def flow(self, element: Any, look: Look) -> None:
        """Takes what an element holds."""
        self._text(element.text, look)
        for child in element:
            if child in self.skipped:
                pass
            elif isinstance(child.tag, str):
                self._element(child, look)
            elif self.markdown and child.tag is etree.Comment:
                self.notes.drop("comment", child.text or "")
            self._text(child.tail, look)

    def flush(self) -> None:
        """Ends the paragraph that is open."""
        content = inlines(self.runs)
        self.runs = []
        if content:
            self.out.append(Paragraph(content=content, line=self.started))
        self.out += self.pending
        self.pending = []

    def _text(self, text: str | None, look: Look) -> None:
        if not text:
            return
        if text.strip():
            if not any(run.text.strip() for run in self.runs):
                self.started = self.notes.place
            if look.struck:
                self.notes.warn("import-struck", f"struck-through words were kept: {text.strip()[:40]}", "Delete them, or keep them.")
        self.runs.append(Run(look.text(" ".join(text.split("\n"))), look.bold, look.italic, look.code, look.href))

    def _collect(self, element: Any, look: Look) -> list[Block]:
        """The blocks inside an element."""
        self.flush()
        out, self.out = self.out, []
        self.flow(element, look)
        self.flush()
        out, self.out = self.out, out
        return out

    def _place(self, element: Any) -> None:
        line = element.get("data-line") or (element[0].get("data-line") if element.tag == "pre" and len(element) else None)
        if line is not None and line.isdigit():
            self.notes.place = int(line)
        elif not self.markdown:
            self.notes.place = element.sourceline or self.notes.place

    # --- elements ------------------------------------------------------------------

    def _element(self, element: Any, look: Look) -> None:
        self._place(element)
        reason = reason_to_drop(element, whole=self.whole)
        if reason:
            if reason != "silent":
                self.notes.drop(reason, shown(element))
            return
        tag = element.tag
        look = look_of(element, look, self.classes)
        if re.fullmatch(r"h[1-6]", tag):
            self._heading(element, look)
        elif tag in ("ul", "ol", "menu", "dir"):
            self._list(element, look)
        elif tag == "p" and "title" in (element.get("class") or "").split() and self.classes and not self.raw.title:
            self.raw.title, self.raw.title_place = words_of(element), self.notes.place
        elif tag in _CONTAINERS:
            self.flush()
            self.flow(element, look)
            self.flush()
        else:
            self._other(element, look)

    def _other(self, element: Any, look: Look) -> None:
        match element.tag:
            case "br":
                if self.runs and self.runs[-1].text == BREAK:
                    self.flush()
                elif self.runs:
                    self.runs.append(Run(BREAK))
            case "a":
                self._link(element, look)
            case "img":
                self._picture(element)
            case "figure" | "picture":
                self._figure(element)
            case "blockquote":
                self._quote(element, look)
            case "table":
                self._table(element, look)
            case "hr":
                self.flush()
                self.out.append(Rule(line=self.notes.place))
            case "pre":
                self._lines(element)
            case "dt":
                blocks = self._collect(element, Look())
                self.out += [replace(b, content=(Strong(b.content),)) if isinstance(b, Paragraph) else b for b in blocks]
            case "q":
                self._text("“", look)
                self.flow(element, look)
                self._text("”", look)
            case _:
                self.flow(element, look)

    def _heading(self, element: Any, look: Look) -> None:
        level, place = int(element.tag[1]), self.notes.place
        for block in self._collect(element, Look()):
            content = block.content if isinstance(block, Paragraph) else ()
            self.out.append(SubHeading(level=level, content=content, line=place) if content else block)

    def _link(self, element: Any, look: Look) -> None:
        address, words = element.get("href"), words_of(element)
        if address is None:
            self.flow(element, look)
        elif not words:
            if element.find(".//img") is not None:
                self.notes.drop("link around a picture", address, limit=160)
            elif not address.startswith("#"):
                self.notes.drop("link without words", address, limit=160)
            self.flow(element, look)
        else:
            note = address.startswith("#") and re.fullmatch(r"#(?:ftnt|fn|footnote|_ftn|cite)[\w:.-]*", address)
            href = "" if note else href_of(address, words, self.notes, base=self.base)
            self.flow(element, replace(look, href=href, raised="" if note else look.raised))

    def _lines(self, element: Any) -> None:
        """Text set in lines of its own (verse, code): the lines stay, the type does not."""
        self.flush()
        self.started = self.notes.place
        for line in (element.text_content() or "").strip("\n").split("\n"):
            self.runs += [Run(BREAK)] * bool(self.runs) + [Run(line)]
        self.flush()
        self.notes.warn("import-lines", "text in fixed lines became a paragraph with line breaks", "Program code has no design.")

    # --- lists and quotes --------------------------------------------------------------

    def _list(self, element: Any, look: Look) -> None:
        place = self.notes.place
        items: list[list[Block]] = []
        for child in element:
            if not isinstance(child.tag, str):
                continue
            self._place(child)
            if child.tag == "li":
                items.append(self._collect(child, look_of(child, look, self.classes)))
            else:  # a list in a list without an item around it
                copied = self._collect_one(child, look)
                items[-1:] = [items[-1] + copied] if items else [copied]
        for stray in (element.text, *(child.tail for child in element)):
            if stray and stray.strip():
                items.append([Paragraph(content=inlines([Run(stray)]), line=place)])
        self.flush()
        figures = [block for item in items for block in item if isinstance(block, Figure)]
        kept = tuple(tuple(block for block in item if not isinstance(block, Figure)) for item in items)
        kept = tuple(item for item in kept if item)
        if kept:
            start = element.get("start") or ""
            first = int(start) if re.fullmatch(r"[0-9]{1,6}", start) else 1
            self._add_list(element, ListBlock(ordered=element.tag == "ol", items=kept, start=first, line=place))
        self.out += figures

    def _collect_one(self, child: Any, look: Look) -> list[Block]:
        out, self.out = self.out, []
        self._element(child, look)
        self.flush()
        out, self.out = self.out, out
        return out

    def _add_list(self, element: Any, block: ListBlock) -> None:
        """Google Docs writes the deeper items of a list as a list of their own that follows; they go back into it."""
        match = _GOOGLE_LIST.search(element.get("class") or "")
        last = self.out[-1] if self.out else None
        if match is not None and isinstance(last, ListBlock):
            depth = int(match[2])
            if depth:
                self.out[-1] = _deeper(last, block, depth)
                return
            if last.ordered == block.ordered and (not block.ordered or block.start > 1):
                self.out[-1] = replace(last, items=last.items + block.items)
                return
        self.out.append(block)

    def _quote(self, element: Any, look: Look) -> None:
        place = self.notes.place
        source = next((one for one in element.iter("footer", "cite") if words_of(one)), None)
        attribution = ""
        if source is not None:
            self.skipped.add(source)
            attribution = _DASH.sub("", words_of(source))
        paragraphs: list[tuple[Inline, ...]] = []
        blocks = self._collect(element, look)
        for block in blocks:
            if isinstance(block, Paragraph):
                paragraphs.append(block.content)
        if paragraphs and not attribution and len(paragraphs) > 1 and _DASH.match(plain(paragraphs[-1])):
            attribution = _DASH.sub("", plain(paragraphs.pop()))
        if paragraphs:
            self.out.append(Quote(paragraphs=tuple(paragraphs), attribution=attribution, line=place))
        elif attribution:
            self.out.append(Paragraph(content=inlines([Run(attribution)]), line=place))
        self.out += [block for block in blocks if not isinstance(block, Paragraph)]

    # --- pictures and tables ---------------------------------------------------------------

    def _picture(self, element: Any) -> None:
        source = (element.get("src") or element.get("data-src") or (element.get("srcset") or "").split(" ")[0]).strip()
        alt = " ".join((element.get("alt") or "").split())
        if element.get("width") in ("0", "1") and element.get("height") in ("0", "1"):
            self.notes.drop("tracking picture", source, limit=160)
            return
        if source.startswith("data:"):
            source = self._inline_data(source)
        if not source:
            self.notes.drop("picture without a file", alt)
            return
        caption, credit = split_credit(captioned(element.get("title") or "")) if self.markdown else ("", "")
        self.pending.append(Figure(src=source, alt=alt, caption=caption, credit=credit, line=self.notes.place))

    def _inline_data(self, source: str) -> str:
        head, _, body = source.partition(",")
        try:
            data = base64.b64decode(unquote_to_bytes(body), validate=False) if ";base64" in head else unquote_to_bytes(body)
        except (binascii.Error, ValueError):
            return ""
        name = f"data:{len(self.raw.embedded) + 1}"
        self.raw.embedded[name] = data
        return name

    def _figure(self, element: Any) -> None:
        captions = list(element.iter("figcaption"))
        words = " ".join(_with_credit(one) for one in captions)
        self.skipped |= set(captions)
        blocks = self._collect(element, Look())
        for link in (link for caption in captions for link in caption.iter("a") if link.get("href")):
            self.notes.drop("link in a caption", f"{link.get('href')} ({words_of(link)})", limit=160)
        for index, block in enumerate(blocks):
            if isinstance(block, Figure) and words:
                caption, credit = split_credit(words)
                blocks[index] = replace(block, caption=caption, credit=credit)
                words = ""
        self.out += blocks
        if words:
            self.out.append(Paragraph(content=inlines([Run(words)]), line=self.notes.place))

    def _table(self, element: Any, look: Look) -> None:
        """A table that only places things is unwrapped; one of data becomes one list item a row."""
        place = self.notes.place
        rows = [[cell for cell in row if cell.tag in ("td", "th")] for row in element.iter("tr")]
        blocks = next(element.iter("h1", "h2", "h3", "img", "ul", "ol", "blockquote", "figure", "pre"), None)
        if (
            blocks is not None
            or element.find(".//table") is not None
            or element.get("role") == "presentation"
            or all(len(row) <= 1 for row in rows)
        ):
            self.flush()
            self.flow(element, look)
            self.flush()
            return
        items: list[tuple[Block, ...]] = []
        for caption in element.iter("caption"):
            self.out += self._collect(caption, look)
        for row in rows:
            runs: list[Run] = []
            for cell in row:
                for block in self._collect(cell, look):
                    runs += [Run(" – ")] * bool(runs) + _runs_of(block)
            if content := inlines(runs):
                items.append((Paragraph(content=content, line=self.notes.place),))
        if items:
            self.out.append(ListBlock(ordered=False, items=tuple(items), line=place))
            self.notes.warn("import-table", f"a table of {len(items)} rows became a list, one item a row",
                            "A mail has no tables: write the figures that matter into a sentence.", place)  # fmt: skip


def _with_credit(caption: Any) -> str:
    """A caption's words; a credit in an element of its own goes into the parenthesis where drafts have it."""
    words = words_of(caption)
    marked = (one for one in caption.iter() if one is not caption and re.search(r"credit|copyright|source", str(one.get("class") or "")))
    credit = next((said for one in marked if (said := words_of(one))), "")
    if not credit or credit == words or credit not in words or split_credit(words)[1]:
        return words
    return f"{captioned(words.replace(credit, '', 1))} (Credit: {credit})"


def _runs_of(block: Block) -> list[Run]:
    """A cell's paragraph as runs again."""
    return _again(block.content, Run("")) if isinstance(block, Paragraph) else []


def _again(content: tuple[Inline, ...], look: Run) -> list[Run]:
    out: list[Run] = []
    for node in content:
        match node:
            case Strong(children=children):
                out += _again(children, replace(look, bold=True))
            case Emphasis(children=children):
                out += _again(children, replace(look, italic=True))
            case Link(children=children, href=href):
                out += _again(children, replace(look, href=href))
            case LineBreak():
                out.append(Run(" "))
            case Text(value=value) | Code(value=value):
                out.append(replace(look, text=value, code=isinstance(node, Code)))
    return out


def _deeper(outer: ListBlock, block: ListBlock, depth: int) -> ListBlock:
    """The outer list with ``block`` below its last item, ``depth`` levels down as far as there are levels."""
    *items, last = outer.items
    below = last[-1]
    if depth > 1 and isinstance(below, ListBlock):
        last = (*last[:-1], _deeper(below, block, depth - 1))
    elif isinstance(below, ListBlock) and below.ordered == block.ordered:
        last = (*last[:-1], replace(below, items=below.items + block.items))
    else:
        last = (*last, block)
    return replace(outer, items=(*items, last))
