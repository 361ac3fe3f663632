"""The article's outline: its headline, where it ends, its subheads and lists. Runs after the boxes and captions have their roles."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from pipeline.core.problem import Problem, Severity
from pipeline.draft.page import shapes
from pipeline.draft.page.lines import stop_of
from pipeline.draft.page.roles import Sheet
from pipeline.draft.page.values import Role

_BOXES = frozenset({Role.AUTHOR_CARD, Role.LEGAL_NOTICE, Role.ABOUT_BOX})
_LONGEST_HEADLINE = 200


def sort_furniture(sheet: Sheet) -> None:
    """Widgets, drawn lines, and headings over lists of other articles with the headlines below them."""
    for index in sheet.open():
        text = sheet.text(index)
        if sheet.roles[index] is not None:
            continue
        if shapes.TEASER_HEADINGS.match(text.rstrip(" :")):
            _mark_teasers(sheet, index)
        elif text.casefold().startswith(("see also:", "read also:", "related:")) and len(text) <= 200:
            sheet.roles[index] = Role.TEASER
        if sheet.roles[index] is None and shapes.is_widget(text):
            sheet.roles[index] = Role.FURNITURE
        elif sheet.roles[index] is None and shapes.is_separator(text):
            sheet.roles[index] = Role.SEPARATOR


def _mark_teasers(sheet: Sheet, index: int) -> None:
    """Drops the heading and the headlines under it; a heading with a paragraph right below is a section of the text."""
    end = index + 1
    while end < len(sheet.pieces) and sheet.roles[end] is None and not shapes.is_sentence(sheet.text(end)):
        end += 1
    if end == index + 1:
        return
    sheet.give(range(index, end), Role.TEASER)
    if end < len(sheet.pieces) and sheet.roles[end] is None:
        sheet.warn("import-teaser", end, "the text after a link to another article was kept", "if it is that article's summary, delete it")


# --- headline ----------------------------------------------------------------


def sort_head(sheet: Sheet) -> int | None:
    """The headline and what stands around it, above the first paragraph. Returns the headline's piece, None without one."""
    body = _first_paragraph(sheet)
    title = _pick_headline(sheet, body)
    if title is None:
        hint = "write the headline into the draft's front matter"
        sheet.problems.append(
            Problem(
                rule="import-title", severity=Severity.ERROR, file=sheet.file, line=1, message="no line reads as the headline", hint=hint
            )
        )
        return None
    sheet.roles[title] = Role.HEADLINE
    text = sheet.text(title)
    if len(shapes.words(text)) < 4 or stop_of(text) not in ("", *"!?！？؟"):
        sheet.warn("import-title", title, "this line was taken as the headline", "check it: it is very short, or ends like a sentence")
    for index in sheet.open():
        if shapes.folded(sheet.text(index)) == shapes.folded(text):
            sheet.roles[index] = Role.REPEAT
    _sort_around(sheet, title, body)
    return title


def _first_paragraph(sheet: Sheet) -> int:
    """The first piece of running text, where the search for the headline ends."""
    plain = [index for index in sheet.open() if not sheet.pieces[index].bullet]
    prose = next((index for index in plain if shapes.is_prose(sheet.text(index))), None)
    if prose is not None:
        return prose
    return next((i for i in plain if shapes.is_sentence(sheet.text(i)) and stop_of(sheet.text(i)) not in tuple("?!")), len(sheet.pieces))


def _pick_headline(sheet: Sheet, body: int) -> int | None:
    """The first line of four words or more above the text; else a question that passed for text; else the longest short line."""
    lines = [i for i in sheet.open() if i < body and not sheet.pieces[i].bullet and len(sheet.text(i)) <= _LONGEST_HEADLINE]
    lines = [i for i in lines if not (shapes.byline_of(sheet.text(i)) or shapes.is_date_line(sheet.text(i)))]
    lines = _not_in_menu(sheet, lines) or lines
    lines = [i for i in lines if not shapes.is_edge_label(sheet.text(i), sheet.house)] or lines
    lines = [i for i in lines if stop_of(sheet.text(i)) not in tuple(".…。")] or lines
    long = next((i for i in lines if len(shapes.words(sheet.text(i))) >= 4), None)
    if long is not None:
        return _without_site_name(sheet, lines, long)
    more = any(shapes.is_sentence(sheet.text(i)) for i in sheet.open(body + 1))
    single = 0 < len(sheet.text(body)) <= 160 and shapes.sentences(sheet.text(body)) == 1
    if more and single and (stop_of(sheet.text(body)) in tuple("?!") or not lines):
        return body
    return max(lines, key=lambda i: (len(shapes.words(sheet.text(i))), -i), default=None)


def _not_in_menu(sheet: Sheet, lines: list[int]) -> list[int]:
    """The lines outside runs of three or more short ones without a blank line between: those are menus."""
    run, runs = 0, []
    for piece in sheet.pieces:
        run += not piece.tight
        runs.append(run)
    sizes = Counter(runs)
    told = {run for run, piece in zip(runs, sheet.pieces, strict=True) if shapes.is_prose(piece.text)}
    return [index for index in lines if sizes[runs[index]] < 3 or runs[index] in told]


def _without_site_name(sheet: Sheet, lines: list[int], title: int) -> int:
    """The headline itself where the line found first is the browser's title ("Headline | The Newsroom")."""
    text = sheet.text(title)
    return next((i for i in lines if i > title and len(sheet.text(i)) > 20 and text.startswith(sheet.text(i) + " ")), title)


def _sort_around(sheet: Sheet, title: int, body: int) -> None:
    """Labels above the headline; byline, date, labels and a standfirst between it and the text."""
    sheet.give((i for i in sheet.open() if i < title), Role.LABEL)
    lone = set(_not_in_menu(sheet, [i for i in sheet.open(title) if i < body]))
    for index in [i for i in sheet.open(title) if i < body and not sheet.pieces[i].bullet]:
        text = sheet.text(index)
        if not _sort_signature(sheet, index):
            short = len(shapes.words(text)) <= 2 and not stop_of(text)
            if short or shapes.is_edge_label(text, sheet.house) or index not in lone:
                sheet.roles[index] = Role.LABEL
            else:
                sheet.roles[index] = Role.PARAGRAPH
                if not shapes.is_sentence(text):
                    sheet.warn("import-standfirst", index, "the line between headline and text was kept as a paragraph", "is it wanted?")


def _sort_signature(sheet: Sheet, index: int) -> bool:
    """Whether the piece is a byline or a date, which it is then marked as."""
    text = sheet.text(index)
    name = shapes.byline_of(text) or next((name for name in sheet.house.authors if name and shapes.folded(name) == shapes.folded(text)), "")
    if name:
        sheet.roles[index] = Role.BYLINE
        sheet.names.append(name)
    elif shapes.is_date_line(text):
        sheet.roles[index] = Role.DATELINE
    return sheet.roles[index] is not None


# --- the end -----------------------------------------------------------------


def sort_tail(sheet: Sheet) -> None:
    """What stands below the last sentence or list: a sign-off stays, the rest is left over from the page's layout."""
    end = max((i for i in sheet.open() if shapes.is_sentence(sheet.text(i))), default=-1)
    while end + 1 < len(sheet.pieces) and sheet.roles[end + 1] in (None, Role.FIGURE) and _is_item_or_figure(sheet, end + 1):
        end += 1
    for index in sheet.open(end + 1):
        text, before = sheet.text(index), sheet.text(index - 1)
        signs = text.endswith(",") or (before.endswith(",") and sheet.roles[index - 1] is Role.PARAGRAPH)
        if signs:
            sheet.roles[index] = Role.PARAGRAPH
        elif not _sort_signature(sheet, index):
            sheet.roles[index] = Role.LEFTOVER
            if len(shapes.words(text)) >= 4:
                sheet.warn(
                    "import-leftover", index, "a line below the last paragraph was left out", "if it belongs to the story, put it back"
                )
    box = next((i for i, role in enumerate(sheet.roles) if role in _BOXES), len(sheet.pieces))
    after = next(iter(sheet.open(box)), None)
    # an about box in the middle of a story is usual; a story after the author's card or the legal notice is not
    if after is not None and any(sheet.roles[i] in (Role.AUTHOR_CARD, Role.LEGAL_NOTICE) for i in range(after)):
        sheet.warn("import-after-boxes", after, "text below the author card or legal notice was kept", "if it is the site's, delete it")


def _is_item_or_figure(sheet: Sheet, index: int) -> bool:
    return sheet.roles[index] is Role.FIGURE or sheet.pieces[index].bullet or shapes.number_of(sheet.text(index)) is not None


# --- subheads, lists, paragraphs -------------------------------------------------


def sort_body(sheet: Sheet) -> None:
    """Subheads, lists and paragraphs: everything that is left becomes one of them."""
    rest = sheet.open()
    sheet.give((i for i in rest if sheet.pieces[i].bullet), Role.LIST)
    for index, after in pairwise(rest):
        if _counts_on(sheet, index, after):
            sheet.give((index, after), Role.LIST)
    heads = [i for i in sheet.open() if shapes.is_subhead(sheet.text(i)) and not shapes.is_prose(sheet.text(i))]
    for run in _runs(sheet, heads):
        _settle_heads(sheet, run)
    sheet.give(sheet.open(), Role.PARAGRAPH)


def _counts_on(sheet: Sheet, index: int, after: int) -> bool:
    """Whether two neighbours are items of one numbered list. A number alone is a numbered subhead or sentence."""
    number, following = shapes.number_of(sheet.text(index)), shapes.number_of(sheet.text(after))
    plain = not sheet.pieces[index].bullet and not sheet.pieces[after].bullet
    return plain and number is not None and following == number + 1 and _following(sheet, index) == after


def _following(sheet: Sheet, index: int) -> int | None:
    """The next piece that goes into the draft (or may)."""
    taken = (None, Role.PARAGRAPH, Role.SECTION, Role.LIST, Role.FIGURE)
    return next((i for i in range(index + 1, len(sheet.pieces)) if sheet.roles[i] in taken), None)


def _runs(sheet: Sheet, heads: list[int]) -> list[list[int]]:
    """Subhead-like lines, those with nothing between them together."""
    runs: list[list[int]] = []
    for index in heads:
        if runs and _following(sheet, runs[-1][-1]) == index:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _settle_heads(sheet: Sheet, run: list[int]) -> None:
    """A run of one or two is a subhead (and one below it); of more it is no heading but short lines: verse, names, a menu."""
    if len(run) > 2:
        sheet.warn("import-short-lines", run[0], f"{len(run)} short lines in a row were kept as paragraphs", "are they the story's?")
    if len(run) > 2 or _following(sheet, run[-1]) is None:
        sheet.give(run, Role.PARAGRAPH)
        return
    sheet.give(run, Role.SECTION)
