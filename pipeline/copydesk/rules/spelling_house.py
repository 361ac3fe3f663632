"""A spelling that the newsroom does not use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy, Kind
from pipeline.copydesk.tools import found, hits, repair
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    forms = {form: preferred for form, preferred in copy.style.words.items() if form.strip() and form != preferred}
    if not forms:
        return
    listed = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    for passage, match in hits(copy, Kind, re.compile(rf"(?<!\w)(?:{listed})(?!\w)")):
        preferred = forms[match[0]]
        # In the front matter a colon or a quotation mark of the preferred form could end the value.
        safe = all(character.isalnum() or character in " -’" for character in preferred)
        edit = repair(copy, passage, match.start(), match.end(), preferred) if safe else None
        yield replace(
            found(passage, match.start(), f"the house writes {preferred}, not {match[0]}", "See [words] in config/style.toml."), edit=edit
        )


RULE = Rule(
    id="spelling-house",
    severity=Severity.WARNING,
    reason="One name, one spelling: readers search for it, and so does the archive.",
    fixes=True,
    bad="The road to Kazakstan is open.",
    good="The road to Kazakhstan is open.",
    look=_look,
)
