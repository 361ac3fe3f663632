"""Header values that are safe to write: one physical form for the message composer and for provider interfaces.

Every function gives the value unfolded and in ASCII (save a non-ASCII local part, RFC 6532), with the places where it
may be folded as single spaces. None of them lets a control character through, so no value can start a header of its own.
"""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from pipeline.core.message import Content

ONE_CLICK = "List-Unsubscribe=One-Click"
"""The only value RFC 8058 allows in ``List-Unsubscribe-Post``."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_URL_CHARACTERS = "!#$%&'()*+,-./:;=?@[]_~"
# Unicode categories Cc, Zl and Zp: CR and LF, and what some parsers take for them.
_LINE_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Nothing to check or to quote in a URL of this form.
_PLAIN_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:/(?:[A-Za-z0-9!#$&'()*+,./:;=?@_~-]|%[0-9A-Fa-f]{2})*)?")
_PLAIN_ADDRESSES = re.compile(r"(?:[A-Za-z0-9._+-]+@[A-Za-z0-9._+-]+\n)*").fullmatch
_PLAIN_START = re.compile(r"\nhttps://[A-Za-z0-9.-]+(?::\d+)?/")
_ALPHANUMERIC = string.ascii_letters.encode() + string.digits.encode()
_PLAIN_URL_OCTETS = _ALPHANUMERIC + b"!#$&'()*+,./:;=?@_~-\n"
_ADDRESS = re.compile(r"[^\s<>(),:;\\\"\[\]@]+@[^\s<>(),:;\\\"\[\]@]+")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LIST_ID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_MESSAGE_ID = re.compile(r"[!-;=?A-~]{1,240}@[!-;=?A-~]{1,240}")
# RFC 2047 section 5 (3): what may stand for itself in an encoded word inside a display name, so it may anywhere.
_Q_PLAIN = {byte: chr(byte) for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"} | {0x20: "_"}
_Q_ROOM = 62  # of an encoded word's 75 characters (RFC 2047 section 2), less its frame of 12 and one to spare
_B_ROOM = 45  # octets: 60 characters of base64


def plain_urls(urls: Sequence[str]) -> bool:
    """Whether there is nothing to check or to quote in URLs of one server: looked at as one text, since a batch has a thousand."""
    text = "".join(f"\n{url}" for url in urls)
    start = _PLAIN_START.match(text)
    if start is None or not text.isascii() or not text.count(start[0]) == text.count("\n") == len(urls):
        return not urls
    return not text.encode().translate(None, _PLAIN_URL_OCTETS)


def plain_addresses(addresses: Sequence[str]) -> bool:
    """Whether there is nothing to check in addresses: letters, digits and ``._+-`` on both sides of one ``@``."""
    text = "".join(f"{address}\n" for address in addresses)
    return text.count("\n") == len(addresses) and _PLAIN_ADDRESSES(text) is not None


def single_line(header: str, value: str) -> str:
    """The value itself; ValueError when it holds a control character or a line or paragraph separator."""
    if _LINE_BREAKING.search(value):
        raise ValueError(f"{header} holds a control character or a line break")
    return value


def encoded_words(text: str) -> str:
    """The text as RFC 2047 encoded words in UTF-8, each at most 75 characters, parted by single spaces."""
    as_q = ["".join(_Q_PLAIN.get(byte, f"={byte:02X}") for byte in character.encode()) for character in text]
    if sum(map(len, as_q)) * 3 <= len(text.encode()) * 4:
        return " ".join(f"=?utf-8?q?{word}?=" for word in _grouped(as_q, as_q, _Q_ROOM))
    octets = [character.encode().hex() for character in text]
    words = _grouped(list(text), octets, 2 * _B_ROOM)
    return " ".join(f"=?utf-8?b?{base64.b64encode(word.encode()).decode()}?=" for word in words)


def unstructured(header: str, value: str) -> str:
    """Free text such as a subject: as it is when plain ASCII can carry it unharmed, otherwise encoded words."""
    single_line(header, value)
    # Spaces at the ends or in runs do not survive folding, and "=?" would be decoded by the reader's program.
    plain = value.isascii() and "=?" not in value and value == value.strip(" ") and "  " not in value
    if plain and all(len(word) <= 76 - len(header) for word in value.split(" ")):
        return value
    return encoded_words(value)


def mailbox(header: str, name: str, address: str) -> str:
    """``name <address>`` (RFC 5322 section 3.4), or the bare address when there is no name."""
    single_line(header, name)
    if not name:
        return address_value(header, address)
    return f"{_phrase(name)} <{address_value(header, address)}>"


def address_value(header: str, address: str) -> str:
    """One addr-spec; ValueError when it is more than that. The address is never part of the error."""
    if not _ADDRESS.fullmatch(single_line(header, address)):
        raise ValueError(f"{header} is not one plain mail address")
    return address


def url_value(header: str, url: str) -> str:
    """The URL in angle brackets, in ASCII (RFC 3987 section 3.1).

    ValueError unless it is https; plain http is let through for this machine alone, for demonstrations.
    """
    if _PLAIN_URL.fullmatch(url):
        return f"<{url}>"
    parts = urlsplit(single_line(header, url))
    host = parts.hostname or ""
    if not host.isascii() or not host:
        raise ValueError(f"{header}: the URL needs a host, in ASCII (xn--...)")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise ValueError(f"{header}: the URL is not https")
    if re.search(r"[\s<>]", url):
        raise ValueError(f"{header}: the URL holds a space or an angle bracket")
    # Never an encoded word and never folded: mail programs do not look inside either for an address.
    return f"<{quote(url, safe=_URL_CHARACTERS)}>"


def message_id_value(message_id: str) -> str:
    """The identifier in angle brackets; ``x@y`` with or without them goes in."""
    bare = message_id[1:-1] if message_id.startswith("<") and message_id.endswith(">") else message_id
    if not _MESSAGE_ID.fullmatch(bare):
        raise ValueError("Message-ID is not of the form x@y in ASCII")
    return f"<{bare}>"


def list_headers(content: Content, unsubscribe_url: str) -> dict[str, str]:
    """What tells a mail program that this is a list and how to leave it, with where the issue can be read.

    RFC 2919 (List-Id), RFC 2369 and 8058 (List-Unsubscribe and its one click, List-Archive), RFC 5064 (Archived-At),
    RFC 3282 (Content-Language). Reply-To, Archived-At and List-Archive are left out when the content has none. ValueError
    on a bad value.
    """
    if not _LIST_ID.fullmatch(content.list_id):
        raise ValueError("List-Id is not a dotted name such as briefing.example.org")
    if not _LANGUAGE.fullmatch(content.language):
        raise ValueError("Content-Language is not a BCP 47 tag")
    name = single_line("List-Id", content.list_name)
    headers = {
        "List-Id": f"{_phrase(name)} <{content.list_id}>" if name else f"<{content.list_id}>",
        "List-Unsubscribe": url_value("List-Unsubscribe", unsubscribe_url),
        "List-Unsubscribe-Post": ONE_CLICK,
        "Content-Language": content.language,
    }
    if content.reply_to:
        headers["Reply-To"] = address_value("Reply-To", content.reply_to)
    if content.archive_url:
        headers["Archived-At"] = url_value("Archived-At", content.archive_url)
    if content.list_archive_url:
        headers["List-Archive"] = url_value("List-Archive", content.list_archive_url)
    return headers


def _phrase(name: str) -> str:
    """A display name: atoms, a quoted string, or encoded words."""
    if _PLAIN_PHRASE.fullmatch(name) and "=?" not in name and max(map(len, name.split(" "))) <= 60:
        return name
    if name.isascii() and "=?" not in name and len(name) <= 60:
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encoded_words(name)


def _grouped(pieces: list[str], costs: list[str], room: int) -> list[str]:
    """Joins pieces, never cutting one, so that the costs of a group fit in the room."""
    groups: list[str] = []
    used = room + 1
    for piece, cost in zip(pieces, costs, strict=True):
        if used + len(cost) > room:
            groups.append("")
            used = 0
        groups[-1] += piece
        used += len(cost)
    return groups
