"""The public pages that are made when asked for: leaving, and what went wrong. Everything else is a file of the archive."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from jinja2 import Environment
from markupsafe import Markup
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from pipeline.errors import TemplateFault
from pipeline.flow.context import Desk
from pipeline.render.environment import read, render
from pipeline.render.language import direction, shared_language
from pipeline.render.web import site_css
from pipeline.render.words import Words, words
from pipeline.settings import Newsletter

_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}

_log = logging.getLogger("pipeline.web")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where a page's links lead, as paths on the public host."""

    front: str
    newsletter: str
    feed: str
    leave: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPage:
    """What stands around a page's own words; the names are those that the archive's templates know."""

    newsroom: str
    newsletter: str = ""
    tagline: str = ""
    reply_to: str = ""
    postal_address: tuple[str, ...] = ()
    link: Links


class Pages:
    """Renders pages in the newsroom's design. Made once: raises TemplateFault when a style sheet cannot be rendered."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # Absolute paths below the public address: a relative one depends on whether its page was asked for with a slash.
        self._top = urlsplit(desk.settings.newsroom.base_url).path.rstrip("/") + "/"
        self._sheets: dict[str, bytes] = {}
        self._css = {id: self._keep(*site_css(self._env, one.brand)) for id, one in desk.settings.newsletters.items()}
        first = next(iter(desk.settings.newsletters.values()), None)  # its colours are the front page's too
        self._css[""] = self._keep(*site_css(self._env, first.brand if first else None))
        forms = read(self._env, "web/forms.css").encode()
        self._forms = self._keep(f"forms-{hashlib.sha256(forms).hexdigest()[:12]}.css", forms)

    @property
    def _env(self) -> Environment:
        return self._desk.environment

    def _keep(self, name: str, data: bytes) -> str:
        self._sheets[name] = data
        return name

    def sheet(self, name: str) -> bytes | None:
        """A style sheet of these pages: they must look right before the archive was ever built."""
        return self._sheets.get(name)

    def leave(self, newsletter: Newsletter, *, by_link: bool, notice: str = "", status: int = 200) -> Response:
        """The page that asks: for an address, or (``by_link``) for one press of a button; ``notice`` is one of ``PageWords``."""
        return self._page("web/leave.html", newsletter, status, by_link=by_link, notice=notice)

    def left(self, newsletter: Newsletter, *, by_link: bool) -> Response:
        """The page that says it is done. For a typed address it is the same whatever was typed."""
        return self._page("web/leave_done.html", newsletter, 200, by_link=by_link)

    def trouble(self, status: int, trouble: str, *, newsletter: Newsletter | None = None) -> Response:
        """A page that says why there is nothing here; with a newsletter, it leads on to that one's page for leaving.

        ``trouble`` is one of ``PageWords`` that has a second with ``_more``.
        """
        return self._page("web/not_found.html", newsletter, status, trouble=trouble)

    def _page(
        self, template: str, newsletter: Newsletter | None, status: int, *, by_link: bool = False, notice: str = "", trouble: str = ""
    ) -> Response:
        up = self._top
        css = up + self._css["" if newsletter is None else newsletter.id]
        page = self._surroundings(newsletter, up)
        language = newsletter.language if newsletter is not None else shared_language(self._desk.settings.newsletters.values())
        try:
            say = words(self._env, language)
            html = render(
                self._env, template, page=page, css=css, forms_css=up + self._forms, up=up, words=say, language=language,
                direction=direction(language), furniture=_furniture(say, language), by_link=by_link,
                notice=getattr(say.pages, notice) if notice else "", title=getattr(say.pages, trouble) if trouble else "",
                paragraphs=(getattr(say.pages, f"{trouble}_more"),) if trouble else (),
            )  # fmt: skip
        except TemplateFault as error:  # the newsroom's own template; a reader still gets an answer
            _log.error("%(why)s", {"why": error.message})
            return PlainTextResponse(_plain(template, status), status, _HEADERS)
        return HTMLResponse(html, status, _HEADERS)

    def _surroundings(self, newsletter: Newsletter | None, up: str) -> PublicPage:
        name = self._desk.settings.newsroom.name
        if newsletter is None:
            return PublicPage(newsroom=name, link=Links(front=up, newsletter=up, feed="", leave=""))
        own = f"{up}{newsletter.id}"
        return PublicPage(
            newsroom=name,
            newsletter=newsletter.name,
            tagline=newsletter.tagline,
            reply_to=newsletter.reply_to,
            postal_address=tuple(line.strip() for line in newsletter.postal_address.splitlines() if line.strip()),
            link=Links(front=up, newsletter=f"{own}/", feed=f"{own}/feed.xml", leave=f"{up}leave/{newsletter.id}"),
        )


def _furniture(say: Words, language: str) -> Markup:
    """`` lang dir`` where there are no words in the page's language."""
    if say.language == language.lower().split("-")[0]:
        return Markup("")
    return Markup(' lang="{}" dir="{}"').format(say.language, direction(say.language))


def _plain(template: str, status: int) -> str:
    if template == "web/leave_done.html":
        return "Done. If the address was on the list, it is off it now.\n"
    return "This page cannot be shown just now. Please try again later.\n" if status == 200 else "There is nothing here.\n"
