"""The addresses of imported links: redirects of Google undone, relative ones made whole where the page says its own address."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qs, urljoin, urlsplit

from pipeline.draft.importing.values import Notes, excerpt
from pipeline.draft.links import check_href


def href_of(raw: str, words: str, notes: Notes, *, base: str = "") -> str:
    """The address for a draft; empty when it cannot stand in a mail, and then it is listed. The words stay in any case."""
    address = _unwrapped(" ".join(raw.split()))
    if base and address and not address.startswith("#"):
        with suppress(ValueError):
            address = urljoin(base, address)
    judged = check_href(address)
    if judged.url is None:
        if address.startswith("#"):
            notes.drop("link inside the document", f"{words} ({address})")
        else:
            notes.drop("link", f"{address or 'no address'} ({words})", limit=160)
            notes.warn("import-link", f"{judged.message} (its words “{excerpt(words)}” were kept)", judged.hint)
        return ""
    if judged.rule:
        notes.warn("import-link", judged.message, judged.hint)
    return judged.url


def _unwrapped(address: str) -> str:
    """The address inside a redirect that Google Docs puts around every link."""
    try:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname in ("www.google.com", "google.com") and parts.path == "/url":
            asked = parse_qs(parts.query)
            inner = (asked.get("q") or asked.get("url") or [""])[0]
            return inner if inner.startswith(("http://", "https://", "mailto:", "tel:")) else address
    except ValueError:
        pass
    return address
