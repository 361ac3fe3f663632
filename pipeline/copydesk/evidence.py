"""What the desk is handed besides the draft: whatever a rule needs that stands in other files, in the database or on the network.

The desk itself opens none of these. What is missing here is not looked at, and nothing is said about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """What is known of a link."""

    ALIVE = "alive"
    DEAD = "dead"
    #: The server says that there is no such page, or there is no such server.
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking for a link, in words that follow "the link"."""

    verdict: Verdict
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A picture's file beside the draft, and what it becomes."""

    published: int
    #: Octets of the picture that readers load.
    personal: frozenset[str] = frozenset()
    #: As ``core.edition.Picture.found_personal``.


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The mail that the draft becomes, in figures."""

    html: int
    #: Octets of the HTML part.
    encoded: int
    #: Octets of the HTML part as it travels (RFC 2045 section 6).
    html_links: int
    text_links: int


class Speller(Protocol):
    """A dictionary of the issue's language together with the newsroom's word list."""

    def knows(self, word: str) -> bool:
        """Whether a word is spelt right, as far as anybody can tell; True also for what the dictionary cannot hold."""
        ...

    def suggest(self, word: str) -> tuple[str, ...]:
        """What may have been meant, the likeliest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was gathered for one draft."""

    others: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: Paragraphs of earlier drafts by issue id, as ``reading.fingerprint`` gives them.
    sent: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: The same of issues that readers have.
    pictures: Mapping[str, PictureFile] = field(default_factory=dict)
    #: By the path as written.
    mail: Mail | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    #: By the link's address as written.
    speller: Speller | None = None
