"""What the shapes of a copied page are taken for: captions, headlines, boxes, leftovers. Invented pages throughout."""

from __future__ import annotations

import pytest

from pipeline.core.problem import Severity
from pipeline.draft.page import shapes as page_shapes
from pipeline.draft.page.lines import clean_line
from pipeline.draft.page.read import HouseText, PageImport, Role, read_page

HOUSE = HouseText(
    newsletter="Harbour Letter",
    outlets=("Example Newsroom",),
    authors=("Ada Mole",),
    about="Every second week this letter follows the ferries from port to port.",
    legal_notice="Readers in Northland should know that following us is an offence there.",
)
NOTICE = "If you are in Northland, please note that you could face fines or prison for sharing our content."
BODY = "The mayor had promised a bridge, but the council spent the money on a clock that nobody can read."
MORE = "Fishermen on the quay say that they will believe in the bridge when they have walked across it twice."


def page_with(*middle: str) -> str:
    return "\n\n".join(["The Bridge That Never Came To Town", BODY, *middle, MORE])


def read(text: str) -> PageImport:
    return read_page(text, house=HOUSE)


def rules(page: PageImport) -> list[str]:
    return [problem.rule for problem in page.problems]


# --- captions ----------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "Mayor Una Berg (center) opens the bridge in Southport on July 11.",
        "A fisherman stands on the half-built bridge on 3 March 2026.",
        "Workers are seen on the new bridge. (Photo: Mia Kvist)",
    ],
)
def test_a_caption_printed_once_is_known_by_its_shape(line: str) -> None:
    page = read(page_with(line))
    assert [figure.line for figure in page.figures] == [5]
    assert page_shapes.caption_score(line) >= page_shapes.CAPTION_SCORE
    assert page_shapes.caption_score(line, page_doubles=True) == page_shapes.caption_score(line) - 1


@pytest.mark.parametrize(
    "line",
    [
        "The council votes on the second bridge on July 11.",
        "Mayor Berg said she would walk across it herself on July 11.",
        "“The bridge stands in our heads (left) and nowhere else,” says Berg of the plan from July 2026.",
        "But the clock stands where the bridge was to begin, as it has since July 2026.",
        "Berg (65) has led the town since July 11, 2019.",
    ],
)
def test_a_paragraph_is_no_caption(line: str) -> None:
    page = read(page_with(line))
    assert page.figures == ()
    assert clean_line(line) in page.body_markdown


def test_a_caption_full_of_names_is_a_caption_when_doubled() -> None:
    line = "Mayor Una Berg (left) and Minister Carl Dahl at the Great Northern Bridge Congress in Southport, Westland, on July 1."
    assert [figure.caption for figure in read(page_with(f"{line}\n{line} ")).figures] == [line]


def test_a_doubled_caption_without_a_stop_and_with_a_credit_between() -> None:
    page = read(page_with("the old bridge at Southport before the storm\nReuters\nthe old bridge at Southport before the storm\nReuters"))
    assert [(figure.caption, figure.credit) for figure in page.figures] == [("the old bridge at Southport before the storm", "Reuters")]


def test_a_doubled_subhead_is_one_section_and_a_doubled_paragraph_one_paragraph() -> None:
    long = f"{BODY} {MORE} {BODY} {MORE}".replace("The mayor", "Their mayor")
    page = read(page_with("A Clock For Nobody", "A Clock For Nobody", MORE.replace("twice", "once"), long, long))
    assert page.figures == ()
    assert page.body_markdown.count("## A Clock For Nobody") == 1
    assert page.body_markdown.count("Their mayor") == 2, "it is twice in the one paragraph"
    assert [item.kind for item in page.dropped] == [Role.REPEAT, Role.REPEAT]
    assert "import-repeat" in rules(page)


def test_a_doubtful_caption_stays_and_is_asked_about() -> None:
    line = "Minister Dahl arrives in Southport on July 11."
    page = read(page_with(line))
    assert line in page.body_markdown
    assert "import-maybe-caption" in rules(page)


# --- headline ----------------------------------------------------------------


def test_the_browsers_title_and_a_menu_are_not_the_headline() -> None:
    text = (
        "The Bridge That Never Came | Example Newsroom\n\nHome\nAll The News We Have\nWeather\nContact Us\n\nThe Bridge That Never Came\n\n"
        + BODY
    )
    page = read(text)
    assert page.title == "The Bridge That Never Came"


def test_a_headline_in_sentence_case_and_another_script() -> None:
    text = (
        "Паромы\n\nПочему паромы Северной земли опять опаздывают?\n\n"
        + "Третью зиму подряд паромы приходят поздно, и никто не говорит почему.\n\nМинистерство молчит с осени.\n"
    )
    page = read(text)
    assert page.title == "Почему паромы Северной земли опять опаздывают?"


def test_a_page_without_a_headline_says_so() -> None:
    page = read(f"{BODY} {MORE} {BODY}\n\n{MORE} {BODY}")
    assert page.title == ""
    assert rules(page) == ["import-title"]
    assert page.problems[0].severity is Severity.ERROR


def test_a_standfirst_is_kept_and_asked_about() -> None:
    text = f"The Bridge That Never Came To Town\n\nHow a town lost its crossing\n\n{BODY}"
    page = read(text)
    assert page.body_markdown.startswith("How a town lost its crossing\n\n")
    assert rules(page) == ["import-standfirst"]


def test_a_repeated_headline_is_dropped() -> None:
    page = read(page_with("The Bridge That Never Came To Town"))
    assert [item.kind for item in page.dropped] == [Role.REPEAT]


# --- boxes and leftovers ---------------------------------------------------------


def test_news_about_a_designation_is_not_a_notice() -> None:
    line = "The court of Northland declared the sailors' union an undesirable organization on Tuesday."
    quote = "“You could face prison for sharing our letters,” the union told its members in a note that we have seen."
    page = read(page_with(line, quote))
    assert line in page.body_markdown
    assert "You could face prison" in page.body_markdown


def test_the_configured_notice_and_about_text_are_known_word_for_word() -> None:
    page = read(page_with(BODY) + f"\n\n{HOUSE.legal_notice}\n\n{HOUSE.about}")
    assert [item.kind for item in page.dropped] == [Role.LEGAL_NOTICE, Role.ABOUT_BOX]


def test_a_person_in_the_story_is_no_author() -> None:
    page = read(page_with("Una Berg", "Una Berg is an editor turned mayor who writes about clocks."))
    assert page.byline is None
    assert "Una Berg is an editor" in page.body_markdown


def test_an_author_card_without_a_line_for_the_name_is_asked_about() -> None:
    page = read(page_with(BODY) + "\n\nAda Mole is a reporter in Northport.\n\n@adamole")
    assert page.byline == "Ada Mole"
    assert rules(page) == ["import-author-card"]
    assert [(item.kind, item.first_line) for item in page.dropped] == [(Role.AUTHOR_CARD, 9)]


def test_teasers_go_and_what_follows_them_is_asked_about() -> None:
    page = read(page_with("See Also:", "A Clock That Nobody Can Read"))
    assert [item.kind for item in page.dropped] == [Role.TEASER]
    assert rules(page) == ["import-teaser"]


def test_a_sign_off_stays_and_leftovers_go() -> None:
    text = page_with(BODY) + "\n\nUntil next time,\nAda Mole\n\nPrint\n\nMore of that sort below here\n\nEND"
    page = read(text)
    assert page.body_markdown.endswith("Until next time,\n\nAda Mole")
    assert [item.kind for item in page.dropped] == [Role.FURNITURE, Role.LEFTOVER]
    assert "import-leftover" in rules(page)


def test_three_short_lines_in_a_row_are_no_headings() -> None:
    page = read(page_with("The Gull Is Gone", "The Tern Is Gone", "The Night Is Long"))
    assert "##" not in page.body_markdown
    assert "import-short-lines" in rules(page)


def test_text_below_the_boxes_is_kept_and_asked_about() -> None:
    page = read(page_with(NOTICE))
    assert "import-after-boxes" in rules(page)
    assert MORE in page.body_markdown
