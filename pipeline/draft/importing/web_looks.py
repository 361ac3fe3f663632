"""How a piece of a web page looks: marks from elements, from ``style`` attributes, and from the style sheet that Google Docs writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_RULE = re.compile(r"\.([\w-]{1,60})\s*\{([^{}]{0,2000})\}")
_PROPERTY = re.compile(r"([a-z-]+)\s*:\s*([^;]+)", re.IGNORECASE)
_UP = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_DOWN = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


@dataclass(frozen=True, slots=True)
class Look:
    """The marks that hold at one place."""

    bold: bool = False
    italic: bool = False
    code: bool = False
    struck: bool = False
    raised: str = ""
    #: ``sup``, ``sub`` or empty.
    href: str = ""

    def text(self, text: str) -> str:
        """Raised figures have characters of their own; other raised text stays on the line."""
        if not self.raised or not re.fullmatch(r"\s*[0-9+-]+\s*", text):
            return text
        return text.translate(_UP if self.raised == "sup" else _DOWN)


_ELEMENTS: Mapping[str, Mapping[str, Any]] = {
    "b": {"bold": True}, "strong": {"bold": True}, "i": {"italic": True}, "em": {"italic": True}, "cite": {"italic": True},
    "dfn": {"italic": True}, "var": {"italic": True}, "code": {"code": True}, "kbd": {"code": True}, "samp": {"code": True},
    "tt": {"code": True}, "s": {"struck": True}, "strike": {"struck": True}, "del": {"struck": True}, "sup": {"raised": "sup"},
    "sub": {"raised": "sub"},
}  # fmt: skip


def class_looks(style_sheets: str) -> dict[str, str]:
    """The declarations of rules for one class, as Google Docs writes them (``.c4{font-weight:700}``)."""
    return {name: declarations for name, declarations in _RULE.findall(style_sheets) if re.fullmatch(r"c\d+", name)}


def look_of(element: Any, look: Look, classes: Mapping[str, str]) -> Look:
    """The look inside an element."""
    look = replace(look, **_ELEMENTS.get(element.tag, {}))
    declared = [classes[name] for name in (element.get("class") or "").split() if name in classes] if classes else []
    for declarations in (*declared, element.get("style") or ""):
        for name, value in _PROPERTY.findall(declarations):
            look = _styled(look, name.lower(), value.strip().lower())
    return look


def _styled(look: Look, name: str, value: str) -> Look:
    match name:
        case "font-weight":
            return replace(look, bold=value in ("bold", "bolder", "600", "700", "800", "900"))
        case "font-style":
            return replace(look, italic=value in ("italic", "oblique"))
        case "text-decoration" | "text-decoration-line" if "line-through" in value:
            return replace(look, struck=True)
        case "vertical-align" if value in ("super", "sub"):
            return replace(look, raised="sup" if value == "super" else "sub")
    return look


def is_hidden(element: Any) -> bool:
    """Whether a reader of the page does not see the element."""
    style = re.sub(r"\s", "", element.get("style") or "").lower()
    return element.get("hidden") is not None or "display:none" in style or "visibility:hidden" in style
