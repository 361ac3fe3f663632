"""A Word document (.docx) -> a draft's parts. python-docx opens it; what each paragraph is, is decided here.

Places are paragraphs, counted from the beginning of the document with those in tables, as a person would count them.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml.ns import qn
from lxml import etree

from pipeline.core.issue import Figure, Paragraph, Quote, SubHeading, plain
from pipeline.draft.figures import split_credit
from pipeline.draft.importing.lists import Lists
from pipeline.draft.importing.package import check_package
from pipeline.draft.importing.runs import Run, inlines
from pipeline.draft.importing.tidy import Raw, captioned, finish
from pipeline.draft.importing.values import DocumentImport, Notes
from pipeline.draft.importing.word_marks import refuse_marks
from pipeline.draft.importing.word_runs import RunReader
from pipeline.draft.importing.word_styles import Styles
from pipeline.errors import Refusal

_BROKEN = (KeyError, ValueError, TypeError, AttributeError, IndexError, LookupError, OSError, EOFError, NotImplementedError, RecursionError)
_UNWRAPPED = {qn("w:sdt"), qn("w:sdtContent"), qn("w:customXml"), qn("w:smartTag"), qn("w:ins"), qn("w:moveTo")}
_SILENT = {qn("w:sectPr"), qn("w:bookmarkStart"), qn("w:bookmarkEnd"), qn("w:proofErr"), qn("w:sdtPr"), qn("w:sdtEndPr"),
           qn("w:permStart"), qn("w:permEnd"), qn("w:customXmlPr")}  # fmt: skip


def read_word(data: bytes, *, file: str) -> DocumentImport:
    """Sorts a .docx. Raises Refusal when it is damaged, locked, too large, or waits for decisions (tracked changes, comments)."""
    check_package(data, file)
    try:
        document = docx.Document(io.BytesIO(data))
        return _Reader(document, file).read()
    except (*_BROKEN, etree.LxmlError, zipfile.BadZipFile, zlib.error) as error:
        hint = "Open it in Word or LibreOffice, save it as .docx under another name, and import that."
        raise Refusal(f"{file} is damaged, or no Word document: {type(error).__name__}", hint=hint) from None


class _Reader:
    def __init__(self, document: Any, file: str) -> None:
        self.document = document
        self.body = document.element.body
        self.notes = Notes(file)
        self.raw = Raw()
        self.places = _places(self.body)
        self.styles = Styles(document)
        self.lists = Lists(self.raw.blocks)
        self.runs = RunReader(document.part, self.notes, self.raw.embedded, self.styles)

    def read(self) -> DocumentImport:
        """The whole document."""
        refuse_marks(self.body, self.places, _comments(self.document), self.notes.file)
        self._flow(self.body)
        self.lists.close()
        self._footnotes()
        self._edges()
        return finish(self.raw, self.notes, unit="paragraph")

    def _flow(self, parent: Any) -> None:
        for element in parent:
            if element.tag == qn("w:p"):
                self._paragraph(element)
            elif element.tag == qn("w:tbl"):
                self._table(element)
            elif element.tag == qn("w:sdt") and _gallery(element) == "Table of Contents":
                self.notes.drop("table of contents", _text(element), self._first_place(element))
            elif element.tag in _UNWRAPPED:
                self._flow(element)
            elif element.tag not in _SILENT and isinstance(element.tag, str):
                self.notes.drop("unknown part", f"{etree.QName(element).localname} {_text(element)}")

    def _first_place(self, element: Any) -> int:
        return next((self.places[one] for one in element.iter(qn("w:p"))), self.notes.place)

    # --- paragraphs ------------------------------------------------------------

    def _paragraph(self, element: Any) -> None:
        place = self.notes.place = self.places[element]
        style = self.styles.of(element)
        runs, pictures = self.runs.read(element)
        content = inlines(runs)
        words = plain(content).strip()
        if style.contents and words:
            self.notes.drop("table of contents", words)
            return
        for figure in pictures:
            self._add(figure)
        if not words:
            return
        numbering = self.styles.numbering(element)
        if style.title and not self.raw.title:
            self.raw.title, self.raw.title_place = words, place
        elif style.heading:
            self._add(SubHeading(level=style.heading, content=content, line=place))
        elif style.caption and self._caption(words):
            return
        elif style.quote:
            self._quote(content, place)
        elif numbering is not None:
            self.lists.add(Paragraph(content=content, line=place), level=numbering.level, ordered=numbering.ordered,
                           key=numbering.list, start=numbering.start)  # fmt: skip
        else:
            self._add(Paragraph(content=content, line=place))

    def _add(self, block: Any) -> None:
        self.lists.close()
        self.raw.blocks.append(block)

    def _caption(self, words: str) -> bool:
        """Gives a caption to the figure before it; False when there is none that waits for one."""
        last = self.raw.blocks[-1] if self.raw.blocks else None
        if not isinstance(last, Figure) or last.caption:
            return False
        caption, credit = split_credit(captioned(words))
        self.raw.blocks[-1] = Figure(src=last.src, alt=last.alt, caption=caption, credit=credit, line=last.line)
        return True

    def _quote(self, content: Any, place: int) -> None:
        """Neighbouring paragraphs in a quotation's style are one quote; a last one that begins with a dash is its source."""
        last = self.raw.blocks[-1] if self.raw.blocks and not self.lists.open else None
        words = plain(content)
        said = re.sub(r"^\s*(?:--+|[—–―])\s*", "", words)
        if isinstance(last, Quote) and not last.attribution and last.line + len(last.paragraphs) == place:
            if said != words:
                self.raw.blocks[-1] = Quote(paragraphs=last.paragraphs, attribution=said, line=last.line)
            else:
                self.raw.blocks[-1] = Quote(paragraphs=(*last.paragraphs, content), line=last.line)
            return
        self._add(Quote(paragraphs=(content,), line=place))

    # --- tables ------------------------------------------------------------------

    def _table(self, table: Any) -> None:
        """A table that only places things is unwrapped; one of data becomes one list item a row: a mail has no tables."""
        rows = [list(_inside(row, qn("w:tc"))) for row in _inside(table, qn("w:tr"))]
        if all(len(row) <= 1 for row in rows) or next(table.iter(qn("w:drawing"), qn("w:pict")), None) is not None:
            for row in rows:
                for cell in row:
                    self._flow(cell)
            return
        place = self._first_place(table)
        self.lists.close()
        for row in rows:
            self._row(row, place)
        self.lists.close()
        self.notes.warn("import-table", f"a table of {len(rows)} rows became a list, one item a row",
                        "A mail has no tables: write the figures that matter into a sentence.", place)  # fmt: skip

    def _row(self, row: list[Any], place: int) -> None:
        runs: list[Run] = []
        for cell in row:
            for paragraph in cell.iter(qn("w:p")):
                self.notes.place = self.places[paragraph]
                found, _ = self.runs.read(paragraph)
                if inlines(found):
                    runs += [Run(" – ")] * bool(runs) + list(found)
        content = inlines(runs)
        if content:
            self.lists.add(Paragraph(content=content, line=self.notes.place), level=0, ordered=False, key=f"table {place}", start=1)

    # --- what stands outside the text ----------------------------------------------

    def _footnotes(self) -> None:
        """Footnotes that the text refers to, in the order of their numbers, as paragraphs at the end."""
        notes = list(self.runs.footnotes())
        for number, paragraphs in notes:
            for index, element in enumerate(paragraphs):
                found, pictures = self.runs.read(element)
                content = inlines([Run(f"[{number}] ")] * (index == 0) + list(found))
                for figure in pictures:
                    self._add(figure)
                if content:
                    self._add(Paragraph(content=content, line=self.notes.place))
        if notes:
            self.notes.warn("import-footnotes", f"{len(notes)} footnotes stand at the end of the draft", "Work them into the text.")

    def _edges(self) -> None:
        """Headers and footers of the pages belong to paper; they are listed."""
        seen: set[str] = set()
        for section in self.document.sections:
            for name, part in (("page header", section.header), ("page footer", section.footer),
                               ("page header", section.first_page_header), ("page footer", section.first_page_footer)):  # fmt: skip
                if part.is_linked_to_previous:
                    continue
                words = " ".join(filter(None, (_text(element).strip() for element in part._element.iter(qn("w:p")))))
                if words and words not in seen:
                    seen.add(words)
                    self.notes.drop(name, words, 1)


def _places(body: Any) -> dict[Any, int]:
    """The number of each paragraph; those of a text box have the number of the paragraph that it hangs on."""
    places: dict[Any, int] = {}
    count = 0
    for paragraph in body.iter(qn("w:p")):
        outer = next(paragraph.iterancestors(qn("w:p")), None)
        if outer is None:
            count += 1
        places[paragraph] = count if outer is None else places[outer]
    return places


def _inside(parent: Any, tag: str) -> Iterator[Any]:
    """The rows of a table or the cells of a row, also those inside content controls."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _UNWRAPPED:
            yield from _inside(child, tag)


def _gallery(element: Any) -> str:
    found = element.find(f"{qn('w:sdtPr')}/{qn('w:docPartObj')}/{qn('w:docPartGallery')}")
    return "" if found is None else str(found.get(qn("w:val"), ""))


def _text(element: Any) -> str:
    return "".join(node.text or "" for node in element.iter(qn("w:t")))


def _comments(document: Any) -> dict[str, str]:
    """Author and words of each comment, by its id."""

    def parts() -> Iterator[Any]:
        for relation in document.part.rels.values():
            if relation.reltype.endswith("/comments") and not relation.is_external:
                yield etree.fromstring(relation.target_part.blob, etree.XMLParser(resolve_entities=False, no_network=True))

    return {
        one.get(qn("w:id"), ""): f"{one.get(qn('w:author'), '')}: “{_text(one)[:60]}”"
        for part in parts()
        for one in part.iter(qn("w:comment"))
    }
