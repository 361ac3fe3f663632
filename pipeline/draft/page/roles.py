"""What each piece of a copied page is: passes over the page, the surest first. A pass gives roles only to pieces without one.

The order matters: boxes (notice, about, author card) before furniture, because they contain lines that would pass for it;
captions printed twice before the headline, because a picture may stand above it; subheads and paragraphs last, from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.core.problem import Problem, Severity
from pipeline.draft.page import shapes
from pipeline.draft.page.lines import Piece, stop_of
from pipeline.draft.page.values import HouseText, Role

#: Pieces that an about box may have after its heading.
_ABOUT_REACH = 8


@dataclass(slots=True)
class Sheet:
    """The page while it is being sorted."""

    pieces: tuple[Piece, ...]
    house: HouseText
    file: str
    roles: list[Role | None] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    #: Bylines and author cards, in the page's order.
    captions: dict[int, int] = field(default_factory=dict)
    #: Piece -> the first piece of the figure it belongs to (a repeat, or a credit line).
    credits: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roles = [None] * len(self.pieces)

    def text(self, index: int) -> str:
        """The words of a piece; empty beyond the ends of the page."""
        return self.pieces[index].text if 0 <= index < len(self.pieces) else ""

    def open(self, start: int = 0) -> list[int]:
        """The pieces without a role yet."""
        return [index for index in range(start, len(self.pieces)) if self.roles[index] is None]

    def give(self, indexes: Iterable[int], role: Role) -> None:
        """Gives the pieces their role."""
        for index in indexes:
            self.roles[index] = role

    def warn(self, rule: str, index: int, message: str, hint: str = "") -> None:
        """Asks for an editor's eye."""
        line = self.pieces[index].first if self.pieces else 1
        self.problems.append(Problem(rule=rule, severity=Severity.WARNING, file=self.file, line=line, message=message, hint=hint))


def sort_boxes(sheet: Sheet) -> None:
    """Legal notice, about box, author cards."""
    _mark_notices(sheet)
    _mark_about(sheet)
    _mark_cards(sheet)


# --- legal notice ------------------------------------------------------------


def _same_as_house(text: str, house_text: str) -> bool:
    """Whether a line of some length stands word for word in the configuration's text."""
    return len(text) >= 30 and " ".join(text.casefold().split()) in " ".join(house_text.casefold().split())


def _mark_notices(sheet: Sheet) -> None:
    """A warning to the reader is a notice by itself; a designation or a dead link only beside one."""
    sure = [i for i in sheet.open() if shapes.is_threat_notice(sheet.text(i)) or _same_as_house(sheet.text(i), sheet.house.legal_notice)]
    sheet.give(sure, Role.LEGAL_NOTICE)
    for index in sure:
        for step in (-1, 1):
            near = index + step
            while 0 <= near < len(sheet.pieces) and sheet.roles[near] is None and _belongs_to_notice(sheet.text(near)):
                sheet.roles[near] = Role.LEGAL_NOTICE
                near += step
    for index in sheet.open():
        text = sheet.text(index)
        if shapes.is_designation(text) and any(name and text.startswith(name) for name in sheet.house.outlets):
            hint = "if it is, delete it: the newsletter's configuration prints its own notice"
            sheet.warn("import-notice", index, "this paragraph may belong to a legal notice", hint)


def _belongs_to_notice(text: str) -> bool:
    return (
        shapes.is_designation(text)
        or shapes.is_find_out(text)
        or shapes.folded(text) in ("legal notice", "important notice", "notice", "warning")
    )


# --- about box ---------------------------------------------------------------


def _mark_about(sheet: Sheet) -> None:
    for index in sheet.open():
        if sheet.roles[index] is None and _opens_about(sheet, index):
            end = _end_of_about(sheet, index)
            sheet.give((i for i in range(index, end + 1) if sheet.roles[i] is None), Role.ABOUT_BOX)
    for index in sheet.open():
        if _same_as_house(sheet.text(index), sheet.house.about) or shapes.is_subscribe_call(sheet.text(index)):
            sheet.roles[index] = Role.ABOUT_BOX


def _opens_about(sheet: Sheet, index: int) -> bool:
    """A heading of an about box; "Subscribe" and the like count only where a call to subscribe follows."""
    heading = shapes.folded(sheet.text(index))
    own = shapes.folded(sheet.house.newsletter)
    if heading in ("about the newsletter", "about this newsletter", "about the briefing", "about this briefing") or (
        own and heading == f"about {own}"
    ):
        return True
    if heading in (
        "subscribe",
        "newsletter",
        "newsletters",
        "sign up",
        "subscribe to our newsletter",
        "get our newsletter",
        "our newsletter",
    ):
        return any(shapes.speaks_of_subscribing(sheet.text(i)) for i in (index + 1, index + 2, index + 3))
    return False


def _end_of_about(sheet: Sheet, start: int) -> int:
    """The last piece of the box: the last one in reach that speaks of subscribing; without one, its short lines and one paragraph."""
    reach = start
    while reach + 1 < len(sheet.pieces) and reach - start < _ABOUT_REACH and sheet.roles[reach + 1] in (None, Role.ABOUT_BOX):
        reach += 1
    calls = [i for i in range(start + 1, reach + 1) if shapes.speaks_of_subscribing(sheet.text(i))]
    if calls:
        return calls[-1]
    first_prose = next((i for i in range(start + 1, reach + 1) if shapes.is_prose(sheet.text(i))), start)
    sheet.warn("import-about", start, "the about box has no call to subscribe, so its end is a guess", "see the lines listed as its own")
    return first_prose


# --- author card -------------------------------------------------------------

_CARD_MARKS = ("image", "photo", "picture", "author", "about the author", "about the authors", "written by", "the author", "authors")


def _mark_cards(sheet: Sheet) -> None:
    index = 0
    while index < len(sheet.pieces):
        index = _mark_card(sheet, index) if sheet.roles[index] is None else index + 1


def _mark_card(sheet: Sheet, index: int) -> int:
    """Takes the author card whose name (or whose life, where the name has no line) stands here; returns where to go on."""
    text = sheet.text(index)
    marked = index > 0 and _is_card_mark(sheet.text(index - 1)) and sheet.roles[index - 1] is None
    if shapes.is_name(text) and index + 1 < len(sheet.pieces) and sheet.roles[index + 1] is None:
        name, life = text, index + 1
    else:
        name, life = _name_in_life(sheet, text), index
    if not name or not _is_life(sheet, name, life, marked):
        return index + 1
    end = _end_of_life(sheet, name, life)
    # a mark (a picture's label, mostly) is proof; without one the same shape could be a person the article is about
    if not marked and any(shapes.is_prose(sheet.text(i)) for i in sheet.open(end + 1)):
        return index + 1
    if life == index and not marked:
        sheet.warn("import-author-card", index, "the last paragraph was read as an author card", "if it is part of the story, put it back")
    first = index
    while first > 0 and sheet.roles[first - 1] is None and _is_card_mark(sheet.text(first - 1)):
        first -= 1
    sheet.give(range(first, end + 1), Role.AUTHOR_CARD)
    sheet.names.append(name)
    return end + 1


def _is_card_mark(text: str) -> bool:
    folded = shapes.folded(text)
    return folded in _CARD_MARKS or (shapes.is_widget(text) and folded.endswith("image"))


def _name_in_life(sheet: Sheet, text: str) -> str:
    """The name that opens a life without a line for its name: "Jane Roe is a reporter ..."."""
    house = next((name for name in sheet.house.authors if name and text.startswith(f"{name} ")), "")
    if house:
        return house
    name, found, _ = text.partition(" is ")
    return name if found and shapes.is_name(name) else ""


def _is_life(sheet: Sheet, name: str, index: int, marked: bool) -> bool:
    """Whether the piece tells an author's life: it opens with the name and speaks of a journalist's work (or a mark vouches)."""
    text = sheet.text(index)
    named = text.casefold().startswith(name.casefold())
    if marked:
        return shapes.is_prose(text) and (named or shapes.has_job(text))
    return named and shapes.is_sentence(text) and shapes.has_job(text)


def _end_of_life(sheet: Sheet, name: str, index: int) -> int:
    """The last piece of the card: paragraphs that go on about the same person, an address or a handle."""
    end = index
    while end + 1 < len(sheet.pieces) and sheet.roles[end + 1] is None:
        text = sheet.text(end + 1)
        goes_on = text.startswith(("He ", "She ", "They ", "His ", "Her ", "Their ", name.split()[0] + " ", name.split()[-1] + " "))
        contact = text.startswith("@") or (" " not in text and "@" in text)
        if not contact and not (goes_on and shapes.is_sentence(text)):
            break
        end += 1
    return end


# --- doubled lines, captions, credits ----------------------------------------------


def sort_doubles(sheet: Sheet) -> None:
    """Lines printed twice: a page prints a caption for the picture and again for its large view, and no paragraph twice."""
    index, prose_seen = 0, False
    while index < len(sheet.pieces):
        end = _end_of_run(sheet, index)
        if end > index:
            _settle_double(sheet, index, end, prose_seen)
        elif sheet.roles[index] is None and shapes.is_prose(sheet.text(index)):
            prose_seen = True
        index = end + 1


def _end_of_run(sheet: Sheet, index: int) -> int:
    """The last piece of a run of equal ones that starts here. A credit line may stand between the copies."""
    if sheet.roles[index] is not None:
        return index
    end, here = index, shapes.split_credit(sheet.text(index))[0].rstrip(".").casefold()
    while True:
        gap = 2 if shapes.credit_of(sheet.text(end + 1)) else 1
        after = end + gap
        if after >= len(sheet.pieces) or any(sheet.roles[i] is not None for i in range(end, after + 1)):
            return end
        if shapes.split_credit(sheet.text(after))[0].rstrip(".").casefold() != here:
            return end
        end = after


def _settle_double(sheet: Sheet, index: int, end: int, prose_seen: bool) -> None:
    """A doubled line is a caption when it can be one; else it is kept once, for the passes that follow."""
    text = sheet.text(index)
    stop, drawn = stop_of(text), text.endswith(")") or shapes.caption_score(text) >= 2
    wordy = len(shapes.words(text)) >= 4 and shapes.sentences(text) <= 3 and len(text) <= 600
    # above the first paragraph a doubled line without a stop is rather the headline
    shaped = bool(stop) or drawn or prose_seen
    # a caption full of names is in "title case" too: only one without a full stop is a headline or a subhead
    heading = shapes.is_title_case(text) and stop in ("", *"!?") and not drawn
    if wordy and shaped and not heading:
        _take_figure(sheet, index, end)
        return
    sheet.give(range(index + 1, end + 1), Role.REPEAT)
    if shapes.is_prose(text):
        sheet.warn("import-repeat", index, "a paragraph stands twice on the page; it is kept once")


def _take_figure(sheet: Sheet, index: int, end: int) -> None:
    """The pieces from ``index`` to ``end`` are one figure, with the credit line below them."""
    if end + 1 < len(sheet.pieces) and sheet.roles[end + 1] is None and shapes.credit_of(sheet.text(end + 1)):
        end += 1
    sheet.give(range(index, end + 1), Role.FIGURE)
    for piece in range(index, end + 1):
        sheet.captions[piece] = index
    found = [shapes.split_credit(sheet.text(i))[1] or shapes.credit_of(sheet.text(i)) for i in range(index, end + 1)]
    sheet.credits[index] = next((credit for credit in found if credit), "")


def sort_captions(sheet: Sheet) -> None:
    """Captions printed once, by their shape; see ``shapes.caption_score``."""
    doubles = bool(sheet.captions)
    for index in sheet.open():
        if sheet.roles[index] is not None or sheet.pieces[index].bullet:
            continue
        text = sheet.text(index)
        near = sheet.text(index + 1) if index + 1 < len(sheet.pieces) and sheet.roles[index + 1] is None else ""
        score = shapes.caption_score(text, credited=bool(shapes.credit_of(near)), page_doubles=doubles)
        if score >= shapes.CAPTION_SCORE:
            _take_figure(sheet, index, index)
            if not shapes.credit_of(near) and not shapes.split_credit(text)[1]:
                sheet.warn("import-caption", index, "this paragraph was read as a picture's caption", "if it is running text, put it back")
        elif score == shapes.CAPTION_SCORE - 1:
            sheet.warn("import-maybe-caption", index, "this paragraph reads a little like a picture's caption", "if it is one, delete it")
    sheet.give((i for i in sheet.open() if shapes.credit_of(sheet.text(i))), Role.CREDIT)
