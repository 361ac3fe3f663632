"""What reading a copied page gives: values only, made by ``page.read.read_page`` and printed by ``page.write.to_draft``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.core.problem import Problem


class Role(StrEnum):
    """What a line of the page turned out to be. Every line that is not blank gets exactly one."""

    # taken into the draft
    HEADLINE = "headline"
    PARAGRAPH = "paragraph"
    SECTION = "section"
    FIGURE = "figure"
    LIST = "list"
    # left out, and listed for the editor
    FURNITURE = "site furniture"
    LABEL = "section label"
    BYLINE = "byline"
    DATELINE = "date line"
    AUTHOR_CARD = "author card"
    LEGAL_NOTICE = "legal notice"
    ABOUT_BOX = "about box"
    CREDIT = "picture credit"
    REPEAT = "repeat"
    TEASER = "teaser"
    SEPARATOR = "separator"
    LEFTOVER = "layout leftover"
    DROPPED_FIGURE = "figure without its picture"


TAKEN = frozenset({Role.HEADLINE, Role.PARAGRAPH, Role.SECTION, Role.FIGURE, Role.LIST})


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseText:
    """What the newsletter's configuration already says. It only helps recognition: a page of another house is read as well."""

    newsletter: str = ""
    outlets: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    about: str = ""
    legal_notice: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A run of lines of the page and what became of it; ``note`` is a remark (taken) or the first 60 characters (dropped)."""

    kind: str
    first_line: int
    last_line: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImportedFigure:
    """A picture that the page had: only its words were copied, so the picture itself is still to be found."""

    caption: str
    credit: str
    line: int


class BlockKind(StrEnum):
    """The few kinds of block that page text can give."""

    PARAGRAPH = "paragraph"
    SECTION = "section"
    FIGURE = "figure"
    BULLETS = "bullets"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class BodyBlock:
    """One block of the body. ``number`` is a figure's number (from 1) or a numbered list's first number."""

    kind: BlockKind
    texts: tuple[str, ...]
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageImport:
    """A page's text, sorted: what goes into the draft, what does not, and what an editor should look at."""

    title: str
    body_markdown: str
    #: The body with ``figure-1``, ``figure-2`` ... as the pictures' names; ``to_draft`` puts the files in.
    blocks: tuple[BodyBlock, ...]
    figures: tuple[ImportedFigure, ...]
    byline: str | None
    taken: tuple[Item, ...]
    dropped: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    file: str = "page text"
    #: The name that Problems about this page carry.


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePlan:
    """Which file each figure gets; or, with ``drop``, that the figures are left out of the draft."""

    files: Mapping[int, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    drop: bool = False


DROP_PICTURES = PicturePlan(drop=True)
