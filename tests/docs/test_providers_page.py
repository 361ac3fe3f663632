"""docs/providers.md and docs/providers/: the table is the code's, every provider has its page, every setting its row."""

from __future__ import annotations

import ast
import re

import pytest

from pipeline.providers.registry import PROVIDERS
from pipeline.settings import PROVIDER_KEYS
from tests.docs.providers_page import PAGE, ROOT, capabilities, written

FOLDER = ROOT / "docs" / "providers"
ADDING = (FOLDER / "adding.md").read_text("utf-8")


def test_the_table_is_what_the_adapters_say() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page) == page, "write it anew: make providers-table"
    assert len(re.findall(r"^\| \[`", page, re.MULTILINE)) == len(PROVIDERS)


def test_every_provider_has_a_page_and_every_page_a_provider() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*PROVIDERS, "adding"}


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_page_has_every_setting_and_no_other(name: str) -> None:
    page = (FOLDER / f"{name}.md").read_text("utf-8")
    section = page.partition("## Settings\n")[2].partition("\n## ")[0]
    cells = [row.split(" | ")[:2] for row in re.findall(r"^\| (`.*)$", section, re.MULTILINE)]
    listed = {key for names, _ in cells for key in re.findall(r"`([a-z_]+)`", names)}
    variables = {one.removesuffix("_FILE") for _, variable in cells for one in re.findall(r"`([A-Z_]+)`", variable)}
    assert listed == set(PROVIDER_KEYS[name])
    assert variables == {f"BRIEFING_{name.upper()}_{key.upper()}" for key in listed}


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_page_says_what_every_page_says(name: str) -> None:
    page = (FOLDER / f"{name}.md").read_text("utf-8")
    assert {"Settings", "Webhooks", "Verified"} <= set(re.findall(r"^## (.+)$", page, re.MULTILINE))
    assert "**Never against the real service.**" in page
    tests = re.findall(r"`(tests/[\w/.]+)`", page)
    assert len(tests) >= 2
    assert [one for one in tests if not (ROOT / one).exists()] == []
    able = capabilities()[name]
    assert ("briefing suppressions fetch" in page) == able.suppressions


def test_what_the_page_on_adding_names_exists() -> None:
    paths = re.findall(r"`((?:pipeline|tests|docs)/[\w/.-]+)`", ADDING)
    made_up = {"pipeline/providers/postbox.py", "docs/providers/postbox.md", "tests/providers/test_postbox.py"}
    assert [one for one in paths if one not in made_up and not (ROOT / one).exists()] == []
    base = ast.parse((ROOT / "pipeline" / "providers" / "base.py").read_text("utf-8"))
    names = {node.name for node in ast.walk(base) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    names |= {node.target.id for node in ast.walk(base) if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    listed = re.findall(r"^\| `(\w+)` \|", ADDING, re.MULTILINE)
    assert len(listed) > 20
    assert [one for one in listed if one not in names] == []
    # And the other way round: nothing that an adapter says of itself or may offer is left out.
    said = next(node for node in base.body if isinstance(node, ast.ClassDef) and node.name == "Capabilities")
    fields = {node.target.id for node in said.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    classes = [node for node in base.body if isinstance(node, ast.ClassDef)]
    protocols = {one.name for one in classes if "Protocol" in map(ast.unparse, one.bases)}
    assert fields | protocols - {"Provider"} <= set(listed)
