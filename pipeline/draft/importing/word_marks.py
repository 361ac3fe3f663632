"""Tracked changes and comments of a Word document: nobody has decided about them yet, so an import does not decide either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docx.oxml.ns import qn

from pipeline.draft.importing.values import excerpt
from pipeline.errors import Refusal

_CHANGES = {
    qn("w:ins"): "inserted",
    qn("w:del"): "deleted",
    qn("w:moveFrom"): "moved away",
    qn("w:moveTo"): "moved here",
    qn("w:cellIns"): "table cell inserted",
    qn("w:cellDel"): "table cell deleted",
    qn("w:rPrChange"): "formatting changed",
    qn("w:pPrChange"): "formatting changed",
}
_LISTED = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that waits for a decision."""

    place: int
    words: str
    what: str


def refuse_marks(body: Any, places: Mapping[Any, int], comments: Mapping[str, str], file: str) -> None:
    """Raises Refusal with the place and the first words of every paragraph that has tracked changes or comments."""
    marks = [*_marks(body, places, comments)]
    if not marks:
        return
    listed = [f"  paragraph {mark.place} ({mark.words}): {mark.what}" for mark in marks[:_LISTED]]
    if len(marks) > _LISTED:
        listed.append(f"  and {len(marks) - _LISTED} more")
    hint = "In Word: Review, accept or reject all changes, delete all comments, save. Then import it again."
    raise Refusal("\n".join([f"{file} has tracked changes or comments:", *listed]), hint=hint)


def _marks(body: Any, places: Mapping[Any, int], comments: Mapping[str, str]) -> Iterable[Mark]:
    seen: set[tuple[int, str]] = set()
    for element in body.iter():
        what = _what(element, comments)
        paragraph = _paragraph_of(element) if what else None
        if not what:
            continue
        place = places.get(paragraph, 0)
        if (place, what) not in seen:
            seen.add((place, what))
            yield Mark(place, f"“{_words(paragraph)}”" if paragraph is not None else "between paragraphs", what)


def _what(element: Any, comments: Mapping[str, str]) -> str:
    if element.tag == qn("w:commentReference"):
        said = comments.get(element.get(qn("w:id"), ""), "")
        return "comment" + (f" by {said}" if said else "")
    what = _CHANGES.get(element.tag, "")
    if not what:
        return ""
    author = element.get(qn("w:author"), "")
    words = excerpt("".join(node.text or "" for node in element.iter(qn("w:t"), qn("w:delText"))))
    return what + (f" by {excerpt(author)}" if author else "") + (f": “{words}”" if words else "")


def _paragraph_of(element: Any) -> Any | None:
    while element is not None and element.tag != qn("w:p"):
        element = element.getparent()
    return element


def _words(paragraph: Any) -> str:
    text = "".join(node.text or "" for node in paragraph.iter(qn("w:t"), qn("w:delText")))
    return excerpt(text) or "empty"
