"""Content and one reader -> the bytes of a message. Pure: the same arguments give the same bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.utils import format_datetime

from pipeline.core.headers import address_value, list_headers, mailbox, message_id_value, single_line, unstructured
from pipeline.core.message import Content, InlinePicture

MAX_LINE = 998
"""Octets in a line without its CRLF (RFC 5322 section 2.1.1)."""

_WANTED_LINE = 78
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_LAST = "Content-Type"
_CONTENT_ID = re.compile(r"[A-Za-z0-9.!#$&*+=^_`{|}~-]{1,300}@[A-Za-z0-9.-]{1,255}")
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,40}")


def compose(content: Content, *, to: str, unsubscribe_url: str, message_id: str, date: datetime) -> bytes:
    """One reader's message: RFC 5322 and 2045, CRLF, multipart/alternative with the text first, UTF-8 throughout.

    ``message_id`` is ``x@y`` with or without angle brackets; ``date`` must be aware. Raises ValueError when a value does
    not fit its header (line breaks above all). All headers are ASCII unless an address has a non-ASCII local part, which
    only RFC 6532 can express.
    """
    headers = message_headers(content, to=to, unsubscribe_url=unsubscribe_url, message_id=message_id, date=date)
    return assemble(headers.items(), text=content.text, html=content.html, inline=content.inline)


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


def assemble(headers: Iterable[tuple[str, str]], *, text: str | None, html: str | None, inline: Sequence[InlinePicture] = ()) -> bytes:
    """A message from finished header values (unfolded, see ``core.headers``) and its alternatives.

    With ``inline`` pictures the HTML alternative is a multipart/related of itself and them (RFC 2387): a program that
    shows the text never has to look at them. MIME-Version and Content-Type are added here. Raises ValueError when a
    header has a line break, a bad name, or a word too long for a line, or a picture's name does not fit its header.
    """
    parts = [_part(kind, body) for kind, body in (("plain", text), ("html", html)) if body is not None]
    if html is not None and inline:
        parts[-1] = b"\r\n".join(_multipart("related", [parts[-1], *map(_inline_part, inline)], '; type="text/html"'))
    kind, body = _multipart("alternative", parts)
    head = [fold(name, value) for name, value in headers]
    return b"".join(head) + fold("MIME-Version", "1.0") + kind + b"\r\n" + body


def _multipart(subtype: str, parts: Sequence[bytes], parameters: str = "") -> tuple[bytes, bytes]:
    """Parts as one body, and the header that says so."""
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
    boundary = f"=_{digest}"  # "=_" can be in neither base64 nor quoted-printable (RFC 2045 section 6.7)
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return fold(_LAST, f'multipart/{subtype}; boundary="{boundary}"{parameters}'), body


def _inline_part(picture: InlinePicture) -> bytes:
    if not (_CONTENT_ID.fullmatch(picture.content_id) and _FILE_NAME.fullmatch(picture.name) and _IMAGE.fullmatch(picture.media_type)):
        raise ValueError("an inline picture's name does not fit its header")
    head = (
        f"Content-Type: {picture.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-ID: <{picture.content_id}>\r\nContent-Disposition: inline; filename="{picture.name}"\r\n\r\n'
    )
    return head.encode() + base64.encodebytes(picture.data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


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


def encoded_size(body: str) -> int:
    """The octets of a text part's body as ``compose`` writes it."""
    return len(_smaller_encoding(_LINE_END.sub("\n", body).encode())[1])


def _part(kind: str, body: str) -> bytes:
    encoding, encoded = _smaller_encoding(_LINE_END.sub("\n", body).encode())
    return f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode() + encoded


def _smaller_encoding(body: bytes) -> tuple[str, bytes]:
    """Text with LF line ends in the shorter of the two 7-bit encodings; Latin text gains from one, the rest from the other."""
    quoted = binascii.b2a_qp(body, istext=True).replace(b"\n", b"\r\n")
    # Text is encoded in its canonical form, with CRLF (RFC 2045 section 6.8). 57 octets make a line of 76.
    based = base64.encodebytes(body.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    return ("quoted-printable", quoted) if len(quoted) <= len(based) else ("base64", based)
