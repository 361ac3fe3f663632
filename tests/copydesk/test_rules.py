"""Every rule on its own examples and on a table of others: bad lines give the place, good lines give nothing."""

from __future__ import annotations

import pytest

from pipeline.copydesk.evidence import Evidence
from pipeline.copydesk.finding import Rule
from pipeline.copydesk.fixing import apply
from pipeline.copydesk.reading import fingerprint
from pipeline.copydesk.registry import RULES
from tests.copydesk.reading import STYLE, draft, places, read, remarks, said

NAMES = STYLE.model_copy(update={"spelling": STYLE.spelling.model_copy(update={"names": True})})

# Line and column of what each rule finds in its own bad example; lines of the front matter are counted from 1 there, too.
FOUND: dict[str, list[tuple[int, int]]] = {
    "alt-file-name": [(1, 3)],
    "alt-prefix": [(1, 3)],
    "alt-repeats-caption": [(1, 3)],
    "blank-before-mark": [(1, 14)],
    "blank-doubled": [(1, 15), (1, 23)],
    "brackets-unpaired": [(1, 12)],
    "caption-date": [(1, 33)],
    "date-future": [(1, 20)],
    "date-impossible": [(1, 18)],
    "date-year": [(1, 28)],
    "heading-repeated": [(5, 4)],
    "heading-stop": [(1, 21)],
    "invisible-character": [(1, 8)],
    "issue-sent": [(-4, 1)],
    "legal-notice": [(2, 1)],
    "link-bare": [(1, 16)],
    "link-blank": [(1, 17)],
    "link-crowd": [(61, 3)],
    "link-dead": [(1, 18)],
    "link-idn": [(1, 16)],
    "link-mismatch": [(1, 6)],
    "link-private": [(1, 16)],
    "link-shortener": [(1, 18)],
    "link-tracker": [(1, 44)],
    "link-twice": [(1, 45)],
    "link-unsure": [(1, 18)],
    "link-vague": [(1, 16)],
    "mail-clipped": [(-5, 1)],
    "mail-links": [(-5, 1)],
    "mail-size": [(-5, 1)],
    "mark-doubled": [(1, 14)],
    "markup-stray": [(1, 1)],
    "number-currency": [(1, 9)],
    "number-house": [(1, 9)],
    "number-percent": [(1, 8)],
    "number-thousands": [(1, 6)],
    "number-unit": [(1, 15)],
    "paragraph-long": [(1, 1)],
    "paragraph-repeated": [(3, 1)],
    "picture-heavy": [(1, 1)],
    "picture-personal": [(1, 1)],
    "preheader-repeats": [(1, 12)],
    "quote-elsewhere": [(1, 1)],
    "quote-source": [(1, 1)],
    "quotes-unpaired": [(1, 10)],
    "section-missing": [(-4, 1)],
    "sentence-long": [(1, 1)],
    "spam-phrase": [(1, 10)],
    "spelling": [(1, 5)],
    "spelling-house": [(1, 13)],
    "spelling-name": [(1, 14)],
    "subject-emoji": [(1, 22)],
    "subject-empty": [(1, 11)],
    "subject-shouting": [(1, 10)],
    "unfinished": [(1, 7)],
    "weekday": [(1, 14)],
    "word-doubled": [(1, 22)],
    "word-mixed": [(1, 17)],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_finds_its_bad_example_and_passes_its_good_one(rule: Rule) -> None:
    style = NAMES if rule.id == "spelling-name" else STYLE
    assert places(rule.id, rule.bad, style=style) == FOUND[rule.id]
    assert places(rule.id, rule.good, style=style) == []


def test_every_rule_stands_in_the_table() -> None:
    assert list(FOUND) == [rule.id for rule in RULES]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.fixes], ids=lambda rule: rule.id)
def test_a_repair_leaves_nothing_to_find(rule: Rule) -> None:
    source = draft(rule.bad)
    edits = [one.edit for one in said(rule.id, source) if one.edit is not None]
    assert edits
    assert said(rule.id, apply(source, edits)) == []


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.fixes], ids=lambda rule: rule.id)
def test_who_repairs_nothing_has_no_edits(rule: Rule) -> None:
    assert all(one.edit is None for one in said(rule.id, draft(rule.bad)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_good_example_is_good_for_every_rule(rule: Rule) -> None:
    assert {one.problem.rule for one in remarks(draft(rule.good))} <= {"section-missing"}


BAD = [
    ("weekday", "On Wednesday, December 29, 2020 and Wed., Aug. 4.", [(1, 4)]),
    ("weekday", "On Tuesday, December 28, it was.", []),
    ("weekday", "July 28 (Tuesday) and July 28, a Wednesday.", [(1, 10)]),
    ("weekday", "the third Tuesday of the month, August 18.", [(1, 11)]),
    ("weekday", "Friday the 6th of August, Friday 6 August 2021, Friday 6 August 2020", [(1, 49)]),
    ("weekday", "В четверг, 28 июля 2021 года; в среду, 28 июля.", [(1, 3)]),
    ("weekday", "2021年7月28日（星期三）和7月29日星期三", [(1, 24)]),
    ("weekday", "A line\nbroken before **Thursday, August 6**.", [(2, 17)]),
    ("date-impossible", "On February 29, 2021, and February 29, 2020; you may 45 times.", [(1, 4)]),
    ("quotes-unpaired", "“One.\n\n“Two.”", []),
    ("quotes-unpaired", "He said ”so” and “thus”.", [(1, 9), (1, 12)]),
    ("quotes-unpaired", "Rock ’n’ roll: Kyrgyzstan’s “answer”.", []),
    ("quotes-unpaired", "„Deutsch“ «так» 「好」.", []),
    ("quotes-unpaired", 'One " too many', [(1, 5)]),
    ("quotes-unpaired", "Он сказал: «Да.", [(1, 12)]),
    ("brackets-unpaired", "a) one, b) two :) and 3) three", []),
    ("brackets-unpaired", "one) two [three](https://example.org/(x)) (four", [(1, 4), (1, 43)]),
    ("word-doubled", "That that is had had; the the\nthe end; Duran Duran; и и", [(1, 27), (2, 25)]),
    ("word-doubled", "He said **the** the word", [(1, 17)]),
    ("word-doubled", "[the](https://example.org/the) the-end", []),
    ("blank-doubled", "- item  one\n- item two  \n  more", [(1, 7)]),
    ("blank-doubled", "preheader: Two  blanks here", [(1, 15)]),
    ("unfinished", "About ??? of XXX and lorem ipsum; the XXX Olympics; XXL; what??", [(1, 7), (1, 14), (1, 22)]),
    ("unfinished", "title: The TODO headline", [(1, 12)]),
    ("spelling-house", "[Kazakstan](https://example.org/Kazakstan) and `Kiev` and Uighurs", [(1, 2), (1, 59)]),
    ("spelling-house", "title: The road to Kazakstan", [(1, 20)]),
    ("link-vague", "[Click here](https://a.example/x) and [HERE][h]\n\n[h]: https://a.example/h", [(1, 2), (1, 40)]),
    (
        "link-private",
        "[x](https://localhost/) <https://10.0.0.1/> [y](https://box.local/a) [z](https://example.org/10.0.0.1)",
        [(1, 5), (1, 26), (1, 49)],
    ),
    ("link-private", "[x](https://[::1]/a) [y](mailto:me@localhost.example)", [(1, 5)]),
    ("link-tracker", "[x](https://a.example/?utm_source=x&id=1&fbclid=2#top)", [(1, 23)]),
    ("link-tracker", "[x][r] and [y][r]\n\n[r]: https://a.example/?gclid=1", [(3, 24)]),
    ("link-idn", "[x](https://пример.example/) [y](https://xn--e1afmkfd.example/)", [(1, 5), (1, 34)]),
    ("link-mismatch", "[https://example.org/a](https://example.org/b) [news](https://example.org/c)", []),
    ("link-blank", "a[ b](https://example.org/a)", [(1, 3)]),
    ("link-bare", "See https://example.org/a, and <https://example.org/b> and `https://example.org/c`.", [(1, 5)]),
    ("link-twice", "[a](https://e.example/a)\n\n## Other\n\n[a again](https://e.example/a/)", []),
    ("caption-date", '![A bridge](a.png "The bridge on 28 июля")', []),
    ("caption-date", '![A bridge](a.png "Мост. (Credit: Agency 2021)")', [(1, 20)]),
    ("alt-prefix", '![На фото мост](a.png "The bridge in 2021")', [(1, 3)]),
    ("subject-shouting", "subject: What now?! NATO and UN", [(1, 18)]),
    ("subject-shouting", "title: NATO, UN, EU, U.S. and others talk about a bridge", []),
    ("subject-emoji", "subject: One flag 🇰🇿 and a family 👨‍👩‍👧 today", [(1, 35)]),
    ("markup-stray", "[words] (https://example.org)", [(1, 7)]),
    ("markup-stray", "##Heading\n\nA line &nbsp; with 2 ** of them", [(1, 1), (3, 8), (3, 22)]),
    ("invisible-character", "a\u202eb and \ufeffc and soft\u00adhyphen", [(1, 9), (1, 20), (1, 2)]),
    ("number-unit", "76km, 3.5kg, A4km, 20km/h", [(1, 1), (1, 7), (1, 20)]),
    ("number-currency", "$ 5 and 500€ and US$5", [(1, 9), (1, 1)]),
    ("number-thousands", "In 2021, ISO 27001, 10,000, 1234567 and 0.12345", [(1, 29)]),
    ("heading-stop", "## What of the U.S.\n\nWords.\n\n## A stop.\n\nWords.", [(5, 10)]),
    ("quote-source", "> One.\n> -- Maria\n\ntext\n\n> Two.", [(6, 1)]),
    ("quote-elsewhere", "They said: “We will come, and\nstay.”\n\n> We will … stay.\n> -- Maria", []),
    ("date-future", "The ministers will meet on August 30. They met to talk on August 31. Talks ended on May 9.", []),
    ("date-future", "It ended on Monday, August 30, in Avaza. Встреча состоялась 30 августа.", [(1, 21), (1, 61)]),
    ("date-future", "The war began on December 24, 1979, and on December 24 they left.", [(1, 44)]),
    ("date-year", "On August 30, July 1, December 30 and the September 11 attacks; January 3 to February 5, 2020.", []),
    ("date-year", "It was on January 6. The January 6 events were long.", [(1, 11)]),
    ("number-house", "15pct, 15 per cent, 5bn and 7 KM; pct and 5 km/h", [(1, 3), (1, 11), (1, 22), (1, 31)]),
    ("spelling", "A teh and a téh; teh example.org/teh teh@example.org `teh` NATOs and an anti-teh don’t Мир", [(1, 3), (1, 13), (1, 73)]),
    ("spelling", "title: The governmnet of it", [(1, 12)]),
    ("picture-personal", '![A bridge](phone.jpg "The bridge in 2021.")', [(1, 1)]),
    ("sentence-long", "Mr. Smith of the U.S. came. " * 15, []),
]


@pytest.mark.parametrize(("rule", "text", "where"), BAD)
def test_where_a_rule_finds_something(rule: str, text: str, where: list[tuple[int, int]]) -> None:
    assert places(rule, text) == where


def test_our_own_words_are_not_looked_for() -> None:
    text = "Words.\n\n> Something else.\n> -- The Desk, Newsroom"
    assert places("quote-elsewhere", text) == [(3, 1)]
    assert places("quote-elsewhere", text, own=("Newsroom",)) == []


def test_a_paragraph_of_an_earlier_issue_is_found() -> None:
    text = " ".join(f"word{number}" for number in range(30))
    others = {"weekly/2021-08-04-other": frozenset({fingerprint(text)})}
    (finding,) = said("paragraph-repeated", draft(text), evidence=Evidence(others=others))
    assert "weekly/2021-08-04-other" in finding.message


def test_a_link_loses_its_tracker_and_keeps_the_rest() -> None:
    source = draft("[x](https://a.example/?utm_source=x&id=1&fbclid=2#top)")
    edits = [one.edit for one in said("link-tracker", source) if one.edit]
    assert "(https://a.example/?id=1#top)" in apply(source, edits)


def test_a_switched_off_rule_is_silent_and_an_error_is_one() -> None:
    source = draft("About TK people , they say.")
    style = read(source).style
    quiet = style.model_copy(update={"rules": {**style.rules, "unfinished": "off", "blank-before-mark": "error"}})
    assert [(one.problem.rule, one.problem.severity) for one in remarks(source, quiet) if one.problem.rule != "section-missing"] == [
        ("blank-before-mark", "error")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "`" * 3001,
        "*a " * 3000,
        "“" * 500,
        "![" * 2000,
        "<a " * 3000,
        "[a](" * 2000,
        "> " * 3000 + "x",
        "x" * 90_000,
        "a b " * 20_000,
    ],
    ids=lambda text: text[:4],
)
def test_hostile_text_ends_in_time(text: str) -> None:
    remarks(draft(text))
