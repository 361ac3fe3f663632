"""Runs of characters with their marks, as word processors and browsers keep them -> inlines of a draft.

Programs cut runs anywhere: in words, around blanks, at spelling marks. Here neighbours with the same marks become one, and blanks
move out of marks, so that the draft has ``**Why It Matters:** Because`` whatever the program stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from pipeline.core.issue import Code, Emphasis, Inline, LineBreak, Link, Strong, Text
from pipeline.draft.page.lines import clean_line

BREAK = "\n"


@dataclass(frozen=True, slots=True)
class Run:
    """Characters with one look; ``BREAK`` alone is a line break. Other blanks are one blank, as in a browser."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A link or a run outside links: what marks go around as a whole."""

    runs: tuple[Run, ...]
    href: str

    @property
    def bold(self) -> bool:
        return all(run.bold for run in self.runs)

    @property
    def italic(self) -> bool:
        return all(run.italic for run in self.runs)


def inlines(runs: Iterable[Run]) -> tuple[Inline, ...]:
    """The runs of a paragraph as inlines, without blanks at its ends."""
    tidy = _trimmed(_spaced([run for run in map(_clean, runs) if run.text]))
    units = [
        _Unit(tuple(group), href)
        for (href, _), group in groupby(tidy, key=lambda run: (run.href, None if run.href else (run.bold, run.italic, run.code)))
    ]
    return _label_spaced(_strong(units))


def _clean(run: Run) -> Run:
    if run.text == BREAK:
        return Run(BREAK)
    text = clean_line(run.text)
    # clean_line takes the blanks at the ends; here they part words
    before = " " if run.text[:1].isspace() and text else ""
    after = " " if run.text[-1:].isspace() else ""
    return replace(run, text=before + text + after)


def _spaced(runs: Sequence[Run]) -> list[Run]:
    """Blanks stand in runs of their own, never two in a row, and have the marks that both neighbours share."""
    parts: list[Run] = []
    for run in runs:
        if run.text == BREAK:
            parts.append(run)
            continue
        words = run.text.strip(" ")
        parts += [Run(" ")] * run.text.startswith(" ") + ([replace(run, text=words)] if words else [])
        parts += [Run(" ")] * (run.text.endswith(" ") and bool(words))
    single = [run for n, run in enumerate(parts) if not (run.text == " " and n and parts[n - 1].text in (" ", BREAK))]
    single = [run for n, run in enumerate(single) if not (run.text == " " and single[n + 1 : n + 2] == [Run(BREAK)])]
    return [_shared(single, n) if run.text == " " else run for n, run in enumerate(single)]


def _shared(runs: Sequence[Run], index: int) -> Run:
    before, after = (runs[index - 1] if index else Run("")), (runs[index + 1] if index + 1 < len(runs) else Run(""))
    return Run(
        " ", before.bold and after.bold, before.italic and after.italic, before.code and after.code,
        before.href if before.href == after.href else "",
    )  # fmt: skip


def _trimmed(runs: list[Run]) -> list[Run]:
    blank = (" ", BREAK)
    while runs and runs[0].text in blank:
        runs = runs[1:]
    while runs and runs[-1].text in blank:
        runs = runs[:-1]
    return runs


def _strong(units: Sequence[_Unit]) -> tuple[Inline, ...]:
    return _wrapped(units, lambda unit: unit.bold, Strong, _emphasis)


def _emphasis(units: Sequence[_Unit]) -> tuple[Inline, ...]:
    return _wrapped(units, lambda unit: unit.italic, Emphasis, _links)


def _wrapped(
    units: Sequence[_Unit],
    marked: Callable[[_Unit], bool],
    mark: Callable[[tuple[Inline, ...]], Inline],
    below: Callable[[Sequence[_Unit]], tuple[Inline, ...]],
) -> tuple[Inline, ...]:
    out: list[Inline] = []
    for is_marked, group in groupby(units, key=marked):
        inner = below(list(group))
        out += [mark(inner)] if is_marked else inner
    return tuple(out)


def _links(units: Sequence[_Unit]) -> tuple[Inline, ...]:
    out: list[Inline] = []
    for unit in units:
        # marks around the whole link are set already; those of a part of it stand inside
        inner = [replace(run, bold=run.bold and not unit.bold, italic=run.italic and not unit.italic, href="") for run in unit.runs]
        if not unit.href:
            out += _texts(inner)
        elif any(run.bold or run.italic for run in inner):
            out.append(Link(unit.href, _strong([_Unit((run,), "") for run in inner])))
        else:
            out.append(Link(unit.href, _texts(inner)))
    return tuple(out)


def _texts(runs: Iterable[Run]) -> tuple[Inline, ...]:
    out: list[Inline] = []
    for run in runs:
        if run.text == BREAK:
            out.append(LineBreak())
        elif run.code:
            out.append(Code(run.text))
        elif out and isinstance(out[-1], Text):
            out[-1] = Text(out[-1].value + run.text)
        else:
            out.append(Text(run.text))
    return tuple(out)


def _label_spaced(content: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """A run-in label that the text follows without a blank gets one: CommonMark would not see where the bold ends."""
    if len(content) < 2 or not isinstance(content[0], Strong) or not isinstance(content[1], Text):
        return content
    last = content[0].children[-1]
    if isinstance(last, Text) and last.value.endswith(":") and not content[1].value.startswith(" "):
        return (content[0], Text(" " + content[1].value), *content[2:])
    return content
