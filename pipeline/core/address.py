"""Mail addresses: what is accepted, and the one form under which two spellings count as the same reader."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from email_validator import EmailNotValidError, validate_email

MAX_OCTETS = 254
"""RFC 5321 section 4.5.3.1.3 less the angle brackets (RFC 3696 erratum 1690)."""

_PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")

_LOOKS_LIKE_ONE = re.compile(r"[^\s'\"<>(),;:\[\]{}]+@[^\s'\"<>(),;:\[\]{}]+")
_LONGEST_DETAIL = 300


class AddressRefused(ValueError):
    """An address that cannot be mailed; the text says why without repeating the address."""


def parse_address(text: str) -> str:
    """The address in the form in which it is mailed: local part as typed, domain in lower case (IDN in ASCII).

    Follows RFC 5321 and 6531 through email-validator, without any look-up on the network. Raises AddressRefused.
    """
    text = text.strip()
    # Most addresses are plain; the full grammar costs ten times as much, which counts in an import of 100,000.
    if len(text) <= MAX_OCTETS and _PLAIN.fullmatch(text) and text.index("@") <= 64 and "xn--" not in text.lower():
        local, _, domain = text.partition("@")
        return f"{local}@{domain.lower()}"
    text = unicodedata.normalize("NFC", text)
    if not text:
        raise AddressRefused("the address is empty")
    if any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in text):
        raise AddressRefused("the address holds a control character")
    if len(text.encode()) > MAX_OCTETS:
        raise AddressRefused(f"the address is longer than {MAX_OCTETS} octets")
    if text.count("@") > 1 and '"' not in text:
        raise AddressRefused("there is more than one @ (one address a field)")
    try:
        valid = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise AddressRefused(_without_address(str(error), text)) from None
    return f"{valid.local_part}@{valid.ascii_domain}"


def without_addresses(text: str) -> str:
    """The text on one line, shortened, with every mail address replaced: it goes to logs, rows and screens."""
    return " ".join(_LOOKS_LIKE_ONE.sub("[address]", text).split())[:_LONGEST_DETAIL] or "nothing"


def address_key(address: str) -> str:
    """The normalised form that identifies a reader: NFKC and lower case. Two spellings with one key are one reader."""
    return (address if address.isascii() else unicodedata.normalize("NFKC", address)).lower()


def address_keys(addresses: Sequence[str]) -> list[str]:
    """``address_key`` of many addresses, in their order."""
    text = "\n".join(addresses)
    if text.isascii() and text.count("\n") == len(addresses) - 1:
        return text.lower().split("\n")
    return list(map(address_key, addresses))


def _without_address(reason: str, address: str) -> str:
    """The library's reason, which may quote the address, without it: reasons go to logs and reports."""
    reason = reason.replace(address, "it").rstrip(".")
    return reason[:1].lower() + reason[1:]
