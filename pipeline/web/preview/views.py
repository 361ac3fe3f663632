"""The preview's own pages: templates that travel with the code, since they are ours and not a newsroom's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.core.problem import Problem, Severity
from pipeline.web.preview.copies import CLIPPED_AT, mirrored, pictures_off
from pipeline.web.preview.marks import marked
from pipeline.web.preview.schemes import in_scheme
from pipeline.web.preview.workbench import Fault, Listed, Look, Rendering

_FOLDER = Path(__file__).with_name("pages")
_ASSETS = {"preview.css": "text/css", "preview.js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at an issue."""

    name: str
    title: str
    frame: str
    #: The frame's address below that of the issue's frames.
    note: str = ""
    mail: bool = True
    #: Whether the frame shows the mail whole, so that a Problem can be shown in it.


VIEWS = (
    View("desktop", "Desktop", "light"),
    View("phone", "Phone", "light"),
    View("narrow", "Narrow", "light", "320 pixels: the narrowest phones, and wider ones with large type."),
    View(
        "dark", "Dark", "dark",
        "The mail’s own rules for dark screens, switched on. Programs that recolor mail by themselves may show it differently.",
    ),
    View("pictures", "Pictures off", "pictures", "What readers see until they ask for pictures: the alternative texts must say enough."),
    View(
        "rtl", "Right-to-left", "rtl",
        "The layout mirrored, to see whether it holds. The words stay: their full stops stand at the wrong end.",
    ),
    View("clipped", "As clipped by Gmail", "clipped", mail=False),
    View("text", "Plain text", "text", "What readers see who have switched HTML off.", mail=False),
    View(
        "headers", "Headers", "headers",
        "The sample mail that “briefing render” writes. When it is sent, To, Date, Message-ID and the link to leave are the reader’s own.",
        mail=False,
    ),
    View("web", "Web page", "", "The archive’s page, as wide as this window allows.", mail=False),
)  # fmt: skip

_AT = re.compile(r"line-\d{1,7}")


class Pages:
    """Renders the preview's pages."""

    def __init__(self) -> None:
        self._env = Environment(
            loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._env.filters["size"] = _kilobytes

    def _render(self, template: str, **values: object) -> str:
        return self._env.get_template(template).render(values)

    def drafts(self, found: Sequence[Listed], version: str) -> str:
        """The list of drafts."""
        return self._render("drafts.html", drafts=found, version=version, events="/events")

    def issue(self, look: Look, view: str, at: str = "") -> str:
        """One issue in one view (the first where the name is unknown), its frame at the block ``at``."""
        chosen = next((one for one in VIEWS if one.name == view), VIEWS[0])
        errors = sum(problem.severity is Severity.ERROR for problem in look.problems)
        edition = look.rendering.public if look.rendering is not None else None
        return self._render(
            "issue.html", look=look, edition=edition, view=chosen, views=VIEWS, errors=errors, warnings=len(look.problems) - errors,
            findings=_findings(look, chosen), at=f"#{at}" if chosen.mail and _AT.fullmatch(at) else "", note=_note(look, chosen),
            sizes=_sizes(look), version=look.version, events=f"/events/{look.id}",
        )  # fmt: skip

    def text(self, rendering: Rendering) -> str:
        """The plain text part as a page."""
        return self._render("text.html", edition=rendering.public)

    def headers(self, rendering: Rendering) -> str:
        """The header block of the mail, and what its parts weigh."""
        return self._render("headers.html", mail=rendering.mail, edition=rendering.public)

    def fault(self, fault: Fault, version: str) -> str:
        """Why there is nothing to show."""
        return self._render("fault.html", fault=fault, version=version, events="/events")

    def missing(self) -> str:
        """There is no such page in a preview."""
        return self._render("missing.html")

    def asset(self, name: str) -> tuple[str, str]:
        """The text and media type of the style sheet or the script."""
        return (_FOLDER / name).read_text("utf-8"), _ASSETS[name]


def mail_copy(rendering: Rendering, frame: str) -> str | None:
    """The mail as a frame of that name shows it, or None for a name that is none."""
    if frame == "clipped" and rendering.mail.html_size > CLIPPED_AT:
        return rendering.local(rendering.mail.clipped())
    if frame not in ("light", "dark", "pictures", "rtl", "clipped"):
        return None
    copy = in_scheme(marked(rendering.unpacked(rendering.edition.html), rendering.marks), "dark" if frame == "dark" else "light")
    if frame == "pictures":
        return pictures_off(copy)
    return mirrored(copy) if frame == "rtl" and rendering.edition.direction == "ltr" else copy


def _findings(look: Look, view: View) -> list[tuple[Problem, str, bool]]:
    """Each Problem with the address that shows what it speaks of ("" for nothing), and whether that is in the frame."""
    found = []
    for problem, place in zip(look.problems, look.places, strict=True):
        if problem.rule in ("mail-size", "mail-clipped"):
            found.append((problem, "?view=clipped", False))
        elif look.rendering is not None and problem.rule.startswith(("subject-", "preheader-")):
            found.append((problem, "#inbox", False))
        elif not place or view.mail:
            found.append((problem, f"/frames/{look.id}/{view.frame}#{place}" if place else "", bool(place)))
        else:
            found.append((problem, f"?view=desktop&at={place}", False))
    return found


def _note(look: Look, view: View) -> str:
    """What to say below the frame."""
    if look.rendering is None:
        return ""
    if view.name == "rtl" and look.rendering.public.direction == "rtl":
        return "This issue runs from right to left already: this is the mail as it is."
    if view.name != "clipped":
        return view.note
    size, limit = _kilobytes(look.rendering.mail.html_size), _kilobytes(CLIPPED_AT)
    if look.rendering.mail.html_size <= CLIPPED_AT:
        return f"Nothing is cut off: the HTML part is {size} as it is sent, and Gmail cuts at about {limit}."
    return (
        f"The HTML part is {size} as it is sent. Gmail shows about the first {limit}, without the mail’s rules for phones and dark screens."
    )


def _sizes(look: Look) -> list[tuple[str, str, bool]]:
    """What the edition weighs: name, size in words, and whether it is too much."""
    if look.rendering is None:
        return []
    edition, mail = look.rendering.public, look.rendering.mail
    count = len(edition.pictures)
    pictures = f"{_kilobytes(look.rendering.pictures_size)} in {count} {'file' if count == 1 else 'files'}"
    return [
        ("HTML", _kilobytes(len(edition.html.encode())), False),
        ("HTML, as it is sent", _kilobytes(mail.html_size), mail.html_size > CLIPPED_AT),
        ("Plain text", _kilobytes(len(edition.text.encode())), False),
        ("Pictures", pictures, False),
    ]


def _kilobytes(octets: int) -> str:
    return f"{octets / 1024:.1f} KB" if octets < 10 * 1024 else f"{octets / 1024:.0f} KB"
