"""Every rule a draft is held against, in one table; ``docs/reference/draft.md`` repeats it and a test compares the two."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pipeline.core.problem import Problem, Severity


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """One rule: how bad a breach is, and why the rule is there."""

    severity: Severity
    reason: str


def _error(reason: str) -> RuleInfo:
    return RuleInfo(Severity.ERROR, reason)


def _warning(reason: str) -> RuleInfo:
    return RuleInfo(Severity.WARNING, reason)


RULES: dict[str, RuleInfo] = {
    # the file
    "encoding": _error("Only UTF-8 is read the same way on every machine."),
    "draft-size": _error("A mail has room for about 85 KB; what is far larger is no issue, and would keep everybody waiting."),
    "control-character": _error("Invisible control characters break mail headers and pages."),
    # the front matter
    "front-matter-missing": _error("The headline and the date stand between two lines of ---."),
    "front-matter-open": _error("Without the second --- nobody can tell where the text begins."),
    "yaml": _error("The front matter must be readable as YAML."),
    "key-unknown": _error("A misspelt key would be passed over in silence."),
    "key-duplicate": _error("Of two values one would be passed over in silence."),
    "value-type": _error("YAML turns words such as Yes or 2026 into something that is not text."),
    "one-line": _error("Headlines, subjects and preheaders are one line; a line break would split a mail header."),
    "title-missing": _error("Every issue needs a headline."),
    "author-both": _error("With author and authors both given, nobody can tell which holds."),
    "author-unknown": _error("Every byline needs its author card."),
    "language-tag": _error("Screen readers, hyphenation and text direction follow the language tag."),
    "date-form": _error("Dates are written year-month-day, so that nobody mistakes the month."),
    "date-mismatch": _error("The file's name is the issue's address; another date in it would mislead."),
    "translation-of": _error("A language edition links to another issue by that issue's id."),
    "subject-long": _warning("Mail programs cut subjects after about 70 characters."),
    "preheader-long": _warning("Inboxes cut the line after the subject at about 90 characters."),
    "preheader-empty": _warning("Without it inboxes show whatever comes first in the mail."),
    # headings and sections
    "heading-top": _error("The title is the page's only first-level heading."),
    "heading-order": _error("Screen readers navigate by heading levels; none may be skipped."),
    "heading-empty": _error("A heading without words helps nobody."),
    "heading-place": _error("A heading inside a list or a quote opens no section."),
    "section-empty": _warning("A heading with nothing under it is usually a leftover."),
    "body-empty": _error("There is nothing to send."),
    "prompt-left": _error("Words in square brackets from the skeleton are for the writer, not for readers."),
    # ::: kind
    "container-kind": _error("Only known kinds have a design."),
    "container-open": _error("Without its closing ::: the box swallows the rest of the issue."),
    "container-stray": _error("A ::: that closes nothing is usually one too many."),
    "container-place": _error("Boxes stand by themselves: not in lists, quotes or other boxes."),
    "container-heading": _error("A box has one title, at its beginning."),
    # pictures
    "image-alt": _error("Readers who cannot see the picture get its alternative text."),
    "image-credit": _warning("Every picture names its photographer or agency."),
    "image-caption": _warning("A caption says who, where and when."),
    "image-focus": _error("A misspelt focus would cut the picture anywhere, or not at all."),
    "image-inline": _error("A picture is a paragraph of its own; mail programs tear others apart."),
    "image-remote": _error("A picture on another server can vanish, change and count readers."),
    "image-path": _error("Pictures lie beside the draft, so that an issue is complete in its folder."),
    # links
    "link-scheme": _error("A link in a mail must be a whole https:, mailto: or tel: address."),
    "link-broken": _error("An address that no browser can open loses the reader."),
    "link-http": _warning("Mail carries no unencrypted links; the issue links to https: instead."),
    "link-text": _error("A link without words cannot be clicked or read aloud."),
    "link-reference": _warning("A reference without its address stays in the text as brackets."),
    # text
    "raw-html": _error("HTML in a draft escapes the newsletter's design and its safety."),
    "code-block": _error("Indented text becomes program code, which no newsletter design has."),
    "table": _error("Tables do not fit a phone, and mail programs tear them apart."),
    "quote-content": _error("A pull quote holds paragraphs only."),
    "label-alone": _warning("A run-in label begins the paragraph it belongs to."),
    "nesting": _error("Text nested this deeply cannot be shown in a mail."),
}
"""Rule id -> severity and reason, in the order of the documentation."""


MAX_OF_A_RULE = 100
"""Findings of one rule in one draft; who has more mends the first hundred first."""


class Findings:
    """Collects Problems of one draft; the severity always comes from ``RULES``."""

    def __init__(self, file: str, lines: int) -> None:
        self._file = file
        self._lines = max(1, lines)
        self._found: list[Problem] = []
        self._counts: Counter[str] = Counter()

    def add(self, rule: str, line: int, message: str, hint: str = "") -> None:
        """Notes a breach of ``rule``. The same finding twice is one; a line outside the file is brought inside."""
        if self._counts[rule] >= MAX_OF_A_RULE:
            return
        problem = Problem(
            rule=rule, severity=RULES[rule].severity, file=self._file, line=min(max(1, line), self._lines), message=message, hint=hint
        )
        if problem not in self._found[-50:]:  # repetitions come close together
            self._counts[rule] += 1
            self._found.append(problem)

    def all(self) -> tuple[Problem, ...]:
        """Every Problem, by line; within a line in the order of finding."""
        return tuple(sorted(self._found, key=lambda problem: problem.line))


def line_count(source: str) -> int:
    """How many lines an editor shows for a text; an empty file has one."""
    return max(1, source.count("\n") + (not source.endswith("\n")))
