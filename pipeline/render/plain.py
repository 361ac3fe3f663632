"""Issue to the mail's plain part: the same text and the same links as the HTML, each link as often.

rspamd adds a point when the number of addresses over both parts is odd (URI_COUNT_ODD), pictures included: the same links
make it even, and where the pictures make it odd again, the issue's own address stands in the plain part once more.
"""

from __future__ import annotations

from pipeline.core.issue import Issue, SectionKind
from pipeline.render.page import AuthorCard, Page
from pipeline.render.text import TextWriter, underlined, wrap


def plain_text(issue: Issue, page: Page, *, pictures: int = 0) -> str:
    """The whole plain part; everything under ``-- `` is the signature a mail reader may fold away.

    ``pictures`` is how many the HTML part loads.
    """
    writer = TextWriter(page.words.picture, {SectionKind.NOTE: page.words.note, SectionKind.CORRECTION: page.words.correction})
    head = [
        writer.link(page.words.view, page.link.issue),
        "\n".join(wrap(line) for line in (page.newsletter.upper(), page.tagline) if line),
        underlined(page.title, "="),
        wrap(" | ".join(part for part in (page.byline, page.date, page.reading_time) if part)),
    ]
    if page.translations:
        links = "\n".join(writer.link(one.name, one.href) for one in page.translations)
        head.append(f"{wrap(page.words.translations)}\n{links}")
    body = [part for part in (writer.blocks(issue.opening), *map(writer.section, issue.sections)) if part]
    if pictures % 2:
        body.append(writer.link(page.words.view, page.link.issue))
    signature = "-- \n" + "\n\n".join(_signature(page, writer))
    return "\n\n".join([*head, *body, *(_card(author, writer) for author in page.authors), *_reply(page), signature]) + "\n"


def _card(author: AuthorCard, writer: TextWriter) -> str:
    who = f"{author.name}, {author.role}" if author.role else author.name
    contacts = [writer.link(words, href) for words, href in author.links]
    return "\n".join([wrap(who), *(writer.prose(part.nodes) for part in author.bio), *([author.email] if author.email else []), *contacts])


def _reply(page: Page) -> list[str]:
    parts = [f"{wrap(page.words.reply)}\n{page.reply_to}"]
    if page.next_issue:
        parts.append(wrap(page.words.next.format(when=page.next_issue)))
    return parts


def _signature(page: Page, writer: TextWriter) -> list[str]:
    parts = (
        ["\n\n".join([underlined(page.words.legal, "-"), *(writer.prose(part.nodes) for part in page.legal.paragraphs)])]
        if page.legal
        else []
    )
    parts.append(
        "\n\n".join(
            [underlined(page.words.about.format(newsletter=page.newsletter), "-"), *(writer.prose(part.nodes) for part in page.about)]
        )
    )
    parts.append(writer.link(page.words.feed, page.link.feed))
    parts.append(writer.link(page.words.archive.format(newsletter=page.newsletter), page.link.newsletter))
    if page.mirrors:
        parts.append("\n".join([wrap(page.words.mirrors), *page.mirrors]))
    parts.append(wrap(page.words.why.format(newsletter=page.newsletter)))
    parts.append(writer.link(page.words.leave, page.link.leave))
    parts.append("\n".join(map(wrap, page.postal_address)))
    return parts
