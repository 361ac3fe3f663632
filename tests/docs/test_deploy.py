"""The files of docs/deploy against the program: they parse, and every command, variable and path in them exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from pipeline import newsroom
from pipeline.app import load_settings
from pipeline.cli.main import cli
from pipeline.errors import ConfigurationError
from pipeline.flow.delivery import RECORD_PAUSES_S

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "deploy"
UNITS = sorted(FOLDER.glob("*.service"))
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"] == "briefing"}


def _command(words: list[str]) -> None:
    """Parses a command line of ours without running it; click's UsageError says what is wrong."""
    command: Any = typer.main.get_command(cli)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_sound_and_locked_down(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=/opt/briefing/bin/briefing (.*)$", text, re.MULTILINE)
    _command(line.split())
    # A unit that a timer starts ends by itself.
    ends = "Restart=always" if "Type=oneshot" not in text else "Type=oneshot"
    for wanted in ("NoNewPrivileges=yes", "ProtectSystem=strict", "ReadWritePaths=/srv/briefing/var", "User=briefing", ends):
        assert wanted in text.splitlines()
    for credential in re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE):
        assert f"=%d/{credential}" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    copy = tmp_path / unit.name
    copy.write_text(text.replace("/opt/briefing/bin/briefing", "/bin/true").replace("User=briefing", "User=root"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True)
    assert str(copy) not in done.stderr, done.stderr


def test_the_worker_has_time_to_finish() -> None:
    longest = 60 + sum(RECORD_PAUSES_S)
    assert int(re.findall(r"TimeoutStopSec=(\d+)", (FOLDER / "briefing-worker.service").read_text("utf-8"))[0]) > longest
    assert int(OURS["worker"]["stop_grace_period"].removesuffix("s")) > longest


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_of_ours(name: str) -> None:
    _command(list(OURS[name]["command"]))
    mounted = {Path(f"/run/secrets/{one}") for one in OURS[name]["secrets"]}
    assert {Path(value) for key, value in OURS[name]["environment"].items() if key.endswith("_FILE")} == mounted


def test_compose_has_what_the_page_says() -> None:
    assert set(OURS) == {"schema", "web", "worker"}
    assert OURS["worker"]["deploy"]["replicas"] == 2
    assert set(COMPOSE["secrets"]) == {one for service in COMPOSE["services"].values() for one in service["secrets"]}
    assert "/readyz" in str(OURS["worker"]["healthcheck"])
    assert "/healthz" in str(OURS["web"]["healthcheck"])
    named = {line.partition(":")[0] for service in COMPOSE["services"].values() for line in service["volumes"]}
    assert named - {"./newsroom"} == set(COMPOSE["volumes"])


def test_every_variable_is_known() -> None:
    texts = "".join(path.read_text("utf-8") for path in FOLDER.iterdir())
    with pytest.raises(ConfigurationError) as error:
        load_settings(newsroom.packaged(), {"BRIEFING_NO_SUCH_THING": "1"})
    known = set(re.findall(r"BRIEFING_[A-Z_]+", error.value.hint))
    # Of the seed mailboxes, the variable has the name of each in its middle.
    named = {
        one.removesuffix("_FILE") for one in re.findall(r"BRIEFING_[A-Z_]+", texts.replace("BRIEFING_ALARMS_SEEDS_<NAME>_PASSWORD", ""))
    }
    assert named <= known


def test_the_image_installs_from_a_lock_that_has_the_engine() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text("utf-8")
    (lock,) = set(re.findall(r"requirements[\w-]*\.lock", dockerfile))
    pinned = set(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==", (ROOT / lock).read_text("utf-8"), re.MULTILINE))
    assert {"procrastinate", "psycopg", "psycopg-binary", "hatchling", "jinja2"} <= pinned
