"""What templates are given: plain frozen values, nothing that can read a file or change anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from pipeline.core.edition import Picture
from pipeline.core.issue import Inline, Issue, IssueId, Link, Section, Text, plain
from pipeline.render.html import Medium, Shown, Writer
from pipeline.render.language import Typography, direction, own_name, text_direction, typography
from pipeline.render.palette import Palette, dark, light
from pipeline.render.words import Words
from pipeline.settings import Author, AuthorWording, Newsletter, Wording

W = TypeVar("W", Wording, AuthorWording)

AUTHOR_PHOTO = 72
"""CSS pixels: the side of an author's portrait."""

WEB_SIZES = "(min-width: 62rem) 48.5rem, (min-width: 42rem) 39.5rem, calc(100vw - 2.5rem)"
"""How wide ``web/style.css`` draws a picture: over the edges of the column, in the column, or in a phone's window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where things are, absolute for mail and feed, relative for the archive's page."""

    issue: str
    newsletter: str
    front: str
    feed: str
    leave: str
    #: The generic page: the reader's own token travels in the List-Unsubscribe header only.


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph of the configuration, its bare addresses made links: for templates and for the plain part."""

    html: Markup
    nodes: tuple[Inline, ...]

    @property
    def text(self) -> str:
        """Its characters."""
        return plain(self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorCard:
    """A byline's card."""

    name: str
    role: str
    bio: tuple[Prose, ...]
    #: Paragraphs.
    email: str | None
    links: tuple[tuple[str, str], ...]
    #: Words and address.
    photo: Shown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """The same issue in another language."""

    id: IssueId
    language: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A link to the same issue in another language."""

    language: str
    direction: str
    name: str
    #: What the language calls itself.
    title: str
    href: str
    #: As the page links: relative in the archive.
    url: str
    #: Absolute, for ``hreflang``.


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A text in a language that need not be the issue's."""

    language: str
    direction: str
    paragraphs: tuple[Prose, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything around the article, the same for mail, text and web but for addresses and portraits."""

    title: str
    subject: str
    preheader: str
    language: str
    direction: str
    date: str
    #: In words.
    date_iso: str
    byline: str
    reading_time: str
    topics: tuple[str, ...]
    translations: tuple[Translation, ...]
    authors: tuple[AuthorCard, ...]
    newsletter_id: str
    newsletter: str
    tagline: str
    newsroom: str
    about: tuple[Prose, ...]
    legal: Notice | None
    postal_address: tuple[str, ...]
    #: Lines, the newsroom's name first.
    reply_to: str
    next_issue: str | None
    mirrors: tuple[str, ...]
    link: Addresses
    words: Words
    type: Typography
    light: Palette
    dark: Palette
    furniture: Markup
    #: `` lang dir`` for an element of our own words where they are not in the issue's language, else empty.
    home: str
    #: The language of the configuration's texts: the newsletter's.
    translated: frozenset[str]
    #: Those of them that are in the issue's language nevertheless.

    def turn(self, text: str) -> Markup:
        """`` lang dir`` for a text of the configuration where it speaks or runs otherwise than the page.

        Without ``dir`` its full stop lands on the wrong side; without ``lang`` it is read out in the wrong language.
        """
        found = text_direction(text, self.direction)
        if self.home.split("-")[0].lower() != self.language.split("-")[0].lower() and text not in self.translated:
            return Markup(' lang="{}" dir="{}"').format(self.home, found or direction(self.home))
        return Markup("") if found in (None, self.direction) else Markup(' dir="{}"').format(found)

    @property
    def start(self) -> str:
        """The side on which lines begin: ``left`` or ``right``. Mail clients do not know ``start``."""
        return "right" if self.direction == "rtl" else "left"

    @property
    def end(self) -> str:
        """The side on which lines end."""
        return "left" if self.direction == "rtl" else "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleSection:
    """A section ready for a template."""

    kind: str
    title: Markup
    body: Markup
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An issue's own text, written for one medium."""

    opening: Markup
    sections: tuple[ArticleSection, ...]


def article_of(issue: Issue, medium: Medium) -> Article:
    """Writes an issue's blocks for a medium."""
    writer = Writer(medium, direction(issue.language))
    taken: set[str] = set()

    def section(given: Section) -> ArticleSection:
        return ArticleSection(
            kind=given.kind.value, title=writer.inlines(given.title), body=writer.section(given), anchor=_anchor(plain(given.title), taken)
        )

    return Article(opening=writer.blocks(issue.opening), sections=tuple(section(given) for given in issue.sections))


def _anchor(title: str, taken: set[str]) -> str:
    """A fragment name that no other section of the page has."""
    base = re.sub(r"[^\w]+", "-", title.lower()).strip("-") or "section"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name


def page_of(
    issue: Issue, *, newsletter: Newsletter, authors: Sequence[Author], newsroom_name: str, link: Addresses, words: Words,
    next_issue: str | None, photos: Mapping[str, Shown], classes: Mapping[str, str], translations: Sequence[Translation],
) -> Page:  # fmt: skip
    """Gathers what surrounds an article; ``classes`` are those of the medium's links."""
    medium = Medium("page", classes, no_picture)
    wording = _in_language(newsletter.editions, issue.language) or Wording()
    authors = [_worded(author, issue.language) for author in authors]
    cards = tuple(_card(author, photos.get(author.id), medium) for author in authors)
    about = prose(wording.about or newsletter.about, medium, direction(issue.language))
    return Page(
        title=issue.title,
        subject=issue.subject,
        preheader=issue.preheader,
        language=issue.language,
        direction=direction(issue.language),
        date=words.day(issue.id.date),
        date_iso=issue.id.date.isoformat(),
        byline=words.by.format(names=words.names([author.name for author in authors])) if authors else "",
        reading_time=words.reading_time(_reading_text(issue)),
        topics=issue.topics,
        translations=tuple(translations),
        authors=cards,
        newsletter_id=newsletter.id,
        newsletter=newsletter.name,
        tagline=wording.tagline or newsletter.tagline,
        newsroom=newsroom_name,
        about=about,
        legal=legal_notice(newsletter, issue.language, medium),
        postal_address=_postal_lines(newsletter.postal_address, newsroom_name),
        reply_to=newsletter.reply_to,
        next_issue=next_issue,
        mirrors=newsletter.mirrors,
        link=link,
        words=words,
        type=typography(issue.language),
        light=light(newsletter.brand.accent),
        dark=dark(newsletter.brand.accent_dark),
        furniture=_furniture(words, issue.language),
        home=newsletter.language,
        translated=frozenset(
            {wording.tagline, *(part.text for part in about if wording.about), *_translated(authors, cards, issue.language)} - {""}
        ),
    )


def _furniture(words: Words, language: str) -> Markup:
    if words.language in (language.lower(), language.lower().split("-")[0]):
        return Markup("")
    return Markup(' lang="{}" dir="{}"').format(words.language, direction(words.language))


def _in_language(editions: Mapping[str, W], language: str) -> W | None:
    """The texts in the issue's language, else in its primary language."""
    return editions.get(language) or editions.get(language.split("-")[0])


def _worded(author: Author, language: str) -> Author:
    """The author as issues in this language name them."""
    wording = _in_language(author.editions, language)
    return author if wording is None else author.model_copy(update={name: value for name, value in wording if value})


def _translated(authors: Sequence[Author], cards: Sequence[AuthorCard], language: str) -> Iterator[str]:
    """Those texts of the cards that are in the issue's language though the newsletter's is another."""
    for author, card in zip(authors, cards, strict=True):
        if wording := _in_language(author.editions, language):
            yield wording.name
            yield wording.role
            yield from (part.text for part in card.bio if wording.bio)


def translation(sibling: Sibling, href: str, url: str) -> Translation:
    """A link to a sibling."""
    language = sibling.language
    return Translation(
        language=language, direction=direction(language), name=own_name(language), title=sibling.title, href=href, url=url
    )  # fmt: skip


def _reading_text(issue: Issue) -> str:
    """The prose whose length is measured."""
    parts: list[str] = []
    for block in issue.blocks():
        content = getattr(block, "content", None)
        if content is not None:
            parts.append(plain(content))
        parts.extend(plain(paragraph) for paragraph in getattr(block, "paragraphs", ()))
    return " ".join(parts)


def no_picture(src: str) -> Shown:
    """For texts that hold no figure. Raises KeyError."""
    raise KeyError(src)


def _card(author: Author, photo: Shown | None, medium: Medium) -> AuthorCard:
    links = tuple((words, str(href)) for words, href in author.links.items())
    bio = prose(author.bio, medium, "ltr")
    return AuthorCard(name=author.name, role=author.role, bio=bio, email=author.email, links=links, photo=photo)


def _postal_lines(address: str, newsroom_name: str) -> tuple[str, ...]:
    lines = tuple(line.strip() for line in address.splitlines() if line.strip())
    return lines if address.strip().startswith(newsroom_name) else (newsroom_name, *lines)


def prose(text: str, medium: Medium, page_direction: str) -> tuple[Prose, ...]:
    """Configuration's long texts: a blank line parts paragraphs, other line ends are blanks, bare addresses are links."""
    writer = Writer(medium, page_direction)
    parts = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))
    return tuple(Prose(writer.inlines(nodes), nodes) for nodes in map(_autolinked, filter(None, parts)))


_ADDRESS = re.compile(r"(https://[^\s<>\"'\x7f-\U0010ffff]*[^\s<>\"'.,;:!?)\]\x7f-\U0010ffff])")


def _autolinked(text: str) -> tuple[Inline, ...]:
    """Text with its bare https addresses as links; a sentence's closing marks stay outside.

    An address is ASCII (RFC 3986): Chinese goes on behind it without a blank.
    """
    nodes: list[Inline] = []
    for index, piece in enumerate(_ADDRESS.split(text)):
        if piece:
            nodes.append(Link(piece, (Text(piece),)) if index % 2 else Text(piece))
    return tuple(nodes)


def legal_notice(newsletter: Newsletter, language: str, medium: Medium) -> Notice | None:
    """The notice in the issue's language, else its primary language's, the newsletter's, English, or any."""
    notices = newsletter.legal_notice
    wanted = (language, language.split("-")[0], newsletter.language, newsletter.language.split("-")[0], "en", *sorted(notices))
    found = next((tag for tag in wanted if notices.get(tag, "").strip()), None)
    if found is None:
        return None
    return Notice(language=found, direction=direction(found), paragraphs=prose(notices[found], medium, direction(found)))


def shown(picture: Picture, src: str, column: int) -> Shown:
    """A picture at the width of a column, in CSS pixels; a smaller one stays as it is.

    A mail needs the drawn size in its attributes, since Word reads nothing else.
    """
    width = min(column, picture.width)
    return Shown(src, width, max(1, round(picture.height * width / picture.width)))


def shown_at_size(picture: Picture, media: str) -> Shown:
    """A picture at its true size, from which a browser keeps the room free; its style sheet scales it."""
    return Shown(media + picture.name, picture.width, picture.height)


def shown_in_widths(picture: Picture, media: str) -> Shown:
    """A picture with the files among which a browser chooses by its window, its screen, and the formats it knows."""
    sets: dict[str, list[str]] = {}
    for one in picture.renditions:
        sets.setdefault(one.media_type, []).append(f"{media}{one.name} {one.width}w")
    own = sets.pop(picture.media_type, [])
    srcset = ", ".join([*own, f"{media}{picture.name} {picture.width}w"]) if own else ""
    sources = tuple((type, ", ".join(files)) for type, files in sets.items())
    return Shown(media + picture.name, picture.width, picture.height, srcset, sources, WEB_SIZES)
