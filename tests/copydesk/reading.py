"""How the tests of the copy desk make a draft and have it read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pipeline.configuration import load
from pipeline.copydesk.desk import Remark, look_over
from pipeline.copydesk.finding import Finding
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.registry import RULES
from pipeline.copydesk.source import read_copy
from pipeline.core.issue import IssueId
from pipeline.draft.parse import parse_draft
from pipeline.settings import Newsletter, Style

ROOT = Path(__file__).parents[2]
NEWSLETTER = Newsletter(
    id="weekly", name="The Weekly", tagline="", from_name="Desk", from_address="desk@example.org", reply_to="desk@example.org",
    list_id="weekly.example.org", postal_address="1 Street", language="en", default_author="desk", about="",
    sections={"Expert Corner": "expert-corner", "Until Next Time": "sign-off"}, legal_notice={"en": "A notice."},
)  # fmt: skip
ID = IssueId("weekly", date(2021, 8, 18), "slug")
STYLE: Style = load(ROOT, {}).style
FRONT = '---\ntitle: The headline of this test\nsubject: "The Weekly: a subject of its own"\npreheader: What else is inside today.\n---\n\n'
BODY_LINE = FRONT.count("\n") + 1


def draft(text: str) -> str:
    """A whole draft around some lines, which are a value of the front matter or belong into the text."""
    key = re.match(r"(title|subject|preheader|language):", text)
    if key is None:
        return FRONT + text + "\n"
    return re.sub(rf"^{key[1]}:.*\n", "", FRONT, flags=re.MULTILINE).replace("---\n", f"---\n{text}\n", 1) + "Words.\n"


def read(source: str, style: Style = STYLE, own: tuple[str, ...] = (), others: Mapping[str, frozenset[str]] | None = None) -> Copy:
    issue, _ = parse_draft(source, file="f.md", id=ID, newsletter=NEWSLETTER, authors={"desk"})
    assert issue is not None
    return read_copy(issue, source, newsletter=NEWSLETTER, style=style, own_names=own, others=others)


def said(rule: str, source: str, **more: object) -> list[Finding]:
    """What one rule says of a draft."""
    return list(next(one for one in RULES if one.id == rule).look(read(source, **more)))  # type: ignore[arg-type]


def places(rule: str, text: str, **more: object) -> list[tuple[int, int]]:
    """Where one rule finds something: lines of the given text from 1, lines of the front matter below 1."""
    shift = BODY_LINE - 1 if not re.match(r"(title|subject|preheader|language):", text) else 1
    return [(one.line - shift, one.column) for one in said(rule, draft(text), **more)]


def remarks(source: str, style: Style = STYLE) -> tuple[Remark, ...]:
    return look_over(read(source, style), "f.md")
