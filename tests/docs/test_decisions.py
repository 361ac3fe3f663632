"""The decisions are complete, numbered and listed, and the table of libraries is pyproject's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_number_and_its_three_parts(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_numbers_have_no_gap_and_the_list_has_every_title() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    titles = [path.read_text("utf-8").splitlines()[0].removeprefix("# ") for path in DECISIONS]
    assert [(f"{number}. {title}", file) for number, title, file in listed] == [(t, p.name) for t, p in zip(titles, DECISIONS, strict=True)]


def test_every_library_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [re.split(r"[<>=\[]", one)[0] for one in project["dependencies"]]
    rows = re.findall(r"^\| ([a-z][a-z0-9-]+) \| ", (FOLDER / "0002-libraries.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(needed)


def test_the_floors_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    block = (FOLDER / "0001-the-house.md").read_text("utf-8").partition("```\n")[2].partition("\n```")[0]
    assert block.splitlines() == layers
