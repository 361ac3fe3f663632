"""The walls stand: imports go down only, every module has a floor, and files stay readable."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Import Linter over a copy of the tree."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, env={"PYTHONPATH": str(directory), "PATH": ""})


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts, to be spoiled."""
    shutil.copytree(REPOSITORY / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core/issue.py", "import pipeline.store.tables"),
        ("core/issue.py", "import random"),
        ("render/html.py", "import pipeline.store.engine"),
        ("flow/drafts.py", "import pipeline.cli.main"),
        ("flow/delivery.py", "import pipeline.providers.mailgun"),
        ("store/batches.py", "import pipeline.providers.base"),
    ],
)
def test_a_planted_upward_import_is_found(copy: Path, module: str, line: str) -> None:
    file = copy / "pipeline" / module
    file.write_text(file.read_text("utf-8") + f"\n{line}\n", "utf-8")
    done = lint_imports(copy)
    assert done.returncode != 0
    assert "BROKEN" in done.stdout


def test_a_module_without_a_floor_is_found(copy: Path) -> None:
    (copy / "pipeline" / "stray.py").write_text("", "utf-8")
    assert lint_imports(copy).returncode != 0


def test_no_file_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): count
        for path in (REPOSITORY / "pipeline").rglob("*.py")
        # The whole schema is one page, however long: who looks for a column looks there.
        if (count := len(path.read_text("utf-8").splitlines())) > 400 and path.name != "tables.py"
    }
    assert long == {}


def test_nothing_private_is_committed() -> None:
    """No registry, no path of a machine, no key: neither in files nor in lock files."""
    files = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    marks = ("--index" + "-url", "--find" + "-links", "BEGIN " + "PRIVATE KEY", "/ro" + "ot/", "/wo" + "rk/main")
    found = []
    for name in files:
        path = REPOSITORY / name
        if path.suffix in (".png", ".jpg", ".ico") or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{name}: {mark}" for mark in marks if mark in text]
    assert found == []


def test_the_locks_pin_every_package_by_hash_and_name_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (REPOSITORY / name).read_text("utf-8")
        packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert all("==" in line for line in packages)
        assert text.count("--hash=sha256:") >= len(packages)
        assert "://" not in text


def test_a_log_line_names_its_fields() -> None:
    """``--log-format json`` writes them under their names, so no line fills its text by place."""
    by_place = re.compile(r"\blog\w*\.(?:debug|info|warning|error|exception)\(\s*\"[^\"]*%[sdrfg]")
    found = [
        str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "pipeline").rglob("*.py") if by_place.search(path.read_text("utf-8"))
    ]
    assert found == []
