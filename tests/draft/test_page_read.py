"""A copied page -> a draft: every shape on invented pages of the Example Newsroom, and every line accounted for on any text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.draft.page import write as page_write
from pipeline.draft.page.lines import clean_line
from pipeline.draft.page.read import (
    DROP_PICTURES,
    BlockKind,
    HouseText,
    PageImport,
    Role,
    apply_pictures,
    read_page,
)
from pipeline.errors import Refusal
from tests.draft.reading import assert_plain_blocks, shown

NOTICE = "If you are in Northland, please note that you could face fines or prison for sharing our content."
HOUSE = HouseText(
    newsletter="Harbour Letter",
    outlets=("Example Newsroom",),
    authors=("Ada Mole",),
    about="Every second week this letter follows the ferries from port to port.",
    legal_notice="Readers in Northland should know that following us is an offence there.",
)
STRANGER = HouseText(newsletter="Another Letter", outlets=("Elsewhere Daily",), authors=("Otto Nobody",))

# line numbers are tested: keep the blank lines
PAGE = """Skip to main content

Harbours

Why Are The Ferries Of Northland Late Again?

By Ada Mole
November 20, 2026 09:30 GMT

Captain Bo Lind (left) waits with his crew for the ice to break in Northport on November 12, 2026.\xa0
Captain Bo Lind (left) waits with his crew for the ice to break in Northport on November 12, 2026.

The ferries that link the islands of Northland have been late for the third winter in a row, and nobody has said why.

So who is to blame?

The ministry -- which owns two of the five boats -- answered none of our questions this week.

Who Owns The Boats?

Two boats belong to the state, and three to families who have run them since the war ended.

  \u2022 The Gull sails at dawn
  \u2022 The Tern sails at noon

The harbour master reads out his rules to whoever will listen:

1. Pay before you board.
2. Keep your dog on a lead.

What happens next

"We are waiting for a sign," said Lind, who has been at sea for forty years.

A deckhand is seen on the icy quay of Northport.
Photo: Mia Kvist (Example Pictures)

Parliament votes on the money in the spring, when the ice is gone and the anger with it.

  \u2022 16x9 Image

    Ada Mole

    Ada Mole is a correspondent of the Example Newsroom who covers harbours. She lives on a boat.

    She has also written a guide to knots that every sailor in town seems to own.

Example Newsroom was declared an "undesirable organization" by the court of Northland.

If you are in Northland, please note that you could face fines or prison for sharing our content.

To find out more, click here.

About The Newsletter

Northern Waters
Ada Mole

Every second week this letter follows the ferries from port to port.

To subscribe, click here.

XS
SM
"""


def read(text: str, house: HouseText = HOUSE) -> PageImport:
    return read_page(text, house=house)


def rules(page: PageImport) -> list[str]:
    return [problem.rule for problem in page.problems]


def kinds(page: PageImport) -> dict[int, str]:
    return {item.first_line: item.kind for item in (*page.taken, *page.dropped)}


def assert_accounts(text: str, page: PageImport) -> None:
    """Every line that is not blank is in exactly one of taken and dropped."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    counted = Counter(number for item in (*page.taken, *page.dropped) for number in range(item.first_line, item.last_line + 1))
    for number, line in enumerate(lines, start=1):
        expected = 1 if clean_line(line) else counted[number]
        assert counted[number] == expected <= 1, (number, line)
    assert all(1 <= number <= len(lines) for number in counted)


# --- the whole page ----------------------------------------------------------


@pytest.mark.parametrize("house", [HOUSE, STRANGER], ids=["own", "unrelated"])
def test_a_page_becomes_title_opening_and_sections(house: HouseText) -> None:
    page = read(PAGE, house)
    assert page.title == "Why Are The Ferries Of Northland Late Again?"
    assert page.byline == "Ada Mole"
    assert [block.texts[0] for block in page.blocks if block.kind is BlockKind.SECTION] == ["Who Owns The Boats?", "What happens next"]
    assert "So who is to blame?" in page.body_markdown.split("##")[0]
    assert "The ministry – which owns two of the five boats – answered" in page.body_markdown
    assert_accounts(PAGE, page)
    assert_plain_blocks(page.body_markdown)


def test_figures_are_kept_once_with_their_credit() -> None:
    first, second = read(PAGE).figures
    assert first.caption.startswith("Captain Bo Lind (left)")
    assert first.credit == ""
    assert second.caption == "A deckhand is seen on the icy quay of Northport."
    assert second.credit == "Mia Kvist, Example Pictures"
    assert (first.line, second.line) == (10, 35)
    assert read(PAGE).body_markdown.count("Captain Bo Lind") == 1


@pytest.mark.parametrize("house", [HOUSE, STRANGER], ids=["own", "unrelated"])
def test_what_is_not_the_story_is_dropped_by_kind(house: HouseText) -> None:
    dropped = [(item.kind, item.first_line, item.last_line) for item in read(PAGE, house).dropped]
    assert dropped == [
        (Role.FURNITURE, 1, 1),
        (Role.LABEL, 3, 3),
        (Role.BYLINE, 7, 7),
        (Role.DATELINE, 8, 8),
        (Role.AUTHOR_CARD, 40, 46),
        (Role.LEGAL_NOTICE, 48, 52),
        (Role.ABOUT_BOX, 54, 61),
        (Role.FURNITURE, 63, 64),
    ]
    assert all(len(item.note) <= 60 and item.note for item in read(PAGE, house).dropped)


def test_lists_stay_lists() -> None:
    found = [block for block in read(PAGE).blocks if block.kind in (BlockKind.BULLETS, BlockKind.NUMBERS)]
    assert [block.texts for block in found] == [
        ("The Gull sails at dawn", "The Tern sails at noon"),
        ("Pay before you board.", "Keep your dog on a lead."),
    ]
    assert "1. Pay before you board.\n2. Keep your dog" in read(PAGE).body_markdown


def test_an_unknown_author_is_asked_about() -> None:
    assert "import-byline" not in rules(read(PAGE))
    assert rules(read(PAGE, STRANGER)).count("import-byline") == 1


def test_problems_carry_the_file() -> None:
    page = read_page(PAGE, house=STRANGER, file="page.txt")
    assert {problem.file for problem in page.problems} == {"page.txt"}


BODY = "The mayor had promised a bridge, but the council spent the money on a clock that nobody can read."
MORE = "Fishermen on the quay say that they will believe in the bridge when they have walked across it twice."


# --- lines ---------------------------------------------------------------------


def test_odd_blanks_line_ends_and_indents() -> None:
    text = (
        "\ufeffThe Bridge That Never Came\r\n\r\n\t    The\u00a0mayor\u2009had "
        "\u200bpromised a\u202fbridge, but gave the town a clock.\r\r---\r\n\r\n    Nobody can read it.\u2028"
    )
    page = read(text)
    assert page.body_markdown == "The mayor had promised a bridge, but gave the town a clock.\n\nNobody can read it."
    assert [(item.kind, item.first_line) for item in page.dropped] == [(Role.SEPARATOR, 5)]


def test_a_joiner_inside_a_persian_word_stays() -> None:
    assert clean_line("\u200c می\u200cروم \u200e") == "می\u200cروم"


def test_a_hard_wrapped_page_is_joined() -> None:
    wrapped = """The Bridge That Never Came

The mayor had promised a bridge, but the council spent the
money on a clock that nobody can read, and now the long-
awaited ferry comes only when the wind is in the north or
when the captain likes.

Fishermen say that they will believe in the bridge when
they have walked across it twice."""
    page = read(wrapped)
    assert len(page.blocks) == 2
    assert "long-awaited ferry" in page.body_markdown
    assert page.taken[1].first_line == 3
    assert page.taken[1].last_line == 6
    assert_accounts(wrapped, page)


# --- refusals ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"), (" \n\u200b\n\t", "empty"), ("PK\x03\x04 abc", "not text"), ("abc\0def", "not text"), ("%PDF-1.7\nabc", "not text"),
        ("\ufffd\ufffd\x01\x02 some words", "not text"), ("<!DOCTYPE html><p>Hi</p>", "source of a web page"),
        ("Share\nPrint\nXS\nSM", "no body paragraph"), ("Only A Headline Stands Here", "no body paragraph"), (NOTICE, "no body paragraph"),
    ],
)  # fmt: skip
def test_refuses_what_is_no_article(text: str, word: str) -> None:
    with pytest.raises(Refusal, match=word) as caught:
        read(text)
    assert caught.value.hint


# --- any text ------------------------------------------------------------------

SIGNS = st.text(alphabet="ab Z1.)#*_`~<>[]()!&;:+-=|\\\"'—é–@/•\u00a0", min_size=1, max_size=30)
KNOWN = st.sampled_from(
    [*PAGE.split("\n"), BODY, MORE, "Subscribe", "Image", "AFP", "* * *", "---", "Related Stories", "1. one", "2. two", "2) two"]
)
LINES = st.lists(st.one_of(st.just(""), KNOWN, KNOWN, SIGNS, st.text(max_size=40)), min_size=1, max_size=25)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([HOUSE, STRANGER]))
def test_every_line_is_taken_or_dropped_once(lines: list[str], end: str, house: HouseText) -> None:
    text = end.join([*lines, "", BODY])
    try:
        page = read(text, house)
    except Refusal:
        return
    assert_accounts(text, page)
    assert_plain_blocks(page.body_markdown)
    assert sum(block.kind is BlockKind.FIGURE for block in page.blocks) == len(page.figures)
    assert_accounts(text, apply_pictures(page, DROP_PICTURES))


# --- the real page -------------------------------------------------------------


def real_page() -> Path | None:
    """The article that a sister folder of the repository holds; it is not ours to copy, so it is read from there."""
    for parent in Path(__file__).resolve().parents:
        found = parent / "shared" / "input" / "page-text.txt"
        if found.is_file():
            return found
    return None


@pytest.mark.skipif(real_page() is None, reason="no ../shared/input/page-text.txt beside this repository")
def test_the_real_page() -> None:
    path = real_page()
    assert path is not None
    text = path.read_text(encoding="utf-8")
    lines = [""] + [clean_line(line) for line in text.split("\n")]
    page = read(text, HouseText(newsletter="Eurasia Briefing", outlets=("Example Newsroom",), authors=("Ada Mole",)))
    assert page.title == lines[5]
    assert [block.texts[0] for block in page.blocks if block.kind is BlockKind.SECTION] == [lines[n] for n in (29, 52, 74, 97)]
    assert [(figure.caption, figure.line) for figure in page.figures] == [(lines[n], n) for n in (8, 37, 80, 105)]
    assert all(lines[n] == lines[n + 1] and shown(page.body_markdown).count(lines[n]) == 1 for n in (8, 37, 80, 105))
    expected = [Role.FURNITURE, Role.AUTHOR_CARD, Role.LEGAL_NOTICE, Role.ABOUT_BOX, Role.FURNITURE]
    assert [item.kind for item in page.dropped] == expected
    assert page.byline == lines[118]
    assert rules(page) == ["import-byline"]
    kept = shown(page.body_markdown)
    body = [n for n in range(11, 115) if lines[n] and n not in (37, 38, 80, 81, 105, 106)]
    assert all(page_write.dashed(lines[n]) in kept for n in body)
    assert len(page.blocks) == len(body) + len(page.figures)
    assert_accounts(text, page)
    assert_plain_blocks(page.body_markdown)
