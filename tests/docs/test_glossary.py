"""What docs/glossary.md names exists, every word has one entry, and none of the design is missing."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text("utf-8")
TERMS = re.findall(r"^\*\*([^*]+)\*\*(?: \(`(pipeline\.[\w.]+)`\))?:", PAGE, re.MULTILINE)
DESIGN = [
    "Newsroom",
    "Newsletter",
    "Issue",
    "Problem",
    "Edition",
    "Campaign",
    "Batch",
    "Message",
    "Receipt",
    "Event",
    "Subscriber",
    "Subscription",
    "Consent",
    "Suppression",
    "Token",
    "Tick",
]


def resolve(name: str) -> Any:
    """The module or the thing in one that a dotted name means. Raises AttributeError or ModuleNotFoundError."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            if cut == 1:
                raise
            continue
        for attribute in parts[cut:]:
            found = getattr(found, attribute) if hasattr(found, attribute) else found.__dataclass_fields__[attribute]
        return found
    raise AssertionError(name)


@pytest.mark.parametrize(("term", "name"), [(term, name) for term, name in TERMS if name])
def test_what_stands_behind_a_word_exists(term: str, name: str) -> None:
    assert resolve(name) is not None


def test_every_word_has_one_meaning() -> None:
    words = [term for term, _ in TERMS]
    assert sorted(set(words)) == sorted(words)


def test_every_word_of_the_design_is_explained() -> None:
    assert set(DESIGN) <= {term for term, _ in TERMS}


def test_only_what_is_not_built_has_nothing_behind_it() -> None:
    assert {term for term, name in TERMS if not name} == {"Message"}
