"""Drafts: find one, read and check it, render what it would become, start a new one."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.core.edition import Crop, Edition, Picture
from pipeline.core.issue import Figure, Issue, IssueId
from pipeline.core.problem import Problem, Severity, has_errors
from pipeline.draft.parse import MAX_BYTES as MAX_DRAFT_BYTES
from pipeline.draft.parse import decode_draft, parse_draft
from pipeline.draft.skeleton import skeleton, slugify
from pipeline.errors import Refusal, UsageError
from pipeline.files import write_new
from pipeline.flow.cadence import next_date, next_slot
from pipeline.flow.context import Desk
from pipeline.newsroom import shown
from pipeline.render.edition import build_edition
from pipeline.render.page import Sibling
from pipeline.render.picture_source import MAX_BYTES
from pipeline.render.pictures import prepare_picture, prepare_portrait
from pipeline.render.words import words

FRONT_MATTER_BYTES = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft as it is on disk now, with every Problem it has."""

    id: IssueId
    path: Path
    issue: Issue | None
    pictures: dict[str, Picture]
    #: By ``Figure.picture``.
    sources: dict[str, bytes] = field(repr=False)
    #: The files these were made from, by the same names.
    source_digest: str
    problems: tuple[Problem, ...]
    text: str
    #: The file's text with one kind of line end.

    @property
    def sound(self) -> bool:
        """Whether it can become an edition."""
        return self.issue is not None and not has_errors(self.problems)


def locate(desk: Desk, reference: str) -> tuple[IssueId, Path]:
    """The id and file of an issue named by id or by path. Raises UsageError that lists near ones."""
    try:
        id = IssueId.parse(reference)
    except ValueError:
        return _locate_path(desk, Path(reference))
    if (path := _path_of(desk, id)) is not None:
        return id, path
    near = ", ".join(str(one) for one, _ in listed(desk, id.newsletter)[:5]) or "none"
    raise UsageError(f"there is no draft for the issue {id}", hint=f"Newest issues of this newsletter: {near}.")


def _path_of(desk: Desk, id: IssueId) -> Path | None:
    folder = desk.settings.root / "issues" / id.newsletter
    return next((path for path in (folder / f"{id.stem}.md", folder / id.stem / "index.md") if path.is_file()), None)


def _locate_path(desk: Desk, given: Path) -> tuple[IssueId, Path]:
    path = given if given.exists() else desk.settings.root / given
    path = (path / "index.md" if path.is_dir() else path).resolve()
    if not path.is_file():
        raise UsageError(
            f"{given} is neither a file nor an issue id", hint="An issue id looks like eurasia-briefing/2026-12-02-a-headline."
        )
    try:
        parts = path.relative_to((desk.settings.root / "issues").resolve()).with_suffix("").parts
        id = IssueId.parse("/".join(parts[:-1] if parts[-1] == "index" else parts))
    except ValueError:
        raise UsageError(
            f"{given} does not lie where drafts lie", hint="Put it at issues/<newsletter>/<YYYY-MM-DD>-<slug>.md in the newsroom."
        ) from None
    return id, path


def listed(desk: Desk, newsletter: str | None = None) -> list[tuple[IssueId, Path]]:
    """All drafts, newest first."""
    out: list[tuple[IssueId, Path]] = []
    issues = desk.settings.root / "issues"
    for path in (*issues.glob(f"{newsletter or '*'}/*.md"), *issues.glob(f"{newsletter or '*'}/*/index.md")):
        name = path.parent if path.name == "index.md" else path.with_suffix("")
        try:
            out.append((IssueId.parse(f"{name.parent.name}/{name.name}"), path))
        except ValueError:
            continue
    return sorted(out, key=lambda found: (found[0].date, found[0].slug), reverse=True)


def read(desk: Desk, reference: str) -> Draft:
    """Reads and checks a draft with its pictures. What is wrong with it is in ``problems``; nothing raises for that."""
    id, path = locate(desk, reference)
    file = shown(path, desk.settings.root)
    newsletter = desk.settings.newsletter(id.newsletter)
    try:
        data = read_bytes(path)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    digest = hashlib.sha256(data)
    text, trouble = decode_draft(data, file)
    issue, problems = parse_draft(
        text, file=file, id=id, newsletter=newsletter, authors=desk.settings.authors, newsletters=desk.settings.newsletters
    )
    found, pictures, sources = [*trouble, *problems], {}, {}
    for figure in issue.figures() if issue else ():
        crop = None if figure.focus is None else Crop(16, 9, *figure.focus)
        outcome = _read_picture(path.parent, figure.src, partial(prepare_picture, crop=crop))
        if isinstance(outcome, str):
            found.append(
                Problem(
                    rule="picture-missing", severity=Severity.ERROR, file=file, line=figure.line, message=outcome,
                    hint=f"Put the picture beside the draft, in {shown(path.parent, desk.settings.root)}/.",
                )
            )  # fmt: skip
        else:
            sources[figure.picture], pictures[figure.picture] = outcome
            found += _picture_problems(figure, outcome[1], file)
            digest.update(hashlib.sha256(outcome[0]).digest())
    if issue is not None and issue.translation_of is not None and _path_of(desk, IssueId.parse(issue.translation_of)) is None:
        found.append(
            Problem(
                rule="translation-unknown", severity=Severity.WARNING, file=file, line=1,
                message=f"there is no draft for the original, {issue.translation_of}, so neither links to the other",
                hint="Mend translation_of, or remove it.",
            )
        )  # fmt: skip
    unique = tuple(dict.fromkeys(sorted(found, key=lambda p: (p.line, p.rule))))
    return Draft(
        id=id, path=path, issue=issue, pictures=pictures, sources=sources, source_digest=digest.hexdigest(), problems=unique, text=text
    )


def read_bytes(path: Path) -> bytes:
    """A draft's file, or so much of it that the parser sees that it is too long. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_DRAFT_BYTES + 1)


def _picture_problems(figure: Figure, picture: Picture, file: str) -> Iterator[Problem]:
    """What there is to say of a picture that can be used."""
    if picture.frames > 1:
        yield Problem(
            rule="picture-animated", severity=Severity.WARNING, file=file, line=figure.line,
            message=f"the picture {figure.src} moves; readers get its first frame only",
            hint="Choose a still that says it all, or link to the film.",
        )  # fmt: skip


def _read_picture(folder: Path, src: str, prepare: Callable[[bytes, str], Picture]) -> tuple[bytes, Picture] | str:
    """The file beside the draft, and what becomes of it; else what is wrong. Reads no more than a picture may weigh."""
    path = (folder / src).resolve()
    if not path.is_relative_to(folder.resolve()):
        return f"the picture {src} lies outside the draft's folder"
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be read for ever
            return f"the picture {src} is not a file"
        with path.open("rb") as source:
            data = source.read(MAX_BYTES + 1)
        return data, prepare(data, path.stem)
    except FileNotFoundError:
        return f"there is no picture {src}"
    except OSError as error:
        return f"the picture {src} cannot be read: {error.strerror}"
    except ValueError as error:
        return f"the picture {src} cannot be used: {error}"


def render(desk: Desk, draft: Draft) -> tuple[Edition, tuple[Picture, ...]]:
    """The edition a sound draft would become. Raises Refusal when the draft has errors, TemplateFault, ConfigurationError."""
    if draft.issue is None or not draft.sound:
        raise Refusal(f"{draft.id} has errors", hint=f"See them with: briefing check {draft.id}")
    newsletter = desk.settings.newsletter(draft.id.newsletter)
    authors = [desk.settings.authors[author] for author in draft.issue.authors]
    photos: dict[str, Picture] = {}
    for author in authors:
        if author.photo:
            outcome = _read_picture(desk.settings.root / "config" / "authors", author.photo, prepare_portrait)
            if isinstance(outcome, str):
                raise UsageError(
                    f"config/authors/{author.id}.toml: {outcome}", hint="Put the photo beside the author's file, or remove the line."
                )
            photos[author.id] = outcome[1]
    next_day = next_date(newsletter, draft.id.date)
    return build_edition(
        draft.issue, newsletter=newsletter, authors=authors, newsroom_name=desk.settings.newsroom.name,
        base_url=desk.settings.newsroom.base_url, pictures=draft.pictures, author_photos=photos,
        next_issue=words(desk.environment, draft.issue.language).day(next_day) if next_day else None, environment=desk.environment,
        siblings=siblings(desk, draft.issue),
    )  # fmt: skip


def siblings(desk: Desk, issue: Issue) -> tuple[Sibling, ...]:
    """The same issue in other languages, as far as sound drafts of it are there: the original first, the others by language."""
    original = issue.translation_of or str(issue.id)
    found: list[Sibling] = []
    for id, path in listed(desk):
        if id == issue.id or id.newsletter not in desk.settings.newsletters:
            continue
        other = _parsed(desk, id, path, original)
        if other is not None:
            found.append(Sibling(id=id, language=other.language, title=other.title))
    return tuple(sorted(found, key=lambda one: (str(one.id) != original, one.language, str(one.id))))


def _parsed(desk: Desk, id: IssueId, path: Path, original: str) -> Issue | None:
    """A draft that is the original or translates it. Most drafts do neither, and are put down after their first lines."""
    try:
        data = read_bytes(path)
    except OSError:
        return None
    if str(id) != original and b"translation_of" not in data[:FRONT_MATTER_BYTES]:
        return None
    text, trouble = decode_draft(data, path.name)
    settings = desk.settings
    issue, problems = parse_draft(
        text, file=path.name, id=id, newsletter=settings.newsletter(id.newsletter), authors=settings.authors,
        newsletters=settings.newsletters,
    )  # fmt: skip
    if issue is None or has_errors((*trouble, *problems)):
        return None
    return issue if str(id) == original or issue.translation_of == original else None


def newest_original(desk: Desk, newsletter: str) -> IssueId | None:
    """The newest issue that translates no other one."""
    for id, path in listed(desk, newsletter):
        issue = _parsed(desk, id, path, str(id))
        if issue is not None and issue.translation_of is None:
            return id
    return None


def proposed_day(desk: Desk, newsletter_id: str) -> date:
    """The day for a new draft: the next one of the newsletter's cadence, else today in its zone."""
    newsletter = desk.settings.newsletter(newsletter_id)
    zone = desk.settings.zone(newsletter)
    slot = next_slot(newsletter, zone, desk.clock())
    return slot.wall.date() if slot is not None else desk.clock().astimezone(ZoneInfo(zone)).date()


def create(desk: Desk, newsletter_id: str, title: str, on: date) -> Path:
    """Writes a draft from the newsletter's skeleton; never over an existing one. Raises Refusal, DiskFault."""
    newsletter = desk.settings.newsletter(newsletter_id)
    path = desk.settings.root / "issues" / newsletter_id / f"{on.isoformat()}-{slugify(title)}" / "index.md"
    return write_new(path, skeleton(newsletter, title, on).encode())
