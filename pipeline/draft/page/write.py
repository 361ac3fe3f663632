"""A page's blocks -> a draft: CommonMark that says exactly what the page said, below front matter that YAML cannot misread.

Decisions. ``--`` standing alone between words becomes an en dash with its spaces, " – ", the sign that the typists of such
pages mean; nothing else in the wording changes. A bare web address becomes an autolink. Every character that CommonMark
(or a usual extension: ``:::``, ``~~``) would read as markup is escaped, and only those, so that the draft stays readable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

from pipeline.core.problem import Problem, Severity
from pipeline.draft.page.values import DROP_PICTURES, BlockKind, BodyBlock, Item, PageImport, PicturePlan, Role
from pipeline.errors import Refusal

_DASHES = re.compile(r"(?<!\S)--(?!\S)")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.\-]*[A-Za-z0-9](?::\d{1,5})?(?:[/?#][^\s<>\"“”„«»`\\^{|}\[\]]*)?")
_AFTER_ADDRESS = ".,;:!?'’*_~…"
_MARKUP = re.compile(r"[\\`*<\[\]]|~(?=~)|(?<=~)~|&(?=#?\w+;)")
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_BLOCK_MARK = re.compile(r"^(?:#{1,6}(?= |$)|>|[+-](?= |$)|-{2,}|_{2,}|={1,}|\+{2,}|:(?=[: ])|~)")
_LIST_NUMBER = re.compile(r"^(\d{1,9})([.)])(?= |$)")
_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".webp")
_NAMED_CAPTION = 60


# --- text --------------------------------------------------------------------


def dashed(text: str) -> str:
    """The text with a typewriter's dash between words as an en dash."""
    return _DASHES.sub("–", text)


def inline(text: str) -> str:
    """The text as CommonMark inlines: markup characters escaped, bare addresses as autolinks."""
    out: list[str] = []
    position = 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(_AFTER_ADDRESS)
        # a bracket opened before the address is closed after it
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(_AFTER_ADDRESS)
        out.append(_escaped(text[position : match.start()]))
        out.append(f"<{address}>")
        position = match.start() + len(address)
    out.append(_escaped(text[position:]))
    return "".join(out)


def _escaped(text: str) -> str:
    return _UNDERSCORE.sub(r"\\_", _MARKUP.sub(r"\\\g<0>", dashed(text)))


def paragraph(text: str) -> str:
    """One CommonMark paragraph, whatever the text begins with."""
    marked = inline(text)
    if _BLOCK_MARK.match(marked):
        return "\\" + marked
    return _LIST_NUMBER.sub(r"\1\\\2", marked)


def heading(text: str) -> str:
    """A ``##`` heading; signs at its end would be read as its closing sequence."""
    return "## " + re.sub(r"#(?=#*$)", r"\\#", inline(text))


def picture(name: str, caption: str, credit: str) -> str:
    """A figure without alternative text: copied text does not tell what the picture shows, and ``briefing check`` asks for it."""
    title = dashed(caption) + (f" (Credit: {credit})" if credit else "")
    title = re.sub(r"[\\\"]|&(?=#?\w+;)", r"\\\g<0>", title)
    # a destination is a URL: a percent sign in a file's name would be read as an escape
    target = re.sub(r"[\\<>]|&(?=#?\w+;)", r"\\\g<0>", name.replace("%", "%25"))
    if re.search(r"[\s()\\&]", target) or not target:
        target = f"<{target}>"
    return f'![]({target} "{title}")'


def body(blocks: Iterable[BodyBlock], name: Callable[[int], str | None]) -> str:
    """The blocks as Markdown; ``name`` gives the file of a figure's number, or None to leave the figure out."""
    out: list[str] = []
    kinds: list[BlockKind] = []
    for block in blocks:
        match block.kind:
            case BlockKind.SECTION:
                out.append(heading(block.texts[0]))
            case BlockKind.FIGURE:
                file = name(block.number)
                if file is None:
                    continue
                out.append(picture(file, block.texts[0], block.texts[1]))
            case BlockKind.BULLETS:
                out.append("\n".join(f"- {paragraph(text)}" for text in block.texts))
            case BlockKind.NUMBERS:
                # two numbered lists in a row would run together; the other sign keeps them apart
                sign = ")" if kinds and kinds[-1] is BlockKind.NUMBERS and re.match(r"\d+\. ", out[-1]) else "."
                out.append("\n".join(f"{number}{sign} {paragraph(text)}" for number, text in enumerate(block.texts, block.number)))
            case BlockKind.PARAGRAPH:
                out.append(paragraph(block.texts[0]))
        kinds.append(block.kind)
    return "\n\n".join(out)


# --- pictures ----------------------------------------------------------------


def plan_pictures(page: PageImport, names: Iterable[str]) -> PicturePlan:
    """Gives the figures, in order, the pictures of a folder in the order of their names (``2.jpg`` before ``10.jpg``).

    Other files and pictures too many are listed as unused. Raises Refusal, naming the captions, when there are too few.
    """
    listed = sorted((name for name in names if not name.startswith(".")), key=_natural)
    pictures = [name for name in listed if name.lower().endswith(_PICTURES)]
    files = dict(enumerate(pictures[: len(page.figures)], start=1))
    plan = PicturePlan(files=files, unused=tuple(name for name in listed if name not in files.values()))
    refuse_missing(page, plan)
    return plan


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key that reads runs of digits as numbers; the name itself decides between equals."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts if part], name


def refuse_missing(page: PageImport, plan: PicturePlan) -> None:
    """Raises Refusal when a figure has no picture, naming the captions."""
    missing = [f"{n} (line {figure.line}): {excerpt(figure.caption)}" for n, figure in enumerate(page.figures, 1) if n not in plan.files]
    if missing and not plan.drop:
        named = "figure" if len(missing) == 1 else "figures"
        hint = "add the pictures to the folder in the page's order, or leave all figures out with --drop-pictures"
        raise Refusal(f"no picture for {named} " + "; ".join(missing), hint=hint)


def apply_pictures(page: PageImport, plan: PicturePlan) -> PageImport:
    """The page with the plan carried out, for the report: figures left out are among the dropped, unused files among the problems."""
    refuse_missing(page, plan)
    if not plan.drop:
        unused = tuple(_unused(page, name) for name in plan.unused)
        text = body(page.blocks, plan.files.get)
        return replace(page, body_markdown=text, problems=page.problems + unused)
    captions = {figure.line: figure.caption for figure in page.figures}
    gone = [
        Item(Role.DROPPED_FIGURE, item.first_line, item.last_line, excerpt(captions[item.first_line]))
        for item in page.taken
        if item.kind == Role.FIGURE
    ]
    return replace(
        page,
        body_markdown=body(page.blocks, lambda _: None),
        blocks=tuple(block for block in page.blocks if block.kind is not BlockKind.FIGURE),
        figures=(),
        taken=tuple(item for item in page.taken if item.kind != Role.FIGURE),
        dropped=tuple(sorted((*page.dropped, *gone), key=lambda item: item.first_line)),
    )


def _unused(page: PageImport, name: str) -> Problem:
    message = f"no figure for the file {name}"
    return Problem(rule="import-unused-picture", severity=Severity.WARNING, file=page.file, line=1, message=message)


def excerpt(text: str) -> str:
    """The first 60 characters."""
    return text if len(text) <= _NAMED_CAPTION else text[: _NAMED_CAPTION - 1].rstrip() + "…"


# --- the whole ---------------------------------------------------------------


def to_draft(page: PageImport, *, date: date, pictures: PicturePlan = DROP_PICTURES, author: str | None = None) -> str:
    """The complete draft. ``author`` is the id of ``config/authors/<id>.toml``: a byline is only a name, so the caller maps it.

    Raises Refusal when a figure has no picture and the plan does not drop it.
    """
    settled = apply_pictures(page, pictures)
    # a JSON string is a YAML double-quoted scalar; characters that YAML forbids are gone since page.lines.clean_line
    front = [f"title: {json.dumps(dashed(page.title), ensure_ascii=False)}", f"date: {date.isoformat()}"]
    if author is not None:
        front.append(f"author: {json.dumps(author, ensure_ascii=False)}")
    return "\n".join(["---", *front, "---", "", settled.body_markdown, ""])
