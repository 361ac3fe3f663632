"""Which block of a mail stands on which line of its draft, marked in the preview's copy of the mail only.

The mail that is sent holds no trace of lines, so blocks are found again by their words, in reading order.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from pipeline.core.issue import Block, Figure, Issue, ListBlock, Paragraph, Quote, Rule, SubHeading, plain

TITLE_LINE = 1
"""The line under which the headline is marked: whatever is in the front matter speaks of what stands at the top."""

_BLOCKS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "blockquote", "img", "hr"})
_MANY_LINES = 5_000
_RULE = "\0rule"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a mail's HTML: just behind the name of a start tag, and the line of the draft it belongs to."""

    at: int
    line: int

    @property
    def id(self) -> str:
        """The element's id in the preview's copy."""
        return f"line-{self.line}"


def find_marks(html: str, issue: Issue) -> tuple[Mark, ...]:
    """Where the blocks of an issue begin in its mail. A block whose words are not found is passed over."""
    elements = _Scan(html).elements
    places: dict[str, list[int]] = {}
    for number, element in enumerate(elements):
        places.setdefault(element.words, []).append(number)
    found: dict[int, Mark] = {}
    place = 0
    for line, words in _blocks(issue):
        there = places.get(words, []) if words else []
        later = bisect_left(there, place)
        if line not in found and later < len(there):
            found[line] = Mark(elements[there[later]].at, line)
            place = there[later] + 1
    return tuple(found.values())


def marked(html: str, marks: Sequence[Mark]) -> str:
    """A copy of the mail in which every mark is an id; the one that the address names is shown."""
    out, end = [], 0
    for mark in sorted(marks, key=lambda one: one.at):
        out += [html[end : mark.at], f' id="{mark.id}"']
        end = mark.at
    copy = "".join([*out, html[end:]])
    return copy.replace("</head>", f"<style>{_SHOWN}</style></head>", 1)


# Both schemes: the frame may be shown dark. An outline takes no room, so nothing moves when a mark comes or goes.
_SHOWN = (
    ":target{outline:3px solid #d97706!important;outline-offset:5px!important;scroll-margin:30vh 0!important;"
    "background-color:rgba(232,163,23,.22)!important}"
)


def target(marks: Sequence[Mark], line: int) -> str:
    """The id of the block in which a line of the draft stands: the last that begins at or before it; "" when there is none."""
    ordered = sorted(marks, key=lambda one: one.line)
    if not ordered:
        return ""
    return ordered[max(0, bisect_right([one.line for one in ordered], line) - 1)].id


def line_before(line: int, before: Sequence[str], now: Sequence[str]) -> int:
    """Where a line of the draft as it is now stood in an earlier version; for a new line, the place where it came in."""
    if before == now or len(now) > _MANY_LINES:  # comparing is quadratic at worst, and a jump by a few lines is no loss
        return line
    for _, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if new_from < line <= new_to:
            return max(1, min(old_from + line - new_from, max(old_to, old_from)))
    return max(1, len(before))


def _blocks(issue: Issue) -> Iterator[tuple[int, str]]:
    """Line and words of everything that has a place in the mail, in reading order."""
    yield TITLE_LINE, _plain(issue.title)
    yield from _words(issue.opening)
    for section in issue.sections:
        yield section.line, _plain(plain(section.title))
        yield from _words(section.blocks)


def _words(blocks: Sequence[Block]) -> Iterator[tuple[int, str]]:
    for block in blocks:
        match block:
            case Paragraph():
                yield block.line, _plain(f"{block.label or ''} {plain(block.content)}")
            case SubHeading():
                yield block.line, _plain(plain(block.content))
            case Figure():
                yield block.line, f"\0{_plain(block.alt)}"
            case Quote():
                yield block.line, _plain(plain(block.paragraphs[0])) if block.paragraphs else ""
            case ListBlock():
                for item in block.items:
                    yield from _words(item)
            case Rule():
                yield block.line, _RULE


def _plain(text: str) -> str:
    return " ".join(text.split())


@dataclass(slots=True)
class _Element:
    at: int
    tag: str
    pieces: list[str] = field(default_factory=list)
    words: str = ""


class _Scan(HTMLParser):
    """Reads a mail once; ``elements`` are its blocks in the order in which they begin, with their words."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[_Element] = []
        self._open: list[_Element] = []
        self._starts = [0]
        for line in html.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self.feed(html)
        self.close()
        for element in self.elements:
            element.words = element.words or _plain("".join(element.pieces))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block begins; a line break is a blank."""
        if tag == "br":
            self.handle_data(" ")
        given = dict(attrs)
        if tag not in _BLOCKS or "id" in given:
            return
        line, column = self.getpos()
        element = _Element(self._starts[line - 1] + column + 1 + len(tag), tag)
        self.elements.append(element)
        if tag == "img":
            element.words = f"\0{_plain(given.get('alt') or '')}"
        elif tag == "hr":
            element.words = _RULE
        else:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """A block ends, and with it what was left open inside."""
        for number in range(len(self._open) - 1, -1, -1):
            if self._open[number].tag == tag:
                del self._open[number:]
                return

    def handle_data(self, data: str) -> None:
        """Words belong to every block they stand in."""
        for element in self._open:
            element.pieces.append(data)
