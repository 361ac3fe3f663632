"""What of a web page is no part of its article: by element, by name, by what it holds. Each is listed with its first words."""

from __future__ import annotations

import re
from typing import Any

from pipeline.draft.importing.web_looks import is_hidden

_SILENT = frozenset({"head", "link", "meta", "base", "source", "track", "param", "wbr", "col", "colgroup", "title"})
#: They show nothing.
_KINDS = {
    "nav": "navigation", "aside": "side column", "footer": "footer", "script": "script", "style": "style sheet", "noscript": "script",
    "template": "script", "form": "form", "button": "form", "input": "form", "select": "form", "textarea": "form", "dialog": "form",
    "datalist": "form", "iframe": "embedded page", "object": "embedded page", "embed": "embedded page", "video": "video", "audio": "audio",
    "svg": "drawing", "canvas": "drawing", "math": "formula", "map": "drawing", "frameset": "embedded page",
}  # fmt: skip
_NAMES = re.compile(
    r"(?:^|[\s_-])(?:share|sharing|social|related|breadcrumbs?|cookies?|newsletter|signup|subscribe|comments?|advert(?:isement)?|ads?|promo|"
    r"sidebar|menu|pagination|skip|toolbar|recommended|trending)(?=$|[\s_-])",
    re.IGNORECASE,
)
_BYLINES = re.compile(r"(?:^|[\s_-])(?:byline|dateline|author|pubdate|published|timestamp)(?=$|[\s_-])", re.IGNORECASE)
_KEPT = frozenset(
    ["h1", "h2", "h3", "h4", "h5", "h6", "body", "html", "article", "main", "figure", "figcaption", "a", "b", "i", "strong", "em"]
)
#: Whatever their names say.
_MANY = 200


def words_of(element: Any) -> str:
    """What a reader would see of an element, on one line: without scripts."""
    parts: list[str] = []
    for node in element.iter():
        if node is not element and node.tail:
            parts.append(node.tail)
        if isinstance(node.tag, str) and node.tag not in ("script", "style", "template") and node.text:
            parts.append(node.text)
    return " ".join(" ".join(parts).split())


def shown(element: Any) -> str:
    """The words of an element for the list of what was dropped, and its pictures."""
    if element.tag in ("script", "style", "template"):
        return ""
    if element.tag in ("iframe", "video", "audio", "object", "embed"):
        source = next((one.get("src") or one.get("data") for one in element.iter() if one.get("src") or one.get("data")), "")
        return f"{source} {words_of(element)}".strip()
    pictures = [f"[picture {image.get('alt') or (image.get('src') or '').rpartition('/')[2][:40]}]" for image in element.iter("img")]
    return " ".join([words_of(element), *pictures]).strip()


def reason_to_drop(element: Any, *, whole: int) -> str:
    """The kind under which an element is dropped; empty when it is a part of the article. ``whole`` is the article's length."""
    tag = element.tag
    if tag in _SILENT:
        return "silent"
    if "footnote-backref" in (element.get("class") or "") or "footnotes-sep" in (element.get("class") or ""):
        return "silent"
    if tag in _KINDS:
        # some sites put the whole page into one form
        return "" if tag in ("form", "footer", "aside") and len(words_of(element)) * 2 > whole else _KINDS[tag]
    if is_hidden(element):
        return "hidden text" if words_of(element) else "silent"
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    if element.get("role") in ("navigation", "search", "complementary", "contentinfo"):
        return "navigation"
    if tag in _KEPT:
        return ""
    if _NAMES.search(named) and _is_furniture(element):
        return "site furniture"
    if (_BYLINES.search(named) or element.get("rel") == "author") and len(words_of(element)) <= 120:
        return "byline"
    return ""


def _is_furniture(element: Any) -> bool:
    """Short, or mostly links: a long text in an element with such a name may be the article."""
    words = words_of(element)
    linked = sum(len(words_of(link)) for link in element.iter("a"))
    return len(words) <= _MANY or linked * 2 > len(words)
