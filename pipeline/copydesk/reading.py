"""A draft as the copy desk reads it: the words that readers see, each with its place in the file.

Rules look at ``Passage.text``, in which there is no markup, and ask ``Passage.at`` for line and column. The parser keeps
lines only, so the places are found here anew, in the source; what is an error of markup is the parser's to say.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.copydesk.evidence import Evidence
from pipeline.core.issue import Issue
from pipeline.settings import Newsletter, Style

MASK = "\ufffc"
"""Stands in a passage's text for what is no prose: an address, a literal."""


class Kind(StrEnum):
    """What a passage is."""

    TITLE = "title"
    SUBJECT = "subject"
    PREHEADER = "preheader"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    QUOTE = "quote"
    SOURCE = "source"
    ALT = "alt"
    CAPTION = "caption"


FRONT = frozenset({Kind.TITLE, Kind.SUBJECT, Kind.PREHEADER})
"""Passages of the front matter."""

PROSE = frozenset({Kind.PARAGRAPH, Kind.ITEM, Kind.QUOTE})
"""Passages of running text."""


@dataclass(frozen=True, slots=True)
class Place:
    """A 1-based line and column, counted in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A run of visible words. ``runs``: where in the text a stretch begins that lies in one piece in the file."""

    kind: Kind
    text: str
    runs: tuple[tuple[int, Place], ...]
    section: int = 0
    #: 0 is the opening; each heading of the second level and each box begins another.

    def at(self, offset: int) -> Place:
        """Where the character at ``offset`` of the text stands in the file."""
        index = bisect_right(self.runs, offset, key=lambda run: run[0]) - 1
        start, place = self.runs[max(index, 0)]
        return Place(place.line, place.column + offset - start)

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.runs[0][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAt:
    """A link as written: its words, its address, and where both stand."""

    words: str
    href: str
    place: Place
    words_place: Place
    href_place: Place
    section: int = 0
    bare: bool = False
    #: An address written as text, without brackets: no mail program is bound to make it a link.
    shown: bool = False
    #: ``<https://address>``: the address is its own words.
    raw_words: str = ""
    #: The words as they stand between the brackets.
    after: str = ""
    #: The character behind the link.


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureAt:
    """A picture: what stands between its brackets and its quotation marks."""

    place: Place
    alt: Passage | None
    caption: Passage | None
    src: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Everything a rule may look at."""

    issue: Issue
    lines: tuple[str, ...]
    newsletter: Newsletter
    style: Style
    passages: tuple[Passage, ...]
    links: tuple[LinkAt, ...]
    pictures: tuple[PictureAt, ...]
    own_names: tuple[str, ...] = ()
    #: The newsroom and those who sign: their own words cannot be misquoted.
    evidence: Evidence = field(default_factory=Evidence)
    #: What cannot be read off the draft.

    @property
    def language(self) -> str:
        """The language without script and region."""
        return self.issue.language.partition("-")[0].lower()

    def of(self, kinds: Iterable[Kind]) -> tuple[Passage, ...]:
        """The passages of some kinds, in the order of the file."""
        wanted = frozenset(kinds)
        return tuple(passage for passage in self.passages if passage.kind in wanted)

    def front(self, kind: Kind) -> Passage | None:
        """A value of the front matter, when it is written there."""
        return next((passage for passage in self.passages if passage.kind is kind), None)

    def written(self, passage: Passage, start: int, end: int) -> bool:
        """Whether a stretch of a passage stands in one piece, on one line, in the file: only then may it be replaced."""
        place = passage.at(start)
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        return "\n" not in passage.text[start:end] and line[place.column - 1 : place.column - 1 + end - start] == passage.text[start:end]


def fingerprint(text: str) -> str:
    """A paragraph by its letters and digits only, so that quotation marks and line ends make no difference."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
