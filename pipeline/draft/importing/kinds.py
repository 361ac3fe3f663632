"""What kind of document a file is: by its ending and by its first bytes, which must agree."""

from __future__ import annotations

import re
from enum import StrEnum

from pipeline.errors import Refusal


class Kind(StrEnum):
    """The kinds of document that an import reads."""

    PAGE_TEXT = "page text"
    WORD = "Word document"
    HTML = "web page"
    MARKDOWN = "Markdown"


_ENDINGS = {
    "docx": Kind.WORD,
    "html": Kind.HTML,
    "htm": Kind.HTML,
    "xhtml": Kind.HTML,
    "md": Kind.MARKDOWN,
    "markdown": Kind.MARKDOWN,
    "mdown": Kind.MARKDOWN,
    "mkd": Kind.MARKDOWN,
}
_SAVE_AS_DOCX = "Open it in Word or LibreOffice, save it as .docx, and import that."
_FOREIGN_ENDINGS = {
    "doc": "an old Word document",
    "dot": "an old Word document",
    "odt": "an OpenDocument text",
    "rtf": "a rich text file",
    "pages": "a Pages document",
    "docm": "a Word document with macros",
    "dotx": "a Word template",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TEXT_HINT = "Give the file the ending of what it is: .docx, .html, .md, or .txt for the text of a page."


def kind_of(name: str, data: bytes) -> Kind:
    """The kind of a file. Raises Refusal, with what to do, when it is none of ours or is not what its ending says."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    kind = _ENDINGS.get(ending, Kind.PAGE_TEXT)
    _refuse_foreign(name, ending, data)
    if kind is Kind.WORD:
        if not data.startswith(b"PK"):
            raise Refusal(f"{name} ends in .docx but is no Word document", hint=_TEXT_HINT)
        return kind
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise Refusal(f"{name} is a packed file (zip)", hint="Unpack it and import the document in it.")
    if kind is Kind.MARKDOWN and _is_html(data):
        return Kind.HTML
    return kind


def _is_html(data: bytes) -> bool:
    """Whether the bytes begin as a whole web page; a piece of HTML in Markdown does not."""
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    return bool(_HTML.match(re.sub(rb"\A(?:<\?xml.*?\?>|<!--.*?-->|\s)+", b"", start, flags=re.DOTALL)))


def _refuse_foreign(name: str, ending: str, data: bytes) -> None:
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise Refusal(f"{name} is locked with a password", hint="Remove the password in Word (File, Info) and save it.")
        raise Refusal(f"{name} is an old Word document (.doc)", hint=_SAVE_AS_DOCX)
    if start.startswith(b"%PDF-"):
        raise Refusal(f"{name} is a PDF", hint="Import the document it was made from; or copy its text into a .txt file and import that.")
    if start.startswith(b"{\\rtf"):
        raise Refusal(f"{name} is a rich text file", hint=_SAVE_AS_DOCX)
    if b"mimetypeapplication/vnd.oasis.opendocument" in data[:200]:
        raise Refusal(f"{name} is an OpenDocument file", hint=_SAVE_AS_DOCX)
    if ending in _FOREIGN_ENDINGS:
        raise Refusal(f"{name} is {_FOREIGN_ENDINGS[ending]}", hint=_SAVE_AS_DOCX)
    if ending in ("mht", "mhtml", "webarchive"):
        raise Refusal(f"{name} is a web archive", hint="Save the page as 'Webpage, complete' (.html) and import that.")
