"""A page as a reader's browser copies it -> the parts of a draft. Pure: text in, values out.

The lines are recognised by shape (``shapes``), never by one site's sentences, and each of them is accounted for: it is
taken into the draft or listed as dropped, once. What is doubtful stays in the draft, with a Problem that asks for an eye.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.draft.page import shapes
from pipeline.draft.page.lines import read_pieces
from pipeline.draft.page.outline import sort_body, sort_furniture, sort_head, sort_tail
from pipeline.draft.page.roles import Sheet, sort_boxes, sort_captions, sort_doubles
from pipeline.draft.page.values import (
    DROP_PICTURES,
    TAKEN,
    BlockKind,
    BodyBlock,
    HouseText,
    ImportedFigure,
    Item,
    PageImport,
    PicturePlan,
    Role,
)
from pipeline.draft.page.write import apply_pictures, body, dashed, excerpt, plan_pictures, to_draft
from pipeline.errors import Refusal

__all__ = [
    "DROP_PICTURES",
    "BlockKind",
    "BodyBlock",
    "HouseText",
    "ImportedFigure",
    "Item",
    "PageImport",
    "PicturePlan",
    "Role",
    "apply_pictures",
    "plan_pictures",
    "read_page",
    "to_draft",
]


def read_page(text: str, *, house: HouseText, file: str = "page text") -> PageImport:
    """Sorts a copied page. ``file`` is the name that its Problems carry.

    Raises Refusal when the text is empty, is no text, or has no body paragraph.
    """
    try:
        sheet = Sheet(read_pieces(text), house, file)
    except Refusal as refusal:
        raise Refusal(f"{file}: {refusal.message}", hint=refusal.hint) from None
    sort_boxes(sheet)
    sort_furniture(sheet)
    sort_doubles(sheet)
    sort_captions(sheet)
    title = sort_head(sheet)
    sort_tail(sheet)
    sort_body(sheet)
    blocks = tuple(_blocks(sheet))
    if not any(shapes.is_sentence(part) for block in blocks if _is_text(block) for part in block.texts):
        hint = "copy the whole page, from above the headline to below the last line"
        raise Refusal(f"{file}: no body paragraph was found in the page text", hint=hint)
    figures = tuple(_figures(sheet))
    items = tuple(_items(sheet))
    byline = _byline(sheet)
    return PageImport(
        title=dashed(sheet.text(title)) if title is not None else "",
        body_markdown=body(blocks, lambda number: f"figure-{number}"),
        blocks=blocks,
        figures=figures,
        byline=byline,
        taken=tuple(item for role, item in items if role in TAKEN),
        dropped=tuple(item for role, item in items if role not in TAKEN),
        problems=tuple(sorted(sheet.problems, key=lambda problem: problem.line)),
        file=file,
    )


def _is_text(block: BodyBlock) -> bool:
    return block.kind in (BlockKind.PARAGRAPH, BlockKind.BULLETS, BlockKind.NUMBERS)


def _byline(sheet: Sheet) -> str | None:
    """The authors that the page names, each once; asks for an eye when the configuration does not know one of them."""
    names = list(dict.fromkeys(sheet.names))
    known = {name.casefold() for name in sheet.house.authors}
    for name in names:
        if name.casefold() not in known:
            hint = "name the author's id in the front matter (author:), with a file in config/authors/"
            index = next((i for i, piece in enumerate(sheet.pieces) if name in piece.text), 0)
            sheet.warn("import-byline", index, f"the page's author is {name}, whom the newsletter does not list", hint)
    return ", ".join(names) or None


# --- assembling --------------------------------------------------------------


def _figures(sheet: Sheet) -> Iterator[ImportedFigure]:
    for index, credit in sorted(sheet.credits.items()):
        yield ImportedFigure(dashed(shapes.split_credit(sheet.text(index))[0]), credit, sheet.pieces[index].first)


def _groups(sheet: Sheet) -> Iterator[list[int]]:
    """Neighbouring pieces that are one thing: a figure with its copies, a list, a box, a run of furniture."""
    group: list[int] = []
    for index, role in enumerate(sheet.roles):
        if group and not (role is sheet.roles[group[-1]] and _goes_with(sheet, group[-1], index)):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _goes_with(sheet: Sheet, before: int, index: int) -> bool:
    """Whether two neighbours of one role are one thing."""
    match sheet.roles[index]:
        case Role.FIGURE:
            return sheet.captions[before] == sheet.captions[index]
        case Role.LIST:
            if sheet.pieces[before].bullet or sheet.pieces[index].bullet:
                return sheet.pieces[before].bullet and sheet.pieces[index].bullet
            return shapes.number_of(sheet.text(index)) == (shapes.number_of(sheet.text(before)) or 0) + 1
        case role:
            return role not in TAKEN


def _blocks(sheet: Sheet) -> Iterator[BodyBlock]:
    figure = 0
    for group in _groups(sheet):
        texts = tuple(sheet.text(index) for index in group)
        match sheet.roles[group[0]]:
            case Role.FIGURE:
                figure += 1
                yield BodyBlock(BlockKind.FIGURE, (dashed(shapes.split_credit(texts[0])[0]), sheet.credits[group[0]]), figure)
            case Role.LIST if sheet.pieces[group[0]].bullet:
                yield BodyBlock(BlockKind.BULLETS, texts)
            case Role.LIST:
                items = tuple(shapes.without_number(text) for text in texts)
                yield BodyBlock(BlockKind.NUMBERS, items, shapes.number_of(texts[0]) or 0)
            case Role.SECTION:
                yield BodyBlock(BlockKind.SECTION, texts)
            case Role.PARAGRAPH:
                yield BodyBlock(BlockKind.PARAGRAPH, texts)


def _items(sheet: Sheet) -> Iterator[tuple[Role, Item]]:
    for group in _groups(sheet):
        role = sheet.roles[group[0]] or Role.PARAGRAPH
        first, last = sheet.pieces[group[0]], sheet.pieces[group[-1]]
        texts = [sheet.text(index) for index in group]
        match role:
            case Role.FIGURE:
                note = "printed twice or more on the page, kept once" if texts.count(texts[0]) > 1 else ""
            case Role.PARAGRAPH:
                note = ""
            case Role.LIST:
                note = f"{len(texts)} items"
            case _:
                note = excerpt(" / ".join(texts))
        yield role, Item(role.value, first.first, last.last, note)
