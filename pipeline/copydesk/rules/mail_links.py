"""Too many links over both parts of the mail."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    mail, limit = copy.evidence.mail, copy.style.limits.mail_links
    if mail is not None and (count := mail.html_links + mail.text_links) > limit:
        yield Finding(
            1, 1, f"the mail has {count} links: {mail.html_links} in its HTML part, {mail.text_links} in its plain part",
            f"{limit} are the most: link less, or give authors and the newsletter fewer links.",
        )  # fmt: skip


RULE = Rule(
    id="mail-links",
    severity=Severity.WARNING,
    reason="Filters count the links of both parts, those of headers, author cards and footers included.",
    bad="(an issue whose mail has 300 links)",
    good="(an issue whose mail has 80 links)",
    look=_look,
)
