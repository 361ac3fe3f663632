"""The parsed draft: an ``Issue`` made of sections, blocks and inlines, each block with its source line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

ISSUE_ID = re.compile(r"^(?P<newsletter>[a-z0-9][a-z0-9-]*)/(?P<date>\d{4}-\d{2}-\d{2})-(?P<slug>[a-z0-9][a-z0-9-]*)$")


@dataclass(frozen=True, slots=True, order=True)
class IssueId:
    """``<newsletter>/<YYYY-MM-DD>-<slug>``: the issue's name everywhere, and its address in the archive."""

    newsletter: str
    date: date
    slug: str

    @classmethod
    def parse(cls, text: str) -> IssueId:
        """Reads an issue id. Raises ValueError when the text is not of that form."""
        match = ISSUE_ID.match(text)
        if match is None:
            raise ValueError(f"not an issue id: {text!r} (expected <newsletter>/<YYYY-MM-DD>-<slug>)")
        return cls(match["newsletter"], date.fromisoformat(match["date"]), match["slug"])

    @property
    def stem(self) -> str:
        """``<YYYY-MM-DD>-<slug>``: the name of the draft's file or folder."""
        return f"{self.date.isoformat()}-{self.slug}"

    def __str__(self) -> str:
        return f"{self.newsletter}/{self.stem}"


# --- inlines -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Plain characters."""

    value: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Strong importance, usually bold."""

    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Emphasis:
    """Stress emphasis, usually italic."""

    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A hyperlink; ``href`` is an absolute https or mailto URL with its host in ASCII."""

    href: str
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A short literal, such as a command."""

    value: str


@dataclass(frozen=True, slots=True)
class LineBreak:
    """A hard line break."""


Inline = Text | Strong | Emphasis | Link | Code | LineBreak


def plain(inlines: tuple[Inline, ...]) -> str:
    """The characters of inlines without their markup; a hard break becomes a blank."""
    out: list[str] = []
    for node in inlines:
        match node:
            case Text(value) | Code(value):
                out.append(value)
            case LineBreak():
                out.append(" ")
            case _:
                out.append(plain(node.children))
    return "".join(out)


# --- blocks ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text; ``label`` is its run-in label with the colon ("Why It Matters:"), not repeated in ``content``."""

    content: tuple[Inline, ...]
    label: str | None = None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with its caption. ``src`` is the path as written, relative to the draft."""

    src: str
    alt: str
    caption: str = ""
    credit: str = ""
    focus: tuple[float, float] | None = None
    #: Per cent from the left and from the top: the point around which the picture is cut to 16:9. None: shown whole.
    line: int

    @property
    def picture(self) -> str:
        """The name of what is shown: the same file cut around another point is another picture."""
        return self.src if self.focus is None else f"{self.src} {self.focus[0]:g}% {self.focus[1]:g}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A pull quote; ``attribution`` is what followed the dashes on its last line, or empty."""

    paragraphs: tuple[tuple[Inline, ...], ...]
    attribution: str = ""
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBlock:
    """An ordered or unordered list; each item is a run of blocks."""

    ordered: bool
    items: tuple[tuple[Block, ...], ...]
    start: int = 1
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubHeading:
    """A heading inside a section: level 3 to 6."""

    level: int
    content: tuple[Inline, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A thematic break."""

    line: int


Block = Paragraph | Figure | Quote | ListBlock | SubHeading | Rule


class SectionKind(StrEnum):
    """What a section is for; each kind has a design of its own."""

    PLAIN = "plain"
    EXPERT_CORNER = "expert-corner"
    MORE_STORIES = "more-stories"
    BRIEFS = "briefs"
    WATCH = "watch"
    READ_MORE = "read-more"
    PODCAST = "podcast"
    SIGN_OFF = "sign-off"
    NOTE = "note"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled run of blocks; ``title`` is empty for a note or correction marked by hand without a heading."""

    kind: SectionKind
    title: tuple[Inline, ...]
    blocks: tuple[Block, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A draft that parsed: the front matter, the opening (before the first ``##``) and the sections."""

    id: IssueId
    title: str
    subject: str
    preheader: str
    authors: tuple[str, ...]
    #: Ids of ``config/authors/<id>.toml``.
    language: str
    #: BCP 47.
    topics: tuple[str, ...] = ()
    translation_of: str | None = None
    opening: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()

    def blocks(self) -> tuple[Block, ...]:
        """All blocks in reading order, list items flattened in."""
        out: list[Block] = []

        def walk(blocks: tuple[Block, ...]) -> None:
            for block in blocks:
                out.append(block)
                if isinstance(block, ListBlock):
                    for item in block.items:
                        walk(item)

        walk(self.opening)
        for section in self.sections:
            walk(section.blocks)
        return tuple(out)

    def figures(self) -> tuple[Figure, ...]:
        """Every figure in reading order."""
        return tuple(block for block in self.blocks() if isinstance(block, Figure))
