"""Bytes of a text document -> text: by its mark, by what it says of itself, else UTF-8; never by guessing."""

from __future__ import annotations

import codecs
import re

from pipeline.errors import UsageError

_SAYS = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})"""
    rb"""|\A\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{2,40})""",
    re.IGNORECASE,
)
#: What browsers read when a page names the one on the left (WHATWG Encoding).
_AS_BROWSERS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "iso8859-9": "cp1254", "euc_kr": "cp949"}


def decode(data: bytes, file: str, *, declared: bool) -> str:
    """The text; with ``declared``, in the encoding that a page names in its head. Raises UsageError with the line that cannot be read."""
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif declared and not data.startswith(codecs.BOM_UTF8):
        said = _SAYS.search(data[:4096])
        if said is not None:
            encoding = _known((said[1] or said[2]).decode("ascii"))
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = data[:start].count(b"\n") + 1
        raise UsageError(f"{file}:{line}: the file is not {encoding.upper().removesuffix('-SIG')}",
                         hint="Save it as UTF-8 and import it again.") from None  # fmt: skip
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _known(name: str) -> str:
    try:
        known = codecs.lookup(name).name
        "".encode(known)
    except (LookupError, UnicodeError):
        return "utf-8-sig"
    # a page that could be read as far as its meta element is not UTF-16, whatever it says
    if known.startswith(("utf-16", "utf-32", "utf-8")) or not known.replace("-", "").replace("_", "").isalnum():
        return "utf-8-sig"
    return _AS_BROWSERS.get(known, known)
