"""The plain part: written from the same blocks as the HTML, wrapped by display width, every link present once.

Fixed lines of at most 72 columns (RFC 3676 calls it *fixed*); a URL stands alone on its line and is never broken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from wcwidth import wcswidth

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
    Section,
    SectionKind,
    Strong,
    SubHeading,
    Text,
    plain,
)
from pipeline.render.html import story_groups
from pipeline.render.language import gap_after

WIDTH = 72
"""Columns, a Chinese character counting two (UAX 11)."""

_PAUSES = "，。、；：？！"
_NO_LINE_START = frozenset("，。、；：？！）》」』】〉”’…—%,.;:?!)]}»")


def width(text: str) -> int:
    """Columns that ``text`` takes on a terminal; control characters take none."""
    return max(0, wcswidth("".join(character for character in text if unicodedata.category(character) != "Cc")))


def _atoms(word: str) -> Iterator[str]:
    """The pieces of a blank-free word between which a line may break: around wide characters only."""
    piece = ""
    for character in word:
        wide = unicodedata.east_asian_width(character) in "WF" and character not in _NO_LINE_START
        if piece and (wide or _ends_wide(piece)) and character not in _NO_LINE_START:
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


def _ends_wide(piece: str) -> bool:
    return unicodedata.east_asian_width(piece[-1]) in "WF"


def wrap(text: str, *, columns: int = WIDTH, first: str = "", rest: str = "") -> str:
    """``text`` in lines of at most ``columns``; the first line begins with ``first``, the others with ``rest``.

    Line ends in ``text`` stay. What cannot be broken (a long Latin word) stands alone on its line. Chinese may break
    anywhere and says nowhere where its words end: where a pause falls into a line's second half, the line ends there.
    """
    lines: list[str] = []
    for given in text.split("\n"):
        line = rest if lines else first
        bare = True
        for number, word in enumerate(given.split()):
            for index, atom in enumerate(_atoms(word)):
                blank = " " if number and index == 0 else ""
                if bare or width(line + blank + atom) <= columns:
                    line += atom if bare else blank + atom
                else:
                    full, over = _at_pause(line, columns) if not blank and _ends_wide(atom) else (line, "")
                    lines.append(full)
                    line = rest + over + atom
                bare = False
        lines.append(line.rstrip() if bare else line)
    return "\n".join(lines)


def _at_pause(line: str, columns: int) -> tuple[str, str]:
    """A full line parted after its last Chinese pause, if that leaves at least half a line; else all of it and nothing."""
    end = max(line.rfind(mark) for mark in _PAUSES) + 1
    if line[end:] and line[end] not in _NO_LINE_START and width(line[:end]) * 2 >= columns:
        return line[:end], line[end:].lstrip()
    return line, ""


def underlined(title: str, mark: str) -> str:
    """A heading over a line of its own width."""
    wrapped = wrap(title)
    return f"{wrapped}\n{mark * max(3, max(map(width, wrapped.splitlines())))}"


class TextWriter:
    """Writes one issue's blocks; numbers its links as it goes and sets each address under its block.

    ``titles`` are those of sections that have none of their own.
    """

    def __init__(self, picture_word: str, titles: Mapping[SectionKind, str] | None = None) -> None:
        self._picture_word = picture_word
        self._titles = titles or {}
        self._count = 0
        self._waiting: list[str] = []

    def link(self, label: str, href: str) -> str:
        """A line of furniture with its address below."""
        return f"{wrap(label)}{':' if gap_after(label) else '：'}\n{_address(href)}"

    def section(self, section: Section) -> str:
        """A section with its underlined title."""
        blocks = story_groups(section.blocks) if section.kind is SectionKind.MORE_STORIES else section.blocks
        words = self._titles.get(section.kind, "")
        title = section.title or ((Text(words),) if words else ())
        parts = [self.heading(title, "-")] if title else []
        return "\n\n".join([*parts, self.blocks(blocks)])

    def heading(self, content: Sequence[Inline], mark: str) -> str:
        """A heading; its links, if any, below its line."""
        return underlined(self._inlines(content), mark) + self._addresses("")

    def prose(self, nodes: Sequence[Inline]) -> str:
        """One paragraph of inlines."""
        return self._wrapped(self._inlines(nodes), "")

    def blocks(self, blocks: Sequence[Block], indent: str = "") -> str:
        """Blocks with a blank line between two."""
        return "\n\n".join(self._block(block, indent) for block in blocks)

    def _block(self, block: Block, indent: str) -> str:
        match block:
            case Paragraph():
                text = (
                    f"{block.label}{gap_after(block.label)}{self._inlines(block.content)}" if block.label else self._inlines(block.content)
                )
                return self._wrapped(text, indent)
            case SubHeading():
                return self._wrapped(self._inlines(block.content).rstrip(), indent)
            case Figure():
                return self._figure(block, indent)
            case Quote():
                return self._quote(block, indent)
            case ListBlock():
                return "\n\n".join(self._item(block, index, indent) for index in range(len(block.items)))
            case Rule():
                return indent + "* * *"

    def _wrapped(self, text: str, indent: str, rest: str | None = None) -> str:
        rest = indent if rest is None else rest
        return wrap(text, first=indent, rest=rest) + self._addresses(rest)

    def _figure(self, block: Figure, indent: str) -> str:
        lines = [wrap(f"[{self._picture_word}: {block.alt}]", first=indent, rest=indent)]
        words = " ".join(part for part in (block.caption, f"({block.credit})" if block.credit else "") if part)
        return "\n".join([*lines, *([wrap(words, first=indent, rest=indent)] if words else [])])

    def _quote(self, block: Quote, indent: str) -> str:
        mark = indent + "> "
        parts = [wrap(self._inlines(content), first=mark, rest=mark) for content in block.paragraphs]
        if block.attribution:
            parts.append(wrap(f"-- {block.attribution}", first=mark, rest=mark + "   "))
        return f"\n{mark.rstrip()}\n".join(parts) + self._addresses(indent)

    def _item(self, block: ListBlock, index: int, indent: str) -> str:
        mark = f"{block.start + index}. " if block.ordered else "* "
        deeper = indent + " " * len(mark)
        body = self.blocks(block.items[index], deeper)
        return indent + mark + body.removeprefix(deeper)

    def _inlines(self, nodes: Sequence[Inline]) -> str:
        return re.sub(r"[^\S\n]+", " ", "".join(self._inline(node) for node in nodes))

    def _inline(self, node: Inline) -> str:
        match node:
            case Text(value) | Code(value):
                return re.sub(r"\s+", " ", value)
            case LineBreak():
                return "\n"
            case Strong(children) | Emphasis(children):
                return self._inlines(children)
            case Link():
                return self._link(node)

    def _link(self, node: Link) -> str:
        self._count += 1
        self._waiting.append(f"[{self._count}] {_address(node.href)}")
        words = self._inlines(node.children)
        bare = plain(node.children).strip() in (node.href, _address(node.href))
        return f"[{self._count}]" if bare else f"{words}{gap_after(words)}[{self._count}]"

    def _addresses(self, indent: str) -> str:
        """The addresses met since the last call, one on each line, unbroken."""
        waiting, self._waiting = self._waiting, []
        return "".join(f"\n{indent}{line}" for line in waiting)


def _address(href: str) -> str:
    return href.strip().removeprefix("mailto:")
