"""Any text as the text of a web page."""

from __future__ import annotations

from datetime import date

from pipeline.draft.page.read import DROP_PICTURES, HouseText, apply_pictures, read_page, to_draft
from pipeline.errors import Refusal
from tests.fuzz import imports, seeds

HOUSE = HouseText(newsletter="Eurasia Briefing", outlets=("Example Newsroom",), authors=("The Briefing Desk",), about="", legal_notice="")

SEEDS = seeds.page_texts()
WORDS = (*seeds.DRAFT_WORDS, "GMT", "By ", "Share", "• ", "Updated", "Q: ")


def target(data: bytes) -> None:
    """Imports page text."""
    try:
        page = read_page(data.decode("utf-8", "replace"), house=HOUSE, file="f.txt")
    except Refusal:
        return
    apply_pictures(page, DROP_PICTURES)
    imports.sound(to_draft(page, date=date(2021, 8, 18), pictures=DROP_PICTURES, author=None))
