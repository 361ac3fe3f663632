"""What reading a document gives: values only, whatever kind of document it was. ``write.to_draft`` prints them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from pipeline.core.issue import Block
from pipeline.core.problem import Problem, Severity
from pipeline.draft.page.lines import clean_line
from pipeline.draft.page.values import Item

EXCERPT = 60


def excerpt(text: str, limit: int = EXCERPT) -> str:
    """The first 60 characters, on one line and without what could speak to a terminal."""
    text = clean_line(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of the document. ``data`` is None when it lies in a file beside it, which only the caller can open."""

    name: str
    #: The file's name beside the draft; the figures of the draft name it.
    source: str
    #: As the document names it.
    place: int
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentImport:
    """A document, sorted: what goes into the draft, what does not, and what an editor should look at."""

    title: str
    blocks: tuple[Block, ...]
    #: Levels of headings are final: 2 opens a section.
    body_markdown: str
    taken: tuple[Item, ...]
    dropped: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    pictures: tuple[Picture, ...] = ()
    byline: str | None = None
    day: date | None = None
    language: str | None = None
    topics: tuple[str, ...] = ()
    front: tuple[tuple[str, str], ...] = ()
    #: Further keys of the draft's front matter (subject, preheader) and their text.
    file: str = "document"
    unit: str = "line"
    #: What the places count: lines of the file, or paragraphs where a file has no lines.


@dataclass(slots=True)
class Notes:
    """Collects what is dropped and what needs an eye while a document is read; ``place`` is where the reader stands."""

    file: str
    place: int = 1
    dropped: list[Item] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def drop(self, kind: str, what: str, place: int | None = None, *, limit: int = EXCERPT) -> None:
        """Lists something that does not go into the draft; equal entries become one."""
        at = self.place if place is None else place
        self.dropped.append(Item(kind, at, at, excerpt(what, limit)))

    def warn(self, rule: str, message: str, hint: str = "", place: int | None = None) -> None:
        """Asks for an eye, once for each place."""
        at = self.place if place is None else place
        problem = Problem(rule=rule, severity=Severity.WARNING, file=self.file, line=at, message=message, hint=hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def in_order(self) -> tuple[tuple[Item, ...], tuple[Problem, ...]]:
        """Both lists in the order of the document."""
        dropped = sorted(self.dropped, key=lambda item: item.first_line)
        return tuple(_merged(dropped)), tuple(sorted(self.problems, key=lambda problem: problem.line))


def _merged(items: Iterable[Item]) -> list[Item]:
    """Equal entries as one, with how many there are: a saved page has dozens of scripts."""
    out: dict[tuple[str, str], tuple[Item, int]] = {}
    for item in items:
        first, count = out.get((item.kind, item.note), (item, 0))
        out[item.kind, item.note] = Item(item.kind, first.first_line, item.last_line, item.note), count + 1
    return [
        item if count == 1 else Item(item.kind, item.first_line, item.last_line, f"{item.note} ({count} of them)".strip())
        for item, count in out.values()
    ]
