"""A form as Mailgun takes it -> a Call, or the sentence with which it is refused. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from email.utils import getaddresses, parseaddr

from pipeline.core.address import AddressRefused, parse_address
from pipeline.core.message import InlinePicture
from pipeline.providers.sandbox.store import Call

MAX_RECIPIENTS = 1000
OPTIONS_LIMIT = 16 * 1024
INVALID_TO = "'to' parameter is not a valid address. please check documentation"
"""Word for word what Mailgun says; it does not say which address."""

_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]{1,200}@[A-Za-z0-9.-]{1,200}")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,100}")
_TAKEN = frozenset({"from", "to", "subject", "html", "text", "recipient-variables"})
# Options that change nothing about what arrives; any other is refused rather than ignored.
_IGNORED = frozenset({"o:tracking", "o:tracking-opens", "o:tracking-clicks", "o:dkim", "o:testmode", "o:require-tls"})


class Rejected(Exception):
    """The call is answered with 400 and this text."""


def read_call(fields: Sequence[tuple[str, str]], *, domain: str, fallback_id: str, files: Sequence[tuple[str, InlinePicture]] = ()) -> Call:
    """Checks a form in Mailgun's order and turns it into a Call; ``files`` by field. Raises Rejected.

    ``fallback_id`` is the message id for a call without ``h:Message-Id``, without angle brackets.
    """
    one = dict(fields)
    _check_known(one)
    if other := next((field for field, _ in files if field != "inline"), None):
        raise Rejected(f"the sandbox does not know the parameter '{other}' and will not ignore it")
    if bad := next((file.content_id for _, file in files if not _CONTENT_ID.fullmatch(file.content_id)), None):
        raise Rejected(f"the inline file {bad[:80]!r} has a name that is no Content-ID")
    if bad := next((file.content_id for _, file in files if not re.fullmatch(r"image/[a-z0-9.+-]{1,40}", file.media_type)), None):
        raise Rejected(f"the inline file {bad[:80]!r} is no picture")
    if not one.get("from"):
        raise Rejected("from parameter is missing")
    if not _is_address(parseaddr(one["from"])[1]):
        raise Rejected("'from' parameter is not a valid address. please check documentation")
    addresses = _addresses([value for name, value in fields if name == "to"])
    if not one.get("html") and not one.get("text"):
        raise Rejected("Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")
    options = [(name, value) for name, value in fields if name[:2] in ("o:", "h:", "v:", "t:")]
    if sum(len(name.encode()) + len(value.encode()) for name, value in options) > OPTIONS_LIMIT:
        raise Rejected("Send options (parameters starting with o:, h:, v: or t:) are limited to 16KB total")
    headers = [(name[2:], value) for name, value in options if name[:2] == "h:"]
    if not all(_HEADER_NAME.fullmatch(name) for name, _ in headers):
        raise Rejected("Header name must be pure ASCII")
    personal = _recipient_variables(one.get("recipient-variables", ""))
    return Call(
        message_id=_message_id(headers, fallback_id),
        domain=domain,
        sender=one["from"],
        subject=one.get("subject", ""),
        html=one.get("html"),
        text=one.get("text"),
        headers=[(name, value) for name, value in headers if name.lower() != "message-id"],
        variables={name[2:]: value for name, value in options if name[:2] == "v:"},
        tags=[value for name, value in options if name == "o:tag"],
        recipients=[(address, personal.get(address, {})) for address in addresses],
        # Without recipient variables it is one mail to all, and each of them sees the others.
        inline=[file for _, file in files],
        to_all="" if personal or len(addresses) == 1 else ", ".join(addresses),
    )


def _check_known(one: Mapping[str, str]) -> None:
    for name in one:
        if name in _TAKEN or name in _IGNORED or name == "o:tag" or name[:2] in ("h:", "v:"):
            continue
        raise Rejected(f"the sandbox does not know the parameter '{name}' and will not ignore it")


def _addresses(values: Sequence[str]) -> list[str]:
    """The bare addresses of all ``to`` fields, each of which may be a list of mailboxes (RFC 5322 section 3.4)."""
    if not any(values):
        raise Rejected("to parameter is missing")
    if any(mark in value for value in values for mark in '",<'):
        values = [address for _, address in getaddresses(values)]
    if len(values) > MAX_RECIPIENTS:
        raise Rejected(f"Too many recipients; max is {MAX_RECIPIENTS}")
    if not all(map(_is_address, values)):
        raise Rejected(INVALID_TO)
    return list(values)


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except AddressRefused:
        return False
    return True


def _recipient_variables(text: str) -> Mapping[str, Mapping[str, str]]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(own, dict) for own in found.values()):
        raise Rejected("recipient-variables is not a valid JSON dictionary of dictionaries")
    return found


def _message_id(headers: Sequence[tuple[str, str]], fallback: str) -> str:
    given = next((value for name, value in headers if name.lower() == "message-id"), "").strip()
    return given.removeprefix("<").removesuffix(">") or fallback
