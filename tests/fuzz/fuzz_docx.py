"""Any bytes as a Word document, or as one of its parts: a zip's checksums would keep a fuzzer out of the XML."""

from __future__ import annotations

from pipeline.draft.importing.word import read_word
from tests.fuzz import imports, seeds

PARTS = ("word/document.xml", "word/styles.xml", "word/numbering.xml", "word/_rels/document.xml.rels", "[Content_Types].xml")
SEEDS = (*(bytes([number]) + seeds.part(name) for number, name in enumerate(PARTS)), b"\xff" + seeds.word(), b"")
WORDS = seeds.WORD_WORDS


def target(data: bytes) -> None:
    """Imports a package; the first byte says which part of it the other bytes are."""
    chosen = data[0] if data else 0
    whole = data[1:] if chosen >= len(PARTS) else seeds.package({PARTS[chosen]: data[1:]})
    imports.holds(whole, read_word, "f.docx")
