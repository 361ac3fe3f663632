"""The wheel carries the newsroom: built, installed into a bare environment, and run there with nothing of the repository near."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline import __version__
from tests.conftest import REPOSITORY


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a release would have it."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)], cwd=REPOSITORY, check=True, capture_output=True
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_newsroom_and_nothing_private(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "config/newsroom.toml",
        "config/newsletters/eurasia-briefing.toml",
        "templates/email/base.html",
        "templates/web/style.css",
    ):
        assert f"pipeline/_newsroom/{name}" in names
    assert sum(name.endswith("index.md") for name in names) == 5
    assert "pipeline/store/migrations/versions/0001_initial.py" in names
    assert not [name for name in names if name.startswith(("tests", "var", "keys")) or name.endswith((".db", ".key"))]
    assert wheel.name.startswith(f"briefing-{__version__}")


def test_it_runs_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    """The packages come from this environment by a path file: what is tested is that the wheel itself lacks nothing."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    site = next((tmp_path / "bare" / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "borrowed.pth").write_text(packages + "\n", "utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BRIEFING_", "PYTHON"))}

    def run(*arguments: str) -> str:
        command = [str(tmp_path / "bare" / "bin" / "python"), "-m", "pipeline", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [str(tmp_path / "bare" / "bin" / "python"), "-c", "import pipeline; print(pipeline.__file__)"]
    assert "bare" in subprocess.run(where, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True).stdout
    run("init", "newsroom")
    assert "0 errors" in run("--newsroom", "newsroom", "check", "eurasia-briefing/2021-08-18-after-kabul")
    result = json.loads(run("demo", "--once", "--recipients", "50", "--json", "--dir", "demo", "--port", "18300"))
    assert (result["sent"], result["duplicates"], result["in_doubt"]) == (50, 0, 0)
