"""Copied text -> pieces: characters made plain, lines counted, hard-wrapped lines joined. No recognition here."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from pipeline.errors import Refusal

_LINE_END = re.compile(r"\r\n|\r|\n")
_BULLET = re.compile(r"^(?:[•◦▪▫●○■□‣⁃∙·]\s*|[*+-]\s+)(?=\S)")
_COMPOUND = re.compile(r"[^\W\d_]-$")
_CLOSERS = "\"”’'»)]}"
_STOPS = ".!?…。！？؟।։"
#: Invisible layout characters. ZWNJ and ZWJ are not here: Persian and emoji are spelled with them. Nor are the LRM and
#: RLM marks; embeddings, overrides and isolates are, because a copied line often carries only one half of a pair.
_INVISIBLE = frozenset("\u200b\u2060\ufeff\u00ad\ufffc\ufffe\uffff" + "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_WIDEST_WRAP = 100
_NARROWEST_WRAP = 50


@dataclass(frozen=True, slots=True)
class Piece:
    """One paragraph-like piece of the page: usually one line, several where the text was hard-wrapped."""

    first: int
    last: int
    text: str
    bullet: bool
    tight: bool
    #: Whether it follows the piece before it without a blank line.


def clean_line(line: str) -> str:
    """One line with every kind of blank as a single space, invisible characters gone, and no blanks at its ends."""
    out: list[str] = []
    for char in line:
        if char in _INVISIBLE:
            continue
        category = unicodedata.category(char)
        if char in "\t\v\f\x85\x1c\x1d\x1e\x1f" or category in ("Zs", "Zl", "Zp"):
            out.append(" ")
        elif category not in ("Cc", "Cs"):
            out.append(char)
    text = " ".join("".join(out).split())
    # a joiner at the edge of a line joins nothing; a line of nothing else counts as blank
    return text.strip(" \u200c\u200d\u200e\u200f\u061c")


def stop_of(text: str) -> str:
    """The stop that ends the text, behind closing quotes and brackets; empty when it ends without one."""
    bare = text.rstrip(_CLOSERS + " ")
    return bare[-1] if bare and bare[-1] in _STOPS else ""


def read_pieces(text: str) -> tuple[Piece, ...]:
    """The pieces of a page. Raises Refusal when this is not copied text."""
    refuse_foreign(text)
    lines = [clean_line(line) for line in _LINE_END.split(text)]
    if not any(lines):
        raise Refusal("the page text is empty", hint="copy the whole page in the browser (select all, copy) and save it as UTF-8 text")
    width = _wrap_width(lines)
    runs: list[list[tuple[int, str]]] = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        tight = bool(runs) and runs[-1][-1][0] == number - 1
        if tight and not _BULLET.match(line) and _continues(runs[-1][-1][1], line, width):
            runs[-1].append((number, line))
        else:
            runs.append([(number, line)])
    ends = [0, *(run[-1][0] for run in runs)]
    # before the first piece there is nothing to stand close to
    return tuple(_piece(run, tight=0 < end == run[0][0] - 1) for end, run in zip(ends, runs, strict=False))


def _piece(run: list[tuple[int, str]], *, tight: bool) -> Piece:
    """The lines of one piece put together, without its bullet."""
    text = "".join(line + (" " if not _COMPOUND.search(line) else "\0") for _, line in run[:-1]) + run[-1][1]
    # a compound broken at its hyphen is one word again, when it goes on small ("long-" and "term")
    text = re.sub("\0(.)", lambda match: match[1] if match[1].islower() else " " + match[1], text)
    bullet = _BULLET.match(text)
    return Piece(run[0][0], run[-1][0], text[bullet.end() :] if bullet else text, bullet is not None, tight)


def refuse_foreign(text: str) -> None:
    """Raises Refusal for what is no copied text: bytes read as text, or the source of another format."""
    start = text[:64].lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise Refusal(
            "this is the source of a web page, not its text", hint="give the file the ending .html, or copy the page's text instead"
        )
    # a form feed is what a printed page leaves; it is a blank, not a sign of bytes
    odd = sum(1 for char in text if char == "\ufffd" or (unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r\v\f\x85"))
    if "\0" in text or start.startswith(("%pdf-", "pk\x03\x04", "{\\rtf")) or odd * 20 > len(text):
        raise Refusal("this is not text: it looks like a document or a picture read as text", hint="save the page's text as plain UTF-8")


def _continues(line: str, following: str, width: int | None) -> bool:
    """Whether ``following`` goes on with the sentence of ``line``: the break was forced by a margin, or falls inside a sentence."""
    if width is not None and _forced(line, following, width):
        return True
    return len(line) >= 40 and not stop_of(line) and line[-1:] not in ":;" and following[:1].islower()


def _forced(line: str, following: str, width: int) -> bool:
    """Whether a writer with this margin had to break here: the next word would not have fitted."""
    return len(line) + 1 + len(following.split(" ", 1)[0]) > width and len(line) >= width // 2


def _wrap_width(lines: list[str]) -> int | None:
    """The margin of a hard-wrapped page, or None when each line is a paragraph.

    A wrapped page has no long line at all, and at least one run of three lines in which every break was forced.
    """
    spaced = [len(line) for line in lines if " " in line]
    width = max(spaced, default=0)
    if not _NARROWEST_WRAP <= width <= _WIDEST_WRAP:
        return None
    run = 0
    for line, following in pairwise(lines):
        run = run + 1 if line and following and _forced(line, following, width) else 0
        if run >= 2:
            return width
    return None
