"""What must hold of an import: a refusal with a reason, or a draft that the parser reads without finding fault with its form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pipeline.core.problem import Severity
from pipeline.draft.importing.tidy import settle_pictures
from pipeline.draft.importing.values import DocumentImport
from pipeline.draft.importing.write import to_draft
from pipeline.draft.rules import RULES
from pipeline.errors import Refusal, UsageError
from tests.fuzz import holds as held

TO_WRITE = frozenset({
    "title-missing", "image-alt", "author-unknown", "body-empty", "link-broken", "link-scheme", "prompt-left",
})  # fmt: skip
"""Errors that only a person can mend, or that were in the document."""


def holds(data: bytes, read: Callable[..., DocumentImport], file: str) -> None:
    """Reads a document and the draft that is made of it."""
    try:
        document = read(data, file=file)
    except (Refusal, UsageError) as error:
        if not error.message:
            raise AssertionError("a refusal without a reason") from error
        return
    for drop in (True, False):
        settled = settle_pictures(document, {}, drop=drop)
    sound(to_draft(settled, date=date(2021, 8, 18)))


def sound(draft: str) -> None:
    """A written draft holds nothing that the importer should not have let through."""
    _, problems = held.a_draft(draft.encode("utf-8"))
    wrong = [one for one in problems if one.severity is Severity.ERROR and one.rule in RULES and one.rule not in TO_WRITE]
    assert not wrong, wrong[0]
