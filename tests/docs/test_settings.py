"""docs/reference/settings.md against the models and the environment, both ways; and the packaged configuration loads."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipeline import newsroom
from pipeline.app import load_settings as load
from pipeline.errors import ConfigurationError
from pipeline.settings import PROVIDER_KEYS, SECRETS, Author, Newsletter, NewsroomSettings, ProviderChoice, Style

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")


def _rows(heading: str) -> dict[str, tuple[str, ...]]:
    """The table under a heading: its first column, and the others."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.MULTILINE)
    return {name: tuple(cell.strip() for cell in rest.split(" | ")) for name, rest in rows}


def _leaves(model: type[BaseModel]) -> dict[str, tuple[Any, bool]]:
    """Every setting of a model by its dotted name: its default, and whether it must be given."""
    out: dict[str, tuple[Any, bool]] = {}
    for name, field in model.model_fields.items():
        inner = next((a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_model(a)), None)
        if inner is None:
            out[name] = (field.default, field.is_required())
            continue
        given = field.default is not None
        out |= {f"{name}.{key}": (default if given else None, required and given) for key, (default, required) in _leaves(inner).items()}
    out.pop("id", None)  # the file's name
    return out


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def test_the_newsroom_table_has_every_setting_and_the_packaged_values() -> None:
    wanted = set(_leaves(NewsroomSettings)) - {f"provider.{name}" for name in PROVIDER_KEYS}
    wanted |= {f"provider.{name}.{key}" for name, keys in PROVIDER_KEYS.items() for key in keys if key not in SECRETS}
    rows = _rows("The newsroom")
    assert set(rows) == wanted
    packaged = {one.name: one.value for one in load(newsroom.packaged(), {}).origins}
    assert {name: cells[0].strip("`") for name, cells in rows.items() if cells[0] != "none"} == packaged


def test_the_model_knows_the_providers_that_have_keys() -> None:
    assert set(ProviderChoice.model_fields) == {"name", *PROVIDER_KEYS}


@pytest.mark.parametrize(("heading", "model"), [("A newsletter", Newsletter), ("An author", Author)])
def test_a_table_has_every_setting_with_its_default(heading: str, model: type[BaseModel]) -> None:
    rows, fields = _rows(heading), _leaves(model)
    assert set(rows) == set(fields)
    for name, (default, required) in fields.items():
        said = rows[name][0].strip("`")
        assert (said == "required") == required, name
        if required or default in (None, "", (), {}, PydanticUndefined):
            continue
        assert said == (
            _span(default) if isinstance(default, timedelta) else str(default).lower() if isinstance(default, bool) else default
        ), name


def test_the_style_table_has_every_setting_and_the_packaged_limits() -> None:
    rows = _rows("The house style")
    fields = _leaves(Style)
    assert set(rows) == set(fields)
    packaged = load(newsroom.packaged(), {}).style.limits.model_dump()
    for name, (default, _) in fields.items():
        if name.startswith("limits."):
            assert rows[name][0] == f"`{default}`" == f"`{packaged[name.partition('.')[2]]}`"


def _span(value: timedelta) -> str:
    return f"{value // timedelta(hours=1)}h"


def test_the_environment_table_has_every_variable() -> None:
    with pytest.raises(ConfigurationError) as error:
        load(newsroom.packaged(), {"BRIEFING_NO_SUCH_THING": "1"})
    known = set(re.findall(r"BRIEFING_[A-Z_]+", error.value.hint))
    rows = _rows("The environment")
    assert set(rows) == known
    for variable, cells in rows.items():
        if variable == "BRIEFING_NEWSROOM":
            continue
        setting = re.findall(r"`([a-z_.]+)`", cells[0])[0]
        value = {"time_zone": "Asia/Tokyo", "provider.name": "filebox", "base_url": "https://x.example"}.get(setting, "http://127.0.0.1:1")
        there = {one.name: one.source for one in load(newsroom.packaged(), {variable: value}).origins}
        assert there[setting] == f"environment {variable}"


def test_a_variable_can_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n", "utf-8")
    sources = {one.name: one.source for one in load(newsroom.packaged(), {"BRIEFING_MAILGUN_API_KEY_FILE": str(tmp_path / "key")}).origins}
    assert sources["provider.mailgun.api_key"] == "environment BRIEFING_MAILGUN_API_KEY_FILE"


def test_the_packaged_configuration_loads_and_is_complete() -> None:
    settings = load(newsroom.packaged(), {})
    assert settings.newsletters
    for newsletter in settings.newsletters.values():
        assert newsletter.default_author in settings.authors
