"""Every error a person can meet, on one page.

    BriefingError
    ├── Refusal                 exit 1   the answer is no
    ├── UsageError              exit 2   the command or the configuration is wrong
    │   ├── NewsroomNotFound
    │   ├── ConfigurationError
    │   └── TemplateFault
    └── OutsideFault            exit 3   something outside failed
        ├── DatabaseFault
        ├── DiskFault
        └── ProviderFault
            └── CredentialsRefused

A bad draft is data (``core.problem.Problem``), never one of these.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class BriefingError(Exception):
    """An error that is shown to a person as one message and one hint, never as a traceback."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refusal(BriefingError):
    """The request was understood and the answer is no."""

    exit_code = 1


class UsageError(BriefingError):
    """The command or what it was given is wrong."""

    exit_code = 2


class NewsroomNotFound(UsageError):
    """No newsroom was named and none is above this folder."""


class ConfigurationError(UsageError):
    """A setting is unknown, of the wrong type, or missing."""

    def __init__(self, message: str, *, path: Path | str | None = None, line: int | None = None, hint: str = "") -> None:
        where = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(where + message, hint=hint)
        self.path = path
        self.line = line


class TemplateFault(UsageError):
    """A template of the newsroom raised or does not parse."""


class OutsideFault(BriefingError):
    """Something outside the program failed: provider, database, disk."""

    exit_code = 3


class DatabaseFault(OutsideFault):
    """The database cannot be read or written."""


class DiskFault(OutsideFault):
    """A file cannot be written."""


class ProviderFault(OutsideFault):
    """The mail provider cannot be reached or answered nonsense."""


class CredentialsRefused(ProviderFault):
    """The mail provider refused our credentials (HTTP 401 or 403); no batch can succeed until a person acts."""
