"""The table in docs/reference/draft.md is the table in pipeline/draft/rules.py, and the code names no other rule."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.draft.front_matter import KEYS
from pipeline.draft.rules import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "draft.md").read_text("utf-8")
SOURCES = [path for path in (ROOT / "pipeline" / "draft").glob("*.py") if path.name != "rules.py"]


def test_the_page_lists_every_rule_in_order() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(rule, info.severity.value, info.reason) for rule, info in RULES.items()]


def test_the_page_lists_every_key_in_order() -> None:
    assert tuple(re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE))[: len(KEYS)] == KEYS


def test_the_page_of_imports_lists_every_rule_of_theirs() -> None:
    page = (ROOT / "docs" / "reference" / "imports.md").read_text("utf-8")
    listed = re.findall(r"^\| `(import-[a-z-]+)` \| (?:error, or warning|warning) \| .+ \|$", page, re.MULTILINE)
    code = "".join(path.read_text("utf-8") for path in (ROOT / "pipeline").rglob("*.py"))
    assert listed == sorted(set(re.findall(r'"(import-[a-z-]+)"', code)))


def test_every_rule_is_used_and_every_used_rule_is_listed() -> None:
    text = "\n".join(path.read_text("utf-8") for path in SOURCES if not path.name.startswith("page_"))
    assert {rule for rule in RULES if f'"{rule}"' not in text} == set()
    assert set(re.findall(r"findings\.add\(\s*\"([a-z-]+)\"", text)) <= set(RULES)
