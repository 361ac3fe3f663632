"""What the preview shows: a draft as it is on disk now, and the last rendering that worked."""

from __future__ import annotations

import hashlib
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from jinja2 import Environment

from pipeline import newsroom
from pipeline.core.edition import Edition, Picture
from pipeline.core.issue import IssueId
from pipeline.core.problem import Problem
from pipeline.errors import BriefingError, Refusal
from pipeline.flow import drafts
from pipeline.flow.context import Desk
from pipeline.flow.rendering import edition_problems, judged, sample_mail
from pipeline.newsroom import shown
from pipeline.render.pictures import make_renditions
from pipeline.render.web import site_css
from pipeline.web.preview.copies import Composed
from pipeline.web.preview.marks import Mark, find_marks, line_before, target

KEPT = 8
"""Issues whose last good rendering is remembered; each holds its pictures."""

_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_log = logging.getLogger("pipeline.web.preview")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why nothing could be rendered, other than by the draft's own Problems."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """An edition with the files its pages ask for."""

    edition: Edition
    #: With the preview's own addresses, so that no picture is asked of the real ones.
    public: Edition
    #: The same as it would be approved, byte for byte.
    mail: Composed
    #: The latter as a made-up reader gets it.
    marks: tuple[Mark, ...]
    source: tuple[str, ...]
    #: The draft's lines, for which the marks stand.
    files: dict[str, tuple[bytes, str]]
    #: Body and media type, by the path below the preview's base address.
    pictures: tuple[Picture, ...]
    later: dict[str, tuple[Path, Picture]]
    #: Files of the web page that are made when a browser asks for them, by the same paths: their source and its picture.

    @property
    def pictures_size(self) -> int:
        """Octets."""
        return sum(len(one.data) for one in self.pictures)

    def local(self, html: str) -> str:
        """A piece of the public mail with the preview's addresses."""
        return self.unpacked(html.replace(_top(self.public), _top(self.edition)))

    def unpacked(self, html: str) -> str:
        """The mail's HTML with the pictures it carries shown from the preview: a frame cannot look into a mail."""
        for name, id in self.edition.embedded:
            html = html.replace(f"cid:{id}", f"{_top(self.edition)}/media/{name}")
        return html


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One issue as the preview shows it."""

    id: IssueId
    version: str
    #: Changes whenever a file changes that the issue is made from.
    base_url: str
    rendering: Rendering | None
    stale: bool
    #: The rendering is of an earlier version, since this one cannot be rendered.
    problems: tuple[Problem, ...]
    places: tuple[str, ...]
    #: For each Problem the id of the block in the mail that it speaks of, or "".
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A draft in the list."""

    id: IssueId
    title: str


class Workbench:
    """Reads and renders on demand; what is unchanged is not rendered twice. Safe to use from several threads."""

    def __init__(self, root: Path, load: Callable[[], Desk]) -> None:
        self._root = root
        self._load = load
        self._looks: dict[str, Look] = {}
        self._templates: tuple[tuple[Path, ...], Environment] | None = None
        self._lock = Lock()

    def version(self, id: IssueId | None) -> str:
        """A short name for the present state of all files an issue (or the list of drafts) is made from."""
        found = hashlib.sha256()
        for path in self._sources(id):
            try:
                status = path.stat()
            except OSError:
                continue  # gone since it was listed
            found.update(f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0".encode("utf-8", "surrogateescape"))
        return found.hexdigest()[:16]

    def _sources(self, id: IssueId | None) -> Iterator[Path]:
        issues = self._root / "issues"
        if id is None:
            yield from _files(issues.glob("*/*.md"))
            yield from _files(issues.glob("*/*/index.md"))
        elif (folder := issues / id.newsletter / id.stem).is_dir():
            yield from _files(folder.rglob("*"))
        else:
            yield from _files((issues / id.newsletter).glob("*"))
        for folder in dict.fromkeys((self._root / "config", self._root / "templates", newsroom.packaged() / "templates")):
            yield from _files(folder.rglob("*"))

    def drafts(self) -> list[Listed]:
        """All drafts, newest first. Raises BriefingError when the configuration is broken."""
        return [Listed(id, _title(path) or id.slug) for id, path in drafts.listed(self._load())]

    def resolve(self, reference: str) -> IssueId:
        """The id of an issue named by id or path. Raises BriefingError."""
        return drafts.locate(self._load(), reference)[0]

    def look(self, id: IssueId, base_url: str) -> Look:
        """The issue as it is now, its pictures and links below ``base_url``."""
        with self._lock:
            version, before = self.version(id), self._looks.pop(str(id), None)
            if before is None or (before.version, before.base_url) != (version, base_url):
                before = self._fresh(id, base_url, version, before)
            self._looks[str(id)] = before
            while len(self._looks) > KEPT:
                del self._looks[next(iter(self._looks))]
            return before

    def _desk(self) -> Desk:
        """The newsroom, loaded anew but for compiled templates, which notice by themselves when their file changes.

        They do not notice a file that comes to stand before theirs, so a new set of files means a new environment.
        """
        desk, present = self._load(), tuple(_files((self._root / "templates").rglob("*")))
        if self._templates is None or self._templates[0] != present:
            self._templates = present, desk.environment
        return replace(desk, environment=self._templates[1])

    def _fresh(self, id: IssueId, base_url: str, version: str, before: Look | None) -> Look:
        problems: tuple[Problem, ...] = ()
        source: tuple[str, ...] = ()
        file = ""
        rendering, fault = None, None
        try:
            loaded = self._desk()
            desk, public = _below(loaded, base_url), loaded.settings.newsroom.base_url
            draft = drafts.read(desk, str(id))
            problems, source, file = judged(desk, draft), _lines(draft.path), shown(draft.path, self._root)
            if draft.sound:
                rendering = _render(desk, draft, public, source)
                problems += edition_problems(desk, draft, rendering.public, rendering.pictures)
        except BriefingError as error:
            fault = Fault(error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end an editor's preview either
            _log.exception("the preview of %(issue)s failed", {"issue": id})
            fault = _own_fault(error)
        stale = rendering is None
        if rendering is None and before is not None and before.base_url == base_url:
            rendering = before.rendering
        places = tuple("" if rendering is None or problem.file != file else _place(rendering, source, problem.line) for problem in problems)
        return Look(
            id=id, version=version, base_url=base_url, rendering=rendering, stale=stale, problems=problems, places=places, fault=fault
        )

    def file(self, path: str) -> tuple[bytes, str] | None:
        """Body and media type of a picture or style sheet that a rendering asks for."""
        with self._lock:
            renderings = [look.rendering for look in self._looks.values() if look.rendering is not None]
        found = next((one.files[path] for one in renderings if path in one.files), None)
        return found or next((_made(one, path) for one in renderings if path in one.later), None)


def _made(rendering: Rendering, path: str) -> tuple[bytes, str] | None:
    """Makes one of the web page's files, once for each rendering. None when its source is gone or has been spoilt since."""
    source, picture = rendering.later[path]
    try:
        for one, data in make_renditions(source.read_bytes(), picture, {path.removeprefix("media/")}):
            rendering.files[path] = data, one.media_type
    except (OSError, ValueError):
        return None
    return rendering.files.get(path)


def _files(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.is_file())


def _title(path: Path) -> str:
    """A draft's title without reading all of it: a list must not parse every draft there ever was."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            match = _TITLE.search(file.read(2_000))
    except OSError:
        return ""
    return match[1].strip("\"'") if match else ""


def _below(desk: Desk, base_url: str) -> Desk:
    """The desk of a newsroom that lives at the preview's own address, so that no picture is asked of the real one."""
    settings = replace(desk.settings, newsroom=desk.settings.newsroom.model_copy(update={"base_url": base_url}))
    return replace(desk, settings=settings)


def _render(desk: Desk, draft: drafts.Draft, public_url: str, source: tuple[str, ...]) -> Rendering:
    edition, pictures = drafts.render(desk, draft)
    assert draft.issue is not None
    name, css = site_css(desk.environment, desk.settings.newsletter(edition.newsletter).brand)
    files = {f"media/{picture.name}": (picture.data, picture.media_type) for picture in pictures}
    public = _public(edition, desk.settings.newsroom.base_url, public_url)
    try:
        mail = Composed(sample_mail(public, pictures, public_url, draft.path))
    except ValueError as error:
        hint = f"Check names and addresses in config/newsletters/{edition.newsletter}.toml."
        raise Refusal(f"the mail cannot be composed: {error}", hint=hint) from None
    return Rendering(
        edition=edition, public=public, mail=mail, marks=find_marks(edition.html, draft.issue),
        source=source, files=files | {name: (css, "text/css")}, pictures=pictures, later=_later(draft),
    )  # fmt: skip


def _public(edition: Edition, local: str, public: str) -> Edition:
    """The edition with the newsroom's own address in the place of the preview's; rendering twice would take twice as long."""
    own = {name: getattr(edition, name).replace(local, public) for name in ("html", "text", "web", "feed", "archive_url")}
    return replace(edition, **own)


def _top(edition: Edition) -> str:
    """The base address that an edition was made with."""
    return edition.archive_url.removesuffix(f"/{edition.issue_id}/")


def _place(rendering: Rendering, source: tuple[str, ...], line: int) -> str:
    """The block a line of the draft speaks of, also when the rendering is of an earlier version."""
    return target(rendering.marks, line_before(line, rendering.source, source))


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text("utf-8", "replace").splitlines())
    except OSError:  # gone since it was read
        return ()


def _later(draft: drafts.Draft) -> dict[str, tuple[Path, Picture]]:
    found: dict[str, tuple[Path, Picture]] = {}
    for figure in draft.issue.figures() if draft.issue else ():
        picture = draft.pictures[figure.picture]
        found |= {f"media/{one.name}": (draft.path.parent / figure.src, picture) for one in picture.renditions}
    return found


def _own_fault(error: Exception) -> Fault:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    hint = "This is not your draft's fault. The terminal shows the details."
    return Fault(f"the program failed: {type(error).__name__} at {where}", hint)
