"""A mail that comes near the size at which it is cut off."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.rules.mail_clipped import MAX_HTML_BYTES, too_big
from pipeline.core.problem import Severity

WARN_HTML_BYTES = 75 * 1024


def _look(copy: Copy) -> Iterator[Finding]:
    mail = copy.evidence.mail
    if mail is not None and mail.html > WARN_HTML_BYTES and not too_big(mail):
        yield Finding(
            1, 1, f"the mail is {mail.html / 1024:.0f} KB; from {MAX_HTML_BYTES // 1024} KB on it may be cut off",
            f"Shorten it below {WARN_HTML_BYTES // 1024} KB, or move a story to the next issue.",
        )  # fmt: skip


RULE = Rule(
    id="mail-size",
    severity=Severity.WARNING,
    reason="What a sender adds on the way counts, too, and the next edit makes it longer.",
    bad="(an issue whose mail is 80 KB)",
    good="(an issue whose mail is 60 KB)",
    look=_look,
)
