"""Running text with markup -> the words readers see, and the links in them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.copydesk.reading import MASK, Kind, LinkAt, Passage, Place

_TOKEN = re.compile(
    r"""(?P<escape>\\[!-/:-@\[-`{-~])
    |(?P<code>(?P<ticks>`+)(?!`).{1,400}?(?<!`)(?P=ticks)(?!`))
    |(?P<auto><(?:https?|mailto|tel):[^<>\s]*>|<[^<>\s@]+@[^<>\s]+>)
    |(?P<html></?[A-Za-z][^<>]{0,400}>)
    |(?P<link>!?\[(?P<words>(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]
        (?:\(\s*(?P<href><[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)|\[(?P<ref>[^\[\]]*)\])?)
    |(?P<bare>\bhttps?://[^\s<>]*[^\s<>.,;:!?)\]'"»”’*_])
    |(?P<mark>\*+(?=\S)|(?<=\S)\*+|(?<!\w)_+(?=\w)|(?<=[\w.,;:!?"”’)])_+(?!\w))""",
    re.VERBOSE | re.DOTALL,
)
_MAX_PASSAGE = 20_000
"""Characters of one paragraph that are looked at: a longer one is no paragraph, and patterns must end in bounded time."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A line's words and where they begin."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Inline:
    """A passage and its links."""

    passage: Passage
    links: tuple[LinkAt, ...]


class _Writer:
    """Collects visible characters with the place of each stretch."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.source = "\n".join(piece.text for piece in pieces)[:_MAX_PASSAGE]
        self._starts: list[int] = []
        self._places = [piece.place for piece in pieces]
        offset = 0
        for piece in pieces:
            self._starts.append(offset)
            offset += len(piece.text) + 1
        self._out: list[str] = []
        self._length = 0
        self._runs: list[tuple[int, Place]] = []
        self._next = -1

    def place(self, offset: int) -> Place:
        """Where an offset of the source stands in the file."""
        index = bisect_right(self._starts, offset) - 1
        place = self._places[index]
        return Place(place.line, place.column + offset - self._starts[index])

    def write(self, start: int, end: int, instead: str = "") -> None:
        """Takes a stretch of the source over, or something instead of it."""
        for part in re.finditer(r"\n|[^\n]+", instead or self.source[start:end]):
            at = start + (part.start() if not instead else 0)
            if at != self._next or part[0] == "\n" or self._out[-1:] == ["\n"]:
                self._runs.append((self._length, self.place(at)))
            self._out.append(part[0])
            self._length += len(part[0])
            self._next = at + len(part[0]) if not instead else -1

    def text(self) -> str:
        """What was written so far."""
        return "".join(self._out)

    def passage(self, kind: Kind, section: int) -> Passage:
        """Everything that was written."""
        return Passage(kind=kind, text=self.text(), runs=tuple(self._runs) or ((0, self._places[0]),), section=section)


def read_inline(pieces: Sequence[Piece], kind: Kind, section: int, definitions: Mapping[str, tuple[str, Place]]) -> Inline:
    """Reads one paragraph, heading or the like."""
    writer = _Writer(pieces)
    reader = _Reader(writer, section, definitions)
    reader.read(0, len(writer.source))
    return Inline(writer.passage(kind, section), tuple(reader.links))


def read_literal(pieces: Sequence[Piece], start: int, end: int, kind: Kind, section: int) -> Passage:
    """A stretch in which only backslashes have a meaning: a caption, an alternative text."""
    writer = _Writer(pieces)
    for match in re.finditer(r"\\([!-/:-@\[-`{-~])|[^\\]+|\\", writer.source[start:end]):
        at = start + match.start()
        writer.write(at + (match[1] is not None), start + match.end())
    return writer.passage(kind, section)


class _Reader:
    def __init__(self, writer: _Writer, section: int, definitions: Mapping[str, tuple[str, Place]]) -> None:
        self.writer = writer
        self.section = section
        self.definitions = definitions
        self.links: list[LinkAt] = []

    def read(self, start: int, end: int, depth: int = 0) -> None:
        """Writes what is visible between two offsets."""
        source, done = self.writer.source, start
        for match in _TOKEN.finditer(source, start, end):
            self.writer.write(done, match.start())
            done = match.end()
            group = match.lastgroup or ""
            if match["escape"]:
                self.writer.write(match.start() + 1, match.end())
            elif match["code"]:
                self.writer.write(match.start(), match.end(), MASK)
            elif match["auto"] or match["bare"]:
                self._address(match)
            elif match["link"] is not None:
                self._link(match, depth)
            assert group
        self.writer.write(done, end)

    def _address(self, match: re.Match[str]) -> None:
        """An address that is its own words."""
        bare = match["bare"] is not None
        href = match[0] if bare else match[0][1:-1]
        href = href if ":" in href else f"mailto:{href}"
        place, inner = self.writer.place(match.start()), self.writer.place(match.start() + (not bare))
        self.links.append(
            LinkAt(words=href, href=href, place=place, words_place=inner, href_place=inner, section=self.section, bare=bare, shown=not bare)
        )
        self.writer.write(match.start(), match.end(), MASK)

    def _link(self, match: re.Match[str], depth: int) -> None:
        """Brackets: a link when they have an address, else words in brackets."""
        name = match["ref"] or match["words"] if match["href"] is None else None
        given = self.definitions.get(" ".join(name.casefold().split())) if name is not None else None
        start, end = match.span("words")
        if depth > 4 or (match["href"] is None and given is None):
            self.writer.write(match.start(), start)
            if depth <= 4:
                self.read(start, end, depth + 1)
            else:
                self.writer.write(start, end)
            self.writer.write(end, match.end())
            return
        before = len(self.writer.text())
        self.read(start, end, depth + 1)
        if given is not None:
            href, place = given
        else:
            bracket = match["href"].startswith("<")
            href, place = match["href"].strip("<>"), self.writer.place(match.start("href") + bracket)
        self.links.append(
            LinkAt(
                words=self.writer.text()[before:], href=href, place=self.writer.place(match.start()), section=self.section,
                words_place=self.writer.place(start), href_place=place, raw_words=match["words"],
                after=self.writer.source[match.end() : match.end() + 1],
            )
        )  # fmt: skip
