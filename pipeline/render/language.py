"""What a language decides about a page: direction, fonts, line height, dates, and the words around the article."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache

from jinja2 import Environment, TemplateNotFound

from pipeline.errors import TemplateFault
from pipeline.render.environment import read, template_fault

_RTL_LANGUAGES = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
_RTL_SCRIPTS = frozenset({"arab", "hebr", "thaa", "syrc", "nkoo"})
_CHINESE = frozenset({"zh", "yue", "wuu"})


def direction(language: str) -> str:
    """``rtl`` or ``ltr`` for a BCP 47 tag; a script subtag (ug-Cyrl) outweighs the language's usual script."""
    primary, *rest = language.lower().split("-")
    script = next((part for part in rest if len(part) == 4 and part.isalpha()), None)
    return "rtl" if (script in _RTL_SCRIPTS if script else primary in _RTL_LANGUAGES) else "ltr"


def text_direction(text: str) -> str | None:
    """The direction most strong characters of ``text`` have (UAX 9 classes L, R, AL), or None when it has none."""
    classes = [unicodedata.bidirectional(character) for character in text]
    left, right = classes.count("L"), classes.count("R") + classes.count("AL")
    return None if left == right == 0 else "rtl" if right > left else "ltr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Typography:
    """Fonts and measures for one script, as CSS values."""

    serif: str
    sans: str
    mso: str
    #: Word falls to Times New Roman on an unknown stack, so it is told one family.
    line_height: str
    #: Unitless.


_LATIN = Typography(
    serif="Georgia,'Times New Roman',serif",
    sans="'Helvetica Neue',Helvetica,Arial,sans-serif",
    mso="Georgia",
    line_height="1.6",
)
_ARABIC = Typography(
    serif="'UKIJ Tuz Tom','Microsoft Uighur','Noto Naskh Arabic',Tahoma,Arial,sans-serif",
    sans="Tahoma,'Noto Sans Arabic',Arial,sans-serif",
    mso="Tahoma",
    line_height="1.8",
)
_HAN = Typography(
    serif="'Songti SC',SimSun,'Noto Serif CJK SC',serif",
    sans="'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif",
    mso="Microsoft YaHei",
    line_height="1.75",
)


def typography(language: str) -> Typography:
    """Fonts and measures for a language."""
    if direction(language) == "rtl":
        return _ARABIC
    return _HAN if language.lower().split("-")[0] in _CHINESE else _LATIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words around an article in one language: ``templates/words/<language>.toml``."""

    language: str
    months: tuple[str, ...]
    long_date: str
    #: With ``{year}``, ``{month}``, ``{day}``.
    view: str
    by: str
    #: With ``{names}``.
    comma: str
    last: str
    #: Between the last two of several names.
    minutes: str
    #: With ``{count}``.
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

    def day(self, when: date) -> str:
        """A date in full, as this language writes it."""
        return self.long_date.format(year=when.year, month=self.months[when.month - 1], day=when.day)

    def names(self, names: Sequence[str]) -> str:
        """Names as a running list: ``A``, ``A and B``, ``A, B and C``."""
        if len(names) < 2:
            return "".join(names)
        return self.comma.join(names[:-1]) + self.last + names[-1]

    def reading_time(self, text: str) -> str:
        """How long ``text`` takes to read, in whole minutes (230 words or 500 Chinese characters a minute)."""
        han = sum(1 for character in text if "\u3400" <= character <= "\u9fff")
        words = len(re.findall(r"[^\W\u3400-\u9fff]+(?:['’-]\w+)*", text))
        return self.minutes.format(count=max(1, round(words / 230 + han / 500)))


def words(environment: Environment, language: str) -> Words:
    """The words for a language: its own file, its primary language's, else English. Raises TemplateFault."""
    tag = language.lower()
    candidates = [tag, tag.split("-")[0], "en"]
    if direction(language) != direction(candidates[1]):
        del candidates[1]  # ug-Cyrl must not get Arabic letters
    for candidate in candidates:
        name = f"words/{candidate}.toml"
        try:
            return _words(read(environment, name), candidate)
        except TemplateFault as error:
            if not isinstance(error.__cause__, TemplateNotFound) or candidate == "en":
                raise
        except (ValueError, TypeError, KeyError) as error:
            raise template_fault(environment, name, error) from error
    raise AssertionError("English is the last candidate")


@lru_cache(maxsize=64)
def _words(text: str, language: str) -> Words:
    table: Mapping[str, object] = tomllib.loads(text)
    known = {field.name for field in fields(Words)} - {"language"}
    if missing := known - table.keys():
        raise ValueError(f"these words are missing: {', '.join(sorted(missing))}")
    if extra := table.keys() - known:
        raise ValueError(f"unknown words: {', '.join(sorted(extra))}")
    months = table["months"]
    if not isinstance(months, list) or len(months) != 12:
        raise ValueError("months must be a list of twelve names")
    plain = {name: str(table[name]) for name in known - {"months"}}
    return Words(language=language, months=tuple(map(str, months)), **plain)
