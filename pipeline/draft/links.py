"""Addresses of links: what may stand in a mail, and in which spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

import idna

from pipeline.core.address import AddressRefused, parse_address

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_WHOLE = "Write the whole address, beginning with https://."
_HOST = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\.?")
_LOOKS_LIKE_HOST = re.compile(r"([\w-]+\.)+[A-Za-z]{2,}(/.*)?")
# RFC 3986: what may stand unescaped in path and query; % is left alone because it begins an escape already made.
_SAFE = "/:@!$&'()*+,;=-._~%"


@dataclass(frozen=True, slots=True)
class Href:
    """A checked address: ``url`` is None when it may not be linked; ``rule`` is empty when there is nothing to say."""

    url: str | None
    rule: str = ""
    message: str = ""
    hint: str = ""


def check_href(raw: str) -> Href:
    """Judges an address as written in a draft. Whole https:, mailto: and tel: addresses pass; http: becomes https:."""
    text = raw.strip()
    if not text:
        return Href(None, "link-scheme", "the link has no address", _WHOLE)
    if any(ord(character) < 32 or 127 <= ord(character) < 160 or 0xD800 <= ord(character) < 0xE000 for character in text):
        return Href(None, "link-broken", "the link's address holds a control character", _WHOLE)
    shown = text if len(text) <= 80 else text[:79] + "…"
    if text.startswith("#"):
        return Href(None, "link-scheme", f"a mail has no places to jump to: {shown}", "Link to a page, or name the section in words.")
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    if scheme in ("http", "https"):
        return _web(text, shown)
    if scheme == "mailto":
        return _mailto(text, shown)
    if scheme == "tel":
        number = text[4:]
        if re.fullmatch(r"\+?[0-9().-]*[0-9][0-9().-]*", number):
            return Href(f"tel:{number}")
        return Href(None, "link-broken", f"this is not a telephone number: {shown}", "Write  tel:+420123456789.")
    if not scheme and _LOOKS_LIKE_HOST.fullmatch(text):
        return Href(None, "link-scheme", f"the link's address has no https:// in front: {shown}", f"Write https://{shown}.")
    if not scheme:
        return Href(None, "link-scheme", f"the link's address is not whole: {shown}", _WHOLE)
    return Href(None, "link-scheme", f"links of the kind {scheme}: cannot stand in a mail: {shown}", _WHOLE)


def _web(text: str, shown: str) -> Href:
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _ascii_host(parts)
    except ValueError:  # urlsplit and the IDNA codecs raise it for hosts and ports that cannot be
        return Href(None, "link-broken", f"this address cannot be opened: {shown}", "Check its host name.")
    if parts.username is not None or parts.password is not None:
        return Href(None, "link-broken", f"an address with a name and @ in it looks like fraud: {shown}", "Leave out the part up to the @.")
    netloc = host + (f":{port}" if port is not None and port != (80 if parts.scheme == "http" else 443) else "")
    path = quote(parts.path, safe=_SAFE)
    query = "?" + quote(parts.query, safe=_SAFE + "?") if parts.query else ""
    fragment = "#" + quote(parts.fragment, safe=_SAFE + "?") if parts.fragment else ""
    url = f"https://{netloc}{path}{query}{fragment}"
    if parts.scheme == "http":
        return Href(url, "link-http", f"the link is not encrypted: {shown}", f"Check that {url[:80]} opens, and write that.")
    return Href(url)


def _ascii_host(parts: SplitResult) -> str:
    """The host in ASCII (IDNA 2008, UTS 46; else IDNA 2003, which knows some older names). Raises ValueError."""
    host = parts.hostname or ""
    if parts.netloc.rpartition("@")[2].startswith("["):
        if re.fullmatch(r"[0-9a-f:.]+", host):
            return f"[{host}]"
        raise ValueError(host)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            host = host.encode("idna").decode("ascii")
    if not _HOST.fullmatch(host):
        raise ValueError(host)
    return host


def _mailto(text: str, shown: str) -> Href:
    address, mark, query = text[len("mailto:") :].partition("?")
    try:
        address = parse_address(address.strip())
    except AddressRefused as refused:
        return Href(None, "link-broken", f"this is not a mail address: {shown}", str(refused))
    if re.search(r"%0[0ad]", query, re.IGNORECASE):  # would let a reader's mail program add headers
        return Href(None, "link-broken", f"the link's address holds a control character: {shown}", "Leave out %0A and %0D.")
    return Href("mailto:" + quote(address, safe="@+-._~!$'*") + mark + quote(query, safe=_SAFE + "?"))
