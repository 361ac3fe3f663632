"""A mail so big that Gmail shows only its beginning."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.evidence import Mail
from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.core.problem import Severity

MAX_HTML_BYTES = 85 * 1024
MAX_ENCODED_BYTES = 102 * 1024
"""Gmail clips at about 102 KB and does not say of what; both the decoded and the encoded part stay below."""


def too_big(mail: Mail) -> bool:
    """Whether some reader will see only the beginning."""
    return mail.html > MAX_HTML_BYTES or mail.encoded > MAX_ENCODED_BYTES


def _look(copy: Copy) -> Iterator[Finding]:
    mail = copy.evidence.mail
    if mail is not None and too_big(mail):
        sizes = f"{mail.html / 1024:.0f} KB, {mail.encoded / 1024:.0f} KB as it travels"
        yield Finding(
            1, 1, f"the mail is {sizes}; Gmail cuts off what is longer than about 102 KB",
            f"Shorten it below {MAX_HTML_BYTES // 1024} KB, or move a story to the next issue.",
        )  # fmt: skip


RULE = Rule(
    id="mail-clipped",
    severity=Severity.ERROR,
    reason="Gmail cuts such a mail off: its end, with the legal notice and the way to leave, is behind a link.",
    bad="(an issue whose mail is 90 KB, or 105 KB as it travels)",
    good="(an issue whose mail is 60 KB)",
    look=_look,
)
