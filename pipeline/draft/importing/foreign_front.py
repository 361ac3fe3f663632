"""The front matter of other tools (Jekyll, Hugo, Obsidian, Ghost): title, day and tags are taken, every other key is listed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import yaml

from pipeline.draft.importing.tidy import Raw
from pipeline.draft.importing.values import Notes

_FENCES = re.compile(
    r"\A(?:---[ \t]*\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*$\n?|\+\+\+[ \t]*\n(?P<toml>.*?)^\+\+\+[ \t]*$\n?)", re.MULTILINE | re.DOTALL
)
_TITLE = ("title",)
_DAY = ("date", "published", "pubdate", "published_at", "publishdate")
_TOPICS = ("tags", "topics", "categories", "keywords")
_AUTHOR = ("author", "authors", "byline")
_LANGUAGE = ("language", "lang", "locale")
_OWN = ("subject", "preheader")
_LARGEST = 100_000


class _NoAliases(yaml.SafeLoader):
    """Reads no references: a few of them inside one another make more text than a machine can hold."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("references are not read")
        return super().compose_node(parent, index)


def read_front(text: str, raw: Raw, notes: Notes) -> tuple[int, str]:
    """Reads the front matter into ``raw``. Gives the line on which the text begins, and the text."""
    match = _FENCES.match(text)
    if match is None:
        return 1, text
    source = match["yaml"] if match["yaml"] is not None else match["toml"]
    if match["yaml"] is not None and not re.search(r"^[^\s#:][^:\n]*:", source, re.MULTILINE):
        return 1, text  # two rules around a paragraph
    body_line = text[: match.end()].count("\n") + 1
    try:
        if len(source) > _LARGEST:
            raise ValueError("it is too long")
        found = yaml.load(source, _NoAliases) if match["yaml"] is not None else tomllib.loads(source)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        notes.drop("front matter", source, 1, limit=200)
        notes.warn("import-front-matter", "the front matter could not be read and was left out", "Write title and date into the draft.", 1)
        return body_line, text[match.end() :]
    _take(found, source, raw, notes)
    return body_line, text[match.end() :]


def _take(found: Mapping[Any, Any], source: str, raw: Raw, notes: Notes) -> None:
    topics: list[str] = []
    for key, value in found.items():
        name, line = str(key).lower(), _line(source, str(key))
        text = "" if isinstance(value, list | dict) or value is None else " ".join(str(value).split())
        if name in _TITLE and text and not raw.title:
            raw.title, raw.title_place = text, line
        elif name in _DAY and raw.day is None and (day := _day(value)) is not None:
            raw.day = day
        elif name in _TOPICS and (words := _words(value)):
            topics += words
        elif name in _AUTHOR and raw.byline is None and (names := _words(value)):
            raw.byline = ", ".join(names)
        elif name in _LANGUAGE and raw.language is None and re.fullmatch(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", text):
            raw.language = text.replace("_", "-")
        elif name in _OWN and text:
            raw.front += ((name, text),)
        elif value not in (None, "", [], {}):
            notes.drop("front matter key", f"{key}: {value}", line, limit=160)
    raw.topics = tuple(dict.fromkeys(topics))


def _line(source: str, key: str) -> int:
    """The line of the file on which a key stands."""
    match = re.search(rf"^[\"']?{re.escape(key)}[\"']?\s*[:=]", source, re.MULTILINE)
    return 2 if match is None else source[: match.start()].count("\n") + 2


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    match = re.match(r"\d{4}-\d{2}-\d{2}(?!\d)", str(value).strip())
    try:
        return date.fromisoformat(match[0]) if match else None
    except ValueError:
        return None


def _words(value: Any) -> list[str]:
    """A list of words, however the tool writes it: a list, or one text with commas."""
    parts = value if isinstance(value, list) else str(value).split(",")
    return [" ".join(str(part).split()) for part in parts if isinstance(part, str | int) and str(part).strip()]
