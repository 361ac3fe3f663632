"""What every kind of document needs before it is a draft: one headline, headings in order, names for pictures, a list of what was taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from urllib.parse import unquote

from pipeline.core.issue import Block, Figure, Inline, ListBlock, Paragraph, Quote, Strong, SubHeading, Text, plain
from pipeline.core.problem import Problem, Severity
from pipeline.draft.importing.values import DocumentImport, Notes, Picture, excerpt
from pipeline.draft.importing.write import body
from pipeline.draft.page.lines import clean_line
from pipeline.draft.page.shapes import folded
from pipeline.draft.page.values import Item
from pipeline.draft.page.write import dashed
from pipeline.draft.skeleton import slugify
from pipeline.errors import Refusal

_ENDINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tiff", b"MM\0*": ".tiff"}


MAX_BLOCKS = 5_000


@dataclass(slots=True, kw_only=True)
class Raw:
    """What a reader of one kind found, headings with the document's own levels (1 to 6)."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""
    #: From a title paragraph or from metadata.
    title_place: int = 1
    byline: str | None = None
    day: date | None = None
    language: str | None = None
    topics: tuple[str, ...] = ()
    front: tuple[tuple[str, str], ...] = ()
    embedded: dict[str, bytes] = field(default_factory=dict)
    #: Pictures that the document holds itself, by the ``src`` of their figures.


def picture_ending(data: bytes) -> str:
    """The ending that a picture's first bytes ask for; empty when they are no picture that we publish."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    if data[4:12] in (b"ftypavif", b"ftypheic"):
        return "." + data[8:12].decode()
    return next((ending for start, ending in _ENDINGS.items() if data.startswith(start)), "")


def finish(raw: Raw, notes: Notes, *, unit: str) -> DocumentImport:
    """Puts a document in order. Raises Refusal when it has no text."""
    if not any(isinstance(block, Paragraph | ListBlock | Quote) for block in raw.blocks):
        raise Refusal(f"no text was found in {notes.file}", hint="Open the file and see whether it is the right one.")
    if len(raw.blocks) > MAX_BLOCKS:
        raise Refusal(
            f"{notes.file} has {len(raw.blocks)} paragraphs", hint=f"An issue has at most {MAX_BLOCKS}: cut the document in parts."
        )
    _clean(raw)
    blocks = _without_first_title(raw, notes)
    blocks = _levelled(blocks, notes)
    _ask_about_headings(blocks, notes)
    blocks, pictures = _named(blocks, raw.embedded)
    markdown = body(blocks, notes)
    dropped, problems = notes.in_order()
    if not raw.title:
        problems = (Problem(rule="import-title", severity=Severity.ERROR, file=notes.file, line=1, message="no line reads as the headline",
                            hint="write the headline into the draft's front matter"), *problems)  # fmt: skip
    head = (Item("headline", raw.title_place, raw.title_place, excerpt(raw.title)),) if raw.title else ()
    return DocumentImport(
        title=dashed(raw.title), blocks=tuple(blocks), body_markdown=markdown, taken=(*head, *map(_taken, blocks)), dropped=dropped,
        problems=problems, pictures=pictures, byline=raw.byline, day=raw.day, language=raw.language, topics=raw.topics, front=raw.front,
        file=notes.file, unit=unit,
    )  # fmt: skip


def _clean(raw: Raw) -> None:
    """What comes from attributes, metadata and front matter goes through no paragraph; here it loses what may stand in no line."""
    raw.title = clean_line(raw.title)
    raw.byline = clean_line(raw.byline or "") or None
    raw.topics = tuple(filter(None, map(clean_line, raw.topics)))
    raw.front = tuple((key, said) for key, value in raw.front if (said := clean_line(value)))
    raw.blocks[:] = map(_clean_words, raw.blocks)


def _clean_words(block: Block) -> Block:
    match block:
        case Figure(alt=alt, caption=caption, credit=credit):
            return replace(block, alt=clean_line(alt), caption=clean_line(caption), credit=clean_line(credit))
        case Quote(attribution=attribution):
            return replace(block, attribution=clean_line(attribution))
        case ListBlock(items=items):
            return replace(block, items=tuple(tuple(map(_clean_words, item)) for item in items))
        case _:
            return block


def settle_pictures(document: DocumentImport, found: Mapping[str, bytes], *, drop: bool = False) -> DocumentImport:
    """The document with the pictures that were found; figures without a picture are among the dropped.

    ``found`` has the bytes by ``Picture.source``. The draft's names get the endings that the bytes ask for.
    """
    if not document.pictures:
        return document
    names: dict[str, str] = {}
    pictures: list[Picture] = []
    notes = Notes(document.file)
    notes.dropped, notes.problems = list(document.dropped), list(document.problems)
    why: dict[str, tuple[str, str]] = {}
    for one in document.pictures:
        data = one.data if one.data is not None else found.get(one.source)
        ending = picture_ending(data) if data is not None else ""
        if drop or data is None or not ending:
            why[one.name] = _why_not(one, data, drop=drop)
            continue
        stem = one.name.rpartition(".")[0] or one.name
        names[one.name] = next(name for n in range(1, 10_000) if (name := f"{stem}{f'-{n}' * (n > 1)}{ending}") not in names.values())
        pictures.append(replace(one, name=names[one.name], data=data))
    blocks = _with_names(document.blocks, names, why, notes)
    markdown = body(blocks, notes)
    dropped, problems = notes.in_order()
    head = tuple(item for item in document.taken if item.kind == "headline")
    return replace(
        document, blocks=tuple(blocks), body_markdown=markdown, pictures=tuple(pictures), taken=(*head, *map(_taken, blocks)),
        dropped=dropped, problems=problems,
    )  # fmt: skip


def _why_not(one: Picture, data: bytes | None, *, drop: bool) -> tuple[str, str]:
    """Under which name a picture is dropped, and why."""
    where = one.source if not one.source.startswith("data:") else "inside the page"
    if is_remote(one.source):
        return "remote picture", f"{where} (an import fetches nothing)"
    if drop:
        return "figure without its picture", f"{where} (left out)"
    reason = "the file was not found" if data is None else "not a picture that can be published"
    return "figure without its picture", f"{where} ({reason})"


def is_remote(source: str) -> bool:
    """Whether a picture is on another server."""
    return re.match(r"(?:[a-z][a-z0-9+.-]*:)?//|(?:https?|ftp):", source, re.IGNORECASE) is not None


def _with_names(blocks: Sequence[Block], names: Mapping[str, str], why: Mapping[str, tuple[str, str]], notes: Notes) -> list[Block]:
    out: list[Block] = []
    for block in blocks:
        if isinstance(block, ListBlock):
            items = (tuple(_with_names(item, names, why, notes)) for item in block.items)
            out.append(replace(block, items=tuple(item for item in items if item)))
        elif not isinstance(block, Figure):
            out.append(block)
        elif block.src in names:
            if not block.alt:
                notes.warn("import-alt", f"the picture {names[block.src]} has no alternative text",
                           "Say between the brackets of the draft what it shows.", block.line)  # fmt: skip
            out.append(replace(block, src=names[block.src]))
        else:
            words = " / ".join(filter(None, (block.alt, block.caption, block.credit)))
            kind, reason = why.get(block.src, ("figure without its picture", "its file was not found"))
            notes.drop(kind, f"{reason}: {words}", block.line, limit=200)
    return out


# --- headline and headings ---------------------------------------------------


def _without_first_title(raw: Raw, notes: Notes) -> list[Block]:
    """Takes the first heading of the first level as the headline; one that repeats the headline goes."""
    out: list[Block] = []
    taken = False
    for block in raw.blocks:
        words = plain(block.content).strip() if isinstance(block, SubHeading) else ""
        if isinstance(block, SubHeading) and not taken and words and _is_headline(block, words, raw.title):
            taken = True
            if raw.title:
                notes.drop("repeat", f"the headline again: {words}", block.line)
            if not raw.title:
                raw.title, raw.title_place = words, block.line
            continue
        out.append(block)
    return out


def _is_headline(block: SubHeading, words: str, title: str) -> bool:
    return folded(words) == folded(title) if title else block.level == 1


def _levelled(blocks: Sequence[Block], notes: Notes) -> list[Block]:
    """Headings begin at the second level and none is skipped, in the order of the document's own levels."""
    open_levels: list[int] = []
    out: list[Block] = []
    for block in blocks:
        if isinstance(block, SubHeading):
            words = " ".join(plain(block.content).split())
            if not words:
                continue
            while open_levels and open_levels[-1] >= block.level:
                open_levels.pop()
            open_levels.append(block.level)
            # a heading has no marks: its look is the design's
            block = SubHeading(level=min(len(open_levels) + 1, 6), content=(Text(words),), line=block.line)
        out.append(_flat(block))
    return out


def _flat(block: Block) -> Block:
    """No headings inside lists: there they are bold words."""
    if not isinstance(block, ListBlock):
        return block
    return replace(block, items=tuple(tuple(_bold_heading(one) for one in item) for item in block.items))


def _bold_heading(block: Block) -> Block:
    if isinstance(block, SubHeading):
        return Paragraph(content=(Strong((Text(plain(block.content)),)),), line=block.line)
    return _flat(block)


def _ask_about_headings(blocks: Sequence[Block], notes: Notes) -> None:
    for block in blocks:
        if isinstance(block, Paragraph) and len(block.content) == 1 and isinstance(block.content[0], Strong):
            words = plain(block.content)
            if len(words) <= 80 and words[-1:] not in ".!?":
                notes.warn("import-heading", f"this bold line may be a heading: {excerpt(words)}", "If so, begin it with ##.",
                           block.line)  # fmt: skip


# --- pictures and the list of what was taken ----------------------------------


def _named(blocks: Sequence[Block], embedded: Mapping[str, bytes]) -> tuple[list[Block], tuple[Picture, ...]]:
    """Every picture gets the name of its file beside the draft; the same picture twice has one."""
    pictures: dict[str, Picture] = {}

    def named(block: Block) -> Block:
        if isinstance(block, ListBlock):
            return replace(block, items=tuple(tuple(named(one) for one in item) for item in block.items))
        if not isinstance(block, Figure):
            return block
        if block.src not in pictures:
            taken = {one.name for one in pictures.values()}
            name = next(name for n in range(1, 10_000) if (name := _name(block.src, n)) not in taken)
            pictures[block.src] = Picture(name=name, source=block.src, place=block.line, data=embedded.get(block.src))
        return replace(block, src=pictures[block.src].name)

    return [named(block) for block in blocks], tuple(pictures.values())


def _name(source: str, attempt: int) -> str:
    """A file name made of letters, digits and hyphens: what follows the last slash, without what a browser may have added."""
    last = re.split(r"[/\\]", unquote(source.split("?", 1)[0].split("#", 1)[0]))[-1]
    stem = last.rpartition(".")[0] or last
    clean = slugify(stem) if not source.startswith("data:") else "picture"
    return f"{'picture' if clean == 'issue' else clean}{f'-{attempt}' * (attempt > 1)}.picture"


def _taken(block: Block) -> Item:
    match block:
        case SubHeading(content=content, level=level):
            return Item("section" if level == 2 else "subheading", block.line, block.line, excerpt(plain(content)))
        case Figure(src=src):
            return Item("figure", block.line, block.line, src)
        case ListBlock(items=items):
            lines = [one.line for item in items for one in item]
            return Item("list", block.line, max([block.line, *lines]), f"{len(items)} items" if len(items) != 1 else "1 item")
        case Quote():
            return Item("quote", block.line, block.line)
        case Paragraph():
            return Item("paragraph", block.line, block.line)
        case _:
            return Item("rule", block.line, block.line)


def captioned(caption: Sequence[Inline] | str) -> str:
    """A caption's words on one line."""
    return " ".join((caption if isinstance(caption, str) else plain(tuple(caption))).split())
