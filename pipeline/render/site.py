"""The archive's pages around the issues: front page, a newsletter's page, its Atom feed. Pure functions of their arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from jinja2 import Environment
from markupsafe import Markup, escape

from pipeline.core.edition import Edition
from pipeline.render.environment import render
from pipeline.render.html import WEB_CLASSES, Medium
from pipeline.render.language import direction, own_name
from pipeline.render.page import no_picture, prose
from pipeline.render.web import site_css
from pipeline.render.words import words
from pipeline.settings import Brand, Newsletter


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueEntry:
    """One line of a list of issues."""

    newsletter: str
    stem: str
    #: ``<YYYY-MM-DD>-<slug>``
    title: str
    summary: str
    date: date
    language: str
    authors: tuple[str, ...]
    translation_of: str | None = None
    #: The original's id.
    also: tuple[IssueEntry, ...] = ()
    #: The same issue in other languages, as far as it is out.

    @classmethod
    def of(cls, edition: Edition) -> IssueEntry:
        """The line for an edition."""
        return cls(
            newsletter=edition.newsletter,
            stem=edition.issue_id.partition("/")[2],
            title=edition.title,
            summary=edition.summary,
            date=edition.date,
            language=edition.language,
            authors=edition.authors,
            translation_of=edition.translation_of,
        )

    @property
    def id(self) -> str:
        """The issue's id."""
        return f"{self.newsletter}/{self.stem}"

    @property
    def name(self) -> str:
        """What its language calls itself."""
        return own_name(self.language)

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return direction(self.language)


def with_languages(entries: Sequence[IssueEntry]) -> dict[str, IssueEntry]:
    """Entries by id, each knowing its published siblings: the original first, the others by language."""
    families: dict[str, list[IssueEntry]] = {}
    for one in entries:
        families.setdefault(one.translation_of or one.id, []).append(one)
    for family in families.values():
        family.sort(key=lambda one: (one.translation_of is not None, one.language, one.id))
    return {
        one.id: replace(one, also=tuple(other for other in families[one.translation_of or one.id] if other.id != one.id))
        for one in entries
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsletterEntry:
    """One newsletter on the front page, with its latest issues, newest first."""

    newsletter: Newsletter
    latest: tuple[IssueEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One edition in a feed, with the instants of its first and its latest publication."""

    edition: Edition
    published: datetime
    #: Aware.
    updated: datetime
    #: Aware; ``published`` until the issue is corrected.
    also: tuple[IssueEntry, ...] = ()
    #: The same issue in other languages, as far as it is out.


def render_front(
    environment: Environment, *, newsroom_name: str, base_url: str, newsletters: Sequence[NewsletterEntry], language: str = "en"
) -> str:
    """The archive's front page, ``/index.html``: every newsletter with its latest issues. Raises TemplateFault."""
    return render(
        environment,
        "web/front.html",
        newsroom=newsroom_name,
        newsletters=tuple(map(_front_view, newsletters)),
        language=language,
        direction=direction(language),
        words=words(environment, language),
        canonical=f"{base_url.rstrip('/')}/",
        css=front_css(environment, newsletters)[0],
    )


def _front_view(entry: NewsletterEntry) -> dict[str, object]:
    language = entry.newsletter.language
    return {
        "newsletter": {**newsletter_view(entry.newsletter), "language": language},
        "direction": direction(language),
        "latest": entry.latest,
    }


def _shared_brand(newsletters: Sequence[NewsletterEntry]) -> Brand:
    """The first newsletter's colours: a newsroom with one newsletter has one look."""
    return newsletters[0].newsletter.brand if newsletters else Brand()


def front_css(environment: Environment, newsletters: Sequence[NewsletterEntry]) -> tuple[str, bytes]:
    """The style sheet that ``render_front`` names: file name and bytes. Raises TemplateFault."""
    return site_css(environment, _shared_brand(newsletters))


def render_sitemap(
    *, base_url: str, newsletters: Sequence[str], issues: Sequence[tuple[str, datetime]], entries: Mapping[str, IssueEntry] | None = None
) -> str:
    """The sitemap (sitemaps.org 0.9), ``/sitemap.xml``: front page, newsletters, and issues by id with their instants.

    An issue in several languages names them all: search engines take ``hreflang`` from here as well as from a page, and
    a page that was approved before its translation cannot name it.
    """
    top = base_url.rstrip("/")
    lines = [f"<url><loc>{escape(top)}/</loc></url>"]
    lines += [f"<url><loc>{escape(top)}/{escape(id)}/</loc></url>" for id in newsletters]
    for id, at in issues:
        entry = (entries or {}).get(id)
        family = (entry, *entry.also) if entry and entry.also else ()
        links = "".join(
            f'<xhtml:link rel="alternate" hreflang="{escape(one.language)}" href="{escape(top)}/{escape(one.id)}/"/>' for one in family
        )
        lines.append(f"<url><loc>{escape(top)}/{escape(id)}/</loc><lastmod>{rfc3339(at)}</lastmod>{links}</url>")
    body = "\n".join(lines)
    spaces = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {spaces}>\n{body}\n</urlset>\n'


def render_coming(environment: Environment, *, newsletter: Newsletter, newsroom_name: str, language: str, original: IssueEntry) -> str:
    """What stands at the address of a language edition that another links to before it is out. Raises TemplateFault."""
    say = words(environment, language)
    own = say.language == language.lower().split("-")[0]
    return render(
        environment, "web/coming.html", newsletter=newsletter_view(newsletter), newsroom=newsroom_name, language=language,
        direction=direction(language), words=say, issue=original, css=f"../../{site_css(environment, newsletter.brand)[0]}",
        furniture=Markup("") if own else Markup(' lang="{}" dir="{}"').format(say.language, direction(say.language)),
    )  # fmt: skip


def render_robots(*, base_url: str) -> str:
    """``/robots.txt`` (RFC 9309): the archive is for everybody; pages on which readers leave are nobody's business."""
    return f"User-agent: *\nDisallow: /leave/\n\nSitemap: {base_url.rstrip('/')}/sitemap.xml\n"


def render_newsletter(
    environment: Environment,
    *,
    newsletter: Newsletter,
    newsroom_name: str,
    base_url: str,
    issues: Sequence[IssueEntry],
    join_path: str | None = None,
) -> str:
    """A newsletter's page, ``/<newsletter>/index.html``: what it is, how to read, join and leave it, and all issues.

    ``issues`` newest first; ``join_path`` is the sign-up page's path below the site's top, or None where there is none.
    Raises TemplateFault.
    """
    return render(
        environment, "web/newsletter.html", newsletter=newsletter_view(newsletter), newsroom=newsroom_name, issues=tuple(issues),
        about=prose(newsletter.about, Medium("page", WEB_CLASSES, no_picture), direction(newsletter.language)),
        language=newsletter.language, direction=direction(newsletter.language), words=words(environment, newsletter.language),
        canonical=f"{base_url.rstrip('/')}/{newsletter.id}/", css=f"../{site_css(environment, newsletter.brand)[0]}",
        join=None if join_path is None else f"../{join_path}", leave=f"../leave/{newsletter.id}",
    )  # fmt: skip


def newsletter_view(newsletter: Newsletter) -> dict[str, str]:
    """A newsletter as templates see it: its words, none of its methods."""
    return {
        "id": newsletter.id, "name": newsletter.name, "tagline": newsletter.tagline, "reply_to": newsletter.reply_to,
        "postal_address": newsletter.postal_address,
    }  # fmt: skip


def render_feed(
    environment: Environment, *, newsletter: Newsletter, newsroom_name: str, base_url: str, entries: Sequence[FeedEntry], updated: datetime
) -> str:
    """A newsletter's Atom feed (RFC 4287), full text, ``/<newsletter>/feed.xml``.

    ``updated`` is the feed's own stamp while it has no entry; with entries the newest of theirs is used when that is
    later. No two entries carry the same ``updated``: feed readers order by it. An issue's other languages are further
    ``alternate`` links, each with its ``hreflang`` (section 4.1.2), after its own. Raises TemplateFault.
    """
    top = base_url.rstrip("/")
    stamped = tuple((entry, stamp) for entry, stamp in zip(entries, distinct_stamps(entries), strict=True))
    newest = max((stamp for _, stamp in stamped), default=updated)
    own = f"{top}/{newsletter.id}/"
    view = [
        {
            "title": _xml(entry.edition.title), "url": entry.edition.archive_url, "language": entry.edition.language,
            "summary": _xml(entry.edition.summary), "html": _xml(entry.edition.feed), "authors": tuple(map(_xml, entry.edition.authors)),
            "topics": tuple(map(_xml, entry.edition.topics)), "published": rfc3339(entry.published), "updated": rfc3339(stamp),
            "also": tuple((one.language, f"{top}/{one.id}/") for one in entry.also),
        }
        for entry, stamp in stamped
    ]  # fmt: skip
    return render(
        environment, "web/feed.xml", newsletter=newsletter_view(newsletter), newsroom=newsroom_name, language=newsletter.language, own=own,
        entries=view, updated=rfc3339(max(newest, updated)),
    )  # fmt: skip


def distinct_stamps(entries: Sequence[FeedEntry]) -> tuple[datetime, ...]:
    """The entries' ``updated``, whole seconds, each later second moved on by as little as makes all differ."""
    order = sorted(range(len(entries)), key=lambda index: (entries[index].updated, entries[index].edition.issue_id))
    stamps: dict[int, datetime] = {}
    last: datetime | None = None
    for index in order:
        stamp = entries[index].updated.astimezone(UTC).replace(microsecond=0)
        last = stamp if last is None or stamp > last else last + timedelta(seconds=1)
        stamps[index] = last
    return tuple(stamps[index] for index in range(len(entries)))


def rfc3339(instant: datetime) -> str:
    """An instant as RFC 3339 in UTC, whole seconds. Raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _xml(text: str) -> str:
    """``text`` without the characters XML 1.0 has no form for."""
    return re.sub(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
