"""Issue to the mail's HTML part."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment

from pipeline.core.issue import Issue
from pipeline.render.environment import render
from pipeline.render.html import MAIL_CLASSES, Medium, Shown
from pipeline.render.page import Page, article_of

TEMPLATE = "email/issue.html"
COLUMN = 536
"""CSS pixels of text and pictures: the 600 of the column less 32 on either side."""


def email_html(issue: Issue, page: Page, environment: Environment, picture: Callable[[str], Shown]) -> str:
    """The mail's HTML with its CSS on the elements: the same bytes for every reader. Raises TemplateFault.

    ``page`` and ``picture`` hold absolute addresses.
    """
    # premailer and its CSS parser take longer to load than all the rest: only who renders pays.
    from pipeline.render.inline import inline_css

    article = article_of(issue, Medium("mail", MAIL_CLASSES, picture))
    return inline_css(render(environment, TEMPLATE, page=page, article=article).lstrip(), template=TEMPLATE) + "\n"
