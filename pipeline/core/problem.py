"""A finding about a draft or another file a person wrote. Data, never an exception."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a Problem is: an error stops an edition, a warning does not, a note is for whoever has time."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding: which rule, where, what, and what to do."""

    rule: str
    #: The rule's id in kebab-case, e.g. ``image-alt``.
    severity: Severity
    file: str
    #: Path as the person knows it (relative to the newsroom where possible).
    line: int
    #: 1-based line in ``file``.
    message: str
    hint: str = ""
    column: int = 1
    #: 1-based, in characters; 1 also where only the line is known.
    fixable: bool = False
    #: Whether ``briefing check --fix`` makes the repair.

    def __post_init__(self) -> None:
        """Quoted words may turn the line around or speak to the terminal: such characters are shown as their numbers."""
        object.__setattr__(self, "message", _legible(self.message))
        object.__setattr__(self, "hint", _legible(self.hint))

    def as_json(self) -> dict[str, str | int | bool]:
        """The same as a JSON object."""
        return asdict(self)

    @property
    def place(self) -> str:
        """``file:line``, and the column where it says more than the line's beginning."""
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column > 1 else "")

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.message} [{self.rule}]"


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _legible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        f"U+{ord(character):04X}"
        if character in _TURNING or (unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in "\n\t")
        else character
        for character in text
    )


def has_errors(problems: tuple[Problem, ...] | list[Problem]) -> bool:
    """Whether any Problem forbids an edition."""
    return any(problem.severity is Severity.ERROR for problem in problems)
