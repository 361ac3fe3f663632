"""Inside a Word paragraph: runs with their marks, links and fields, pictures, references to notes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from docx.oxml.ns import qn
from lxml import etree

from pipeline.core.issue import Figure
from pipeline.draft.importing.hrefs import href_of
from pipeline.draft.importing.runs import BREAK, Run
from pipeline.draft.importing.values import Notes
from pipeline.draft.importing.word_styles import Styles

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_VML = "{urn:schemas-microsoft-com:vml}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_WRAPPERS = {qn(f"w:{name}") for name in ("ins", "moveTo", "sdt", "sdtContent", "smartTag", "customXml", "dir", "bdo", "rubyBase", "ruby")}
_PLAIN = {qn("w:tab"): " ", qn("w:ptab"): " ", qn("w:cr"): BREAK, qn("w:noBreakHyphen"): "\u2011"}
_SILENT = {
    qn(f"w:{name}")
    for name in (
        "rPr", "pPr", "sdtPr", "sdtEndPr", "bookmarkStart", "bookmarkEnd", "proofErr", "lastRenderedPageBreak", "softHyphen", "footnoteRef",
        "endnoteRef", "permStart", "permEnd", "smartTagPr", "customXmlPr", "rubyPr", "rt", "separator", "continuationSeparator",
    )
}  # fmt: skip
_HYPERLINK = re.compile(r'^\s*HYPERLINK\s+(?:"([^"]*)"|([^\s\\"]+))')
_SUPERSCRIPT = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_SUBSCRIPT = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


class RunReader:
    """Reads paragraphs of one document; the numbers of its notes go on from one to the next."""

    def __init__(self, part: Any, notes: Notes, embedded: dict[str, bytes], styles: Styles) -> None:
        self.part = part
        self.notes = notes
        self.embedded = embedded
        self.styles = styles
        self.runs: list[Run] = []
        self.figures: list[Figure] = []
        self.href = ""
        self.fields: list[list[str]] = []
        #: Open fields: instruction, link, and what the link was before.
        self.referred: list[tuple[str, str]] = []
        #: Footnotes and endnotes in the order in which the text names them.

    def read(self, paragraph: Any) -> tuple[list[Run], list[Figure]]:
        """The runs of a paragraph, and its pictures."""
        self.runs, self.figures, self.href, self.fields = [], [], "", []
        self._flow(paragraph)
        return self.runs, self.figures

    def _flow(self, parent: Any) -> None:
        for element in parent:
            if element.tag == qn("w:r"):
                self._run(element)
            elif element.tag == qn("w:hyperlink"):
                self._hyperlink(element)
            elif element.tag == qn("w:fldSimple"):
                self._linked(element, _address(element.get(qn("w:instr"), "")))
            elif element.tag in _WRAPPERS:
                self._flow(element)
            elif element.tag not in _SILENT and isinstance(element.tag, str):
                self._unknown(element)

    def _unknown(self, element: Any) -> None:
        words = "".join(node.text or "" for node in element.iter(qn("w:t"), _MATH + "t"))
        kind = "formula" if element.tag.startswith(_MATH) else "unknown part"
        self.notes.drop(kind, words or etree.QName(element).localname)

    def _hyperlink(self, element: Any) -> None:
        relation = self.part.rels.get(element.get(qn("r:id"), ""))
        address = str(relation.target_ref) if relation is not None and relation.is_external else ""
        anchor = element.get(qn("w:anchor"), "")
        self._linked(element, address + (f"#{anchor}" if anchor else ""))

    def _linked(self, element: Any, address: str) -> None:
        words = "".join(node.text or "" for node in element.iter(qn("w:t")))
        before = self.href
        self.href = href_of(address, words, self.notes) if address else before
        self._flow(element)
        self.href = before

    # --- one run -----------------------------------------------------------------

    def _run(self, run: Any) -> None:
        if self.styles.mark(run, "w:vanish"):
            words = "".join(node.text or "" for node in run.iter(qn("w:t")))
            if words.strip():
                self.notes.drop("hidden text", words)
            return
        self._run_parts(run, run)

    def _run_parts(self, run: Any, parent: Any) -> None:
        handlers: dict[str, Callable[[Any, Any], None]] = {
            qn("w:t"): self._words, qn("w:br"): self._break, qn("w:fldChar"): self._field, qn("w:instrText"): self._instruction,
            qn("w:sym"): self._symbol, qn("w:drawing"): self._drawing, qn("w:pict"): self._old_picture, qn("w:object"): self._object,
            qn("w:footnoteReference"): self._reference, qn("w:endnoteReference"): self._reference,
            _MC + "AlternateContent": self._alternative,
        }  # fmt: skip
        for element in parent:
            if element.tag in handlers:
                handlers[element.tag](run, element)
            elif element.tag in _PLAIN:
                self._put(run, _PLAIN[element.tag])
            elif element.tag in _WRAPPERS:
                self._flow(element)
            elif element.tag not in _SILENT and isinstance(element.tag, str):
                self._unknown(element)

    def _put(self, run: Any, text: str) -> None:
        mark = self.styles.mark
        if text.strip() and (mark(run, "w:strike") or mark(run, "w:dstrike")):
            self.notes.warn("import-struck", f"struck-through words were kept: {text.strip()[:40]}", "Delete them, or keep them.")
        self.runs.append(Run(text) if text == BREAK else Run(text, mark(run, "w:b"), mark(run, "w:i"), href=self.href))

    def _words(self, run: Any, element: Any) -> None:
        text = (element.text or "").replace("\n", " ")
        raised = run.find(f"{qn('w:rPr')}/{qn('w:vertAlign')}")
        if raised is not None and re.fullmatch(r"[0-9+-]+", text):
            up = raised.get(qn("w:val")) == "superscript"
            text = text.translate(_SUPERSCRIPT if up else _SUBSCRIPT) if raised.get(qn("w:val")) != "baseline" else text
        if text:
            self._put(run, text)

    def _break(self, run: Any, element: Any) -> None:
        # page and column breaks belong to paper
        self._put(run, BREAK if element.get(qn("w:type"), "textWrapping") == "textWrapping" else " ")

    def _symbol(self, run: Any, element: Any) -> None:
        code = int(element.get(qn("w:char"), "0"), 16)
        if 0x20 < code < 0xD800:
            self._put(run, chr(code))
        else:
            self.notes.drop("symbol", f"a sign of the font {element.get(qn('w:font'), 'unknown')}")

    def _alternative(self, run: Any, element: Any) -> None:
        """The first of several forms of one thing; the others say the same for older programs."""
        choice = element.find(_MC + "Choice")
        if choice is None:
            choice = element.find(_MC + "Fallback")
        if choice is not None:
            self._run_parts(run, choice)

    # --- fields and notes --------------------------------------------------------------

    def _field(self, run: Any, element: Any) -> None:
        match element.get(qn("w:fldCharType")):
            case "begin":
                self.fields.append(["", self.href])
            case "separate" if self.fields:
                address = _address(self.fields[-1][0])
                if address:
                    self.href = href_of(address, "a field", self.notes)
            case "end" if self.fields:
                self.href = self.fields.pop()[1]

    def _instruction(self, run: Any, element: Any) -> None:
        if self.fields:
            self.fields[-1][0] += element.text or ""

    def _reference(self, run: Any, element: Any) -> None:
        kind = "footnotes" if element.tag == qn("w:footnoteReference") else "endnotes"
        self.referred.append((kind, element.get(qn("w:id"), "")))
        self.runs.append(Run(f"[{len(self.referred)}]"))

    def footnotes(self) -> Iterator[tuple[int, list[Any]]]:
        """The notes that were referred to so far: number and paragraphs."""
        roots: dict[str, Any] = {}
        for relation in self.part.rels.values():
            kind = relation.reltype.rpartition("/")[2]
            if kind in ("footnotes", "endnotes") and not relation.is_external:
                parser = etree.XMLParser(resolve_entities=False, no_network=True)
                roots[kind] = etree.fromstring(relation.target_part.blob, parser)
        for number, (kind, id) in enumerate(list(self.referred), 1):
            found = () if kind not in roots else (one for one in roots[kind] if one.get(qn("w:id")) == id)
            yield number, [paragraph for one in found for paragraph in one.iter(qn("w:p"))]

    # --- pictures ------------------------------------------------------------------------

    def _drawing(self, run: Any, element: Any) -> None:
        properties = next(element.iter(_WP + "docPr"), None)
        alt = "" if properties is None else properties.get("descr", "") or properties.get("title", "")
        if next(element.iter(_A + "hlinkClick"), None) is not None:
            self.notes.drop("link around a picture", alt or "a picture")
        blips = list(element.iter(_A + "blip"))
        for blip in blips:
            self._picture(blip.get(qn("r:embed"), ""), blip.get(qn("r:link"), ""), alt)
        words = " ".join("".join(node.text or "" for node in p.iter(qn("w:t"))) for p in element.iter(qn("w:p")))
        if words.strip():
            self.notes.drop("text box", words)
        elif not blips:
            self.notes.drop("drawing", alt or "a drawing or a chart")

    def _old_picture(self, run: Any, element: Any) -> None:
        images = list(element.iter(_VML + "imagedata"))
        for image in images:
            shape = image.getparent()
            self._picture(image.get(qn("r:id"), ""), image.get(qn("r:href"), ""), shape.get("alt", ""))
        words = " ".join("".join(node.text or "" for node in p.iter(qn("w:t"))) for p in element.iter(qn("w:p")))
        if words.strip() or not images:
            self.notes.drop("text box" if words.strip() else "drawing", words or "a drawing")

    def _object(self, run: Any, element: Any) -> None:
        self.notes.drop("embedded object", "a table or a document of another program")

    def _picture(self, embedded: str, linked: str, alt: str) -> None:
        relation = self.part.rels.get(embedded)
        if relation is None or relation.is_external:
            link = self.part.rels.get(linked)
            where = str(link.target_ref) if link is not None and link.is_external else "without a file"
            self.notes.drop("remote picture", f"{where} {alt}")
            return
        source = str(relation.target_part.partname)
        self.embedded[source] = relation.target_part.blob
        self.figures.append(Figure(src=source, alt=" ".join(alt.split()), line=self.notes.place))


def _address(instruction: str) -> str:
    found = _HYPERLINK.match(instruction)
    return "" if found is None else found[1] or found[2]
