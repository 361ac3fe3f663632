"""A unit that the newsroom writes otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, PROSE, Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    forms = {form: preferred for form, preferred in copy.style.units.items() if form.strip() and form != preferred}
    if not forms:
        return
    listed = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    pattern = re.compile(rf"(?<=\d)([ \u00a0\u202f]?)({listed})(?![\w/])")
    for passage, match in hits(copy, PROSE | FRONT | {Kind.HEADING, Kind.CAPTION, Kind.ALT}, pattern):
        form, preferred = match[2], forms[match[2]]
        blank = match[1] or (" " if preferred[:1].isalpha() else "")
        safe = all(character.isalnum() or character in " %/°" for character in preferred)
        edit = repair(copy, passage, match.start(), match.end(), blank + preferred) if safe else None
        yield replace(
            found(passage, match.start(2), f"the house writes {preferred} after a number, not {form}", "See [units] in config/style.toml."),
            edit=edit,
        )


RULE = Rule(
    id="number-house",
    severity=Severity.WARNING,
    reason="One unit, one form: two forms of it in one issue look like two units.",
    fixes=True,
    bad="Some 15 pct of them left.",
    good="Some 15 percent of them left.",
    look=_look,
)
