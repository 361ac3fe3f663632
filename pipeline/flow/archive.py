"""The public archive: static files under ``var/archive``, written from the editions that were sent, never from drafts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pipeline.files import write_file
from pipeline.flow.context import Station
from pipeline.render.language import shared_language
from pipeline.render.site import (
    FeedEntry,
    IssueEntry,
    NewsletterEntry,
    front_css,
    render_coming,
    render_feed,
    render_front,
    render_newsletter,
    render_robots,
    render_sitemap,
    with_languages,
)
from pipeline.render.web import site_css
from pipeline.settings import Newsletter
from pipeline.store import campaigns, editions
from pipeline.store.engine import reading

FEED_ENTRIES = 50
LATEST = 5
"""Issues a newsletter shows on the front page."""


def place(station: Station) -> Path:
    """The archive's directory."""
    return station.settings.var / "archive"


def build(station: Station, progress: Callable[[int], None] = lambda done: None) -> int:
    """Writes the whole archive anew; the same database gives the same bytes. Gives the number of issues. Raises DiskFault."""
    with reading(station.engine) as connection:
        published = campaigns.published(connection)
    for number, campaign in enumerate(published, 1):
        write_issue(station, campaign.edition_id)
        progress(number)
    write_lists(station)
    return len(published)


def write_issue(station: Station, edition_id: int) -> Path:
    """Writes an edition's page, after the files it shows. Gives the page. Raises DiskFault."""
    with reading(station.engine) as connection:
        edition = editions.by_id(connection, edition_id).edition
        files = editions.assets(connection, [*(one.name for one in edition.pictures), *edition.renditions])
        sheets = editions.style_sheets(connection)
    write_media(station, files)
    for sheet in sheets:
        _write_once(place(station), sheet.name, sheet.data)
    for language, other in edition.translations:
        _hold_place(station, language, other, IssueEntry.of(edition))
    return write_file(place(station) / edition.issue_id / "index.html", edition.web.encode())


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def data(self) -> bytes: ...


def write_media(station: Station, files: Iterable[_Named]) -> None:
    """Writes pictures under the names by which mails and pages ask for them. Raises DiskFault."""
    for one in files:
        _write_once(place(station) / "media", one.name, one.data)


def _hold_place(station: Station, language: str, issue_id: str, original: IssueEntry) -> None:
    """A page that says "not yet" where a translation will be, so that no link of a mail ever leads nowhere."""
    path = place(station) / issue_id / "index.html"
    newsletter = station.settings.newsletters.get(issue_id.partition("/")[0])
    if path.exists() or newsletter is None:
        return
    _write_once(place(station), *site_css(station.environment, newsletter.brand))
    html = render_coming(
        station.environment, newsletter=newsletter, newsroom_name=station.settings.newsroom.name, language=language, original=original
    )
    write_file(path, html.encode())


def _write_once(folder: Path, name: str, data: bytes) -> None:
    """A file whose name is made from its content: if one of that length is there, it is the same."""
    path = folder / name
    if not path.exists() or path.stat().st_size != len(data):
        write_file(path, data)


def write_lists(station: Station) -> None:
    """Writes what names the issues: every newsletter's page and feed, the front page, the sitemap. Raises DiskFault."""
    newsroom, environment = station.settings.newsroom, station.environment
    newsletters = list(station.settings.newsletters.values())
    shelves = {one.id: _issues(station, one) for one in newsletters}
    known = with_languages([entry for issues, _ in shelves.values() for entry in issues])
    entries = []
    for one in newsletters:
        issues = [known[entry.id] for entry in shelves[one.id][0]]
        feed = [replace(entry, also=known[entry.edition.issue_id].also) for entry in shelves[one.id][1]]
        _write_newsletter(station, one, issues, feed)
        entries.append(NewsletterEntry(newsletter=one, latest=tuple(issues[:LATEST])))
    _write_once(place(station), *front_css(environment, entries))
    front = render_front(
        environment, newsroom_name=newsroom.name, base_url=newsroom.base_url, newsletters=entries, language=shared_language(newsletters)
    )
    with reading(station.engine) as connection:
        stands = [(one.issue_id, one.published_at) for one in campaigns.published(connection) if one.published_at is not None]
    sitemap = render_sitemap(base_url=newsroom.base_url, newsletters=list(station.settings.newsletters), issues=stands, entries=known)
    write_file(place(station) / "sitemap.xml", sitemap.encode())
    write_file(place(station) / "robots.txt", render_robots(base_url=newsroom.base_url).encode())
    write_file(place(station) / "index.html", front.encode())


def _write_newsletter(station: Station, newsletter: Newsletter, issues: list[IssueEntry], feed: list[FeedEntry]) -> None:
    """A newsletter's page, feed and style sheet."""
    newsroom, environment = station.settings.newsroom, station.environment
    page = render_newsletter(environment, newsletter=newsletter, newsroom_name=newsroom.name, base_url=newsroom.base_url, issues=issues)
    atom = render_feed(
        environment, newsletter=newsletter, newsroom_name=newsroom.name, base_url=newsroom.base_url, entries=feed,
        updated=_since(feed, station),
    )  # fmt: skip
    _write_once(place(station), *site_css(environment, newsletter.brand))
    write_file(place(station) / newsletter.id / "feed.xml", atom.encode())
    write_file(place(station) / newsletter.id / "index.html", page.encode())


def _since(feed: list[FeedEntry], station: Station) -> datetime:
    """A feed without entries carries the day the database was made: RFC 4287 wants an instant, and it must not wander."""
    if feed:
        return feed[0].updated
    with reading(station.engine) as connection:
        return campaigns.instance_since(connection)


def _issues(station: Station, newsletter: Newsletter) -> tuple[list[IssueEntry], list[FeedEntry]]:
    """Every published issue as a line, newest first, and the newest of them in full. One edition in memory at a time."""
    issues: list[IssueEntry] = []
    feed: list[FeedEntry] = []
    with reading(station.engine) as connection:
        for campaign in campaigns.published(connection, newsletter.id):
            edition = editions.by_id(connection, campaign.edition_id).edition
            issues.append(IssueEntry.of(edition))
            if len(feed) < FEED_ENTRIES and campaign.published_at is not None:
                feed.append(FeedEntry(edition=edition, published=campaign.published_at, updated=campaign.published_at))
    return issues, feed
