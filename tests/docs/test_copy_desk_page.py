"""docs/reference/copy-desk.md is the registry: every rule with its severity, reason and examples, in order, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.copydesk.finding import Rule
from pipeline.copydesk.registry import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "copy-desk.md").read_text("utf-8")
LONGEST = 200
"""Characters of an example on the page; what is longer is an example of length."""


def shown(text: str) -> str:
    """An example as the page shows it."""
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition(" ")[0] + " …"


def entry(rule: Rule) -> str:
    """A rule's part of the page; run this file to write them all anew."""
    fixes = " `--fix` repairs it where the repair is certain." if rule.fixes else ""
    examples = f"```\n{shown(rule.bad)}\n```\n\nBetter:\n\n```\n{shown(rule.good)}\n```\n"
    return f"### `{rule.id}`\n\nA {rule.severity.value}. {rule.reason}{fixes}\n\n{examples}".replace("A error", "An error")


def test_the_page_has_every_rule_as_it_is() -> None:
    written = PAGE.partition("## The rules\n\n")[2]
    assert written == "\n".join(entry(rule) for rule in RULES)


def test_the_list_has_every_rule_once() -> None:
    listed = re.findall(r"`([a-z-]+)`", PAGE.partition("## At a glance\n")[2].partition("\n## ")[0])
    assert sorted(listed) == [rule.id for rule in RULES]


if __name__ == "__main__":
    print("\n".join(entry(rule) for rule in RULES), end="")
