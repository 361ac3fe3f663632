"""Every message that docs/reference/troubleshooting.md quotes stands in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "troubleshooting.md").read_text("utf-8")
NOT_OURS = {"briefing: command not found"}  # the shell's

MESSAGES = [message for message in re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE) if message not in NOT_OURS]


def _literals() -> Iterator[str]:
    """Every text of the program, the parts of f-strings one by one, and the script that installs it."""
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    yield (ROOT / ".ci" / "venv").read_text("utf-8")


LITERALS = "\0".join(_literals())


@pytest.mark.parametrize("message", MESSAGES)
def test_a_quoted_message_stands_in_the_code(message: str) -> None:
    pieces = [piece.strip() for piece in message.split("…")]
    assert max(len(piece) for piece in pieces) >= 8, "quote a part by which the message can be told from others"
    assert [piece for piece in pieces if len(piece) > 2 and piece not in LITERALS] == []


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 40
