"""Big and odd drafts end in bounded time: twice the text is about twice the work, for every rule and the sheet of facts.

Processor time is compared with processor time of the same rule on half the text, so that a slow machine makes no difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import app
from pipeline.copydesk.facts import gather, printable
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.registry import RULES
from pipeline.flow import drafts, rendering
from tests.copydesk.reading import draft, read

ALLOWED = 3.0
"""Times as long for twice as much; a quadratic rule needs four times."""

QUIET_S = 0.15
"""What takes less is not compared: it ends in time whatever its growth."""

SENTENCE = (
    "On Friday, August 6, the minister of Avaza said that “15 percent” of 20,000 people (some of them new) had left for Osh by 3 p.m. "
)
SHAPES: dict[str, Callable[[int], str]] = {
    "paragraphs": lambda n: (SENTENCE * 5 + "\n\n") * n,
    "one paragraph": lambda n: SENTENCE * 5 * n,
    "links": lambda n: "".join(f"- [Page {number}](https://example.org/{number}?a=1&b=2) of many\n" for number in range(5 * n)),
    "quotes": lambda n: "".join(f"> We said {number}.\n> -- Maria Example, mayor\n\nWords {number}.\n\n" for number in range(n)),
    "headings": lambda n: "".join(f"## Heading {number}\n\nWords.\n\n" for number in range(n)),
    "pictures": lambda n: "".join(f'![A bridge {number}](a{number}.png "The bridge {number}. (Credit: Desk)")\n\n' for number in range(n)),
    "one line of marks": lambda n: "(“[*_`<!" * 50 * n,
    "open brackets": lambda n: "[a](" * 100 * n,
    "capitals": lambda n: "NATO UN EU " * 60 * n,
    "dots": lambda n: ". . .. ?! " * 60 * n,
    "numbers": lambda n: "1,000.5 km 20 % 5$ " * 40 * n,
    "letters": lambda n: "a" * 600 * n,
    "dashes": lambda n: "a-b’c-" * 100 * n,
}


def spent(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def grows(small: Callable[[], object], big: Callable[[], object]) -> bool:
    """Whether the bigger work takes more than it may. A disturbed measurement is made again."""
    for _ in range(3):
        more = spent(big)
        if more < QUIET_S or more < ALLOWED * spent(small):
            return False
    return True


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_text_is_about_twice_the_work(shape: str) -> None:
    make = SHAPES[shape]
    small, big = draft(make(65)), draft(make(130))
    copies: dict[str, Copy] = {}

    def reading(name: str, source: str) -> None:
        copies[name] = read(source)

    slow = ["reading"] if grows(lambda: reading("small", small), lambda: reading("big", big)) else []
    reading("small", small)
    reading("big", big)
    for rule in RULES:
        if grows(lambda: list(rule.look(copies["small"])), lambda: list(rule.look(copies["big"]))):  # noqa: B023 - called at once
            slow.append(rule.id)
    if grows(lambda: printable(gather(copies["small"])), lambda: printable(gather(copies["big"]))):
        slow.append("facts")
    assert slow == []


@pytest.mark.parametrize(
    "text",
    [
        (SENTENCE * 4 + "\n\n") * 3900,
        "".join(f"[Page {number}](https://example.org/{number}) and more.\n\n" for number in range(5000)),
        "> " * 50 + "We will come.\n" + "> " * 50 + "-- Maria Example, mayor\n",
        "\n".join("> " * depth + "We will come." for depth in range(1, 51)),
    ],
    ids=["2 MB", "5000 links", "50 deep", "a stair of 50"],
)
def test_reading_and_checking_ends(root: Path, text: str) -> None:
    path = root / "issues" / "eurasia-briefing" / "2021-09-01-big.md"
    path.write_text(draft(text), "utf-8")
    desk = app.open_desk(app.load_settings(root, {}))
    begun = time.process_time()
    problems = rendering.judged(desk, drafts.read(desk, "eurasia-briefing/2021-09-01-big"))
    assert problems
    assert time.process_time() - begun < 120
