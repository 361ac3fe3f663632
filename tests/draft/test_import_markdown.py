"""Markdown of other tools: front matter, headings of both kinds, raw HTML, pictures."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.draft.importing.markdown import read_markdown
from pipeline.draft.importing.tidy import settle_pictures
from pipeline.draft.importing.values import DocumentImport
from pipeline.draft.importing.write import to_draft
from pipeline.errors import Refusal, UsageError

PNG = b"\x89PNG\r\n\x1a\n a picture"

NOTE = """---
title: "Why A Ferry Waits"
date: 2026-05-04 08:00:00
tags: [Ferries, Ports]
author: Vera Lind
layout: post
slug: ferry
---
Why A Ferry Waits
=================

The ferry has <b>waited</b> since *spring*, says its [owner][o].

The Money
---------

![A white ferry](img/ferry.png "The ferry on May 3, 2026. (Credit: Example Agency)")

<div class="box"><p>A raw paragraph.</p>
<iframe src="https://video.example.org/1"></iframe></div>

#### Too Deep ####

* one
* two
    1. deeper

| Year | Boats |
|------|-------|
| 2025 | 14    |

![far](https://cdn.example.org/far.png)

<!-- ask Vera -->

Gone[^1] ~~struck~~ {{< video 1 >}}

[^1]: A note at the foot.
[^2]: Nothing refers to this.
[o]: https://example.org/owner
[unused]: https://example.org/unused
"""


def read(text: str, **found: bytes) -> DocumentImport:
    return settle_pictures(read_markdown(text.encode(), file="note.md"), {"img/ferry.png": PNG})


def test_the_whole_of_a_note() -> None:
    found = read(NOTE)
    assert (found.title, found.day, found.topics, found.byline) == (
        "Why A Ferry Waits",
        date(2026, 5, 4),
        ("Ferries", "Ports"),
        "Vera Lind",
    )
    assert found.body_markdown == (
        "The ferry has **waited** since *spring*, says its [owner](https://example.org/owner).\n\n"
        "## The Money\n\n"
        '![A white ferry](ferry.png "The ferry on May 3, 2026. (Credit: Example Agency)")\n\n'
        "A raw paragraph.\n\n"
        "### Too Deep\n\n"
        "- one\n- two\n  1. deeper\n\n"
        "* Year – Boats\n* 2025 – 14\n\n"
        "Gone\\[1\\] struck {{\\< video 1 >}}\n\n"
        "1. A note at the foot."
    )


def test_what_is_left_out_is_listed_with_its_line() -> None:
    found = read(NOTE)
    assert [(item.kind, item.first_line, item.note) for item in found.dropped] == [
        ("front matter key", 6, "layout: post"),
        ("front matter key", 7, "slug: ferry"),
        ("repeat", 9, "the headline again: Why A Ferry Waits"),
        ("embedded page", 19, "https://video.example.org/1"),
        ("remote picture", 32, "https://cdn.example.org/far.png (an import fetches nothing): far"),
        ("comment", 34, "ask Vera"),
        ("footnote that nothing refers to", 39, "[^2]: Nothing refers to this."),
        ("address that nothing refers to", 41, "[unused]: https://example.org/unused"),
    ]
    assert {problem.rule for problem in found.problems} == {"import-table", "import-footnotes", "import-struck", "import-sign"}


def test_the_draft_has_its_front_matter() -> None:
    text = to_draft(read(NOTE), date=date(2026, 5, 4), author="desk")
    assert text.startswith(
        '---\ntitle: "Why A Ferry Waits"\ndate: 2026-05-04\nauthor: "desk"\ntopics: ["Ferries", "Ports"]\n---\n\nThe ferry'
    )


@pytest.mark.parametrize(
    ("front", "title", "day"),
    [
        ('+++\ntitle = "T"\ndate = 2026-05-04T08:00:00Z\n+++\n', "T", date(2026, 5, 4)),
        ("---\nTitle: T\npublished: '2026-05-04'\n...\n", "T", date(2026, 5, 4)),
        ("---\ntitle: [broken\n---\n", "", None),
        ("---\na: &a [x]\nb: *a\n---\n", "", None),
        ("---\nA paragraph between rules.\n\n---\n", "", None),
        ("# T\n\n", "T", None),
    ],
)
def test_front_matter_of_many_tools(front: str, title: str, day: date | None) -> None:
    found = read(front + "A paragraph of words.\n")
    assert (found.title, found.day) == (title, day)
    assert "A paragraph of words." in found.body_markdown
    if not title:
        assert found.problems[0].rule == "import-title"


def test_front_matter_that_cannot_be_read_is_not_lost() -> None:
    found = read("---\ntitle: [broken\n---\nWords.\n")
    assert [(item.kind, item.note) for item in found.dropped] == [("front matter", "title: [broken")]


@pytest.mark.parametrize("text", ["", "---\ntitle: x\n---\n", "> " * 300 + "deep", "<div>\n\nword\n\n" * 200, "- " * 300 + "deep"])
def test_what_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        read(text)


def test_the_name_of_a_code_block_is_listed() -> None:
    found = read("# T\n\nWords.\n\n~~~ python\ncode\n~~~\n")
    assert [(item.kind, item.first_line, item.note) for item in found.dropped] == [("name of a code block", 5, "python")]
    assert found.body_markdown == "Words.\n\ncode"


def test_an_encoding_that_nobody_named_is_not_guessed() -> None:
    with pytest.raises(UsageError, match=r"note\.md:3: the file is not UTF-8"):
        read_markdown(b"# One\n\nna\xefve\n", file="note.md")


def test_levels_begin_at_the_second_and_skip_none() -> None:
    found = read("# Title\n\n### First\n\na\n\n# Second\n\nb\n\n###### Below\n\nc\n")
    assert [line for line in found.body_markdown.split("\n") if line.startswith("#")] == ["## First", "## Second", "### Below"]
