"""Drafts of every kind of section, made at random around hostile words: nothing unescaped, no link lost, nothing raised."""

from __future__ import annotations

import json
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.issue import SectionKind
from tests.fuzz import fuzz_docx, fuzz_html, fuzz_markdown, fuzz_page, holds, seeds

HOSTILE = (
    '<b onx="1">',
    "\"'><img src=x onx=1>",
    "</title><script>onx()</script>",
    "&lt;b onx&gt;",
    "{{ 7 * 7 }}",
    "__MERGE_x__",
    "-->",
    "]]>",
)
"""What an author's words may hold; ``onx`` stands in no template, so it may never be an attribute."""

WORD = st.sampled_from(("ferry", "река", "دەريا", "渡船", "AT&T", "it's", '"so"', "<", *HOSTILE))
WORDS = st.lists(WORD, min_size=1, max_size=5).map(" ".join)
HREF = st.sampled_from(
    ("https://example.org/a?b=1&c=2", "https://пример.example/й", "mailto:a@example.org", "tel:+420123", "https://example.org/%22")
)


def escaped(words: str) -> str:
    """Words as CommonMark that means just these characters."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", words)


PLAIN = WORDS.map(escaped)
LINK = st.builds(lambda words, href: f"[{words}]({href})", PLAIN, HREF)
RUN = st.lists(st.one_of(PLAIN, LINK, PLAIN.map(lambda one: f"**{one}**"), PLAIN.map(lambda one: f"*{one}*")), min_size=1, max_size=4).map(
    " ".join
)
BLOCK = st.one_of(
    RUN, st.builds(lambda label, run: f"**{label}:** {run}", PLAIN, RUN), st.builds(lambda a, b: f"> {a}\n> -- {b}", RUN, PLAIN),
    st.lists(RUN, min_size=1, max_size=3).map(lambda items: "\n".join(f"- {one}" for one in items)),
    st.lists(RUN, min_size=1, max_size=3).map(lambda items: "\n".join(f"{n}. {one}" for n, one in enumerate(items, 3))),
    st.builds(lambda alt, title, credit: f'![{alt}](ferry.png "{title} (Credit: {credit})")', PLAIN, PLAIN, PLAIN),
    RUN.map(lambda run: f"### {run}"), st.just("***"),
)  # fmt: skip
BLOCKS = st.lists(BLOCK, min_size=1, max_size=3).map("\n\n".join)
SECTION = st.one_of(
    st.builds(lambda kind, title, body: f"::: {kind.value} {title}\n{body}\n:::", st.sampled_from(SectionKind), WORDS, BLOCKS),
    st.builds(lambda title, body: f"## {title}\n\n{body}", RUN, BLOCKS),
)
DRAFT = st.builds(
    lambda title, subject, preheader, topic, body: (
        f"---\ntitle: {json.dumps(title)}\nsubject: {json.dumps(subject)}\npreheader: {json.dumps(preheader)}\n"
        f"topics: [{json.dumps(topic)}]\n---\n\n{body}\n"
    ),
    WORDS, WORDS, WORDS, WORDS, st.lists(st.one_of(BLOCKS, SECTION), min_size=1, max_size=4).map("\n\n".join),
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(draft=DRAFT)
def test_any_draft_is_rendered_escaped_and_whole(draft: str) -> None:
    issue, _ = holds.a_draft(draft.encode())
    assert issue is not None
    edition = holds.an_edition(issue)
    for part in (edition.html, edition.web, edition.feed):
        assert not re.search(r"<b onx|<img src=x|<script", part)
        assert "49" not in re.sub(r'(?:style|href|src)="[^"]*"|<style.*?</style>', "", part, flags=re.DOTALL) or "49" in draft


TEXT = st.one_of(st.text(max_size=200), WORDS, st.sampled_from([*seeds.DRAFT_WORDS, *seeds.HTML_WORDS]))
PIECES = st.lists(TEXT, max_size=25).map("".join)


@settings(max_examples=60, deadline=None)
@given(text=PIECES)
def test_any_text_is_read_as_a_draft(text: str) -> None:
    holds.a_draft(text.encode("utf-8", "surrogatepass"))
    holds.a_draft(b"---\ntitle: A\n---\n" + text.encode("utf-8", "surrogatepass"))


@settings(max_examples=60, deadline=None)
@given(text=PIECES)
def test_any_text_is_imported_or_refused(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    for target in (fuzz_html.target, fuzz_markdown.target, fuzz_page.target, fuzz_docx.target):
        target(data)
    fuzz_html.target(b"<article><p>" + data)
    fuzz_page.target(b"A Ferry\n\nThe ferry has waited since spring, and its owner sold it twice.\n\n" + data)


@settings(max_examples=40, deadline=None)
@given(text=st.lists(st.sampled_from(seeds.WORD_WORDS), max_size=12).map("".join))
def test_any_word_xml_is_imported_or_refused(text: str) -> None:
    document = seeds.part("word/document.xml")
    fuzz_docx.target(b"\0" + document.replace(b"<w:sectPr", text.encode() + b"<w:sectPr", 1))
    fuzz_docx.target(
        b"\0" + document.replace(b"</w:p>", b"</w:p><w:p><w:r><w:t>" + re.sub(r"[<>&]", "", text).encode() + b"</w:t></w:r></w:p>", 1)
    )
