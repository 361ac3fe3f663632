"""An international host name."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.copydesk.finding import Finding, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.tools import clip, once, parts, script
from pipeline.core.problem import Severity


def _look(copy: Copy) -> Iterator[Finding]:
    for link in once(copy.links):
        split = parts(link)
        host = split.hostname or "" if split else ""
        place = link.href_place
        mixed = any(len({script(letter) for letter in label} - {""}) > 1 for label in host.split("."))
        if mixed:
            yield Finding(
                place.line,
                place.column,
                f"the host of {clip(link.href)} mixes alphabets",
                "It looks like another site's name: copy the address anew.",
            )
        elif not host.isascii() or any(label.startswith("xn--") for label in host.split(".")):
            yield Finding(
                place.line,
                place.column,
                f"{clip(host)} is an international host name",
                "Check that it is the site you mean; prefer its Latin name if it has one.",
            )


RULE = Rule(
    id="link-idn",
    severity=Severity.WARNING,
    reason="Letters of other alphabets look like Latin ones; fraud lives on that.",
    bad="See [the news](https://нoвости.example/a).",
    good="See [the news](https://novosti.example/a).",
    look=_look,
)
