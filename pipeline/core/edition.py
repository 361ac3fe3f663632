"""The immutable rendering of an issue: what was approved is what is sent and archived, byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any
from urllib.parse import urljoin

from pipeline.core.message import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture ready to publish: no metadata, at most 1200 pixels wide, its name made from its content."""

    name: str
    #: ``<stem>-<first 12 hex digits of the SHA-256 of data>.<jpg|png>``
    data: bytes
    media_type: str
    #: ``image/jpeg`` or ``image/png``.
    width: int
    #: Pixels.
    height: int
    #: Pixels.

    def __repr__(self) -> str:  # a megabyte of bytes helps nobody in a traceback
        return f"Picture(name={self.name!r}, {self.media_type}, {self.width}x{self.height}, {len(self.data)} bytes)"

    @property
    def ref(self) -> PictureRef:
        """What an edition remembers of this picture."""
        return PictureRef(
            name=self.name,
            sha256=hashlib.sha256(self.data).hexdigest(),
            media_type=self.media_type,
            width=self.width,
            height=self.height,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRef:
    """A picture by name and digest, without its bytes."""

    name: str
    sha256: str
    #: Hexadecimal SHA-256 of the file.
    media_type: str
    width: int
    #: Pixels.
    height: int
    #: Pixels.


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """Everything a reader, the archive and a feed get of one issue. Holds nothing that differs between readers."""

    issue_id: str
    newsletter: str
    #: The newsletter's id.
    title: str
    subject: str
    preheader: str
    language: str
    #: BCP 47.
    direction: str
    #: ``ltr`` or ``rtl``.
    date: date
    authors: tuple[str, ...]
    #: Names, as printed.
    topics: tuple[str, ...]
    summary: str
    #: One sentence in plain text, for lists and feeds.
    html: str
    #: The mail's ``text/html`` part, inlined.
    text: str
    #: The mail's ``text/plain`` part (RFC 3676 signature mark, fixed lines of at most 72 columns).
    web: str
    #: The archive's page, complete, with relative links only.
    feed: str
    #: The article as an HTML fragment with absolute links, for Atom (RFC 4287).
    from_name: str
    from_address: str
    reply_to: str
    list_id: str
    #: The RFC 2919 identifier without angle brackets.
    list_name: str
    archive_url: str
    #: The issue's own public page.
    pictures: tuple[PictureRef, ...]
    #: Every picture the edition shows, once, in reading order.
    translation_of: str | None = None
    #: The id of the original.
    translations: tuple[tuple[str, str], ...] = ()
    #: Language and id of each edition in another language that this one links to.

    @property
    def digest(self) -> str:
        """The edition's name by content: see ``edition_digest``."""
        return edition_digest(self)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no blanks, characters as themselves. Equal editions give equal bytes."""
        values = asdict(self) | {"date": self.date.isoformat()}
        for name in _LATER:
            if not values[name]:
                del values[name]
        return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Edition:
        """The edition that ``to_json`` wrote. Raises ValueError when the text is not one."""
        try:
            values = json.loads(text)
            if not isinstance(values, dict) or values.keys() | _LATER != {field.name for field in fields(cls)}:
                raise ValueError("its keys are not an edition's")
            return cls(**_typed(values))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"not an edition: {error}") from None


_LATER = frozenset({"translation_of", "translations"})
"""Fields that editions stored by earlier versions lack. Left out while empty, so that those keep their digests."""


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's lists and strings as the tuples, dates and references an Edition holds."""
    typed = dict(values)
    typed["date"] = date.fromisoformat(values["date"])
    for name in ("authors", "topics", "pictures"):
        typed[name] = tuple(PictureRef(**item) if name == "pictures" else str(item) for item in values[name])
    typed["translations"] = tuple((str(language), str(id)) for language, id in values.get("translations", ()))
    return typed


def edition_digest(edition: Edition) -> str:
    """SHA-256 in hexadecimal over the edition's canonical JSON: any changed byte gives another digest."""
    return hashlib.sha256(edition.to_json().encode("utf-8")).hexdigest()


def content_of(edition: Edition) -> Content:
    """The part of an edition that a mail provider is handed."""
    return Content(
        from_name=edition.from_name,
        from_address=edition.from_address,
        reply_to=edition.reply_to,
        subject=edition.subject,
        html=edition.html,
        text=edition.text,
        list_id=edition.list_id,
        list_name=edition.list_name,
        language=edition.language,
        archive_url=edition.archive_url,
        # An issue's page stands in its newsletter's folder (render.page.Addresses).
        list_archive_url=urljoin(edition.archive_url, "../") if edition.archive_url else "",
    )
