"""The immutable rendering of an issue: what was approved is what is sent and archived, byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Protocol
from urllib.parse import urljoin

from pipeline.core.message import Content, InlinePicture


@dataclass(frozen=True, slots=True)
class Crop:
    """How a picture is cut: the sides' ratio, and the point that stays as near to the middle as the edges allow."""

    width: int
    height: int
    x: float = 50.0
    #: Per cent from the left edge of the upright picture.
    y: float = 50.0
    #: Per cent from its top.


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One of the files in which the archive's page offers a picture. It is named before it is made."""

    name: str
    #: ``<stem>-<12 hex digits of a SHA-256 over source, crop and recipe>-<width>.<avif|webp|jpg|png>``
    media_type: str
    width: int
    #: Pixels.


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
    found_personal: frozenset[str] = frozenset()
    #: What the source file told beside its pixels, all of it removed here: ``gps``, ``camera`` (make, model, serial
    #: numbers), ``names`` (of people), ``time``, ``words`` (comments, captions, keywords), ``thumbnail``, in which may
    #: show what was cut off. The source in the newsroom still has it.
    frames: int = 1
    #: How many the source had; only the first is shown.
    crop: Crop | None = None
    #: How the source was cut.
    renditions: tuple[Rendition, ...] = ()
    #: The web page's further files, narrow to wide within a media type; the best media type first.

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
    renditions: tuple[str, ...] = ()
    #: Names of the further files in which the web page offers its pictures.
    embedded: tuple[tuple[str, str], ...] = ()
    #: Name and Content-ID of each picture that travels inside the mail; empty where the mail shows them from the archive.

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


_LATER = frozenset({"translation_of", "translations", "renditions", "embedded"})
"""Fields that editions stored by earlier versions lack. Left out while empty, so that those keep their digests."""


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's lists and strings as the tuples, dates and references an Edition holds."""
    typed = dict(values)
    typed["date"] = date.fromisoformat(values["date"])
    for name in ("authors", "topics", "pictures"):
        typed[name] = tuple(PictureRef(**item) if name == "pictures" else str(item) for item in values[name])
    for name in ("translations", "embedded"):
        typed[name] = tuple((str(one), str(other)) for one, other in values.get(name, ()))
    typed["renditions"] = tuple(map(str, values.get("renditions", ())))
    return typed


def edition_digest(edition: Edition) -> str:
    """SHA-256 in hexadecimal over the edition's canonical JSON: any changed byte gives another digest."""
    return hashlib.sha256(edition.to_json().encode("utf-8")).hexdigest()


class NamedFile(Protocol):
    """A picture's file, prepared or as it is stored."""

    @property
    def name(self) -> str: ...

    @property
    def media_type(self) -> str: ...

    @property
    def data(self) -> bytes: ...


def content_of(edition: Edition, files: Iterable[NamedFile]) -> Content:
    """The part of an edition that a mail provider is handed.

    ``files`` holds at least the pictures that are embedded. Raises KeyError when one is missing.
    """
    known = {one.name: one for one in files}
    inline = tuple(
        InlinePicture(content_id=id, name=name, media_type=known[name].media_type, data=known[name].data) for name, id in edition.embedded
    )
    return Content(
        inline=inline,
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
