"""The preview's own pages: templates that travel with the code, since they are ours and not a newsroom's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.core.problem import Severity
from pipeline.web.preview.workbench import Fault, Listed, Look, Rendering

CLIPPED_AT = 102 * 1024
"""Octets of HTML beyond which Gmail hides the rest of a mail behind a link."""

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


VIEWS = (
    View("desktop", "Desktop", "light"),
    View("phone", "Phone", "light"),
    View(
        "dark", "Dark", "dark",
        "The mail's own rules for dark screens, switched on. Programs that recolor mail by themselves may show it differently.",
    ),
    View("text", "Plain text", "text", "What readers see who have switched HTML off."),
    View("web", "Web page", "", "The archive's page, as wide as this window allows."),
)  # fmt: skip


class Pages:
    """Renders the preview's pages."""

    def __init__(self) -> None:
        self._env = Environment(
            loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def _render(self, template: str, **values: object) -> str:
        return self._env.get_template(template).render(values)

    def drafts(self, found: Sequence[Listed], version: str) -> str:
        """The list of drafts."""
        return self._render("drafts.html", drafts=found, version=version, events="/events")

    def issue(self, look: Look, view: str) -> str:
        """One issue in one view; the first where the name is unknown."""
        chosen = next((one for one in VIEWS if one.name == view), VIEWS[0])
        errors = sum(problem.severity is Severity.ERROR for problem in look.problems)
        edition = look.rendering.edition if look.rendering is not None else None
        return self._render(
            "issue.html", look=look, edition=edition, view=chosen, views=VIEWS, errors=errors, warnings=len(look.problems) - errors,
            sizes=_sizes(look), version=look.version, events=f"/events/{look.id}",
        )  # fmt: skip

    def text(self, rendering: Rendering) -> str:
        """The plain text part as a page."""
        return self._render("text.html", edition=rendering.edition, text=rendering.text)

    def fault(self, fault: Fault, version: str) -> str:
        """Why there is nothing to show."""
        return self._render("fault.html", fault=fault, version=version, events="/events")

    def missing(self) -> str:
        """There is no such page in a preview."""
        return self._render("missing.html")

    def asset(self, name: str) -> tuple[str, str]:
        """The text and media type of the style sheet or the script."""
        return (_FOLDER / name).read_text("utf-8"), _ASSETS[name]


def _sizes(look: Look) -> list[tuple[str, str, bool]]:
    """What the edition weighs: name, size in words, and whether it is too much."""
    if look.rendering is None:
        return []
    edition = look.rendering.edition
    html, text = len(edition.html.encode()), len(look.rendering.text.encode())
    count = len(edition.pictures)
    pictures = f"{_kilobytes(look.rendering.pictures_size)} in {count} {'file' if count == 1 else 'files'}"
    return [("HTML", _kilobytes(html), html > CLIPPED_AT), ("Plain text", _kilobytes(text), False), ("Pictures", pictures, False)]


def _kilobytes(octets: int) -> str:
    return f"{octets / 1024:.1f} KB" if octets < 10 * 1024 else f"{octets / 1024:.0f} KB"
