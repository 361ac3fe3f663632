"""What several rules need: searching passages, taking addresses apart, counting words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import SplitResult, urlsplit

from pipeline.copydesk.finding import Edit, Finding
from pipeline.copydesk.reading import Copy, Kind, LinkAt, Passage

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_WIDE}]|(?:(?![{_WIDE}])\w)+(?:['’.,-](?:(?![{_WIDE}])\w)+)*")


def hits(copy: Copy, kinds: Iterable[Kind], pattern: re.Pattern[str]) -> Iterator[tuple[Passage, re.Match[str]]]:
    """Every match of a pattern in passages of some kinds."""
    for passage in copy.of(kinds):
        for match in pattern.finditer(passage.text):
            yield passage, match


def found(passage: Passage, offset: int, message: str, hint: str = "") -> Finding:
    """A finding at an offset of a passage."""
    place = passage.at(offset)
    return Finding(place.line, place.column, message, hint)


def repair(copy: Copy, passage: Passage, start: int, end: int, replacement: str) -> Edit | None:
    """The edit of a stretch; None when it does not stand in one piece in the file, markup between its words."""
    if not copy.written(passage, start, end):
        return None
    place = passage.at(start)
    return Edit(place.line, place.column, place.column + end - start, replacement)


def words(text: str) -> list[str]:
    """The words of a text; of Chinese and Japanese, which have no blanks, the characters."""
    return _WORD.findall(text)


def clip(text: str, limit: int = 50) -> str:
    """A text short enough for a message."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def parts(link: LinkAt) -> SplitResult | None:
    """A web address taken apart; None when it is none, or broken, which the parser has said."""
    try:
        split = urlsplit(link.href)
        return split if split.scheme.lower() in ("http", "https") and split.hostname else None
    except ValueError:
        return None


def once(links: Iterable[LinkAt]) -> Iterator[LinkAt]:
    """Links by the place of their address: one that several brackets refer to comes once."""
    seen = set()
    for link in links:
        if link.href_place not in seen:
            seen.add(link.href_place)
            yield link


def script(character: str) -> str:
    """The script of a letter, as far as letters are confused with one another."""
    name = unicodedata.name(character, "")
    return next((one for one in ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN") if name.startswith(one)), "")


_END = re.compile(r"[.!?…؟۔]+[\"'”’»)\]]*(?=\s|$)|[。！？]+[」』”’）]*")
_SHORT = re.compile(
    r"(?:\b\w|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Lt|Sgt|Sen|Gov|Rep|Jr|Sr|No|vs|etc|Inc|Ltd|Jan|Feb|Aug|Sept|Oct|Nov|Dec))\.$"
)


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """The sentences of a passage, each with where it begins."""
    start = 0
    for match in _END.finditer(text):
        if match[0].startswith(".") and _SHORT.search(text[max(0, match.start() - 11) : match.start() + 1]):
            continue
        yield _trimmed(text[start : match.end()], start)
        start = match.end()
    if text[start:].strip():
        yield _trimmed(text[start:], start)


def _trimmed(part: str, start: int) -> tuple[int, str]:
    return start + len(part) - len(part.lstrip()), part.strip()
