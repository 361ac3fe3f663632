"""The crash matrix, the pages that show it, and the tests that prove it say the same."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipeline.flow.campaigns import LAST_BEGIN_S
from tests.crash.dying import POINTS
from tests.crash.matrix import MATRIX, Row, proof_table, sending_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
SENDING = (ROOT / "docs" / "sending.md").read_text("utf-8")


def _has(proof: str) -> bool:
    """Whether the test that a proof names is there."""
    path, _, rest = proof.partition("::")
    *classes, name = rest.partition("[")[0].split("::")
    body: list[ast.stmt] = ast.parse((ROOT / path).read_text("utf-8")).body
    for one in classes:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == one), [])
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in body)


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.dies)
def test_every_row_is_proved_by_a_test_that_exists(row: Row) -> None:
    assert row.proofs
    assert [proof for proof in row.proofs if not _has(proof)] == []


def test_a_test_that_does_not_exist_would_be_noticed() -> None:
    assert not _has("tests/crash/test_grid.py::test_of_nothing")


def test_every_point_of_the_grid_has_its_row() -> None:
    named = {proof.partition("[")[2].rstrip("]") for row in MATRIX for proof in row.proofs if "[" in proof}
    assert named == set(POINTS)


def test_the_pages_show_the_matrix() -> None:
    assert SENDING.partition("<!-- table: crash -->\n")[2].partition("\n\n")[0] == sending_table()
    assert PAGE.partition("<!-- table: proofs -->\n")[2].partition("\n\n")[0] == proof_table()


def test_the_figures_are_those_of_the_code() -> None:
    assert pytest.approx(0.3) == LAST_BEGIN_S
    assert "0.3 seconds" in PAGE
