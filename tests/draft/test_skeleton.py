"""``briefing new``: a draft that parses whatever the title and the configuration."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.issue import ISSUE_ID, IssueId, plain
from pipeline.core.problem import Severity
from pipeline.draft.parse import parse_draft
from pipeline.draft.skeleton import skeleton, slugify
from pipeline.settings import Newsletter

DAY = date(2026, 11, 25)
SECTIONS = {
    "Expert Corner": "expert-corner", "Экспертный уголок": "expert-corner", "Three *More* Stories": "more-stories", "Briefs": "briefs",
    "Plain One": "plain", "Plain Two": "plain", "One Thing To Watch": "watch", "Read More": "read-more", "Listen": "podcast",
    "Correction": "correction", "Goodbye": "sign-off",
}  # fmt: skip


def newsletter(sections: dict[str, str]) -> Newsletter:
    return Newsletter.model_validate({
        "id": "weekly", "name": "The Weekly", "tagline": "", "from_name": "Desk", "from_address": "desk@example.org",
        "reply_to": "desk@example.org", "list_id": "weekly.example.org", "postal_address": "1 Street", "language": "en",
        "default_author": "desk", "about": "", "sections": sections,
    })  # fmt: skip


def test_sections_in_order_one_a_kind() -> None:
    paper = newsletter(SECTIONS)
    issue, problems = parse_draft(
        skeleton(paper, 'He said: "Yes"', DAY), file="f", id=IssueId("weekly", DAY, "x"), newsletter=paper, authors={"desk"}
    )
    assert {one.rule for one in problems} == {"prompt-left"}
    assert issue is not None
    assert issue.title == 'He said: "Yes"'
    assert issue.authors == ("desk",)
    assert [(plain(section.title), section.kind.value) for section in issue.sections[1:]] == [
        (heading, kind) for heading, kind in SECTIONS.items() if heading not in ("Экспертный уголок", "Correction")
    ]
    assert all(section.blocks for section in issue.sections)


@given(title=st.text(), headings=st.lists(st.text(alphabet=st.characters(categories=("L", "P", "S", "Zs")), min_size=1).filter(str.strip)))
def test_its_only_errors_are_the_prompts_left_for_the_writer(title: str, headings: list[str]) -> None:
    paper = newsletter(dict.fromkeys(headings, "plain"))
    issue, problems = parse_draft(skeleton(paper, title, DAY), file="f", id=IssueId("weekly", DAY, "x"), newsletter=paper, authors={"desk"})
    assert {one.rule for one in problems if one.severity is Severity.ERROR} == {"prompt-left"}
    assert issue is not None


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Why Beijing Talks to the Taliban", "why-beijing-talks-to-the-taliban"),
        ("Čína’s  Größe — 2026!", "cinas-groe-2026"),
        ("Китай", "issue"),
        ("", "issue"),
        ("word " * 30, "-".join(["word"] * 12)),
        ("x" * 200, "x" * 60),
    ],
)
def test_slugs(title: str, slug: str) -> None:
    assert slugify(title) == slug


@given(st.text())
def test_every_slug_makes_an_issue_id(title: str) -> None:
    assert len(slugify(title)) <= 60
    assert ISSUE_ID.match(f"weekly/2026-11-25-{slugify(title)}")
