"""What a Word document's styles and numbering say about a paragraph: heading, list item, caption, quote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docx.oxml.ns import qn

_HEADING = re.compile(r"heading\s*([1-9])", re.IGNORECASE)
_BULLETS = ("bullet", "none")


@dataclass(frozen=True, slots=True)
class Look:
    """What a paragraph is, by its style."""

    heading: int = 0
    #: 1 to 6; 0 for running text.
    title: bool = False
    caption: bool = False
    quote: bool = False
    contents: bool = False


@dataclass(frozen=True, slots=True)
class Numbering:
    """A list item's place."""

    list: str
    level: int
    ordered: bool
    start: int


class Styles:
    """The style sheet and the numbering of one document."""

    def __init__(self, document: Any) -> None:
        self.by_id = {style.get(qn("w:styleId")): style for style in document.styles.element.iter(qn("w:style"))}
        self.lists: dict[str, Any] = {}
        self.abstract: dict[str, Any] = {}
        for relation in document.part.rels.values():
            if relation.reltype.endswith("/numbering") and not relation.is_external:
                root = relation.target_part.element
                self.lists = {one.get(qn("w:numId")): one for one in root.iter(qn("w:num"))}
                self.abstract = {one.get(qn("w:abstractNumId")): one for one in root.iter(qn("w:abstractNum"))}

    def _chain(self, id: str | None) -> Iterator[Any]:
        """A style and those it is based on; a circle ends."""
        seen: set[str] = set()
        while id is not None and id not in seen and id in self.by_id:
            seen.add(id)
            yield self.by_id[id]
            id = _value(self.by_id[id], "w:basedOn")

    def of(self, paragraph: Any) -> Look:
        """What the paragraph's style makes of it. Built-in styles have English names in every language of Word."""
        properties = paragraph.find(qn("w:pPr"))
        outline = _value(properties, "w:outlineLvl")
        for style in self._chain(_value(properties, "w:pStyle")):
            name = (_value(style, "w:name") or "").strip().lower()
            heading = _HEADING.fullmatch(name)
            if heading is not None:
                return Look(heading=min(int(heading[1]), 6))
            if name in ("title", "caption"):
                return Look(title=name == "title", caption=name == "caption")
            if name in ("quote", "intense quote", "block text"):
                return Look(quote=True)
            if name.startswith("toc "):
                return Look(contents=True)
            outline = outline or _value(style.find(qn("w:pPr")), "w:outlineLvl")
        return Look(heading=min(int(outline) + 1, 6) if outline is not None and outline.isdigit() and int(outline) < 9 else 0)

    def numbering(self, paragraph: Any) -> Numbering | None:
        """The list that the paragraph, or its style, belongs to."""
        properties = paragraph.find(qn("w:pPr"))
        holders = [properties, *(style.find(qn("w:pPr")) for style in self._chain(_value(properties, "w:pStyle")))]
        list_id, level = None, None
        for holder in holders:
            found = None if holder is None else holder.find(qn("w:numPr"))
            list_id = list_id or _value(found, "w:numId")
            level = level or _value(found, "w:ilvl")
        if list_id is None or list_id == "0":
            return None
        depth = int(level) if level is not None and level.isdigit() else 0
        shape = self._level(list_id, depth)
        ordered = (_value(shape, "w:numFmt") or "bullet") not in _BULLETS
        start = _value(shape, "w:start") or "1"
        return Numbering(list_id, depth, ordered, int(start) if start.isdigit() else 1)

    def _level(self, list_id: str, depth: int) -> Any | None:
        abstract = self.abstract.get(_value(self.lists.get(list_id), "w:abstractNumId") or "")
        if abstract is None:
            return None
        return next((one for one in abstract.iter(qn("w:lvl")) if one.get(qn("w:ilvl")) == str(depth)), None)

    def mark(self, run: Any, tag: str) -> bool:
        """Whether a run, or its character style, has a mark such as ``w:b``."""
        properties = run.find(qn("w:rPr"))
        if properties is None:
            return False
        own = properties.find(qn(tag))
        if own is not None:
            return _is_on(own)
        for style in self._chain(_value(properties, "w:rStyle")):
            found = style.find(f"{qn('w:rPr')}/{qn(tag)}")
            if found is not None:
                return _is_on(found)
        return False


def _is_on(element: Any) -> bool:
    return element.get(qn("w:val"), "true") not in ("0", "false", "off", "none")


def _value(holder: Any | None, tag: str) -> str | None:
    """The ``w:val`` of a child."""
    found = None if holder is None else holder.find(qn(tag))
    value = None if found is None else found.get(qn("w:val"))
    return None if value is None else str(value)
