"""The text: what becomes of each construct, and each rule with its exact line."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from pipeline.core.issue import (
    Block,
    Code,
    Emphasis,
    Figure,
    Issue,
    IssueId,
    LineBreak,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    SectionKind,
    Strong,
    SubHeading,
    Text,
    plain,
)
from pipeline.core.problem import Problem
from pipeline.draft.figures import split_credit
from pipeline.draft.parse import parse_draft
from pipeline.settings import Newsletter

NEWSLETTER = Newsletter(
    id="weekly", name="The Weekly", tagline="", from_name="Desk", from_address="desk@example.org", reply_to="desk@example.org",
    list_id="weekly.example.org", postal_address="1 Street", language="en", default_author="desk", about="",
    sections={"Expert Corner": "expert-corner", "In  Brief": "briefs"},
)  # fmt: skip


def read(body: str) -> tuple[Issue, tuple[Problem, ...]]:
    """The body begins in line 5."""
    issue, problems = parse_draft(
        f"---\ntitle: T\npreheader: P\n---\n{body}", file="f.md", id=IssueId("weekly", date(2026, 11, 25), "x"),
        newsletter=NEWSLETTER, authors={"desk"},
    )  # fmt: skip
    assert issue is not None
    return issue, problems


def found(body: str) -> list[tuple[str, int]]:
    return [(problem.rule, problem.line) for problem in read(body)[1]]


def clean(body: str) -> Issue:
    issue, problems = read(body)
    assert problems == ()
    return issue


def opening(body: str) -> tuple[Block, ...]:
    return clean(body).opening


def words(value: str) -> tuple[Text]:
    return (Text(value),)


BLOCKS: list[tuple[str, str, tuple[Block, ...]]] = [
    ("paragraphs", "One\ntwo.\n\nThree.", (Paragraph(content=words("One two."), line=5), Paragraph(content=words("Three."), line=8))),
    ("marks", "a *b* **c** `d` \\*e", (
        Paragraph(content=(Text("a "), Emphasis(words("b")), Text(" "), Strong(words("c")), Text(" "), Code("d"), Text(" *e")), line=5),)),
    ("hard break", "a\\\nb", (Paragraph(content=(Text("a"), LineBreak(), Text("b")), line=5),)),
    ("Chinese line end", "中国\n新闻", (Paragraph(content=words("中国新闻"), line=5),)),
    ("Chinese line end in bold", "**中国**\n新闻", (Paragraph(content=(Strong(words("中国")), Text("新闻")), line=5),)),
    ("Chinese and Latin", "中国\nnews\n新闻", (Paragraph(content=words("中国 news 新闻"), line=5),)),
    ("Korean has blanks", "한국\n뉴스", (Paragraph(content=words("한국 뉴스"), line=5),)),
    ("label", "**Why It Matters:** Because.", (Paragraph(label="Why It Matters:", content=words("Because."), line=5),)),
    ("label, colon outside", "**Why It Matters**: Because.", (Paragraph(label="Why It Matters:", content=words("Because."), line=5),)),
    ("label, full width", "**问：** 为什么", (Paragraph(label="问：", content=words("为什么"), line=5),)),
    ("bold, no label", "**Bold** start", (Paragraph(content=(Strong(words("Bold")), Text(" start")), line=5),)),
    ("linked bold is no label", "**[A](https://a.b):** x", (
        Paragraph(content=(Strong((Link("https://a.b", words("A")), Text(":"))), Text(" x")), line=5),)),
    ("figure", '![Alt *text*](my%20photo.jpg "A caption (left). (Credit: Agency)")', (
        Figure(src="my photo.jpg", alt="Alt text", caption="A caption (left).", credit="Agency", line=5),)),
    ("figure in a folder", '![A](pics/фото.jpg "C. (Photo: X)")', (
        Figure(src="pics/фото.jpg", alt="A", caption="C.", credit="Photo: X", line=5),)),
    ("figure with a focus", '![A](a.jpg "C. (Credit: X)"){focus="40% 25.5%"}',
        (Figure(src="a.jpg", alt="A", caption="C.", credit="X", focus=(40.0, 25.5), line=5),)),
    ("figure with a focus, as typed on a phone", '![A](a.jpg "C. (Credit: X)")\n{ focus = “0%, 100%” }',
        (Figure(src="a.jpg", alt="A", caption="C.", credit="X", focus=(0.0, 100.0), line=5),)),
    ("figure by reference", '![A][p]\n\n[p]: a.jpg "C. (© X)"', (Figure(src="a.jpg", alt="A", caption="C.", credit="© X", line=5),)),
    ("quote", "> A quote.\n> -- Name, *role*", (Quote(paragraphs=(words("A quote."),), attribution="Name, role", line=5),)),
    ("quote, em dash, own paragraph", "> One.\n>\n> Two.\n>\n> — Name", (
        Quote(paragraphs=(words("One."), words("Two.")), attribution="Name", line=5),)),
    ("quote, long source", "> One.\n> -- Name,\n> role", (Quote(paragraphs=(words("One."),), attribution="Name, role", line=5),)),
    ("quote without source", "> One\n> two.", (Quote(paragraphs=(words("One two."),), line=5),)),
    ("direct speech", "> — No, he said.", (Quote(paragraphs=(words("— No, he said."),), line=5),)),
    ("dash inside", "> One\n> – two –\n> three.", (Quote(paragraphs=(words("One – two – three."),), line=5),)),
    ("list", "- a\n- b\n  - c\n", (
        ListBlock(ordered=False, line=5, items=(
            (Paragraph(content=words("a"), line=5),),
            (Paragraph(content=words("b"), line=6), ListBlock(ordered=False, items=((Paragraph(content=words("c"), line=7),),), line=7)),
        )),)),
    ("ordered", "3. a\n4. b", (
        ListBlock(ordered=True, start=3, line=5, items=(
            (Paragraph(content=words("a"), line=5),), (Paragraph(content=words("b"), line=6),))),)),
    ("rule", "a\n\n***\n\nb", (Paragraph(content=words("a"), line=5), Rule(line=7), Paragraph(content=words("b"), line=9))),
    ("templates are text", "{{ x }} {% y %} a__MERGE_z__ \\__b", (Paragraph(content=words("{{ x }} {% y %} a__MERGE_z__ __b"), line=5),)),
]  # fmt: skip


@pytest.mark.parametrize(("body", "blocks"), [case[1:] for case in BLOCKS], ids=[case[0] for case in BLOCKS])
def test_blocks(body: str, blocks: tuple[Block, ...]) -> None:
    assert opening(body) == blocks


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("C. (Credit: A)", ("C.", "A")),
        ("C. (Photo credit: A)", ("C.", "A")),
        ("C. (credits: A, B)", ("C.", "A, B")),
        ("C. (Photo by A)", ("C.", "Photo by A")),
        ("C. (Source: UN (2020))", ("C.", "Source: UN (2020)")),
        ("C (Graphic: A).", ("C", "Graphic: A")),
        ("C. (©A)", ("C.", "©A")),
        ("C.（Credit：A）", ("C.", "A")),
        ("Mr. Wang (left)", ("Mr. Wang (left)", "")),
        ("(Credit: A)", ("", "A")),
        ("C. (Photographers at work)", ("C. (Photographers at work)", "")),
        ("C. Credit: A)", ("C. Credit: A)", "")),
        ("a\n b", ("a b", "")),
        ("", ("", "")),
    ],
)
def test_credits(title: str, expected: tuple[str, str]) -> None:
    assert split_credit(title) == expected


RULE_CASES: list[tuple[str, str, list[tuple[str, int]]]] = [
    ("h1", "Text.\n\n# Title\n\nText.", [("heading-top", 7)]),
    ("setext h1", "Title\n=====\n\nText.", [("heading-top", 5)]),
    ("setext h2 is fine", "Title\n-----\n\nText.", []),
    ("### first", "Text.\n\n### A\n\nb", [("heading-order", 7)]),
    ("skipped level", "## A\n\n#### B\n\nc", [("heading-order", 7)]),
    ("levels in order", "## A\n\n### B\n\n#### C\n\n### D\n\ne", []),
    ("empty heading", "## \n\nText.", [("heading-empty", 5)]),
    ("heading in a list", "- a\n\n  ## B", [("heading-place", 7)]),
    ("heading in a quote", "> ## B", [("quote-content", 5), ("heading-place", 5)]),
    ("empty section", "## A\n\n## B\n\nText.", [("section-empty", 5)]),
    ("no text", "\n\n", [("body-empty", 5)]),
    ("headings only", "## A\n", [("section-empty", 5), ("body-empty", 5)]),
    ("unknown box", "Text.\n\n::: sidebar\na\n:::", [("container-kind", 7)]),
    ("open box", "Text.\n\n::: note\na\n\nb", [("container-open", 7)]),
    ("too short an end", ":::: note\na\n:::\n", [("container-open", 5), ("container-stray", 7)]),
    ("stray end", "a\n\n:::\n\nb", [("container-stray", 7)]),
    ("stray end under a paragraph", "a\n:::\n", [("container-stray", 6)]),
    ("box in a box", ":::: note\na\n\n::: correction\nb\n:::\n::::", [("container-place", 8)]),
    ("box in a list", "- a\n\n  ::: note\n  b\n  :::", [("container-place", 7)]),
    ("second title", "::: note\n## A\n\nb\n\n## C\n\nd\n:::", [("container-heading", 10)]),
    ("two titles", "::: note A\n## B\n\nc\n:::", [("container-heading", 6)]),
    ("empty box", "a\n\n::: note\n:::", [("section-empty", 7)]),
    ("no alt", 'a\n\n![](a.jpg "C. (Credit: X)")', [("image-alt", 7)]),
    ("no credit", '![A](a.jpg "C (left)")', [("image-credit", 5)]),
    ("no caption", '![A](a.jpg "(Credit: X)")', [("image-caption", 5)]),
    ("picture in text", 'a\nb ![A](a.jpg "C. (Credit: X)") c', [("image-inline", 6)]),
    ("linked picture", '[![A](a.jpg "C. (Credit: X)")](https://a.b)', [("image-inline", 5)]),
    ("picture in a heading", '## ![A](a.jpg "C. (Credit: X)")\n\nb', [("image-inline", 5)]),
    ("two pictures", '![A](a.jpg "C. (Credit: X)")\n![B](b.jpg "C. (Credit: X)")', [("image-inline", 6)]),
    ("focus out of the picture", '![A](a.jpg "C. (Credit: X)"){focus="40% 125%"}', [("image-focus", 5)]),
    ("focus in pixels", '![A](a.jpg "C. (Credit: X)"){focus="40 25"}', [("image-focus", 5)]),
    ("misspelt focus", 'a\n\n![A](a.jpg "C. (Credit: X)") {fokus="40% 25%"}', [("image-focus", 7)]),
    ("class on a picture", '![A](a.jpg "C. (Credit: X)"){.wide}', [("image-focus", 5)]),
    ("focus not closed", '![A](a.jpg "C. (Credit: X)"){focus="40% 25%"', [("image-inline", 5)]),
    ("remote picture", '![A](https://a.b/c.jpg "C. (Credit: X)")', [("image-remote", 5)]),
    ("remote picture without scheme", '![A](//a.b/c.jpg "C. (Credit: X)")', [("image-remote", 5)]),
    ("absolute path", '![A](/a.jpg "C. (Credit: X)")', [("image-path", 5)]),
    ("parent", '![A](../a.jpg "C. (Credit: X)")', [("image-path", 5)]),
    ("hidden parent", '![A](b/%2e%2e/a.jpg "C. (Credit: X)")', [("image-path", 5)]),
    ("data picture", '![A](data:image/png;base64,AA "C. (Credit: X)")', [("image-path", 5)]),
    ("Windows path", '![A](pics\\a.jpg "C. (Credit: X)")', [("image-path", 5)]),
    ("drive", '![A](C:/a.jpg "C. (Credit: X)")', [("image-path", 5)]),
    ("no file", '![A](<> "C. (Credit: X)")', [("image-path", 5)]),
    ("HTML block", "a\n\n<div>\nb\n</div>\n\nc", [("raw-html", 7)]),
    ("HTML comment", "a\n\n<!-- note -->", [("raw-html", 7)]),
    ("HTML inline", "a\nb\nc <b>d</b>\ne <br> f", [("raw-html", 7), ("raw-html", 8)]),
    ("HTML after an odd link", 'a [b](https://c.d\n"t\nu") <i>\nv', [("raw-html", 7)]),
    ("HTML in a nested list", "- a\n  - b\n    c <i>", [("raw-html", 7)]),
    ("code fence", "a\n\n```\nb\n```", [("code-block", 7)]),
    ("indented code", "a\n\n    b", [("code-block", 7)]),
    ("list in a quote", "> a\n> - Name", [("quote-content", 6)]),
    ("relative", "a\n[b](c.html)", [("link-scheme", 6)]),
    ("www", "[b](www.example.org/x)", [("link-scheme", 5)]),
    ("empty", "[b]()", [("link-scheme", 5)]),
    ("fragment", "[b](#c)", [("link-scheme", 5)]),
    ("javascript", "[b](javascript:alert(1))", [("link-scheme", 5)]),
    ("javascript by entity", "[b](java&#115;cript:x)", [("link-scheme", 5)]),
    ("data", "[b](data:text/html,x)", [("link-scheme", 5)]),
    ("ftp autolink", "<ftp://a.b>", [("link-scheme", 5)]),
    ("no host", "[b](https://)", [("link-broken", 5)]),
    ("bad port", "[b](https://a.b:x/)", [("link-broken", 5)]),
    ("bad bracket", "[b](https://[::1)", [("link-broken", 5)]),
    ("user", "[b](https://bank.example@evil.example)", [("link-broken", 5)]),
    ("bad host", "[b](https://a..b)", [("link-broken", 5)]),
    ("tab in the scheme", "[b](<java&#9;script:x>)", [("link-broken", 5)]),
    ("bad mail address", "[b](mailto:nobody)", [("link-broken", 5)]),
    ("mail header", "[b](mailto:a@b.org?subject=x%0ABcc:y)", [("link-broken", 5)]),
    ("bad number", "[b](tel:call)", [("link-broken", 5)]),
    ("http", "a\nb\n[c](http://d.e)", [("link-http", 7)]),
    ("no words", "a [](https://b.c)", [("link-text", 5)]),
    ("lost reference", "a\n[b][c]", [("link-reference", 6)]),
    ("unused reference", "a\n\n[b]: https://c.d", [("link-reference", 7)]),
    ("control by entity", "a\nb &#12; c", [("control-character", 6)]),
    ("label alone", "**A:**\n\nb", [("label-alone", 5)]),
    ("deep list", "\n".join("  " * n + "- a" for n in range(8)), [("nesting", 11)]),
    ("deep emphasis", "*a **b " * 8 + "c" + "***" * 8, [("nesting", 5)]),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in RULE_CASES], ids=[case[0] for case in RULE_CASES])
def test_rules(body: str, expected: list[tuple[str, int]]) -> None:
    assert found(body) == expected


@pytest.mark.parametrize(
    ("markdown", "href"),
    [
        ("[a](https://example.org)", "https://example.org"),
        ("[a](< https://example.org/x >)", "https://example.org/x"),
        ("[a](HTTPS://Example.ORG/X)", "https://example.org/X"),
        ("[a](https://example.org:443/x?y=1&z=ü#ä)", "https://example.org/x?y=1&z=%C3%BC#%C3%A4"),
        ("[a](https://example.org:8443/%D1%84(b))", "https://example.org:8443/%D1%84(b)"),
        ("[a](https://пример.рф/путь)", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"),
        ("[a](https://faß.example)", "https://xn--fa-hia.example"),
        ("[a](https://[2001:DB8::1]/)", "https://[2001:db8::1]/"),
        ("<https://example.org/x>", "https://example.org/x"),
        ("<desk@example.org>", "mailto:desk@example.org"),
        ("[a](mailto:desk@Example.org?subject=Hello%20there)", "mailto:desk@example.org?subject=Hello%20there"),
        ("[a](tel:+420-123)", "tel:+420-123"),
        ("[a][r]\n\n[r]: https://example.org/r", "https://example.org/r"),
        ("[r]\n\n[R]: <https://example.org/r>", "https://example.org/r"),
    ],
)
def test_good_links(markdown: str, href: str) -> None:
    (paragraph,) = opening(markdown)
    assert isinstance(paragraph, Paragraph)
    (link,) = paragraph.content
    assert isinstance(link, Link)
    assert link.href == href


def test_http_becomes_https() -> None:
    issue, _ = read("[a](http://example.org:80/x)")
    assert issue.opening == (Paragraph(content=(Link("https://example.org/x", words("a")),), line=5),)


def test_bad_links_leave_their_words() -> None:
    issue, _ = read("a [*b* c](javascript:x) d")
    assert issue.opening == (Paragraph(content=(Text("a "), Emphasis(words("b")), Text(" c d")), line=5),)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("    indented\n    code", "indented code"),
        ("<div>\nkept <b>words</b>\n</div>", "kept words"),
        ("a <i>b</i> c", "a b c"),
        ("a ![alt](b.jpg) c", "a alt c"),
        ("::: sidebar\nkept\n:::", "kept"),
        ("> - kept", "kept"),
        ("- x\n\n  ## kept", "x kept"),
        ("- " * 9 + "kept", "kept"),
        ("*a **b " * 8 + "kept" + "***" * 8, "kept"),
    ],
)
def test_what_is_wrong_is_still_shown(body: str, kept: str) -> None:
    issue, problems = read(body)
    assert problems
    assert kept in " ".join(_words(issue))


def _words(issue: Issue) -> list[str]:
    out: list[str] = []
    for block in [*issue.blocks()]:
        match block:
            case Paragraph(content=content) | SubHeading(content=content):
                out.append(plain(content))
            case Quote(paragraphs=paragraphs):
                out += [plain(paragraph) for paragraph in paragraphs]
            case _:
                pass
    return out


def shape(issue: Issue) -> list[tuple[Any, ...]]:
    return [(section.kind.value, plain(section.title), len(section.blocks), section.line) for section in issue.sections]


def test_section_kinds_and_lines() -> None:
    issue = clean("Hello.\n\n## EXPERT   corner\n\n**Q:** a\n\n**A:** b\n\n## in brief\n\nx\n\n## Other *one*\n\n### Sub\n\ny")
    assert len(issue.opening) == 1
    assert shape(issue) == [("expert-corner", "EXPERT   corner", 2, 7), ("briefs", "in brief", 1, 13), ("plain", "Other one", 2, 17)]
    assert issue.sections[2].blocks[0] == SubHeading(level=3, content=words("Sub"), line=19)


def test_boxes() -> None:
    issue = clean("::: Watch One *Thing*\na\n:::\n\n::: correction\n## Title\n\nb\n:::\n\n:::: sign-off\nc\n::::")
    assert shape(issue) == [("watch", "One *Thing*", 1, 5), ("correction", "Title", 1, 9), ("sign-off", "", 1, 15)]


def test_every_kind_is_a_box() -> None:
    assert [section.kind for section in clean("\n\n".join(f"::: {kind}\nx\n:::" for kind in SectionKind)).sections] == list(SectionKind)


def test_text_after_a_note_goes_on_with_its_section() -> None:
    issue = clean("Hello.\n\n::: note\na\n:::\n\nb\n\n## In brief\n\n::: correction\nc\n:::\n\n**d:** e\n\n::: watch\nf\n:::\n\ng")
    assert shape(issue) == [
        ("note", "", 1, 7), ("plain", "", 1, 11), ("briefs", "In brief", 0, 13), ("correction", "", 1, 15), ("briefs", "", 1, 19),
        ("watch", "", 1, 21), ("plain", "", 1, 25),
    ]  # fmt: skip
