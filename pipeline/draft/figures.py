"""A picture's token -> ``Figure``: alternative text, caption, credit, and a path that stays beside the draft."""

from __future__ import annotations

import re
from urllib.parse import unquote

from markdown_it.token import Token

from pipeline.core.issue import Figure
from pipeline.draft.front_matter import is_control
from pipeline.draft.inlines import alt_text
from pipeline.draft.rules import Findings

_CREDIT = re.compile(
    r"\s*[(（]\s*(?P<credit>(?:©|\(c\)|(?:credits?|photos?|source|image|graphic)(?![a-z])).*)[)）]\s*\.?$", re.IGNORECASE | re.DOTALL
)
_CREDIT_WORD = re.compile(r"(?:(?:photo|image|graphic)\s+)?credits?\s*[:：]\s*", re.IGNORECASE)
_FOCUS = re.compile(r"\{\s*focus\s*=\s*[\"'“”]?\s*(?P<x>\d{1,3}(\.\d+)?)\s*%\s*,?\s*(?P<y>\d{1,3}(\.\d+)?)\s*%\s*[\"'“”]?\s*\}")


def split_credit(title: str) -> tuple[str, str]:
    """A caption and its credit: the trailing parenthesis, when that begins with a word such as Credit, Photo or ©."""
    title = " ".join(_visible(title).split())
    start = _last_parenthesis(title)
    match = _CREDIT.fullmatch(title, start) if start is not None else None
    if match is None:
        return title, ""
    return title[:start].rstrip(), _CREDIT_WORD.sub("", match["credit"], count=1).strip()


def _last_parenthesis(text: str) -> int | None:
    """Where the parenthesis that ends the text begins; parentheses inside it count."""
    depth = 0
    for index in range(len(text.rstrip(".")) - 1, -1, -1):
        if text[index] in ")）":
            depth += 1
        elif text[index] in "(（":
            depth -= 1
            if depth == 0:
                return index
        if depth == 0:
            return None
    return None


def read_figure(image: Token, line: int, findings: Findings, settings: str = "") -> Figure:
    """Converts an image that is a paragraph of its own; ``settings`` is what stood in braces behind it."""
    src = unquote(str(image.attrs.get("src", "")).strip())
    name = _visible(src)[:60] or "without a file"
    alt = _visible(alt_text(image))
    caption, credit = split_credit(str(image.attrs.get("title", "")))
    _check_path(src, name, line, findings)
    if any(child.type == "html_inline" for child in image.children or []):
        findings.add("raw-html", line, "raw HTML in the text", "Write the alternative text in words.")
    if not alt:
        findings.add("image-alt", line, f"the picture {name} has no alternative text",
                     f"Say between the brackets what it shows:  ![What it shows]({name}).")  # fmt: skip
    if not caption:
        findings.add("image-caption", line, f"the picture {name} has no caption",
                     f'Write it in quotes after the file:  ({name} "Caption. (Credit: Agency)").')  # fmt: skip
    if not credit:
        findings.add("image-credit", line, f"the picture {name} has no credit",
                     "End the caption with  (Credit: Agency).")  # fmt: skip
    return Figure(src=src, alt=alt, caption=caption, credit=credit, focus=_read_focus(settings, name, line, findings), line=line)


def _read_focus(settings: str, name: str, line: int, findings: Findings) -> tuple[float, float] | None:
    if not settings:
        return None
    match = _FOCUS.fullmatch(settings)
    x, y = (float(match["x"]), float(match["y"])) if match else (101.0, 101.0)
    if x > 100 or y > 100:
        findings.add("image-focus", line, f"what stands behind the picture {name}, {_visible(settings)[:60]}, names no point in it",
                     'Write how far the point is from the left and from the top:  {focus="40% 25%"}.')  # fmt: skip
        return None
    return x, y


def _check_path(src: str, name: str, line: int, findings: Findings) -> None:
    if re.match(r"(https?:|//)", src, re.IGNORECASE):
        findings.add("image-remote", line, f"the picture {name} is on another server", "Put the file beside the draft.")
    elif not src:
        findings.add("image-path", line, "the picture has no file", "Write the file's name:  ![What it shows](photo.jpg).")
    elif src.startswith("/") or "\\" in src or ".." in src.split("/") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", src) or _visible(src) != src:
        findings.add("image-path", line, f"the picture {name} does not lie beside the draft", "Put the file there and write its name only.")


def _visible(text: str) -> str:
    """The text without control characters, blanks for line breaks and tabs."""
    return "".join(" " if character in "\n\t" else character for character in text if character in "\n\t" or not is_control(character))
