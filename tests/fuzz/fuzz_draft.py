"""Any bytes as a draft: Problems with lines of the file, never an exception."""

from __future__ import annotations

from tests.fuzz import holds, seeds

SEEDS = seeds.drafts()[:2]
WORDS = seeds.DRAFT_WORDS


def target(data: bytes) -> None:
    """Reads a draft."""
    holds.a_draft(data)
