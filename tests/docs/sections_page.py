"""docs/sections.md read as what it is: one issue in pieces, with its configuration and the pictures of its parts.

The test beside this file checks the issue; docs/pictures/take_sections.py takes the pictures. Both read the page through here.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import app
from pipeline.core.edition import Edition, Picture
from pipeline.core.problem import Problem
from pipeline.flow import drafts, rendering, starter
from pipeline.flow.drafts import Draft
from pipeline.render.web import site_css

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "sections.md"
DIGEST = ROOT / "docs" / "pictures" / "sections" / "digest.txt"
"""Of the rendering that the pictures show."""

ISSUE = "eurasia-briefing/2026-12-02-a-road-in-winter"
_PIECE = re.compile(r"^```(\w+)\n(.*?)^```$|^!\[[^\]]*\]\((pictures/sections/([\w-]+)\.png)\)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of the draft, its first and last line there, and the picture that follows it ("" for none)."""

    first: int
    last: int
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page taken apart."""

    draft: str
    snippets: tuple[Snippet, ...]
    #: Each once, in order.
    configuration: dict[str, dict[str, Any]]
    #: By file of the newsroom.
    texts: tuple[str, ...]
    #: Extracts of the plain part.
    pictures: tuple[str, ...]
    #: Names without ending.


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The page's issue as a newsroom has it."""

    draft: Draft
    problems: tuple[Problem, ...]
    edition: Edition
    pictures: tuple[Picture, ...]
    css: bytes

    @property
    def digest(self) -> str:
        """SHA-256 over mail, page and style sheet, without the names of pictures: those follow the version of the codecs."""
        whole = re.sub(r"(media|style)[/-][\w.-]+", "", self.edition.html + self.edition.web) + self.css.decode()
        return hashlib.sha256(whole.encode()).hexdigest()


def read_page() -> Page:
    """Takes docs/sections.md apart."""
    draft, snippets, configuration, texts, pictures = "", list[Snippet](), dict[str, dict[str, Any]](), list[str](), list[str]()
    for match in _PIECE.finditer(PAGE.read_text("utf-8")):
        language, body, _, picture = match.groups()
        match language:
            case None:
                pictures.append(picture)
                if snippets and not snippets[-1].picture:
                    snippets[-1] = replace(snippets[-1], picture=picture)
            case "yaml" | "markdown":
                first = draft.count("\n") + 1
                draft += f"{body}\n"
                snippets.append(Snippet(first, first + body.count("\n") - 1, ""))
            case "toml":
                _merge(configuration.setdefault(body.partition("\n")[0].removeprefix("# "), {}), tomllib.loads(body))
            case "text":
                texts.append(body)
            case _:
                raise AssertionError(f"what is a block of {language}?")
    return Page(draft=draft, snippets=tuple(snippets), configuration=configuration, texts=tuple(texts), pictures=tuple(pictures))


def rendered(page: Page, folder: Path) -> Rendered:
    """Lays a newsroom in the new directory ``folder``, writes what the page says, and renders its issue."""
    starter.lay(folder)
    shutil.rmtree(folder / "issues")  # so that no other draft has a say
    home = folder / "issues" / ISSUE
    home.mkdir(parents=True)
    (home / "index.md").write_text(page.draft, "utf-8")
    shutil.copy(next((ROOT / "issues").rglob("borders.png")), home)
    for name, given in page.configuration.items():
        path = folder / name
        whole = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
        _merge(whole, given)
        path.write_text(_toml(whole), "utf-8")
    desk = app.open_desk(app.load_settings(folder, {}), lambda: datetime(2026, 12, 1, 12, tzinfo=UTC))
    draft, problems = rendering.examine(desk, ISSUE)
    assert draft.sound, problems
    edition, pictures = drafts.render(desk, draft)
    css = site_css(desk.environment, desk.settings.newsletter(edition.newsletter).brand)[1]
    return Rendered(draft=draft, problems=problems, edition=edition, pictures=pictures, css=css)


def _merge(into: dict[str, Any], given: dict[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, dict) and key not in ("sections", "legal_notice"):  # those the page shows whole
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _toml(table: dict[str, Any], name: str = "") -> str:
    """A table as TOML: plain values first, tables under their dotted names. JSON's strings and lists of strings are TOML's."""
    lines = [
        f"{json.dumps(key, ensure_ascii=False)} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
        if not isinstance(value, dict)
    ]
    head = [f"[{name}]"] if name else []
    inner = [_toml(value, f"{name}.{key}".lstrip(".")) for key, value in table.items() if isinstance(value, dict)]
    return "\n".join([*head, *lines, *inner]) + "\n"
