"""The source of a draft -> its passages, links and pictures with their places. A reader of lines, not a second parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.copydesk.evidence import Evidence
from pipeline.copydesk.inline import Inline, Piece, read_inline, read_literal
from pipeline.copydesk.reading import Copy, Kind, LinkAt, Passage, PictureAt, Place
from pipeline.core.issue import Issue
from pipeline.settings import Newsletter, Style

_KEY = re.compile(r"(title|subject|preheader):[ \t]*")
_BREAK = re.compile(r" {0,3}([*_-])(?:[ \t]*\1){2,}[ \t]*$")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_BOX = re.compile(r" {0,3}:{3,}[ \t]*(?:[\w-]+[ \t]*)?")
_DEFINITION = re.compile(r" {0,3}\[([^\[\]]+)\]:[ \t]*(<[^<>]*>|\S+)")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
_MARKER = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+")
_SOURCE = re.compile(r"(?:--+|[—–―])[ \t]*(?=\S)")
_PICTURE = re.compile(
    r"!\[(?P<alt>(?:[^\[\]\\]|\\.)*)\]\(\s*(?P<src><[^<>]*>|[^\s()]*)"
    r"(?:\s+(?:\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>(?:[^'\\]|\\.)*)'|\((?P<round>(?:[^()\\]|\\.)*)\)))?\s*\)"
)


@dataclass(slots=True)
class _Chunk:
    """Lines that belong together: each as its text and where that begins."""

    kind: Kind
    section: int
    pieces: list[Piece] = field(default_factory=list)


def read_copy(
    issue: Issue, source: str, *, newsletter: Newsletter, style: Style, own_names: tuple[str, ...] = (), evidence: Evidence | None = None,
) -> Copy:  # fmt: skip
    """What the desk's rules look at; ``source`` has ``\\n`` line ends."""
    lines = tuple(source.removeprefix("\ufeff").split("\n"))
    passages, links, pictures = _read(lines)
    return Copy(
        issue=issue, lines=lines, newsletter=newsletter, style=style, passages=passages, links=links, pictures=pictures,
        own_names=own_names, evidence=evidence or Evidence(),
    )  # fmt: skip


def paragraphs(source: str) -> tuple[str, ...]:
    """The running text of a draft, a paragraph at a time."""
    return tuple(one.text for one in _read(tuple(source.split("\n")))[0] if one.kind in (Kind.PARAGRAPH, Kind.ITEM))


def _read(lines: tuple[str, ...]) -> tuple[tuple[Passage, ...], tuple[LinkAt, ...], tuple[PictureAt, ...]]:
    passages: list[Passage] = []
    links: list[LinkAt] = []
    pictures: list[PictureAt] = []
    first = _body_line(lines)
    passages += _front(lines[: first - 1])
    definitions = _definitions(lines, first)
    for chunk in _chunks(lines, first):
        picture = _picture(chunk) if chunk.kind is Kind.PARAGRAPH and chunk.pieces[0].text.startswith("![") else None
        if picture is not None:
            pictures.append(picture)
            passages += [part for part in (picture.alt, picture.caption) if part is not None]
            continue
        found: Inline = read_inline(chunk.pieces, chunk.kind, chunk.section, definitions)
        passages += [found.passage] if found.passage.text.strip() else []
        links += found.links
    return tuple(passages), tuple(links), tuple(pictures)


def _body_line(lines: tuple[str, ...]) -> int:
    """The first line under the front matter."""
    marks = [number for number, line in enumerate(lines, 1) if line.rstrip() == "---"][:2]
    return marks[1] + 1 if len(marks) == 2 and not any(line.strip() for line in lines[: marks[0] - 1]) else 1


def _front(lines: tuple[str, ...]) -> Iterator[Passage]:
    for number, line in enumerate(lines, 1):
        match = _KEY.match(line)
        if match is None:
            continue
        start, value = match.end(), line[match.end() :].rstrip()
        if value[:1] in ('"', "'") and value.rfind(value[0]) > 0:
            start, value = start + 1, value[1 : value.rfind(value[0])]
        else:
            value = re.sub(r"(?:^|\s+)#.*$", "", value)
        if value.strip():
            yield Passage(kind=Kind(match[1]), text=value, runs=((0, Place(number, start + 1)),))


def _definitions(lines: tuple[str, ...], first: int) -> dict[str, tuple[str, Place]]:
    """The addresses that ``[name]: address`` lines give, by name."""
    out: dict[str, tuple[str, Place]] = {}
    for number, line in enumerate(lines[first - 1 :], first):
        if match := _DEFINITION.match(line):
            bracket = match[2].startswith("<")
            out.setdefault(" ".join(match[1].casefold().split()), (match[2].strip("<>"), Place(number, match.start(2) + 1 + bracket)))
    return out


def _chunks(lines: tuple[str, ...], first: int) -> Iterator[_Chunk]:
    """Headings, paragraphs, items, quotes and their sources, in the order of the file."""
    section = 0
    open_: _Chunk | None = None
    for number, line in enumerate(lines[first - 1 :], first):
        kind, start, end, joins = _classify(line, open_)
        if not joins and open_ is not None:
            yield open_
            open_ = None
        if kind is Kind.HEADING and (line.lstrip().startswith((":::", "## ")) and line.strip(": \t")):
            section += 1
        text = line[start:end].rstrip()
        if kind is None or not text:
            continue
        piece = Piece(text, Place(number, start + 1))
        if open_ is None:
            open_ = _Chunk(kind, section)
        open_.pieces.append(piece)
        if kind in (Kind.HEADING, Kind.SOURCE):
            yield open_
            open_ = None
    if open_ is not None:
        yield open_


def _classify(line: str, before: _Chunk | None) -> tuple[Kind | None, int, int, bool]:
    """What a line is, from where to where its words go, and whether it goes on with the chunk before."""
    end = len(line)
    if not line.strip() or _BREAK.match(line) or _DEFINITION.match(line):
        return None, 0, end, False
    if heading := _HEADING.match(line):
        return Kind.HEADING, heading.start(2), heading.end(2), False
    if box := _BOX.match(line):
        return Kind.HEADING, box.end(), end, False
    if quote := _QUOTE.match(line):
        if not line[quote.end() :].strip():
            return None, 0, end, False
        if before is not None and before.kind is Kind.QUOTE and (source := _SOURCE.match(line, quote.end())):
            return Kind.SOURCE, source.end(), end, False
        return Kind.QUOTE, quote.end(), end, before is not None and before.kind is Kind.QUOTE
    if marker := _MARKER.match(line):
        return Kind.ITEM, marker.end(), end, False
    start = end - len(line.lstrip())
    if before is not None and before.kind in (Kind.PARAGRAPH, Kind.ITEM, Kind.QUOTE) and not line.lstrip().startswith("!["):
        return before.kind, start, end, True
    joins = before is not None and before.pieces[0].text.startswith("![")
    return Kind.PARAGRAPH, start, end, joins and not line.lstrip().startswith("![")


def _picture(chunk: _Chunk) -> PictureAt | None:
    """A picture's parts; None when the chunk does not begin with a whole one."""
    source = "\n".join(piece.text for piece in chunk.pieces)
    match = _PICTURE.match(source)
    if match is None:
        return None
    name = next((name for name in ("double", "single", "round") if match[name]), None)
    parts = {"alt": Kind.ALT, **({name: Kind.CAPTION} if name else {})}
    read = {kind: read_literal(chunk.pieces, *match.span(group), kind, chunk.section) for group, kind in parts.items() if match[group]}
    return PictureAt(
        place=chunk.pieces[0].place, alt=read.get(Kind.ALT), caption=read.get(Kind.CAPTION), src=match["src"].strip("<>"),
    )  # fmt: skip
