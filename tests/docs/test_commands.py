"""docs/reference/commands.md and the command tree say the same; every command named in any page exists."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from pipeline.cli.main import cli
from pipeline.providers.sandbox.run import RunningServer, start_in_thread

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
TREE: Any = typer.main.get_command(cli)
EVERYWHERE = {"--help", "-h"}
ISSUE = "eurasia-briefing/2021-08-18-after-kabul"

_SECTION = re.compile(r"^### `briefing ([^`]+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```[a-z]*\n(.*?)^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
_MENTION = re.compile(r"(?<![\w./-])(?:\.venv/bin/|\$\(BIN\)/)?briefing ((?:--?[a-z]|[a-z]).*?)(?=$|  |\bbriefing )", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])")


def _leaves(command: Any = TREE, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, below in command.commands.items():
        yield from _leaves(below, (*path, name))


COMMANDS: dict[str, Any] = dict(_leaves())


def _usage(name: str) -> str:
    arguments = [one.metavar for one in COMMANDS[name].params if one.param_type_name == "argument"]
    return " ".join((name, *arguments))


def _options(command: Any) -> set[str]:
    return {name for one in command.params if one.param_type_name == "option" for name in (*one.opts, *one.secondary_opts)}


def _sections() -> dict[str, str]:
    return dict(_SECTION.findall(PAGE))


def test_the_page_has_every_command_with_its_arguments_and_no_other() -> None:
    assert set(_sections()) == {_usage(name) for name in COMMANDS}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_page_has_every_option_of_a_command_and_no_other(name: str) -> None:
    listed = {option for row in re.findall(r"^\| (`-.*?) \|", _sections()[_usage(name)], re.MULTILINE) for option in _OPTION.findall(row)}
    assert listed == _options(COMMANDS[name]) - EVERYWHERE


def test_the_page_has_every_top_level_option() -> None:
    shared = PAGE.partition("**Top-level options**")[2].partition("**`--json`**")[0]
    assert {option for row in re.findall(r"^\| (`-.*?) \|", shared, re.MULTILINE) for option in _OPTION.findall(row)} == (
        _options(TREE) | EVERYWHERE
    )


def _mentions(text: str) -> Iterator[str]:
    for block, span in _CODE.findall(text):
        yield from _MENTION.findall(block or span)


def _faults(mention: str) -> Iterator[str]:
    """What does not exist in ``new NEWSLETTER TITLE --date ...``: the part after ``briefing``."""
    command, words, known = TREE, [word.rstrip(").,;:") for word in mention.split()], _options(TREE) | EVERYWHERE
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option not in known:
            yield f"{option} is no top-level option"
        if option == "--newsroom" and words:
            words.pop(0)
    while words and hasattr(command, "commands"):
        name = words.pop(0)
        if name not in command.commands:
            yield f"{name!r} is no command"
            return
        command = command.commands[name]
    known |= _options(command)
    yield from (f"{option} is no option of it" for option in _OPTION.findall(" ".join(words)) if option not in known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    found = {mention: list(_faults(mention)) for mention in _mentions(page.read_text("utf-8")) if not mention.startswith("COMMAND")}
    assert {mention: faults for mention, faults in found.items() if faults} == {}


def test_the_check_itself_finds_a_command_that_is_not_there() -> None:
    assert [list(_faults(one)) for one in _mentions("`briefing aprove X` and `briefing send X --fast`")] == [
        ["'aprove' is no command"],
        ["--fast is no option of it"],
    ]


def _shape(value: Any, of: Any) -> Any:
    """A document's shape: keys of objects, the shape of a list's first item; only as deep as ``of`` has examples."""
    if isinstance(value, dict):
        return {key: _shape(value[key], of.get(key) if isinstance(of, dict) else None) for key in value}
    if isinstance(value, list) and value and isinstance(of, list) and of:
        return [_shape(value[0], of[0])]
    return None


Answer = Callable[..., Any]


@pytest.fixture
def answer(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Answer]:
    """Runs a command in a fresh newsroom with ``--json`` and gives the document."""
    monkeypatch.chdir(root)
    handlers, level = logging.root.handlers[:], logging.getLogger("pipeline").level

    def run(*arguments: str) -> Any:
        capsys.readouterr()
        TREE([*arguments, "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    yield run
    logging.root.handlers[:] = handlers
    logging.getLogger("pipeline").setLevel(level)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningServer]:
    server = start_in_thread(tmp_path / "sandbox.db")
    yield server
    server.stop()


def test_the_json_examples_have_the_shape_of_real_answers(
    answer: Answer, root: Path, tmp_path: Path, sandbox: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIEFING_SANDBOX_BASE_URL", sandbox.url)
    csv, page = tmp_path / "readers.csv", tmp_path / "page.txt"
    csv.write_text("email\nmaria@example.org\nnobody\n", "utf-8")
    page.write_text(
        "Accessibility links\n\nA Headline Of Its Own\n\nThe first paragraph of the page, long enough to be one.\n\nAnother.\n", "utf-8"
    )
    newsletter = ("--newsletter", "eurasia-briefing")
    given = {
        "init": ("init", str(tmp_path / "new")),
        "config show": ("config", "show"),
        "db upgrade": ("db", "upgrade"),
        "new": ("new", "eurasia-briefing", "A headline", "--date", "2026-12-02"),
        "import": ("import", str(page), *newsletter, "--date", "2026-12-16"),
        "check": ("check", ISSUE),
        "render": ("render", ISSUE, "--out", str(tmp_path / "out")),
        "approve": ("approve", ISSUE),
        "readers import": ("readers", "import", str(csv), *newsletter, "--consent", "a test"),
        "readers add": ("readers", "add", "anton@example.org", *newsletter, "--consent", "a test"),
        "readers find": ("readers", "find", "maria@example.org"),
        "suppressions add": ("suppressions", "add", "leila@example.org"),
        "suppressions list": ("suppressions", "list"),
        "suppressions fetch": ("suppressions", "fetch"),
        "suppressions remove": ("suppressions", "remove", "leila@example.org"),
        "schedule": ("schedule", ISSUE, "--at", "in 3h"),
        "status": ("status", "1"),
        "archive build": ("archive", "build"),
    }
    for name, arguments in given.items():
        example = json.loads(re.findall(r"```json\n(.*?)```", _sections()[_usage(name)], re.DOTALL)[0])
        real = answer(*arguments)
        # An empty list on either side has no items to compare.
        assert _shape(real, example) == _shape(_emptied(example, real), real), name


def _emptied(example: Any, real: Any) -> Any:
    if isinstance(example, dict) and isinstance(real, dict):
        return {key: _emptied(value, real.get(key)) for key, value in example.items()}
    if isinstance(example, list) and isinstance(real, list):
        return [_emptied(example[0], real[0])] if example and real else []
    return example


def test_every_command_with_a_json_option_says_what_it_prints() -> None:
    silent = [
        name
        for name, command in COMMANDS.items()
        if "--json" in _options(command)
        and not re.search(r"```json|^\| `--json` \| (As `status|`\{)", _sections()[_usage(name)], re.MULTILINE)
    ]
    assert silent == []
