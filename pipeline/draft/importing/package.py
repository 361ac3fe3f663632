"""A Word file's zip, looked at before anything opens it: bounded, not encrypted, without document types and entities."""

from __future__ import annotations

import io
import zipfile
import zlib

from pipeline.errors import Refusal

MAX_PARTS = 5_000
MAX_UNPACKED = 200_000_000
MAX_XML = 30_000_000
#: A long book's text is about a tenth of this.
_DAMAGED = "Open it in Word or LibreOffice, save it under another name, and import that."


def check_package(data: bytes, file: str) -> None:
    """Raises Refusal when the package is damaged, locked, too large when unpacked, or no Word document."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            _check(package, file)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError):
        raise Refusal(f"{file} is damaged: it cannot be unpacked", hint=_DAMAGED) from None


def _check(package: zipfile.ZipFile, file: str) -> None:
    parts = package.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise Refusal(f"{file} is locked with a password", hint="Save it without a password and import it again.")
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise Refusal(
            f"{file} is too large when it is unpacked", hint=f"At most {MAX_UNPACKED // 1_000_000} MB: make its pictures smaller."
        )
    names = {part.filename for part in parts}
    if "mimetype" in names and _beginning(package, "mimetype").startswith(b"application/vnd.oasis.opendocument"):
        raise Refusal(f"{file} is an OpenDocument file", hint="Open it in Word or LibreOffice, save it as .docx, and import that.")
    if "[Content_Types].xml" not in names:
        raise Refusal(f"{file} is a packed file (zip), but no Word document", hint="Unpack it and import the document that is in it.")
    for part in parts:
        if part.filename.lower().endswith((".xml", ".rels", ".vml")):
            _check_xml(package, part, file)


def _check_xml(package: zipfile.ZipFile, part: zipfile.ZipInfo, file: str) -> None:
    if part.file_size > MAX_XML:
        raise Refusal(f"{file} is too large: its part {part.filename} has {part.file_size // 1_000_000} MB", hint="Cut it in two.")
    # Bounded by the size that the part claims: zipfile's read() without a number unpacks everything first, and looks then.
    with package.open(part) as stream:
        text = stream.read(part.file_size + 1)
    if b"<!DOCTYPE" in text.replace(b"\0", b"") or b"<!ENTITY" in text.replace(b"\0", b""):
        raise Refusal(f"{file} holds entity definitions, which no word processor writes", hint=_DAMAGED)


def _beginning(package: zipfile.ZipFile, name: str) -> bytes:
    with package.open(name) as stream:
        return stream.read(60)
