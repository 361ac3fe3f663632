"""docs/sections.md: its boxes are a sound issue of every kind of part, and its pictures show the present rendering."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest

from pipeline.core.issue import Block, Inline, Issue, ListBlock, Paragraph, Quote, SectionKind, SubHeading
from pipeline.draft.front_matter import KEYS
from pipeline.settings import Newsletter
from tests.docs.sections_page import DIGEST, ROOT, Page, Rendered, read_page, rendered

REFERENCE = (ROOT / "docs" / "reference" / "draft.md").read_text("utf-8")
RETAKE = "Take the pictures anew: make screenshots  (or these alone: python docs/pictures/take_sections.py), look at them, and commit them."


@pytest.fixture(scope="module")
def page() -> Page:
    """The page taken apart."""
    return read_page()


@pytest.fixture(scope="module")
def made(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Its issue, rendered."""
    return rendered(page, tmp_path_factory.mktemp("sections") / "newsroom")


@pytest.fixture(scope="module")
def issue(made: Rendered) -> Issue:
    """Its issue, parsed."""
    assert made.draft.issue is not None
    return made.draft.issue


def _inlines(nodes: tuple[Inline, ...]) -> set[type]:
    found = {type(node) for node in nodes}
    for node in nodes:
        found |= _inlines(getattr(node, "children", ()))
    return found


def test_check_finds_nothing_in_the_pages_issue(made: Rendered) -> None:
    assert made.problems == ()


def test_every_kind_of_section_block_and_inline_is_shown(issue: Issue) -> None:
    assert {section.kind for section in issue.sections} == set(SectionKind)
    blocks = issue.blocks()
    assert {type(block) for block in blocks} == set(get_args(Block))
    words = {kind for block in blocks if isinstance(block, Paragraph | SubHeading) for kind in _inlines(block.content)}
    assert words == set(get_args(Inline))
    assert any(isinstance(block, Paragraph) and block.label for block in blocks)
    assert any(isinstance(block, Quote) and block.attribution for block in blocks)
    assert {block.ordered for block in blocks if isinstance(block, ListBlock)} == {True, False}
    assert len(issue.authors) > 1, "cards of more than one author"


def test_every_form_of_the_reference_is_shown(page: Page) -> None:
    forms = set(re.findall(r"^\*\*([A-Z][^*]+?)[.:]\*\*", REFERENCE.partition("## The text")[2].partition("\n## ")[0], re.MULTILINE))
    assert forms == {"Run-in labels", "Pictures", "Pull quotes", "Boxes", "Links", "Also"}, "a new form: show it on docs/sections.md"
    for mark in ("\n## ", "\n### ", "\n![", "\n> ", "\n> -- ", "\n- ", "\n1. ", "\n***\n", "\\\n", "](https://", "`", "\n**Q:** "):
        assert mark in page.draft, mark
    assert re.search(r"^::: [a-z-]+$", page.draft, re.MULTILINE)
    assert re.search(r"^::: [a-z-]+ \w", page.draft, re.MULTILINE)
    assert re.search(r"^::: [a-z-]+\n## ", page.draft, re.MULTILINE)


def test_the_front_matter_and_the_settings_around_an_issue_are_shown(page: Page) -> None:
    shown = set(re.findall(r"^(\w+):", page.draft.partition("\n---")[0], re.MULTILINE))
    assert set(KEYS) - shown == {"author", "language", "translation_of"}, "the plainest issue needs none of these"
    given = set(page.configuration["config/newsletters/eurasia-briefing.toml"])
    elsewhere = {
        "id",
        "from_name",
        "from_address",
        "list_id",
        "language",
        "default_author",
        "time_zone",
        "schedule",
        "editions",
        "needs_legal_notice",
        "pictures",
    }
    assert set(Newsletter.model_fields) - elsewhere == given


def test_every_piece_of_the_draft_is_followed_by_its_picture(page: Page) -> None:
    assert [one for one in page.snippets if not one.picture] == []
    assert len(set(page.pictures)) == len(page.pictures)


def test_the_extracts_of_the_plain_part_are_word_for_word(page: Page, made: Rendered) -> None:
    assert page.texts
    assert [text for text in page.texts if text not in made.edition.text] == []


def test_what_comes_by_itself_is_there(page: Page, made: Rendered) -> None:
    settings = page.configuration["config/newsletters/eurasia-briefing.toml"]
    for part in (made.edition.html, made.edition.web, " ".join(made.edition.text.split())):
        for said in (
            settings["legal_notice"]["en"],
            settings["about"],
            settings["mirrors"][0],
            settings["postal_address"],
            "December 16, 2026",
        ):
            assert said in part
        assert settings["reply_to"] in part


def test_the_pictures_are_there_and_light(page: Page) -> None:
    files = {path.stem: path.stat().st_size for path in DIGEST.parent.glob("*.png")}
    assert set(files) == set(page.pictures), RETAKE
    assert max(files.values()) < 25_000
    assert sum(files.values()) < 400_000


def test_the_pictures_show_the_present_rendering(made: Rendered) -> None:
    assert DIGEST.read_text("utf-8").strip() == made.digest, f"docs/sections.md is rendered otherwise than its pictures show. {RETAKE}"


def test_the_page_is_found_from_the_others() -> None:
    for other in ("README.md", "docs/README.md", "docs/tutorial.md", "docs/reference/draft.md", "docs/pictures/README.md"):
        assert re.search(r"\]\((\.\./|docs/)*sections\.md\)", (ROOT / other).read_text("utf-8")), other


def test_a_change_of_rendering_changes_the_digest(made: Rendered) -> None:
    assert replace(made, css=made.css + b" ").digest != made.digest
    longer = replace(made.edition, html=made.edition.html.replace("#8a1c2b", "#8a1c2c", 1))
    assert replace(made, edition=longer).digest != made.digest
