"""Too many emoji in what an inbox shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import FRONT, Copy
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

# A flag is two regional indicators; a family or a skin tone is one emoji with joiners and modifiers.
_ONE = "[\u203c\u2049\u2600-\u27bf\u2b50\u2b55\U0001f300-\U0001f3fa\U0001f400-\U0001faff]"
_MORE = "[\ufe0f\u20e3\U0001f3fb-\U0001f3ff]*"
_EMOJI = re.compile(f"[\U0001f1e6-\U0001f1ff]{{2}}|{_ONE}{_MORE}(?:\u200d{_ONE}{_MORE})*")


def _look(copy: Copy) -> Iterator[Finding]:
    limit = copy.style.limits.subject_emoji
    for passage in copy.of(FRONT):
        emoji = list(_EMOJI.finditer(passage.text))
        if len(emoji) > limit:
            most = f"At most {limit}." if limit else "None: some mail programs show a box instead."
            yield found(passage, emoji[limit].start(), f"the {passage.kind} has {len(emoji)} emoji", most)


RULE = Rule(
    id="subject-emoji",
    severity=Severity.WARNING,
    reason="Screen readers speak each emoji by its name, and filters count them.",
    bad="subject: News 🎉 from 🔥 the bridge",
    good="subject: News from the bridge 🌉",
    look=_look,
)
