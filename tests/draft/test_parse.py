"""Bytes and whole drafts: decoding, order of findings, the samples, and that nothing is ever raised."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.issue import Issue, IssueId
from pipeline.core.problem import Problem, Severity
from pipeline.draft.parse import decode_draft, first_sentence, parse_draft
from pipeline.draft.rules import RULES
from pipeline.settings import Newsletter

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "issues").glob("*/*/index.md")) + sorted((ROOT / "issues").glob("*/*.md"))
NEWSLETTER = Newsletter(
    id="weekly", name="The Weekly", tagline="", from_name="Desk", from_address="desk@example.org", reply_to="desk@example.org",
    list_id="weekly.example.org", postal_address="1 Street", language="en", default_author="desk", about="",
    sections={"Expert Corner": "expert-corner"},
)  # fmt: skip
ID = IssueId("weekly", date(2026, 11, 25), "slug")


def read(source: str) -> tuple[Issue | None, tuple[Problem, ...]]:
    return parse_draft(source, file="f.md", id=ID, newsletter=NEWSLETTER, authors={"desk"})


def found(source: str) -> list[tuple[str, int]]:
    return [(problem.rule, problem.line) for problem in read(source)[1]]


@pytest.mark.parametrize(
    ("data", "text", "line"),
    [
        (b"a\nb", "a\nb", None),
        (b"\xef\xbb\xbfa\r\nb\rc", "a\nb\nc", None),
        ("\u00fc".encode(), "\u00fc", None),
        (b"a\r\nb\r\nc\xe4d", "a\nb\nc\ufffdd", 3),
        (b"\xe4", "\ufffd", 1),
        (b"a\n\n\xc3", "a\n\n\ufffd", 3),
        ("a\nb".encode("utf-16"), "a\nb", 1),
        (b"", "", None),
    ],
)
def test_decoding(data: bytes, text: str, line: int | None) -> None:
    out, problems = decode_draft(data, "f.md")
    assert out == text
    assert [(problem.rule, problem.line) for problem in problems] == ([] if line is None else [("encoding", line)])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_bom_change_nothing(end: str, mark: str) -> None:
    source = "---\ntitle: T\n---\n\nText with <b>bold</b>.\n"
    assert read(mark + source.replace("\n", end)) == read(source)
    assert found(mark + source.replace("\n", end)) == [("raw-html", 5)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", [("front-matter-missing", 1)]),
        ("Just text.", [("front-matter-missing", 1)]),
        ("\n\nJust text.\n\n# H\n\nMore.", [("front-matter-missing", 3), ("heading-top", 5)]),
        ("---\ntitle: T\n\nText.", [("front-matter-open", 1)]),
        ("\n---\ntitle: T\n---  \nText.", []),
        ("---\ntitle: T\n---\n", [("body-empty", 3), ("preheader-empty", 2)]),
        ("---\ntitle: T\n---\na\x00b\nc\x85d\n\ne\u2028f\ufffe", [("control-character", line) for line in (4, 5, 7)]),
        ("---\ntitle: T\x07\n---\nText.", [("control-character", 2)]),
    ],
)
def test_the_file(source: str, expected: list[tuple[str, int]]) -> None:
    assert found(source) == sorted(expected, key=lambda item: item[1])


def test_all_problems_at_once_by_line() -> None:
    out, problems = read("---\ntopic: x\ntitle: T\nauthor: nobody\n---\n# A\n\n![](a.jpg)\n\n[x](y)\n\n## B\n")
    assert [(problem.rule, problem.line) for problem in problems] == [
        ("key-unknown", 2), ("author-unknown", 4), ("heading-top", 6), ("image-alt", 8), ("image-caption", 8), ("image-credit", 8),
        ("link-scheme", 10), ("section-empty", 12),
    ]  # fmt: skip
    assert out is not None and len(out.sections) == 2
    assert all(problem.severity is RULES[problem.rule].severity and problem.file == "f.md" for problem in problems)
    assert all(problem.message and problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        ("Mr. Xi met J. Smith of the U.S. Army in St. Petersburg. Then left.", "Mr. Xi met J. Smith of the U.S. Army in St. Petersburg."),
        ("He said: “No!” Then left.", "He said: “No!”"),
        ("Version 3.5 is out. Good.", "Version 3.5 is out."),
        ("Really? yes. No.", "Really? yes."),
        ("今天。明天。", "今天。"),
        ("Первое. Второе.", "Первое."),
        ("no end", "no end"),
        ("", ""),
    ],
)
def test_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


def test_preheader_skips_notes_and_pictures() -> None:
    source = '---\ntitle: T\n---\n::: correction\nWrong.\n:::\n\n![a](a.jpg "c (Credit: d)")\n\nRight. More.\n'
    out, problems = read(source)
    assert problems == ()
    assert out is not None and out.preheader == "Right."


def test_a_long_first_sentence_is_named_on_its_line() -> None:
    assert found("---\ntitle: T\n---\n\n" + "word " * 30) == [("preheader-long", 5)]


@pytest.mark.parametrize("path", SAMPLES, ids=[path.parent.name for path in SAMPLES])
def test_samples_parse_without_errors(path: Path) -> None:
    folder = path.parent if path.name == "index.md" else path.with_suffix("")
    id = IssueId.parse(f"{folder.parent.name}/{folder.name}")
    text, problems = decode_draft(path.read_bytes(), path.name)
    paper = NEWSLETTER.model_copy(update={"id": id.newsletter})
    authors = {author.stem for author in (ROOT / "config" / "authors").glob("*.toml")} | {"desk"}
    issue, found = parse_draft(text, file=path.name, id=id, newsletter=paper, authors=authors)
    assert [str(problem) for problem in problems + found if problem.severity is Severity.ERROR] == []
    assert issue is not None


PIECES = [
    "\n", "\n\n", " ", "    ", "# ", "## ", "### ", "#### ", "- ", "1. ", "> ", "> -- ", "::: note\n", ":::\n", "::: ",
    ":::: x\n", "```\n", "`", "**", "*", "_", "[", "]", "(", ")", "](", "](http://a.b)", "](https://a.b/ü \"t\")", "![",
    "![a](b.jpg \"c (Credit: d)\")", "<b>", "</b>", "<!--", "-->", "<https://x.y>", "<a@b.c>", "&#12;", "&amp;", "\\", "a", "字",
    "text: ", "---\n", "\t", "\u0000", "\u2028", "[a]: /b\n", "[a][b]", "\"", "!", "<div>\n", "__MERGE_x__", "{{ x }}", "\u000b",
    "\r", "\ufeff", "\ud800", "***", "===\n", "title: x\n", "&x", "*x", "{", "%", "@", "? ", ": ", "!!", "<<: ",
]  # fmt: skip
TEXTS = st.one_of(st.text(st.characters()), st.lists(st.sampled_from(PIECES)).map("".join))


@given(TEXTS, st.sampled_from(["{}", "---\ntitle: T\n---\n{}", "---\n{}\n---\nText."]))
def test_any_text_is_data(text: str, frame: str) -> None:
    source = frame.replace("{}", text)
    out, problems = read(source)
    lines = len(re.split(r"\r\n|\r|\n", source))
    assert all(1 <= problem.line <= lines and problem.rule in RULES for problem in problems)
    assert list(problems) == sorted(problems, key=lambda problem: problem.line)
    assert (out is not None) or any(problem.severity is Severity.ERROR for problem in problems)
    if out is not None:
        assert all(1 <= block.line <= lines for block in out.blocks())
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", f"{out.title}{out.subject}{out.preheader}")


@given(st.binary())
def test_any_bytes_are_data(data: bytes) -> None:
    text, problems = decode_draft(data, "f.md")
    assert all(1 <= problem.line <= text.count("\n") + 1 for problem in problems)
    read(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "body",
    ["[" * 10_000, "*a " * 5_000, "![" * 2_000 + "](a)" * 2_000, ">" * 3_000 + " a", "- " * 500 + "a", "`" * 5_000, "::: note\n" * 1_000,
     "[" * 3_000 + "](https://a.b)" * 3_000, "**a" * 3_000],
    ids=["brackets", "stars", "pictures", "quotes", "lists", "ticks", "boxes", "links", "bold"],
)  # fmt: skip
def test_hostile_nesting_ends(body: str) -> None:
    read(f"---\ntitle: T\n---\n{body}\n")
