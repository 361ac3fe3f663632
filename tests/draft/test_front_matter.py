"""The YAML block: every key, every rule with its line."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.core.issue import Issue, IssueId
from pipeline.core.problem import Problem
from pipeline.draft.parse import parse_draft
from pipeline.settings import Newsletter

NEWSLETTER = Newsletter(
    id="weekly", name="The Weekly", tagline="", from_name="Desk", from_address="desk@example.org", reply_to="desk@example.org",
    list_id="weekly.example.org", postal_address="1 Street", language="en", default_author="desk", about="",
)  # fmt: skip
ID = IssueId("weekly", date(2026, 11, 25), "slug")


def read(front: str, body: str = "A first sentence. More.") -> tuple[Issue | None, tuple[Problem, ...]]:
    """Line 1 is ---; the front matter begins in line 2."""
    return parse_draft(
        f"---\n{front}\n---\n{body}\n", file="f.md", id=ID, newsletter=NEWSLETTER,
        authors={"desk", "anna", "boris"}, newsletters={"weekly", "ru"},
    )  # fmt: skip


def found(front: str, body: str = "A first sentence. More.") -> list[tuple[str, int]]:
    return [(problem.rule, problem.line) for problem in read(front, body)[1]]


def issue(front: str, body: str = "A first sentence. More.") -> Issue:
    out = read(front, body)[0]
    assert out is not None
    return out


def test_every_key() -> None:
    front = (
        'title: "One: two"\nsubject: S\npreheader: P\ndate: 2026-11-25\nauthors: [anna, boris, anna]\nlanguage: ZH-hans-cn\n'
        "topics: [Afghanistan, Security]\ntranslation_of: 2026-11-25-other"
    )
    out, problems = read(front)
    assert problems == ()
    assert out is not None
    assert (out.id, out.title, out.subject, out.preheader) == (ID, "One: two", "S", "P")
    assert (out.authors, out.language, out.topics) == (("anna", "boris"), "zh-Hans-CN", ("Afghanistan", "Security"))
    assert out.translation_of == "weekly/2026-11-25-other"


def test_defaults() -> None:
    out, problems = read("title: T\nsubject:\npreheader: ~\nauthor:\ntopics:\nlanguage:\ndate:")
    assert problems == ()
    assert out is not None
    assert (out.subject, out.preheader, out.authors, out.language) == ("The Weekly: T", "A first sentence.", ("desk",), "en")
    assert (out.topics, out.translation_of) == ((), None)


@pytest.mark.parametrize("value", ["2026-11-25", '"2026-11-25"', "'2026-11-25'"])
def test_dates_may_be_quoted(value: str) -> None:
    assert found(f"title: T\ndate: {value}") == []


CASES: list[tuple[str, str, list[tuple[str, int]]]] = [
    ("unknown key", "title: T\ntopic: [x]", [("key-unknown", 3)]),
    ("a key that is a list", "title: T\n? [a]\n: b", [("key-unknown", 3)]),
    ("merge keys are no feature", "title: T\n<<: {subject: S}", [("key-unknown", 3)]),
    ("duplicate", "title: T\nsubject: a\ntitle: U", [("key-duplicate", 4)]),
    ("bool", "subject: S\ntitle: Yes", [("value-type", 3)]),
    ("number", "title: 2026", [("value-type", 2)]),
    ("list for text", "title: [a]", [("value-type", 2)]),
    ("foreign tag", "title: !!python/name:os.system x", [("value-type", 2)]),
    ("empty subject", 'title: T\nsubject: ""', [("value-type", 3)]),
    ("text for a list", "title: T\ntopics: Afghanistan", [("value-type", 3)]),
    ("number in a list", "title: T\ntopics:\n  - a\n  - 2026", [("value-type", 5)]),
    ("table for a list", "title: T\nauthors: {a: b}", [("value-type", 3)]),
    ("no title", "subject: S", [("title-missing", 1)]),
    ("title without value", "subject: S\ntitle:", [("title-missing", 3)]),
    ("blank title", 'subject: S\ntitle: "  "', [("title-missing", 3)]),
    ("empty block", "", [("title-missing", 1)]),
    ("two lines", "title: T\nsubject: |\n  a\n  b", [("one-line", 3)]),
    ("escaped bell", 'title: T\nsubject: "a\\ab"', [("one-line", 3)]),
    ("header injection", 'title: T\nsubject: "a\\r\\nBcc: x"', [("one-line", 3)]),
    ("lone surrogate", 'title: T\nsubject: "a\\ud800b"', [("one-line", 3)]),
    ("line separator in topics", 'title: T\ntopics: ["a\\Lb"]', [("one-line", 3)]),
    ("both authors", "title: T\nauthor: anna\nauthors: [boris]", [("author-both", 4)]),
    ("unknown author", "title: T\nauthors:\n- anna\n- borsi", [("author-unknown", 5)]),
    ("language in words", "title: T\nlanguage: english", [("language-tag", 3)]),
    ("Norwegian without quotes", "title: T\nlanguage: no", [("value-type", 3)]),
    ("date in words", "title: T\ndate: 25 November 2026", [("date-form", 3)]),
    ("no such day", "title: T\ndate: 2026-02-31", [("date-form", 3)]),
    ("date with time", "title: T\ndate: 2026-11-25 10:00:00", [("date-form", 3)]),
    ("ISO week", "title: T\ndate: 2026-W48-3", [("date-form", 3)]),
    ("another date", "title: T\ndate: 2026-11-26", [("date-mismatch", 3)]),
    ("translation of nothing", "title: T\ntranslation_of: slug", [("translation-of", 3)]),
    ("translation of itself", "title: T\ntranslation_of: 2026-11-25-slug", [("translation-of", 3)]),
    ("unknown newsletter", "title: T\ntranslation_of: fr/2026-11-25-x", [("translation-of", 3)]),
    ("impossible day", "title: T\ntranslation_of: 2026-13-25-x", [("translation-of", 3)]),
    ("long subject", "title: T\nsubject: " + "s" * 71, [("subject-long", 3)]),
    ("long default subject", "topics: []\ntitle: " + "t" * 60, [("subject-long", 3)]),
    ("long preheader", "title: T\npreheader: " + "p" * 91, [("preheader-long", 3)]),
    ("empty preheader", 'title: T\npreheader: ""', [("preheader-empty", 3)]),
    ("colon in a value", "topics: []\ntitle: Kabul: one year on", [("yaml", 3)]),
    ("quote left open", 'topics: []\ntitle: "Kabul\ndate: 2026-11-25', [("yaml", 3)]),
    ("bracket left open", "title: T\ntopics: [a, b\ndate: 2026-11-25", [("yaml", 3)]),
    ("tab", "title: T\ntopics:\n\t- a", [("yaml", 4)]),
    ("at sign", "title: T\nsubject: @home", [("yaml", 3)]),
    ("unknown alias", "title: T\nsubject: *home", [("yaml", 3)]),
    ("words only", "just words", [("yaml", 2)]),
    ("impossible escape", 'title: "\\UFFFFFFFF"', [("yaml", 2)]),
    ("deep nesting", "title: " + "[" * 5000, [("yaml", 2)]),
]


@pytest.mark.parametrize(("front", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_rules(front: str, expected: list[tuple[str, int]]) -> None:
    assert found(front) == expected


def test_lines_are_counted_as_editors_count() -> None:
    # U+2028 ends a line for YAML and for str.splitlines, not for an editor.
    assert found("title: T\nsubject: 'a\u2028b'\ntopic: x") == [("control-character", 3), ("key-unknown", 4)]


def test_broken_front_matter_still_lets_the_body_be_checked() -> None:
    out, problems = read("title: a: b", "# Heading")
    assert out is None
    rules = [(problem.rule, problem.line) for problem in problems]
    assert rules == [("yaml", 2), ("heading-top", 4), ("section-empty", 4), ("body-empty", 4)]


def test_hints() -> None:
    hints = {problem.rule: problem.hint for problem in read("title: Yes\ntopcis: [a]\nauthor: ana")[1]}
    assert 'title: "Yes"' in hints["value-type"]
    assert "Did you mean topics?" in hints["key-unknown"]
    assert hints["author-unknown"] == "Did you mean anna? Known authors: anna, boris, desk."
    assert "quotes" in read("title: a: b")[1][0].hint


def test_the_newsletters_own_author_must_exist() -> None:
    out, problems = parse_draft("---\ntitle: T\n---\nText.", file="f", id=ID, newsletter=NEWSLETTER, authors=set())
    assert out is not None
    assert [(problem.rule, problem.line) for problem in problems] == [("author-unknown", 1)]


def test_an_alias_bomb_is_only_an_unknown_key() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert {rule for rule, _ in found(f"title: T\n{bomb}")} == {"key-unknown"}


def test_aliases_and_folded_text_work() -> None:
    out = issue("title: &t One\nsubject: *t\npreheader: >\n  two\n  lines\n")
    assert (out.subject, out.preheader) == ("One", "two lines")


def test_other_newsletter_and_no_list_of_newsletters() -> None:
    assert issue("title: T\ntranslation_of: ru/2026-11-25-x").translation_of == "ru/2026-11-25-x"
    out, problems = parse_draft(
        "---\ntitle: T\ntranslation_of: fr/2026-11-25-x\n---\nText.", file="f", id=ID, newsletter=NEWSLETTER, authors={"desk"}
    )
    assert problems == ()
    assert out is not None and out.translation_of == "fr/2026-11-25-x"
