"""A day to come, told as if it were over."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.copydesk.calendar import named_days
from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import PROSE, Copy
from pipeline.copydesk.tools import found, sentences
from pipeline.core.problem import Severity

_PAST = re.compile(
    r"\b(?:was|were|had|did|went|came|took|met|held|began|ended|said|told|left|fell|broke|won|lost|died|gave|made|signed|opened|closed"
    r"|launched|arrived|visited|attended|happened|voted|killed|struck|hit|crossed|spoke|announced|returned|resigned|arrested|detained"
    r"|был|была|было|были|прош[её]л|прошла|прошло|прошли|состоял(?:ся|ась|ось|ись)|встретил(?:ся|ась|ись)|подписал(?:а|и)?|приехал(?:а|и)?"
    r"|закончил(?:ся|ась|ось|ись)|начал(?:ся|ась|ось|ись))\b",
    re.IGNORECASE,
)
# One of these and the sentence may well look ahead: nothing is said then.
_AHEAD = re.compile(
    r"\b(?:will|would|shall|should|could|(?-i:may)|might|can|must|to|for|until|till|before|by|ahead|expected|planned|plans?|scheduled|set|due"
    r"|postponed|moved|delayed|deadline|upcoming|next|coming|future|tomorrow|expires?|if|not|never"
    r"|будет|будут|должн\w+|может|могут|планир\w+|намечен\w*|назначен\w*|запланирован\w*|отложен\w*|перенес\w+|до|к|ко|на|для|чтобы|если|не)\b"
    r"|['’]ll\b|n['’]t\b",
    re.IGNORECASE,
)


def _look(copy: Copy) -> Iterator[Finding]:
    if copy.language not in ("en", "ru"):
        return
    today = copy.issue.id.date
    for passage in copy.of(PROSE):
        for offset, sentence in sentences(passage.text):
            if not _PAST.search(sentence) or _AHEAD.search(sentence):
                continue
            for named in named_days(sentence):
                day = named.on(today)
                if day is not None and day > today:
                    hint = "Mend the date or the tense." if named.year else "Mend the date or the tense, or add the year."
                    yield found(passage, offset + named.start, f"{day.isoformat()} has not come yet, and the sentence is in the past", hint)


RULE = Rule(
    id="date-future",
    severity=Severity.WARNING,
    reason="What is told as over and has not happened is either the wrong day or the wrong tense.",
    bad="The talks ended on August 30 in Tashkent.",
    good="The talks ended on August 3; the ministers will meet on August 30.",
    look=_look,
)
