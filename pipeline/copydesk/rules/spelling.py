"""A word that no dictionary has."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind, Passage
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_HIDDEN = "\u00ad\u200b\u2060\ufeff"  # what stands around one of these is a part of a word
_WORD = re.compile(rf"(?<![\w\ufffc.@/{_HIDDEN}])[^\W\d_]+(?:[’'\u200c-][^\W\d_]+)*(?![\w\ufffc@/{_HIDDEN}])(?!\.\w)")
MAX_LETTERS = 40
MAX_SUGGESTED = 5
"""Words of an issue for which suggestions are sought: each takes more than a tenth of a second."""


def _look(copy: Copy) -> Iterator[Finding]:
    return misspelt(copy, lambda word: word[0].islower() or word[0].lower() == word[0].upper())


def misspelt(copy: Copy, wanted: Callable[[str], bool]) -> Iterator[Finding]:
    """Each unknown word once, at its first place. Words of another alphabet than the issue's are left alone."""
    speller = copy.evidence.speller
    if speller is None:
        return
    first: dict[str, tuple[Passage, int]] = {}
    times: Counter[str] = Counter()
    alphabet = _alphabet_of(copy)
    for passage in copy.of(Kind):
        for match in _WORD.finditer(passage.text):
            word = match[0]
            if unicodedata.combining(passage.text[match.end() : match.end() + 1] or " "):
                continue  # a sign on a letter that has no character of its own parts the word here
            if wanted(word) and len(word) <= MAX_LETTERS and _alphabet(word) == alphabet and (word in times or not speller.knows(word)):
                times[word] += 1
                first.setdefault(word, (passage, match.start()))
    for number, (word, (passage, offset)) in enumerate(first.items()):
        near = speller.suggest(word)[:3] if number < MAX_SUGGESTED else ()
        often = f" ({times[word]} times)" if times[word] > 1 else ""
        meant = f"Did you mean {', '.join(near)}? " if near else ""
        yield found(passage, offset, f"{word!r} is not in the dictionary{often}", f"{meant}If it is right, add it to config/words.txt.")


def _alphabet(word: str) -> str:
    return unicodedata.name(word[0], "").partition(" ")[0]


def _alphabet_of(copy: Copy) -> str:
    """The alphabet of most of the text's words."""
    return Counter(_alphabet(match[0]) for passage in copy.passages for match in _WORD.finditer(passage.text)).most_common(1)[0][0]


RULE = Rule(
    id="spelling",
    severity=Severity.WARNING,
    reason="A misspelt word makes readers doubt the next number, too. Capitalised words are names: see `spelling-name`.",
    bad="The governmnet talks.",
    good="The government talks in Lukashin.",
    look=_look,
)
