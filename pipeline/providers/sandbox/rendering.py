"""A stored mail as its reader's mail program gets it: all headers, and the whole message."""

from __future__ import annotations

import re
from datetime import UTC
from email.header import decode_header, make_header
from email.utils import format_datetime, parseaddr

from pipeline.core.headers import mailbox, unstructured
from pipeline.core.mime import assemble
from pipeline.providers.sandbox.store import Mail

_LONGEST_WORD = 800
_LINE_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def all_headers(mail: Mail) -> list[tuple[str, str]]:
    """Every header in the order of the message, values unfolded and encoded as they are on the wire."""
    return [
        ("From", _sender(_one_line(mail.sender))),
        ("To", _one_line(mail.to)),
        ("Subject", unstructured("Subject", _one_line(mail.subject))),
        ("Date", format_datetime(mail.received_at.astimezone(UTC).replace(microsecond=0))),
        ("Message-ID", _fitting("Message-ID", f"<{mail.message_id}>")),
        *((name, _fitting(name, value)) for name, value in mail.headers),
    ]


def whole_message(mail: Mail) -> bytes:
    """The message as bytes (RFC 5322)."""
    return assemble(all_headers(mail), text=mail.text, html=mail.html, inline=mail.inline)


def readable(value: str) -> str:
    """A header value with its encoded words decoded, for people; as it is where they are broken."""
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError):
        return value


def _one_line(value: str) -> str:
    """A reader's own words may hold what no header can; the sandbox shows such mail all the same."""
    return _LINE_BREAKING.sub(" ", value)


def _fitting(name: str, value: str) -> str:
    """The value as it came where a header can carry it so: a long URL must not become encoded words."""
    value = _one_line(value)
    fits = value.isascii() and all(len(word) <= _LONGEST_WORD for word in value.split(" "))
    return value if fits else unstructured(name, value)


def _sender(sender: str) -> str:
    """The From field as it came when it is ASCII, else with its name encoded, as Mailgun does."""
    if _fitting("From", sender) == sender:
        return sender
    name, address = parseaddr(sender)
    try:
        return mailbox("From", name, address)
    except ValueError:
        return unstructured("From", sender)
