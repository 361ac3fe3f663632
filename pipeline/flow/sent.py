"""What readers have already: the paragraphs of issues that were sent, read from the database where there is one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import lxml.html
from lxml.etree import LxmlError
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from pipeline.copydesk.reading import fingerprint
from pipeline.core.issue import IssueId
from pipeline.errors import BriefingError
from pipeline.settings import Settings
from pipeline.store import editions
from pipeline.store.engine import open_engine, reading

ISSUES = 30
"""The newest issues of a newsletter that are compared with."""

CONNECT_S = "3"


def paragraphs_sent(settings: Settings, id: IssueId) -> dict[str, frozenset[str]]:
    """The paragraphs of other issues of the same newsletter that were sent, by issue id, as fingerprints.

    Empty without a database: a draft is checked on machines that have none, and a comparison is no reason to fail there.
    """
    try:
        url = make_url(settings.database_url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return {}
        if url.get_backend_name() == "postgresql":
            url = url.update_query_dict({"connect_timeout": CONNECT_S})  # nobody waits minutes for a comparison
        engine = open_engine(url.render_as_string(hide_password=False))
        try:
            with reading(engine) as connection:
                found = editions.sent(connection, id.newsletter, ISSUES)
        finally:
            engine.dispose()
    except (BriefingError, SQLAlchemyError):
        return {}
    return {issue: _paragraphs(feed) for issue, feed in found if issue != str(id)}


@lru_cache(maxsize=64)
def _paragraphs(fragment: str) -> frozenset[str]:
    """The paragraphs of an edition's article, as the desk reads them in a draft."""
    try:
        tree = lxml.html.fragment_fromstring(fragment, create_parent="div")
    except LxmlError:
        return frozenset()
    texts = (fingerprint(str(element.text_content())) for element in tree.iter("p", "li"))
    return frozenset(text for text in texts if text)
