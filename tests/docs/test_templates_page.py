"""docs/reference/templates.md names what templates are given, and the files there are; its example works."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pipeline import app
from pipeline.flow import drafts
from pipeline.render.language import Typography
from pipeline.render.page import Addresses, Article, ArticleSection, AuthorCard, Page, Translation
from pipeline.render.palette import Palette

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "templates.md").read_text("utf-8")
GIVEN: dict[str, Any] = {
    "article": Article, "section": ArticleSection, "page": Page, "author": AuthorCard, "link": Addresses, "translation": Translation,
}  # fmt: skip


def _names(kind: Any) -> set[str]:
    """Fields, and what is computed: everything of a value that a template can reach."""
    assert is_dataclass(kind)
    computed = {name for name, value in vars(kind).items() if not name.startswith("_") and (callable(value) or isinstance(value, property))}
    return {field.name for field in fields(kind)} | computed


def test_the_table_has_every_name_and_no_other() -> None:
    listed = set(re.findall(r"^\| `(\w+\.\w+)(?:\(\w+\))?` \|", PAGE, re.MULTILINE))
    assert listed == {f"{given}.{name}" for given, kind in GIVEN.items() for name in _names(kind)}


def test_fonts_and_colours_are_complete() -> None:
    for row, kind in (("page.type", Typography), ("page.light", Palette)):
        said = re.search(rf"^\| `{row}` \| [^:]+: (.+)\. \|$", PAGE, re.MULTILINE)
        assert said is not None
        assert re.findall(r"`(\w+)`", said[1]) == [field.name for field in fields(kind)]


def test_every_template_it_names_exists() -> None:
    named = set(re.findall(r"`((?:email|web|words)/[\w./]+)`", PAGE))
    assert {name for name in named if not (ROOT / "templates" / name).exists()} == set()


def test_the_example_works(root: Path) -> None:
    example = PAGE.partition("```\n")[2].partition("```")[0]
    (root / "templates" / "email").mkdir(parents=True)
    (root / "templates" / "email" / "base.html").write_text(example, "utf-8")
    desk = app.open_desk(app.load_settings(root, {}))
    edition, _ = drafts.render(desk, drafts.read(desk, "eurasia-briefing/2021-08-18-after-kabul"))
    assert "Printed in Prague." in edition.html
