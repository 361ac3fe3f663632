"""A mail as a light or a dark screen shows it, without asking the browser to pretend."""

from __future__ import annotations

import re

_STYLE = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL | re.IGNORECASE)
_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_PROPERTY = re.compile(r"(?<![\w-])color-scheme\s*:[^;}]*")
_META = re.compile(r'(<meta\s+name="color-scheme"\s+content=)"[^"]*"', re.IGNORECASE)
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


def in_scheme(html: str, scheme: str) -> str:
    """``html`` with its rules for ``light`` or ``dark`` screens always on and the other ones always off."""

    def query(match: re.Match[str]) -> str:
        return "(min-width:0)" if match[1].lower() == scheme else "(max-width:0)"

    def style(match: re.Match[str]) -> str:
        return _PROPERTY.sub(f"color-scheme:{scheme}", _QUERY.sub(query, match[0]))

    return _META.sub(rf'\1"{scheme}"', _STYLE.sub(style, html))


def links_apart(html: str) -> str:
    """``html`` whose links open a tab of their own: inside the preview's frame they would take its place."""
    return _HEAD.sub(lambda match: match[0] + '<base target="_blank">', html, count=1)
