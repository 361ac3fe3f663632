"""Issue to Edition: everything that is mailed, archived and syndicated, made once, from values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from jinja2 import Environment

from pipeline.core.edition import Edition, Picture
from pipeline.core.issue import Figure, Issue
from pipeline.render.email import COLUMN, email_html
from pipeline.render.html import MAIL_CLASSES, WEB_CLASSES, Shown
from pipeline.render.language import direction
from pipeline.render.page import AUTHOR_PHOTO, Addresses, Page, Sibling, page_of, shown, shown_at_size, shown_in_widths, translation
from pipeline.render.plain import plain_text
from pipeline.render.web import feed_fragment, site_css, web_page
from pipeline.render.words import words
from pipeline.settings import Author, Newsletter


def public_addresses(base_url: str, newsletter: str, stem: str) -> Addresses:
    """The absolute addresses of an issue; ``stem`` is ``<YYYY-MM-DD>-<slug>``."""
    own = f"{base_url}/{newsletter}"
    return Addresses(
        issue=f"{own}/{stem}/", newsletter=f"{own}/", front=f"{base_url}/", feed=f"{own}/feed.xml", leave=f"{base_url}/leave/{newsletter}"
    )


def archive_addresses(newsletter: str) -> Addresses:
    """The same addresses as seen from an issue's page. Files are named in full, so that a copy opens from a disk."""
    return Addresses(
        issue="index.html", newsletter="../index.html", front="../../index.html", feed="../feed.xml", leave=f"../../leave/{newsletter}"
    )


def build_edition(
    issue: Issue, *, newsletter: Newsletter, authors: Sequence[Author], newsroom_name: str, base_url: str,
    pictures: Mapping[str, Picture], author_photos: Mapping[str, Picture], next_issue: str | None, environment: Environment,
    siblings: Sequence[Sibling] = (),
) -> tuple[Edition, tuple[Picture, ...]]:  # fmt: skip
    """The edition of an issue and the pictures it shows, in reading order.

    ``pictures`` by ``Figure.picture``, ``author_photos`` by author id, ``next_issue`` as a date in words, ``siblings`` the
    same issue in other languages. The same arguments give the same bytes. Raises TemplateFault.
    """
    base_url = base_url.rstrip("/")
    public = public_addresses(base_url, issue.id.newsletter, issue.id.stem)
    figures = [pictures[figure.picture] for figure in issue.figures()]
    portraits = [author_photos[author.id] for author in authors if author.id in author_photos]
    used = tuple({picture.name: picture for picture in (*figures, *portraits)}.values())
    language_words = words(environment, issue.language)

    def page(link: Addresses, address: Callable[[Picture], str], classes: Mapping[str, str], top: str, file: str) -> Page:
        photos = {id: Shown(address(photo), AUTHOR_PHOTO, AUTHOR_PHOTO) for id, photo in author_photos.items()}
        return page_of(
            issue, newsletter=newsletter, authors=authors, newsroom_name=newsroom_name, link=link, words=language_words,
            next_issue=next_issue, photos=photos, classes=classes,
            translations=[translation(one, f"{top}/{one.id}/{file}", f"{base_url}/{one.id}/") for one in siblings],
        )  # fmt: skip

    media, beside = f"{base_url}/media/", "../../media/"
    embedded = tuple((one.name, content_id(one, newsletter)) for one in used) if newsletter.pictures == "embedded" else ()
    address = {one.name: media + one.name for one in used} | {name: f"cid:{id}" for name, id in embedded}
    mail = page(public, lambda one: address[one.name], MAIL_CLASSES, base_url, "")
    html = email_html(issue, mail, environment, lambda name: shown(pictures[name], address[pictures[name].name], COLUMN))
    web = web_page(
        issue,
        page(archive_addresses(issue.id.newsletter), lambda one: beside + one.name, WEB_CLASSES, "../..", "index.html"),
        environment,
        picture=lambda name: shown_in_widths(pictures[name], beside),
        canonical=public.issue, share_picture=media + figures[0].name if figures else None,
        css=f"../../{site_css(environment, newsletter.brand)[0]}",
    )  # fmt: skip
    feed = feed_fragment(issue, mail, environment, lambda name: shown_at_size(pictures[name], media))
    edition = _edition(issue, newsletter, mail, html, plain_text(issue, mail, pictures=html.count("<img ")), web, feed, used)
    return replace(
        edition, embedded=embedded, renditions=tuple(dict.fromkeys(file.name for one in figures for file in one.renditions)),
        translations=tuple((one.language, str(one.id)) for one in siblings),
    ), used  # fmt: skip


def content_id(picture: Picture, newsletter: Newsletter) -> str:
    """The name by which a mail's HTML calls a picture inside the mail (RFC 2392): by content, so unique and always the same."""
    return f"{picture.name}@{newsletter.list_id.lower()}"


def _edition(
    issue: Issue, newsletter: Newsletter, page: Page, html: str, text: str, web: str, feed: str, pictures: tuple[Picture, ...]
) -> Edition:
    return Edition(
        issue_id=str(issue.id),
        newsletter=issue.id.newsletter,
        title=issue.title,
        subject=issue.subject,
        preheader=issue.preheader,
        language=issue.language,
        direction=direction(issue.language),
        date=issue.id.date,
        authors=tuple(author.name for author in page.authors),
        topics=issue.topics,
        summary=issue.preheader,
        html=html,
        text=text,
        web=web,
        feed=feed,
        from_name=newsletter.from_name,
        from_address=newsletter.from_address,
        reply_to=newsletter.reply_to,
        list_id=newsletter.list_id,
        list_name=newsletter.name,
        archive_url=page.link.issue,
        pictures=tuple(picture.ref for picture in pictures),
        translation_of=issue.translation_of,
    )


def missing_pictures(issue: Issue, pictures: Mapping[str, Picture]) -> tuple[Figure, ...]:
    """The figures whose picture is not at hand: an edition cannot be built while there are any."""
    return tuple(figure for figure in issue.figures() if figure.picture not in pictures)
