"""A page's blocks -> a draft: text that stays text in CommonMark, front matter, and pictures."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.draft.page import write as page_write
from pipeline.draft.page.lines import clean_line
from pipeline.draft.page.read import (
    DROP_PICTURES,
    HouseText,
    PageImport,
    PicturePlan,
    Role,
    apply_pictures,
    plan_pictures,
    read_page,
    to_draft,
)
from pipeline.errors import Refusal
from tests.draft.reading import assert_plain_blocks, shown

PAGE = """The Ferries Of Northland Are Late "Again"

Captain Bo Lind (left) waits with his crew for the ice to break in Northport on November 12, 2026.
Captain Bo Lind (left) waits with his crew for the ice to break in Northport on November 12, 2026.

The ferries that link the islands of Northland have been late for the third winter in a row, and nobody has said why.

A deckhand is seen on the icy quay of Northport.
Photo: Mia Kvist (Example Pictures)

Parliament votes on the money in the spring, when the ice is gone and the anger with it.
"""


def read(text: str) -> PageImport:
    return read_page(text, house=HouseText())


# --- characters and lines ------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "# not a heading", "> not a quote", "+ not a bullet", "--- not a rule", "::: not a container",
        "1986. A year, not a list", "7) neither is this",
        "*stars* and _lines_ and snake_case and __init__", "[a](b) ![c](d) [e]: f", "<b>bold</b> & &amp; &copy; AT&T",
        "`code` and \\ and ~~gone~~",
        "a \\* b", "ends with a backslash \\", "```", "===", "~~~ tilde", "“curly” and \"straight\" ‘quotes’ aren't touched",
        "2 * 3 * 4 _ 5",
    ],
)  # fmt: skip
def test_markup_in_text_is_only_text(text: str) -> None:
    for marked in (
        page_write.paragraph(text),
        page_write.heading(text),
        f"- {page_write.paragraph(text)}",
        f"1. {page_write.paragraph(text)}",
    ):
        assert_plain_blocks(marked)
        assert shown(marked).strip() == text


def test_little_is_escaped() -> None:
    text = "At 5 - or 6? - she (Ada) said: “well, C# & A_B + 1 > 0; 100% ~ok!”"
    assert page_write.paragraph(text) == text


def test_a_heading_keeps_the_signs_at_its_end() -> None:
    assert shown(page_write.heading("Played in C #")).strip() == "Played in C #"


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("See https://example.org/a_b?c=*d*&copy;=1.", "https://example.org/a_b?c=*d*&copy;=1", "."),
        ("(at https://example.org/x_(y))", "https://example.org/x_(y)", ")"),
        ("http://example.org, then", "http://example.org", ", then"),
    ],
)
def test_a_bare_address_is_an_autolink(text: str, address: str, rest: str) -> None:
    marked = page_write.paragraph(text)
    assert f"<{address}>{rest}" in marked
    assert_plain_blocks(marked)


def test_a_typewriters_dash_becomes_an_en_dash_only_between_blanks() -> None:
    assert page_write.inline("a -- b, c--d, --e, f --") == "a – b, c--d, --e, f –"


# --- the draft -----------------------------------------------------------------


def front(draft: str) -> dict[str, object]:
    _, head, _ = draft.split("---\n", 2)
    loaded = yaml.safe_load(head)
    assert isinstance(loaded, dict)
    return loaded


def test_a_draft_without_pictures_lists_the_figures_among_the_dropped() -> None:
    page = read(PAGE)
    draft = to_draft(page, date=date(2026, 11, 25), pictures=DROP_PICTURES)
    assert front(draft) == {"title": page.title, "date": date(2026, 11, 25)}
    assert "![" not in draft
    assert draft.endswith("\n")
    assert not draft.endswith("\n\n")
    settled = apply_pictures(page, DROP_PICTURES)
    assert settled.figures == ()
    assert [i.kind for i in settled.dropped].count(Role.DROPPED_FIGURE) == 2
    assert [item.first_line for item in settled.taken] == [1, 6, 11]


def test_pictures_go_to_the_figures_in_the_order_of_names() -> None:
    page = read(PAGE)
    plan = plan_pictures(page, ["10.jpg", ".DS_Store", "2 (big).PNG", "notes.txt", "11.webp"])
    assert plan.files == {1: "2 (big).PNG", 2: "10.jpg"}
    assert plan.unused == ("11.webp", "notes.txt")
    draft = to_draft(page, date=date(2026, 11, 25), pictures=plan, author="ada")
    assert front(draft)["author"] == "ada"
    assert '![](<2 (big).PNG> "Captain' in draft
    assert '![](10.jpg "A deckhand is seen on the icy quay of Northport. (Credit: Mia Kvist, Example Pictures)")' in draft
    assert [problem.rule for problem in apply_pictures(page, plan).problems] == ["import-unused-picture"] * 2
    assert_plain_blocks(draft.split("---\n", 2)[2])


def test_too_few_pictures_are_refused_with_the_captions() -> None:
    page = read(PAGE)
    with pytest.raises(Refusal, match=r"2 \(line 8\): A deckhand"):
        plan_pictures(page, ["a.jpg"])
    with pytest.raises(Refusal, match=r"figures 1 .*; 2 "):
        to_draft(page, date=date(2026, 11, 25), pictures=PicturePlan())


def test_a_caption_with_quotes_and_a_backslash() -> None:
    line = 'Captain "Bo" Lind\'s boat, the A\\B &amp; C, is seen here.'
    assert shown(page_write.picture("a&amp;b.jpg", line, "")).strip() == line


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_title_survives_the_front_matter(text: str) -> None:
    title = clean_line(text)
    page = PageImport(title=title, body_markdown="", blocks=(), figures=(), byline=None, taken=(), dropped=())
    assert front(to_draft(page, date=date(2026, 1, 2), pictures=DROP_PICTURES))["title"] == page_write.dashed(title)


SIGNS = st.text(alphabet="ab Z1.)#*_`~<>[]()!&;:+-=|\\\"'—é–@/•\u00a0", min_size=1, max_size=30)


@given(st.one_of(SIGNS, st.text(max_size=60)))
def test_any_text_comes_back_from_markdown(text: str) -> None:
    cleaned = page_write.dashed(clean_line(text))
    if cleaned and "http" not in cleaned:
        for marked in (page_write.paragraph(cleaned), page_write.heading(cleaned), f"- {page_write.paragraph(cleaned)}"):
            assert_plain_blocks(marked)
            assert shown(marked).strip() == cleaned
        assert shown(page_write.picture("a.jpg", cleaned, "")).strip() == cleaned
