"""Dictionaries: which one an issue's language has on this machine, and Hunspell over it (decision 15)."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from threading import Lock

import hunspell

from pipeline.copydesk.evidence import Speller
from pipeline.settings import Settings

_BUNDLED = Path(hunspell.__file__).parent / "dictionaries"
"""The binding brings American English."""


class Dictionary:
    """One dictionary with the newsroom's words; safe from several threads."""

    def __init__(self, checker: hunspell.Hunspell, lock: Lock, known: frozenset[str]) -> None:
        self._checker = checker
        self._lock = lock  # Hunspell keeps the last word's state
        self._known = known
        self._lower = frozenset(word.lower() for word in known if word.islower())

    def knows(self, word: str) -> bool:
        """See ``Speller.knows``. A compound is known when its parts are; a possessive when its name is."""
        plain = word.replace("’", "'")
        if self._listed(plain) or self._right(plain):
            return True
        stem = re.sub(r"'s?$", "", plain)
        parts = stem.split("-")
        return (stem != plain or len(parts) > 1) and all(part and (self._listed(part) or self._right(part)) for part in parts)

    def suggest(self, word: str) -> tuple[str, ...]:
        """See ``Speller.suggest``."""
        try:
            with self._lock:
                return tuple(one for one in self._checker.suggest(word.replace("’", "'")) if one)
        except UnicodeEncodeError:
            return ()

    def _listed(self, word: str) -> bool:
        return word in self._known or word.lower() in self._lower

    def _right(self, word: str) -> bool:
        try:
            with self._lock:
                return bool(self._checker.spell(word))
        except UnicodeEncodeError:  # a letter that the dictionary's encoding has not got
            return True


def speller(settings: Settings, language: str) -> Speller | None:
    """The dictionary for a BCP 47 tag; None when there is none, or when what is there is no dictionary."""
    path = _find(settings, language)
    if path is None:
        return None
    opened = _opened(path, path.stat().st_mtime_ns)
    if opened is None:
        return None
    names = [settings.newsroom.name, *(one.name for one in settings.authors.values()), *(one.name for one in settings.newsletters.values())]
    words = settings.known_words | {word for text in (*names, *settings.style.words.values()) for word in re.findall(r"[^\W\d_]+", text)}
    return Dictionary(*opened, frozenset(words))


def _find(settings: Settings, language: str) -> Path | None:
    """The ``.dic`` file for a language, its ``.aff`` beside it.

    ``[spelling.dictionaries]`` decides; else a tag with a region wants that region's dictionary, since another one would call right words
    wrong; else the country that gives the language its name (``ru_RU``), American English, or the first one there is.
    """
    primary, *rest = language.replace("_", "-").split("-")
    region = next((part.upper() for part in rest if len(part) == 2), "")
    chosen = settings.style.spelling.dictionaries
    named = chosen.get(language) or chosen.get(primary)
    there: dict[str, Path] = {}
    for folder in (*(settings.root / folder for folder in settings.style.spelling.folders), _BUNDLED):
        for path in sorted(folder.glob(f"{named or primary}*.dic")):
            if path.with_suffix(".aff").is_file():
                there.setdefault(path.stem, path)
    if named or region:
        return there.get(named or f"{primary}_{region}")
    first = [name for name in (primary, f"{primary}_{primary.upper()}", "en_US") if name in there]
    first += [name for name in there if name.startswith(f"{primary}_")]
    return there[first[0]] if first else None


@lru_cache(maxsize=8)
def _opened(path: Path, changed: int) -> tuple[hunspell.Hunspell, Lock] | None:
    """Hunspell over a file, kept: loading takes a quarter of a second. ``changed`` makes an edited file a new one."""
    try:
        # Hunspell takes whatever it is given; a word list says in its first line how long it is.
        with path.open("rb") as file:
            if not file.readline(64).removeprefix(b"\xef\xbb\xbf").strip()[:1].isdigit():
                return None
        return hunspell.Hunspell(path.stem, hunspell_data_dir=str(path.parent), system_encoding="utf-8"), Lock()
    except OSError:
        return None
