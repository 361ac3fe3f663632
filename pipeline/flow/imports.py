"""Importing a page: its text becomes a draft in its place, its pictures are copied beside it, and nothing is lost silently."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

from pipeline.core.issue import IssueId
from pipeline.core.problem import Problem
from pipeline.draft.page.read import DROP_PICTURES, HouseText, PageImport, apply_pictures, plan_pictures, read_page, to_draft
from pipeline.draft.skeleton import slugify
from pipeline.errors import Refusal, UsageError
from pipeline.files import write_file, write_new
from pipeline.flow.context import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import took, dropped and wrote."""

    id: IssueId | None
    #: None when ``--out`` put the draft elsewhere.
    path: Path
    page: PageImport
    pictures: tuple[Path, ...]
    problems: tuple[Problem, ...]

    def report_lines(self) -> list[str]:
        """The report for people: taken, then dropped, each with its lines."""
        lines = [f"Headline: {self.page.title}"]
        for kind, run in groupby(self.page.taken, key=lambda item: (item.kind, item.note)):
            items = list(run)
            what = f"{len(items)} {kind[0]}s" if len(items) > 1 else kind[0] + (f": {kind[1]}" if kind[1] else "")
            lines.append(f"  took     {_span(items[0].first_line, items[-1].last_line)}  {what}")
        lines += [f"  dropped  {_span(item.first_line, item.last_line)}  {item.kind}: {item.note}" for item in self.page.dropped]
        if self.page.byline:
            lines.append(f"The page names {self.page.byline} as its author; the draft has the newsletter's default author.")
        return lines

    def as_json(self) -> dict[str, object]:
        """The same as one JSON document."""

        def items(run: tuple[object, ...]) -> list[dict[str, object]]:
            return [{name: getattr(item, name) for name in ("kind", "first_line", "last_line", "note")} for item in run]

        return {
            "issue": str(self.id) if self.id else None, "path": str(self.path), "title": self.page.title, "byline": self.page.byline,
            "taken": items(self.page.taken), "dropped": items(self.page.dropped), "pictures": [str(one) for one in self.pictures],
            "problems": [one.as_json() for one in self.problems],
        }  # fmt: skip


def _span(first: int, last: int) -> str:
    return (f"line {first}" if first == last else f"lines {first}-{last}").ljust(13)


def import_page(
    desk: Desk, file: Path, newsletter_id: str, *, day: date, out: Path | None, pictures: Path | None, drop_pictures: bool
) -> Imported:
    """Turns page text into a draft. Raises UsageError for an unreadable file, Refusal when it has no article or a place is taken."""
    newsletter = desk.settings.newsletter(newsletter_id)
    if pictures is not None and drop_pictures:
        raise UsageError("--pictures and --drop-pictures exclude each other")
    house = HouseText(
        newsletter=newsletter.name, outlets=(desk.settings.newsroom.name,), authors=tuple(a.name for a in desk.settings.authors.values()),
        about=newsletter.about, legal_notice="\n".join(newsletter.legal_notice.values()),
    )  # fmt: skip
    page = read_page(_read_text(file), house=house, file=file.name)
    plan = DROP_PICTURES if drop_pictures else plan_pictures(page, _names(pictures))
    settled = apply_pictures(page, plan)
    id = IssueId(newsletter_id, day, slugify(page.title))
    path = out if out is not None else desk.settings.root / "issues" / newsletter_id / id.stem / "index.md"
    if out is not None and out.is_dir():
        path = out / f"{id.stem}.md"
    author = next((a.id for a in desk.settings.authors.values() if page.byline and a.name.casefold() == page.byline.casefold()), None)
    write_new(path, to_draft(page, date=day, pictures=plan, author=author).encode())
    copied: list[Path] = []
    for name in plan.files.values():
        assert pictures is not None
        target = path.parent / name
        if target.exists() and target.read_bytes() != (pictures / name).read_bytes():
            raise Refusal(f"{target} exists already with another content", hint="Rename one of the two pictures.")
        copied.append(write_file(target, (pictures / name).read_bytes()))
    return Imported(id=id if out is None else None, path=path, page=settled, pictures=tuple(copied), problems=settled.problems)


def _read_text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(f"{file}:{line}: the file is not UTF-8", hint="Save the page's text as UTF-8 and import it again.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None


def _names(folder: Path | None) -> list[str]:
    if folder is None:
        return []
    try:
        return [path.name for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise UsageError(f"the pictures' folder {folder} cannot be read: {error.strerror}") from None
