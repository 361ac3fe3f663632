"""ARCHITECTURE.md names what is there, and leaves no folder or module out."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
FLOORS = sorted({path.stem for path in (ROOT / "pipeline").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()})
NAMES = sorted(set(re.findall(rf"`((?:{'|'.join(FLOORS)})(?:\.\w+)+)`", PAGE)))
TABLES = {"subscription.state", "campaign.state", "batch.state", "event.applied_at"}


def _resolve(name: str) -> Any:
    """The module under pipeline, or the thing in one, that a dotted name means."""
    parts = ["pipeline", *name.split(".")]
    for cut in range(len(parts), 1, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            found = getattr(found, attribute)
        return found
    raise AssertionError(f"{name} is nowhere")


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".py") and name not in TABLES])
def test_what_the_page_names_exists(name: str) -> None:
    assert _resolve(name) is not None


def test_the_page_names_much() -> None:
    assert len(NAMES) > 40


def test_every_path_on_the_page_exists() -> None:
    paths = re.findall(r"`((?:pipeline|tests|docs|issues|templates|config)/[\w./-]*|tests/\w+)`", PAGE)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_codemap_leaves_nothing_out() -> None:
    rows = set(re.findall(r"^\| `(pipeline/[^`]+)` \|", PAGE, re.MULTILINE))
    modules = {f"pipeline/{path.name}" for path in (ROOT / "pipeline").glob("*.py") if not path.name.startswith("__")}
    folders = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / "pipeline").rglob("__init__.py")}
    # The root is the house itself, web only holds its two doors, and migrations belong to the store.
    assert rows == (modules | folders) - {"pipeline/", "pipeline/web/", "pipeline/store/migrations/", "pipeline/store/migrations/versions/"}


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= 200
