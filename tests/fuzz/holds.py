"""What must hold of a draft, an edition and an import whatever came in: the oracle of the fuzzers and of the property tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from pipeline import configuration
from pipeline.copydesk.desk import look_over
from pipeline.copydesk.source import read_copy
from pipeline.core.edition import Edition, Picture, content_of
from pipeline.core.issue import Block, Emphasis, Inline, Issue, IssueId, Link, ListBlock, Paragraph, Quote, Strong, SubHeading
from pipeline.core.mime import compose
from pipeline.core.problem import Problem, Severity
from pipeline.draft.parse import decode_draft, parse_draft
from pipeline.draft.rules import line_count
from pipeline.render.edition import build_edition
from pipeline.settings import Settings
from tests.render import samples

ROOT = Path(__file__).parents[2]
ID = IssueId("eurasia-briefing", date(2021, 8, 18), "after-kabul")
DAY = datetime(2021, 8, 18, 6, tzinfo=UTC)

_ELEMENTS = frozenset(
    (  # noqa: SIM905
        "html head meta title style body div table tbody tr td p h1 h2 h3 h4 h5 h6 a img strong em br code span ul ol li "
        "blockquote hr link header main article footer nav section figure figcaption address time aside dl dt dd small picture source "
    ).split()
)
_ATTRIBUTES = frozenset(
    (  # noqa: SIM905
        "class style href src alt width height lang dir role id name content http-equiv charset rel type hreflang title datetime "
        "start cellpadding cellspacing border align valign bgcolor property media data-premailer loading decoding sizes "
        "srcset fetchpriority "
    ).split()
)

_SPEAKS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What turns a line around or speaks to a terminal."""


@cache
def settings() -> Settings:
    """The configuration of the packaged newsroom."""
    return configuration.load(ROOT, {})


def a_draft(data: bytes) -> tuple[Issue | None, tuple[Problem, ...]]:
    """Reads a draft as ``check`` does, copy desk and all; every Problem must stand on a line of the file."""
    text, trouble = decode_draft(data, "f.md")
    newsletter = settings().newsletter(ID.newsletter)
    issue, problems = parse_draft(
        text, file="f.md", id=ID, newsletter=newsletter, authors=settings().authors, newsletters=settings().newsletters
    )
    found = (*trouble, *problems)
    if issue is not None:
        copy = read_copy(issue, text, newsletter=newsletter, style=settings().style)
        found += tuple(remark.problem for remark in look_over(copy, "f.md"))
        assert all(1 <= block.line <= line_count(text) for block in issue.blocks()), "a block stands outside the file"
    for problem in found:
        assert 1 <= problem.line <= line_count(text), problem
        assert not _SPEAKS.search(problem.message + problem.hint), problem
    assert issue is not None or any(problem.severity is Severity.ERROR for problem in found), "no issue, and nobody says why"
    return issue, found


def an_edition(issue: Issue) -> Edition:
    """Renders an issue, faulty or not, since the preview shows both; looks at every part, and at the mail made of it."""
    drawn = samples.pictures()["ferry.png"]
    pictures: dict[str, Picture] = {figure.picture: drawn for figure in issue.figures()}
    known = settings().authors
    edition, _ = build_edition(
        issue, newsletter=settings().newsletter(ID.newsletter), authors=[known[one] for one in issue.authors if one in known],
        newsroom_name="Example Newsroom", base_url="https://news.example.org", pictures=pictures, author_photos={}, next_issue=None,
        environment=samples.templates(),
    )  # fmt: skip
    hrefs = {address(href) for href in links(issue)}
    for part in (edition.html, edition.web, edition.feed):
        assert hrefs <= {address(href) for href in _page(part)}, "a link of the draft is lost"
    lines = {re.sub(r"^[>\s]*(\[\d+\] )?", "", line) for line in edition.text.split("\n")}
    assert hrefs <= lines, f"a link of the draft is not in the plain part: {hrefs - lines}"
    for part in (edition.html, edition.text, edition.web, edition.feed, edition.subject, edition.preheader):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", part), "a control character reached a reader"
    a_mail(edition)
    return edition


def a_mail(edition: Edition) -> bytes:
    """The message of an edition: its lines are those that RFC 5322 and 2045 allow."""
    url = "https://news.example.org/x"
    raw = compose(content_of(edition, ()), to="reader@example.org", unsubscribe_url=url, message_id="a@b.org", date=DAY)
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
    return raw


def links(issue: Issue) -> Iterator[str]:
    """Every address that the issue links to."""
    for block in issue.blocks():
        yield from _links_of(block)
    for section in issue.sections:
        yield from _links_in(section.title)


def address(href: str) -> str:
    """An address as the plain part writes it."""
    return href.removeprefix("mailto:")


def _links_of(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(content=content) | SubHeading(content=content):
            yield from _links_in(content)
        case Quote(paragraphs=paragraphs):
            for content in paragraphs:
                yield from _links_in(content)
        case ListBlock():
            pass  # Issue.blocks() has what is in the items
        case _:
            pass


def _links_in(nodes: tuple[Inline, ...]) -> Iterator[str]:
    for node in nodes:
        match node:
            case Link(href, children):
                yield href
                yield from _links_in(children)
            case Strong(children) | Emphasis(children):
                yield from _links_in(children)
            case _:
                pass


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _ELEMENTS, f"<{tag}> is no element of ours: an author's text was not escaped"
        for name, value in attrs:
            assert name in _ATTRIBUTES or name.startswith("aria-"), f"{name}= is no attribute of ours: an author's text was not escaped"
            if tag == "a" and name == "href":
                self.hrefs.append(value or "")


def _page(html: str) -> list[str]:
    """The links of a page that holds no element and no attribute but ours."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.hrefs
