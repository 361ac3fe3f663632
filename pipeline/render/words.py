"""The words around an article, a file for each language: ``templates/words/<language>.toml``. Why not gettext: decision 12."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from typing import Any

from jinja2 import Environment, TemplateNotFound

from pipeline.errors import TemplateFault
from pipeline.render.environment import PACKAGED, read, template_fault
from pipeline.render.language import direction

_SLAVIC = frozenset({"be", "bs", "hr", "ru", "sr", "uk"})
_ONE_FORM = frozenset({"id", "ja", "ko", "my", "th", "vi", "yue", "zh"})


def plural(language: str, count: int) -> str:
    """The form a whole number asks for: ``one``, ``few``, ``many`` or ``other`` (CLDR), for the languages we speak."""
    primary = language.lower().split("-")[0]
    if primary in _ONE_FORM:
        return "other"
    if primary not in _SLAVIC:
        return "one" if count == 1 or (primary == "fa" and count == 0) else "other"
    if count % 10 == 1 and count % 100 != 11:
        return "one"
    return "few" if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else "many"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWords:
    """The words of the pages for leaving, and of those that say why there is nothing: the table ``[pages]``."""

    unsubscribe: str
    address: str
    leave_question: str
    #: With ``{newsletter}``.
    leave_press: str
    leave_mistake: str
    leave_title: str
    #: With ``{newsletter}``.
    leave_type: str
    leave_same: str
    left_title: str
    left: str
    #: With ``{newsletter}``.
    left_more: str
    done: str
    done_more: str
    #: With ``{newsletter}``.
    done_still: str
    done_other: str
    onward: str
    all_issues: str
    feed: str
    front: str
    nothing_changed: str
    too_many: str
    bad_link: str
    bad_link_more: str
    no_newsletter: str
    no_newsletter_more: str
    no_page: str
    no_page_more: str
    no_way: str
    no_way_more: str
    too_much: str
    too_much_more: str
    down: str
    down_more: str
    empty: str
    empty_more: str
    unread: str
    unread_more: str
    coming: str
    coming_more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words around an article in one language."""

    language: str
    months: tuple[str, ...]
    digits: str
    #: Ten characters, from nought.
    long_date: str
    #: With ``{year}``, ``{month}``, ``{day}``.
    view: str
    translations: str
    also: str
    by: str
    #: With ``{names}``.
    comma: str
    last: str
    #: Between the last two of several names.
    minutes: Mapping[str, str]
    #: By plural form, each with ``{count}``.
    picture: str
    correction: str
    note: str
    about: str
    #: With ``{newsletter}``.
    legal: str
    reply: str
    write: str
    next: str
    #: With ``{when}``.
    mirrors: str
    why: str
    #: With ``{newsletter}``.
    leave: str
    feed: str
    archive: str
    #: With ``{newsletter}``.
    front: str
    topics: str
    skip: str
    issues: str
    none: str
    stay: str
    join: str
    pages: PageWords

    def number(self, number: int) -> str:
        """A whole number in this language's digits."""
        return str(number).translate({ord("0") + value: digit for value, digit in enumerate(self.digits)})

    def day(self, when: date) -> str:
        """A date in full, as this language writes it; the calendar is the Gregorian one everywhere."""
        return self.long_date.format(year=self.number(when.year), month=self.months[when.month - 1], day=self.number(when.day))

    def names(self, names: Sequence[str]) -> str:
        """Names as a running list: ``A``, ``A and B``, ``A, B and C``."""
        if len(names) < 2:
            return "".join(names)
        return self.comma.join(names[:-1]) + self.last + names[-1]

    def reading_time(self, text: str) -> str:
        """How long ``text`` takes to read, in whole minutes (230 words or 500 Chinese characters a minute)."""
        han = sum(1 for character in text if "\u3400" <= character <= "\u9fff")
        words = len(re.findall(r"[^\W\u3400-\u9fff]+(?:['’-]\w+)*", text))
        count = max(1, round(words / 230 + han / 500))
        form = self.minutes.get(plural(self.language, count), self.minutes["other"])
        return form.format(count=self.number(count))


def words(environment: Environment, language: str) -> Words:
    """The words for a language: its own file, its primary language's, else English. Raises TemplateFault.

    A newsroom's file need only hold what it says differently: the rest comes from the packaged file of that language, so
    that a new version of the program brings its new words along.
    """
    tag = language.lower()
    candidates = [tag, tag.split("-")[0], "en"]
    if direction(language) != direction(candidates[1]):
        del candidates[1]  # ug-Cyrl must not get Arabic letters
    for candidate in candidates:
        name = f"words/{candidate}.toml"
        own, packaged = _text(environment, name), _text(environment, PACKAGED + name)
        if own is None:
            continue
        try:
            return _words(own, packaged or "", candidate)
        except (ValueError, TypeError, KeyError) as error:
            raise template_fault(environment, name, error) from error
    raise AssertionError("English is the last candidate, and packaged")


def _text(environment: Environment, name: str) -> str | None:
    try:
        return read(environment, name)
    except TemplateFault as error:
        if isinstance(error.__cause__, TemplateNotFound):
            return None
        raise


@lru_cache(maxsize=64)
def _words(own: str, packaged: str, language: str) -> Words:
    given, base = tomllib.loads(own), tomllib.loads(packaged)
    pages = base.get("pages", {}) | _table(given.get("pages", {}), "pages")
    table: dict[str, Any] = {"digits": "0123456789"} | base | given | {"pages": pages}
    if isinstance(table.get("minutes"), str):
        table["minutes"] = {"other": table["minutes"]}
    _check(table, {field.name for field in fields(Words)} - {"language"}, "")
    _check(pages, {field.name for field in fields(PageWords)}, "pages.")
    if not isinstance(table["months"], list) or len(table["months"]) != 12:
        raise ValueError("months must be a list of twelve names")
    if len(str(table["digits"])) != 10:
        raise ValueError("digits must be ten characters, from nought to nine")
    minutes = {str(form): str(text) for form, text in _table(table["minutes"], "minutes").items()}
    if "other" not in minutes:
        raise ValueError('minutes needs the form "other"')
    plain = {name: str(value) for name, value in table.items() if name not in ("months", "minutes", "pages")}
    return Words(
        language=language, months=tuple(map(str, table["months"])), minutes=minutes,
        pages=PageWords(**{name: str(value) for name, value in pages.items()}), **plain,
    )  # fmt: skip


def _table(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a table")
    return value


def _check(table: Mapping[str, object], known: set[str], prefix: str) -> None:
    if missing := known - table.keys():
        raise ValueError(f"these words are missing: {', '.join(prefix + name for name in sorted(missing))}")
    if extra := table.keys() - known:
        raise ValueError(f"unknown words: {', '.join(prefix + name for name in sorted(extra))}")
