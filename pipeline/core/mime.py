"""Content and one reader -> the bytes of a message. Pure: the same arguments give the same bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime

from pipeline.core.headers import address_value, list_headers, mailbox, message_id_value, single_line, unstructured
from pipeline.core.message import Content

MAX_LINE = 998
"""Octets in a line without its CRLF (RFC 5322 section 2.1.1)."""

_WANTED_LINE = 78
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_LAST = "Content-Type"


def compose(content: Content, *, to: str, unsubscribe_url: str, message_id: str, date: datetime) -> bytes:
    """One reader's message: RFC 5322 and 2045, CRLF, multipart/alternative with the text first, UTF-8 throughout.

    ``message_id`` is ``x@y`` with or without angle brackets; ``date`` must be aware. Raises ValueError when a value does
    not fit its header (line breaks above all). All headers are ASCII unless an address has a non-ASCII local part, which
    only RFC 6532 can express.
    """
    headers = message_headers(content, to=to, unsubscribe_url=unsubscribe_url, message_id=message_id, date=date)
    return assemble(headers.items(), text=content.text, html=content.html)


def message_headers(content: Content, *, to: str, unsubscribe_url: str, message_id: str, date: datetime) -> dict[str, str]:
    """All header values of one reader's message but MIME's own, in order and unfolded. Raises ValueError as ``compose``."""
    if date.tzinfo is None:
        raise ValueError("Date needs an aware datetime")
    return {
        "From": mailbox("From", content.from_name, content.from_address),
        "To": address_value("To", to),
        "Subject": unstructured("Subject", content.subject),
        "Date": format_datetime(date),
        "Message-ID": message_id_value(message_id),
        **list_headers(content, unsubscribe_url),
    }


def assemble(headers: Iterable[tuple[str, str]], *, text: str | None, html: str | None) -> bytes:
    """A message from finished header values (unfolded, see ``core.headers``) and its alternatives.

    MIME-Version and Content-Type are added here. Raises ValueError when a header has a line break, a bad name, or a
    word too long for a line.
    """
    parts = [_part(kind, body) for kind, body in (("plain", text), ("html", html)) if body is not None]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
    boundary = f"=_{digest}"  # "=_" can be in neither base64 nor quoted-printable (RFC 2045 section 6.7)
    head = [fold(name, value) for name, value in headers]
    head += [fold("MIME-Version", "1.0"), fold(_LAST, f'multipart/alternative; boundary="{boundary}"')]
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts)
    return b"".join(head) + b"\r\n" + body + mark + b"--\r\n"


def fold(name: str, value: str) -> bytes:
    """One header with its CRLF, folded before spaces so that lines stay within 78 characters where words allow it."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("a header name holds a character outside RFC 5322")
    words = single_line(name, value).split(" ")
    lines = [f"{name}: {words[0]}"]
    for word in words[1:]:
        if word and len(lines[-1]) + 1 + len(word) > _WANTED_LINE:
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    octets = [line.encode() for line in lines]
    if any(len(line) > MAX_LINE for line in octets):
        raise ValueError(f"{name} has a word longer than a line may be")
    return b"\r\n".join(octets) + b"\r\n"


def _part(kind: str, body: str) -> bytes:
    encoding, encoded = _smaller_encoding(_LINE_END.sub("\n", body).encode())
    return f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode() + encoded


def _smaller_encoding(body: bytes) -> tuple[str, bytes]:
    """Text with LF line ends in the shorter of the two 7-bit encodings; Latin text gains from one, the rest from the other."""
    quoted = binascii.b2a_qp(body, istext=True).replace(b"\n", b"\r\n")
    # Text is encoded in its canonical form, with CRLF (RFC 2045 section 6.8). 57 octets make a line of 76.
    based = base64.encodebytes(body.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    return ("quoted-printable", quoted) if len(quoted) <= len(based) else ("base64", based)
