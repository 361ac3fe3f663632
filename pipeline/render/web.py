"""Issue to the archive's page, its style sheet, and the fragment that a feed carries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from jinja2 import Environment

from pipeline.core.issue import Issue
from pipeline.render.environment import render
from pipeline.render.html import WEB_CLASSES, Medium, Shown
from pipeline.render.language import typography
from pipeline.render.page import Page, article_of
from pipeline.render.palette import dark, light
from pipeline.settings import Brand


def site_css(environment: Environment, brand: Brand | None = None) -> tuple[str, bytes]:
    """The site's style sheet in a brand's colours: its file name, made from its content, and its bytes.

    It lies at the top of the archive. Old pages go on naming the sheet they were made with, so a sheet once written
    stays. Raises TemplateFault.
    """
    colours = brand or Brand()
    css = render(
        environment, "web/style.css", light=light(colours.accent), dark=dark(colours.accent_dark),
        latin=typography("en"), arabic=typography("ar"), han=typography("zh"),
    ).encode("utf-8")  # fmt: skip
    return f"style-{hashlib.sha256(css).hexdigest()[:12]}.css", css


def web_page(
    issue: Issue,
    page: Page,
    environment: Environment,
    *,
    picture: Callable[[str], Shown],
    canonical: str,
    share_picture: str | None,
    css: str,
) -> str:
    """The complete archive page with relative links; ``canonical`` and ``share_picture`` are absolute by their nature.

    ``css`` is the relative address of the style sheet. No script, no style attribute, no request to anybody else.
    Raises TemplateFault.
    """
    article = article_of(issue, Medium("web", WEB_CLASSES, picture))
    return render(environment, "web/issue.html", page=page, article=article, canonical=canonical, share_picture=share_picture, css=css)


def feed_fragment(issue: Issue, page: Page, environment: Environment, picture: Callable[[str], Shown]) -> str:
    """The article as bare HTML with absolute links, for Atom readers. Raises TemplateFault."""
    article = article_of(issue, Medium("feed", {}, picture))
    return render(environment, "web/fragment.html", page=page, article=article)
