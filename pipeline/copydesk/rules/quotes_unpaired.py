"""A quotation mark that is not closed, or never opened."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import PROSE, Copy, Kind, Passage
from pipeline.copydesk.tools import found
from pipeline.core.problem import Severity

_PAIRS = {"“": "”", "«": "»", "「": "」", "『": "』", "《": "》"}
_CLOSING = {close: open_ for open_, close in _PAIRS.items()}


def _look(copy: Copy) -> Iterator[Finding]:
    passages = copy.of(PROSE | {Kind.TITLE, Kind.SUBJECT, Kind.PREHEADER, Kind.HEADING, Kind.CAPTION, Kind.ALT})
    for number, passage in enumerate(passages):
        following = passages[number + 1] if number + 1 < len(passages) else None
        yield from _unpaired(passage, following)


def _unpaired(passage: Passage, following: Passage | None) -> Iterator[Finding]:
    if "„" in passage.text or ("»" in passage.text and passage.text.find("»") < passage.text.find("«")):
        return  # German and Nordic pairs close with what opens elsewhere; they are not judged
    if passage.text.count('"') % 2:
        yield found(passage, passage.text.rfind('"'), 'an odd number of " in this paragraph', "Close the quotation, or open it.")
    opened: list[tuple[str, int]] = []
    for offset, character in enumerate(passage.text):
        if character in _PAIRS:
            opened.append((character, offset))
        elif character in _CLOSING:
            if opened and opened[-1][0] == _CLOSING[character]:
                opened.pop()
            else:
                yield found(
                    passage, offset, f"{character} closes a quotation that was not opened", f"Put {_CLOSING[character]} where it begins."
                )
    # A quotation that runs on opens every paragraph anew and is closed in the last only.
    runs_on = following is not None and opened and following.text.lstrip().startswith(opened[-1][0])
    for character, offset in opened if not runs_on else []:
        yield found(passage, offset, f"{character} opens a quotation that is not closed", f"Put {_PAIRS[character]} where it ends.")


RULE = Rule(
    id="quotes-unpaired",
    severity=Severity.WARNING,
    reason="Without its second mark nobody knows where another person's words end.",
    bad="He said: “We will come. Nobody believed it.",
    good="He said: “We will come.” Nobody believed it.",
    look=_look,
)
