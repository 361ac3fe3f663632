"""Any bytes as a draft, rendered: nothing of an author's is unescaped, every link is in both parts, the mail is well-formed."""

from __future__ import annotations

from tests.fuzz import holds, seeds

SEEDS = seeds.drafts()[:2]
WORDS = seeds.DRAFT_WORDS


def target(data: bytes) -> None:
    """Renders what can be rendered, faulty or not."""
    issue, _ = holds.a_draft(data)
    if issue is not None:
        holds.an_edition(issue)
