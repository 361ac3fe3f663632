"""The fuzz targets without the fuzzer: what they begin with, and everything that once made one of them fail."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.fuzz.harness import REGRESSIONS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_on_its_seeds(name: str) -> None:
    module = importlib.import_module(f"tests.fuzz.fuzz_{name}")
    for seed in (*module.SEEDS, b""):
        module.target(seed)


@pytest.mark.parametrize("path", sorted(REGRESSIONS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_once_failed_holds(path: Path) -> None:
    importlib.import_module(f"tests.fuzz.fuzz_{path.parent.name}").target(path.read_bytes())
