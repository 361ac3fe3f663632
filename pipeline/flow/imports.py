"""Importing: a page's text or a document becomes a draft in its place, its pictures beside it, and nothing is lost silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pipeline.core.issue import IssueId
from pipeline.core.problem import Problem
from pipeline.draft.importing.kinds import Kind, kind_of
from pipeline.draft.importing.markdown import read_markdown
from pipeline.draft.importing.tidy import is_remote, settle_pictures
from pipeline.draft.importing.values import DocumentImport
from pipeline.draft.importing.web import read_html
from pipeline.draft.importing.word import read_word
from pipeline.draft.importing.write import to_draft as document_draft
from pipeline.draft.page.read import DROP_PICTURES, HouseText, PageImport, apply_pictures, plan_pictures, read_page, to_draft
from pipeline.draft.skeleton import slugify
from pipeline.errors import Refusal, UsageError
from pipeline.files import write_file, write_new
from pipeline.flow.context import Desk

LARGEST_FILE = 100_000_000
LARGEST_TEXT = 10_000_000
LARGEST_PICTURE = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import took, dropped and wrote."""

    id: IssueId | None
    #: None when ``--out`` put the draft elsewhere.
    path: Path
    page: PageImport | DocumentImport
    pictures: tuple[Path, ...]
    problems: tuple[Problem, ...]

    @property
    def unit(self) -> str:
        """What places count: lines or paragraphs."""
        return self.page.unit if isinstance(self.page, DocumentImport) else "line"

    def report_lines(self) -> list[str]:
        """The report for people: taken, then dropped, each with its place."""
        lines = [f"Headline: {self.page.title}"]
        for kind, run in groupby(self.page.taken, key=lambda item: (item.kind, item.note)):
            items = list(run)
            what = f"{len(items)} {kind[0]}s" if len(items) > 1 else kind[0] + (f": {kind[1]}" if kind[1] else "")
            lines.append(f"  took     {self._span(items[0].first_line, items[-1].last_line)}  {what}")
        for item in self.page.dropped:
            lines.append(f"  dropped  {self._span(item.first_line, item.last_line)}  {item.kind}{': ' * bool(item.note)}{item.note}")
        if self.page.byline:
            lines.append(f"The page names {self.page.byline} as its author; the draft has the newsletter's default author.")
        return lines

    def _span(self, first: int, last: int) -> str:
        span = f"{self.unit} {first}" if first == last else f"{self.unit}s {first}-{last}"
        return span.ljust(13 if self.unit == "line" else 16)

    def as_json(self) -> dict[str, object]:
        """The same as one JSON document."""

        def items(run: tuple[object, ...]) -> list[dict[str, object]]:
            return [{name: getattr(item, name) for name in ("kind", "first_line", "last_line", "note")} for item in run]

        return {
            "issue": str(self.id) if self.id else None, "path": str(self.path), "title": self.page.title, "byline": self.page.byline,
            "unit": self.unit, "taken": items(self.page.taken), "dropped": items(self.page.dropped),
            "pictures": [str(one) for one in self.pictures], "problems": [one.as_json() for one in self.problems],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What the person asked for, beside the file."""

    newsletter: str
    day: date | None
    out: Path | None
    pictures: Path | None
    drop_pictures: bool


def import_file(
    desk: Desk, file: Path, newsletter_id: str, *, day: date | None, out: Path | None, pictures: Path | None, drop_pictures: bool
) -> Imported:
    """Turns page text, a Word document, a web page or Markdown into a draft; without ``day``, for the document's own day or today.

    Raises UsageError for an unreadable file, Refusal when it has no article, when nobody has decided about its tracked changes, when it
    is none of these kinds, or when a place is taken.
    """
    desk.settings.newsletter(newsletter_id)
    if pictures is not None and drop_pictures:
        raise UsageError("--pictures and --drop-pictures exclude each other")
    wish = _Wish(newsletter=newsletter_id, day=day, out=out, pictures=pictures, drop_pictures=drop_pictures)
    data = _read(file, LARGEST_FILE)
    kind = kind_of(file.name, data)
    if kind is not Kind.WORD and len(data) > LARGEST_TEXT:
        raise Refusal(f"{file} has {len(data) // 1_000_000} MB of text", hint=f"At most {LARGEST_TEXT // 1_000_000} MB: cut it in parts.")
    if kind is Kind.PAGE_TEXT:
        return _import_page(desk, file, data, wish)
    readers = {Kind.WORD: read_word, Kind.HTML: read_html, Kind.MARKDOWN: read_markdown}
    return _import_document(desk, file, readers[kind](data, file=file.name), wish)


def _import_page(desk: Desk, file: Path, data: bytes, wish: _Wish) -> Imported:
    """Page text: the pictures are still to be found, so a folder gives them in order."""
    newsletter = desk.settings.newsletter(wish.newsletter)
    house = HouseText(
        newsletter=newsletter.name, outlets=(desk.settings.newsroom.name,), authors=tuple(a.name for a in desk.settings.authors.values()),
        about=newsletter.about, legal_notice="\n".join(newsletter.legal_notice.values()),
    )  # fmt: skip
    page = read_page(_text(file, data), house=house, file=file.name)
    plan = DROP_PICTURES if wish.drop_pictures else plan_pictures(page, _names(wish.pictures))
    settled = apply_pictures(page, plan)
    day = wish.day or _today(desk, wish.newsletter)
    id, path = _place(desk, page.title, day, wish)
    write_new(path, to_draft(page, date=day, pictures=plan, author=_author(desk, page.byline)).encode())
    copied: list[Path] = []
    for name in plan.files.values():
        assert wish.pictures is not None
        copied.append(_lay(path.parent / name, (wish.pictures / name).read_bytes()))
    return Imported(id=id, path=path, page=settled, pictures=tuple(copied), problems=settled.problems)


def _import_document(desk: Desk, file: Path, document: DocumentImport, wish: _Wish) -> Imported:
    """A document that names its pictures: they are in it, beside it, or, by their names, in the folder that was given."""
    found = {} if wish.drop_pictures else _beside(document, file, wish.pictures)
    settled = settle_pictures(document, found, drop=wish.drop_pictures)
    day = wish.day or document.day or _today(desk, wish.newsletter)
    id, path = _place(desk, document.title, day, wish)
    for picture in settled.pictures:
        _refuse_other(path.parent / picture.name, picture.data or b"")
    write_new(path, document_draft(settled, date=day, author=_author(desk, document.byline)).encode())
    copied = tuple(_lay(path.parent / picture.name, picture.data or b"") for picture in settled.pictures)
    return Imported(id=id, path=path, page=settled, pictures=copied, problems=settled.problems)


# --- places -------------------------------------------------------------------------------


def _place(desk: Desk, title: str, day: date, wish: _Wish) -> tuple[IssueId | None, Path]:
    """The issue's id and the draft's path; no id when ``--out`` put it elsewhere."""
    id = IssueId(wish.newsletter, day, slugify(title))
    if wish.out is None:
        return id, desk.settings.root / "issues" / wish.newsletter / id.stem / "index.md"
    return None, wish.out / f"{id.stem}.md" if wish.out.is_dir() else wish.out


def _today(desk: Desk, newsletter_id: str) -> date:
    return desk.clock().astimezone(ZoneInfo(desk.settings.zone(desk.settings.newsletter(newsletter_id)))).date()


def _author(desk: Desk, byline: str | None) -> str | None:
    """The id of the author whom a byline names; None when the configuration does not know that name."""
    return next((a.id for a in desk.settings.authors.values() if byline and a.name.casefold() == byline.casefold()), None)


# --- files ----------------------------------------------------------------------------------


def _read(file: Path, largest: int) -> bytes:
    try:
        size = file.stat().st_size
        if size > largest:
            raise Refusal(f"{file} has {size // 1_000_000} MB", hint=f"At most {largest // 1_000_000} MB: make its pictures smaller.")
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None


def _text(file: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{file}:{line}: the file is not UTF-8", hint="Save the page's text as UTF-8 and import it again.") from None


def _names(folder: Path | None) -> list[str]:
    if folder is None:
        return []
    try:
        return [path.name for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise UsageError(f"the pictures' folder {folder} cannot be read: {error.strerror}") from None


def _beside(document: DocumentImport, file: Path, folder: Path | None) -> Mapping[str, bytes]:
    """The bytes of the pictures that lie below the document's folder, or by their names in ``folder``; nothing is fetched."""
    by_name = {name: folder / name for name in _names(folder)} if folder is not None else {}
    home = file.parent.resolve()
    found: dict[str, bytes] = {}
    for picture in document.pictures:
        if picture.data is not None or is_remote(picture.source):
            continue
        named = unquote(picture.source.split("?", 1)[0].split("#", 1)[0]).replace("\\", "/")
        beside = _below(home, named)
        path = beside if beside is not None else by_name.get(named.rpartition("/")[2])
        if path is not None and path.stat().st_size <= LARGEST_PICTURE:
            found[picture.source] = _read(path, LARGEST_PICTURE)
    return found


def _below(home: Path, named: str) -> Path | None:
    """A file below a folder; None for one that is elsewhere, whatever the document says."""
    try:
        path = (home / named).resolve()
        return path if path.is_relative_to(home) and path.is_file() else None
    except (OSError, ValueError):
        return None


def _lay(target: Path, data: bytes) -> Path:
    """Writes a picture beside the draft. Raises Refusal when another one of that name is there."""
    _refuse_other(target, data)
    return write_file(target, data)


def _refuse_other(target: Path, data: bytes) -> None:
    if target.exists() and target.read_bytes() != data:
        raise Refusal(f"{target} exists already with another content", hint="Rename one of the two pictures.")
