"""Any bytes as Markdown of another tool."""

from __future__ import annotations

from pipeline.draft.importing.markdown import read_markdown
from tests.fuzz import imports, seeds

SEEDS = (seeds.drafts()[0], *seeds.pages())
WORDS = (*seeds.DRAFT_WORDS, *seeds.HTML_WORDS, "+++\n", "[^1]", "[^1]: ", "{{< x >}}")


def target(data: bytes) -> None:
    """Imports Markdown."""
    imports.holds(data, read_markdown, "f.md")
