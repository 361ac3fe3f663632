"""Days and months in words: which day of the calendar a text means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_ENGLISH = ["Jan(?:uary|\\.)?", "Feb(?:ruary|\\.)?", "Mar(?:ch|\\.)?", "Apr(?:il|\\.)?", "May", "June?", "July?", "Aug(?:ust|\\.)?",
            "Sep(?:tember|t?\\.)?", "Oct(?:ober|\\.)?", "Nov(?:ember|\\.)?", "Dec(?:ember|\\.)?"]  # fmt: skip
_RUSSIAN = ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"]
_DAYS = [
    ("Mon(?:day|\\.)", "[Пп]онедельник(?:а|у|ом|е)?"),
    ("Tue(?:sday|s?\\.)", "[Вв]торник(?:а|у|ом|е)?"),
    ("Wed(?:nesday|s?\\.)", "[Сс]ред(?:а|ы|е|у|ой)"),
    ("Thu(?:rsday|rs?\\.|\\.)", "[Чч]етверг(?:а|у|ом|е)?"),
    ("Fri(?:day|\\.)", "[Пп]ятниц(?:а|ы|е|у|ей)"),
    ("Sat(?:urday|\\.)", "[Сс]уббот(?:а|ы|е|у|ой)"),
    ("Sun(?:day|\\.)", "[Вв]оскресень(?:е|я|ю|ем)"),
]
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_month_en, _month_ru = "|".join(_ENGLISH), "|".join(_RUSSIAN)
_DATE = (
    rf"(?:(?:[Tt]he\s+)?(?P<{{0}}d1>\d{{{{1,2}}}})(?:st|nd|rd|th)?(?:\s+of)?\s+(?P<{{0}}m1>{_month_en}|{_month_ru})"
    rf"|(?P<{{0}}m2>{_month_en})\s+(?:the\s+)?(?P<{{0}}d2>\d{{{{1,2}}}})(?:st|nd|rd|th)?)(?!\d)"
    rf"(?:,?\s+(?P<{{0}}y>\d{{{{4}}}})(?!\d))?"
)
_weekday = "|".join(name for pair in _DAYS for name in pair)
NAMED_DAY = re.compile(rf"\b{_DATE.format('')}|(?:(?P<yc>\d{{4}})年)?(?P<mc>\d{{1,2}})月(?P<dc>\d{{1,2}})[日号]")
"""A day of the year in words: English, Russian, Chinese."""

_BEFORE = re.compile(rf"\b(?P<w>{_weekday})(?:,?\s+of\s+(?:the|this)\s+(?:month|week))?,?\s+\(?(?:on\s+)?{_DATE.format('')}")
_AFTER = re.compile(rf"\b{_DATE.format('')}\s*(?:,\s*(?:an?\s+)?|\(\s*)(?P<w>{_weekday})(?!\w)")
_CHINESE = re.compile(
    r"(?:(?P<y>\d{4})年)?(?P<m2>\d{1,2})月(?P<d2>\d{1,2})[日号]\s*[（(,，]?\s*(?:星期|周|週|礼拜)(?P<w>[一二三四五六日天])"
)


@dataclass(frozen=True, slots=True)
class Named:
    """A day that a text names: where, which, and what weekday the text says it is."""

    start: int
    end: int
    month: int
    day: int
    year: int | None
    weekday: int | None = None

    def on(self, near: date) -> date | None:
        """The day, in the year nearest to ``near`` when the text names none; None when no calendar has it."""
        years = [self.year] if self.year else [near.year - 1, near.year, near.year + 1]
        days = []
        for year in years:
            try:
                days.append(date(year, self.month, self.day))
            except ValueError:
                continue
        return min(days, key=lambda day: abs((day - near).days), default=None)


def named_days(text: str) -> Iterator[Named]:
    """Every day of the year that a text names."""
    for match in NAMED_DAY.finditer(text):
        if match["mc"]:
            yield Named(match.start(), match.end(), int(match["mc"]), int(match["dc"]), int(match["yc"]) if match["yc"] else None)
        else:
            yield _named(match, None)


def weekdays(text: str) -> Iterator[Named]:
    """Every day whose weekday the text names with it."""
    seen = set()
    for pattern in (_BEFORE, _AFTER, _CHINESE):
        for match in pattern.finditer(text):
            said = match["w"]
            number = "一二三四五六日".find(said.replace("天", "日")) if pattern is _CHINESE else _weekday_number(said)
            if match.start("w") not in seen:
                seen.add(match.start("w"))
                yield _named(match, number)


def _weekday_number(said: str) -> int:
    return next(number for number, pair in enumerate(_DAYS) if any(re.fullmatch(one, said) for one in pair))


def _named(match: re.Match[str], weekday: int | None) -> Named:
    found = match.groupdict()
    month, day = found.get("m1") or found["m2"], found.get("d1") or found["d2"]
    number = int(month) if month.isdigit() else _month_number(month)
    start = match.start("w") if weekday is not None else match.start()
    return Named(start, match.end(), number, int(day), int(found["y"]) if found["y"] else None, weekday)


def _month_number(name: str) -> int:
    lists = (_ENGLISH, _RUSSIAN)
    return next(n for names in lists for n, one in enumerate(names, 1) if re.fullmatch(one, name))
