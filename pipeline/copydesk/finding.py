"""What a rule says, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.copydesk.reading import Copy
from pipeline.core.problem import Severity


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """A certain repair: on ``line``, the characters from ``column`` up to ``end`` (1-based, exclusive) become ``replacement``."""

    line: int
    column: int
    end: int
    replacement: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule is broken; ``edit`` only where no editor would repair it differently."""

    line: int
    column: int
    message: str
    hint: str = ""
    edit: Edit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the copy desk. ``bad`` and ``good`` are lines of a draft, shown on the rule's page and run by its test."""

    id: str
    severity: Severity
    reason: str
    bad: str
    good: str
    look: Callable[[Copy], Iterable[Finding]]
    fixes: bool = False
    #: Whether some of its findings carry an edit.
