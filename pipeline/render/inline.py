"""CSS into style attributes, once per edition, with premailer and the guards it needs.

Left alone, premailer fetches stylesheets and ``@import`` targets over the network, drops a lower-case doctype, deletes
``!important`` inside media queries and differs between threads. Each line below answers one of these.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from functools import lru_cache
from threading import Lock
from typing import Any

import cssutils
from premailer import Premailer

from pipeline.errors import TemplateFault

DOCTYPE = "<!DOCTYPE html>"

_ONE_AT_A_TIME = Lock()
"""cssutils serialises through one global object: two threads at once give different white space."""

_READ_BY_CLIENTS = {"address"}
"""Classes that other programs look for: checkers find the postal address by it."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_LINK_HREF = re.compile(r"<a\b[^>]*\shref=", re.IGNORECASE)
_MARK = re.compile(r"__MERGE_[A-Za-z0-9_-]+?__")
_FETCHING = re.compile(r"@import\b|expression\s*\(|url\s*\(\s*[\"']?\s*(?!https:)", re.IGNORECASE)
_LINK_ELEMENT = re.compile(r"<(link|script|iframe|object|embed|form|base)\b", re.IGNORECASE)

cssutils.log.setLevel(logging.CRITICAL)  # it judges by CSS 2.1 and complains about every modern property


class _Refused(Exception):
    """Derived from Exception alone: cssutils swallows OSError and ValueError from a fetcher."""


def _refuse(url: str) -> tuple[str | None, bytes]:
    raise _Refused(url)


class _OfflinePremailer(Premailer):  # type: ignore[misc]
    """Premailer whose CSS parser can reach neither network nor disk."""

    def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:
        return _parsed(css_body, validate)


@lru_cache(maxsize=16)
def _parsed(css: str, validate: bool) -> Any:
    """A sheet read once: parsing is about half of a rendering, and premailer only reads what it gets. Under the lock."""
    return cssutils.CSSParser(fetcher=_refuse, validate=validate).parseString(css)


def inline_css(html: str, *, template: str) -> str:
    """``html`` with the rules of its first style block moved onto the elements.

    A ``<style data-premailer="ignore">`` block survives untouched (media queries, dark mode). Merge marks of the form
    ``__MERGE_x__`` and links must come out as they went in. Not idempotent: the ignore mark is used up, so run it once.
    Raises TemplateFault that names ``template``.
    """
    _check_input(html, template)
    with _ONE_AT_A_TIME:
        try:
            inlined: str = _OfflinePremailer(
                html,
                base_url=None,
                allow_network=False,
                allow_loading_external_files=False,
                keep_style_tags=False,
                strip_important=False,
                remove_classes=False,
                include_star_selectors=False,
                exclude_pseudoclasses=True,
                disable_basic_attributes=["align", "valign", "bgcolor", "width", "height"],
                align_floating_images=False,
                disable_validation=True,
                cache_css_parsing=False,
                preserve_handlebar_syntax=False,
                method="html",
            ).transform(pretty_print=False)
        except _Refused as error:
            raise _fault(
                template, f"its CSS asks for another file ({error})", "Write the rules into the template: a mail loads nothing."
            ) from None
        except Exception as error:  # lxml and cssutils raise families of their own
            raise _fault(template, f"its CSS could not be inlined: {error}", "Look at the rules of its first <style> block.") from error
    _check_output(html, inlined, template)
    return _slimmed(inlined)


def _slimmed(html: str) -> str:
    """``html`` without classes that no rule left in it names, and without blanks between declarations.

    Gmail clips a mail by its weight, and a long issue carries some hundred of each.
    """
    named = set(re.findall(r"\.([A-Za-z_][\w-]*)", " ".join(_STYLE.findall(html)))) | _READ_BY_CLIENTS

    def classes(found: re.Match[str]) -> str:
        kept = [name for name in found[1].split() if name in named]
        return f' class="{" ".join(kept)}"' if kept else ""

    head, body_tag, body = html.partition("<body")
    body = re.sub(r' class="([^"<>]*)"', classes, body)
    return head + body_tag + re.sub(r' style="[^"<>]*"', lambda found: found[0].replace("; ", ";"), body)


def _fault(template: str, message: str, hint: str) -> TemplateFault:
    return TemplateFault(f"templates/{template}: {message}", hint=hint)


def _check_input(html: str, template: str) -> None:
    if not html.startswith(DOCTYPE):
        raise _fault(
            template, f"the mail must begin with {DOCTYPE}, in upper case", "Nothing may stand before it, or clients fall into quirks mode."
        )
    visible = _COMMENT.sub("", html)
    if found := _LINK_ELEMENT.search(visible):
        raise _fault(template, f"<{found[1].lower()}> does not belong in a mail", "Mail clients drop it or ask the network for it.")
    for css in _STYLE.findall(visible):
        if found := _FETCHING.search(css):
            raise _fault(
                template, f"its CSS asks for another file ({found[0]!r})", "Write the rules into the template: a mail loads nothing."
            )


def _check_output(before: str, after: str, template: str) -> None:
    """Inlining must neither lose nor invent anything that reaches the reader."""
    if not after.startswith(DOCTYPE):
        raise _fault(template, "the document type was lost while inlining", "Begin the template with <!DOCTYPE html>.")
    if Counter(_MARK.findall(before)) != Counter(_MARK.findall(after)):
        raise _fault(template, "a merge mark was lost or doubled while inlining", "Keep marks out of CSS and of nested links.")
    links = len(_LINK_HREF.findall(_COMMENT.sub("", before))), len(_LINK_HREF.findall(_COMMENT.sub("", after)))
    if links[0] != links[1]:
        raise _fault(
            template, f"{links[0]} links went in and {links[1]} came out", "A link may not hold a table, a paragraph or another link."
        )
