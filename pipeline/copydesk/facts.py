"""The sheet for the fact-checker: how long the issue is, and every name, number, date and link in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.copydesk.calendar import DAY_NAMES, MONTH_NAMES, NAMED_DAY, weekdays
from pipeline.copydesk.reading import Copy, Kind, Passage, Place
from pipeline.copydesk.tools import sentences, words
from pipeline.core.issue import Block, Figure, Issue, ListBlock, Paragraph, Quote, Section, SectionKind, SubHeading, plain

WORDS_A_MINUTE = {
    "ar": 138, "de": 179, "en": 228, "es": 218, "fi": 161, "fr": 195, "he": 187, "it": 188, "ja": 357, "nl": 202, "pl": 166, "pt": 181,
    "ru": 184, "sl": 180, "sv": 199, "tr": 166, "zh": 255,
}  # fmt: skip
"""Trauzettel-Klosinski and Dietz, IOVS 53 (2012), table 4; characters for Chinese and Japanese."""

OTHER_WORDS_A_MINUTE = 170
OPENING = "(opening)"

_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀ-ŽА-ЯЁЀ-Џ]"
_NAME_WORD = rf"(?:{_CAPITAL}\.)+|{_CAPITAL}[\w’'-]*(?<![’'-])"
_NAME = re.compile(rf"(?<![\w’])(?:{_NAME_WORD})(?:(?:\s+(?:de|da|al|bin|von|van))?[\s-]+(?:{_NAME_WORD}))*")
_AMOUNT = r"%|percent\b|(?:million|billion|trillion|kilometers|km|млн|млрд|тыс)\b"
_NUMBER = re.compile(rf"(?:[$€£¥]\s?)?(?<![\w.,])\d+(?:[.,:]\d+)*(?:\s?(?:{_AMOUNT}))*")
_OPENERS_LISTED = """
    a after all also an and another as at because before both but by despite during even every few for from he how however if in is it its
    many map meanwhile more most much no none not now on one only or our she since some such that the then there these they this those
    three thus to today two under until we what when where which while who why with yet you your
    в во и из к как на но о он она они по с это
"""
_OPENERS = frozenset(_OPENERS_LISTED.split())
"""What begins a sentence and is no part of the name behind it."""
_YEAR = re.compile(r"(?<![\w.,])(?:1[5-9]|20)\d{2}(?![\w]|[.,]\d)")
_POSSESSIVE = re.compile(r"[’']s?$")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to look up, and everywhere it stands."""

    kind: str
    text: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What the fact-checker gets."""

    issue: str
    title: str
    words: int
    minutes: float
    sections: tuple[tuple[str, int], ...]
    usual: Mapping[str, int]
    #: The words that earlier issues mostly have in a section; sections that they have not are left out.
    facts: tuple[Fact, ...]

    def of(self, kind: str) -> tuple[Fact, ...]:
        """The facts of one kind: name, number, date, link."""
        return tuple(fact for fact in self.facts if fact.kind == kind)

    def as_json(self) -> dict[str, object]:
        """The same as a JSON object."""
        return {
            "issue": self.issue, "title": self.title, "words": self.words, "minutes": round(self.minutes, 1),
            "sections": [{"title": title, "words": count, "usual": self.usual.get(title)} for title, count in self.sections],
            "facts": [
                {"kind": one.kind, "text": one.text, "places": [{"line": at.line, "column": at.column} for at in one.places]}
                for one in self.facts
            ],
        }  # fmt: skip


def counts(issue: Issue) -> dict[str, int]:
    """Words by section: those with a design of their own by kind, since their headings change, the others by heading."""
    out = {OPENING: _count(issue.opening)}
    for section in issue.sections:
        out[_key(section)] = out.get(_key(section), 0) + _count(section.blocks)
    return out


def _key(section: Section) -> str:
    return section.kind.value if section.kind is not SectionKind.PLAIN else plain(section.title).strip()


def gather(copy: Copy, earlier: Sequence[Mapping[str, int]] = ()) -> Sheet:
    """Reads an issue for its facts; ``earlier`` are the ``counts`` of the newsletter's issues before it."""
    usual = {key: round(median([one[key] for one in earlier if key in one])) for key in {key for one in earlier for key in one}}
    sections = [(OPENING, _count(copy.issue.opening))]
    sections += [(plain(one.title).strip() or f"({one.kind.value})", _count(one.blocks)) for one in copy.issue.sections]
    keys = dict(zip((title for title, _ in sections), (OPENING, *map(_key, copy.issue.sections)), strict=True))
    total = sum(count for _, count in sections)
    pace = WORDS_A_MINUTE.get(copy.language, OTHER_WORDS_A_MINUTE)
    dates = [found for passage in copy.passages for found in _dates(passage)]
    facts = [*_names(copy), *_grouped("number", _numbers(copy)), *_grouped("date", [(text, place) for text, place, _ in dates])]
    facts += _grouped("link", [(link.href, link.place) for link in copy.links])
    return Sheet(
        issue=str(copy.issue.id), title=copy.issue.title, words=total, minutes=total / pace,
        sections=tuple((title, count) for title, count in sections if count), facts=tuple(facts),
        usual={title: usual[key] for title, key in keys.items() if usual.get(key)},
    )  # fmt: skip


def printable(sheet: Sheet) -> str:
    """The sheet on paper: a box to tick before each fact."""
    minutes = max(1, round(sheet.minutes))
    out = [sheet.title, sheet.issue, f"{sheet.words} words, about {minutes} minute{'s' if minutes > 1 else ''} to read", ""]
    wide = max((len(title) for title, _ in sheet.sections), default=0)
    for title, count in sheet.sections:
        usual = sheet.usual.get(title)
        out.append(f"  {title:<{wide}}  {count:>5}" + (f"   usually {usual} ({(count - usual) / usual:+.0%})" if usual else ""))
    for kind in ("name", "number", "date", "link"):
        facts = sheet.of(kind)
        out += ["", f"{kind.title()}s ({len(facts)})"]
        for fact in facts:
            lines = ", ".join(str(line) for line in dict.fromkeys(place.line for place in fact.places))
            out.append(f"  [ ] {fact.text}  (line{'s' if ',' in lines else ''} {lines})")
    return "\n".join(out)


def _count(blocks: Sequence[Block]) -> int:
    total = 0
    for block in blocks:
        match block:
            case Paragraph(content=content, label=label):
                total += len(words(f"{label or ''} {plain(content)}"))
            case SubHeading(content=content):
                total += len(words(plain(content)))
            case Figure(caption=caption):
                total += len(words(caption))
            case Quote(paragraphs=paragraphs, attribution=attribution):
                total += sum(len(words(plain(one))) for one in paragraphs) + len(words(attribution))
            case ListBlock(items=items):
                total += sum(_count(item) for item in items)
    return total


def _grouped(kind: str, found: Sequence[tuple[str, Place]]) -> list[Fact]:
    """Equal facts in one, in the order of their first place."""
    places: dict[str, list[Place]] = {}
    for text, place in found:
        places.setdefault(" ".join(text.split()), []).append(place)
    return [Fact(kind, text, tuple(where)) for text, where in places.items()]


def _dates(passage: Passage) -> Iterator[tuple[str, Place, tuple[int, int]]]:
    spans = [(named.start, named.end) for named in weekdays(passage.text)]
    for pattern in (NAMED_DAY, _YEAR):
        for match in pattern.finditer(passage.text):
            if not any(start <= match.start() < end for start, end in spans):
                spans.append(match.span())
    for start, end in sorted(spans):
        yield passage.text[start:end], passage.at(start), (start, end)


def _numbers(copy: Copy) -> list[tuple[str, Place]]:
    out = []
    for passage in copy.passages:
        dated = [span for _, _, span in _dates(passage)]
        for match in _NUMBER.finditer(passage.text):
            if not any(start <= match.start() < end for start, end in dated):
                out.append((match[0].strip(), passage.at(match.start())))
    return out


def _names(copy: Copy) -> list[Fact]:
    """Runs of capitalised words. The first word of a sentence is one only when it has its capital elsewhere, too."""
    found: list[tuple[str, Place, bool]] = []
    for passage in copy.of(frozenset(Kind) - {Kind.TITLE, Kind.SUBJECT, Kind.HEADING}):
        starts = {offset for offset, _ in sentences(passage.text)} | {match.end() for match in re.finditer(r":\s+|[“«\"(]", passage.text)}
        dated = [span for _, _, span in _dates(passage)]
        for match in _NAME.finditer(passage.text):
            label = match.start() == 0 and passage.text[match.end() : match.end() + 1] == ":"
            if label or any(start < match.end() and match.start() < end for start, end in dated):
                continue
            start = match.start() + _opening(match[0])
            name = _POSSESSIVE.sub("", " ".join(passage.text[start : match.end()].split()))
            if len(name) > 1 and name not in (*DAY_NAMES, *MONTH_NAMES):
                found.append((name, passage.at(start), start in starts))
    within = Counter(name for name, _, first in found if not first)
    certain = [(name, place) for name, place, first in found if not first or name in within or " " in name]
    return sorted(_grouped("name", certain), key=lambda fact: fact.text.casefold())


def _opening(text: str) -> int:
    """How many characters at the beginning of a run of capitalised words belong to its sentence, not to a name."""
    length = 0
    for match in re.finditer(r"\S+\s*", text):
        if match[0].strip().casefold() not in _OPENERS:
            break
        length = match.end()
    return length
