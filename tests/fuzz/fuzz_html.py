"""Any bytes as a saved web page."""

from __future__ import annotations

from pipeline.draft.importing.web import read_html
from tests.fuzz import imports, seeds

SEEDS = seeds.pages()
WORDS = seeds.HTML_WORDS


def target(data: bytes) -> None:
    """Imports a page."""
    imports.holds(data, read_html, "f.html")
