"""A saved web page, or what Google Docs exports as HTML -> a draft's parts.

The article is found by ``<article>`` and ``<main>``, else by where most of the running text stands. Everything outside it is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import lxml.html
from lxml import etree

from pipeline.draft.importing.decode import decode
from pipeline.draft.importing.tidy import Raw, finish
from pipeline.draft.importing.values import DocumentImport, Notes, excerpt
from pipeline.draft.importing.web_blocks import Walker
from pipeline.draft.importing.web_drops import reason_to_drop, shown, words_of
from pipeline.draft.importing.web_looks import Look, class_looks
from pipeline.errors import Refusal

MAX_DEPTH = 120
_PARAGRAPH = 25
#: Elements that have no content, which libxml2 does not know as such: what follows would stand inside them.
_VOID = re.compile(r"""<(wbr|source|track|embed|keygen|bgsound)\b((?:"[^"<>]*"|'[^'<>]*'|[^'"<>])*?)/?>""", re.IGNORECASE)


def read_html(data: bytes, *, file: str) -> DocumentImport:
    """Sorts a page. Raises Refusal when it has no text, is nested without end, or is a Google document with open comments."""
    tree = parse_html(decode(data, file, declared=True), file)
    _refuse_comments(tree, file)
    notes, raw = Notes(file), Raw()
    root = find_article(tree)
    _read_head(tree, root, raw, notes)
    _list_outside(tree, root, notes)
    classes = class_looks("\n".join(style.text or "" for style in tree.iter("style"))) if _is_google(tree) else {}
    walk(root, raw, notes, classes=classes, base=_address_of(tree))
    return finish(raw, notes, unit="line")


def walk(root: Any, raw: Raw, notes: Notes, *, classes: dict[str, str], base: str = "", markdown: bool = False) -> None:
    """Fills ``raw`` with the blocks below ``root``."""
    walker = Walker(raw, notes, whole=len(words_of(root)), classes=classes, base=base, markdown=markdown)
    walker.flow(root, Look())
    walker.flush()


def parse_html(text: str, file: str) -> Any:
    """The tree of a page. Raises Refusal for one that is nested without end; no entity of a file and nothing remote is loaded."""
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    if not text.strip():
        raise Refusal(f"{file} is empty", hint="Save the page again.")
    text = _VOID.sub(r"<\1\2></\1>", text)
    try:
        # NUL ends a text for libxml2; browsers read it as a sign that is missing
        tree = lxml.html.document_fromstring(text.replace("\0", "\ufffd").encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        raise Refusal(f"no text was found in {file}", hint="Open the file and see whether it is the right one.") from None
    limits = any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)
    if limits or any(depth > MAX_DEPTH for depth in _depths(tree)):
        raise Refusal(f"{file} is nested too deeply to be read", hint="Copy the page's text into a .txt file and import that.")
    return tree


def _depths(tree: Any) -> Iterator[int]:
    depth = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        yield depth


# --- where the article is -----------------------------------------------------------


def find_article(tree: Any) -> Any:
    """The element that holds the article."""
    body = tree.find("body")
    body = tree if body is None else body
    articles = sorted(body.iter("article"), key=_prose, reverse=True)
    mains = sorted((one for one in body.iter() if one.tag == "main" or one.get("role") == "main"), key=_prose, reverse=True)
    whole = _prose(body)
    for found in (*articles[:1], *mains[:1]):
        # a list of teasers has articles, too: the one we want holds most of what the page says
        if _prose(found) * 10 >= whole * 4:
            return found
    return _densest(body, whole)


def _prose(element: Any) -> int:
    """How many characters of running text an element holds."""
    return sum(len(words) for one in element.iter("p", "li", "blockquote") if len(words := words_of(one)) >= _PARAGRAPH)


def _densest(body: Any, whole: int) -> Any:
    scores: dict[Any, float] = {}
    for paragraph in body.iter("p"):
        length = len(words_of(paragraph))
        if length < _PARAGRAPH:
            continue
        for share, one in zip((1.0, 0.5), paragraph.iterancestors(), strict=False):
            scores[one] = scores.get(one, 0) + share * length
    best = max(scores, key=lambda one: scores[one], default=body)
    if best.tag == "html" or _prose(best) * 2 < whole:
        return body
    # what stands around it and says little more is its head and foot: headline, lead picture
    while best is not body:
        above = best.getparent()
        if above is None or above is body or len(words_of(above)) > len(words_of(best)) * 1.15:
            break
        best = above
    return best


def _list_outside(tree: Any, root: Any, notes: Notes) -> None:
    """Lists everything that stands outside the article, each part with its first words."""
    path = {root, *root.iterancestors()}
    for ancestor in reversed(list(root.iterancestors())):
        if ancestor.tag == "html":
            continue
        for child in ancestor:
            words = child.tail or ""
            if child not in path and isinstance(child.tag, str) and reason_to_drop(child, whole=10**9) != "silent":
                notes.place = child.sourceline or notes.place
                if shown(child) or child.tag in ("script", "iframe", "form"):
                    notes.drop(reason_to_drop(child, whole=10**9) or "outside the article", shown(child))
            if words.strip():
                notes.drop("outside the article", words)
        if ancestor.text and ancestor.text.strip():
            notes.drop("outside the article", ancestor.text)


# --- what the page says of itself ------------------------------------------------------


def _read_head(tree: Any, root: Any, raw: Raw, notes: Notes) -> None:
    """The headline, when the article has none of its own; the byline; the day, which is listed."""
    meta = {
        (one.get("property") or one.get("name") or "").lower(): " ".join((one.get("content") or "").split()) for one in tree.iter("meta")
    }
    google_title = _is_google(tree) and any("title" in (one.get("class") or "").split() for one in root.iter("p"))
    if not google_title and not any(words_of(one) for one in root.iter("h1")):
        heading = next((one for one in tree.iter("h1") if words_of(one)), None)
        name = tree.find(".//title")
        named = "" if name is None else words_of(name).split(" | ")[0]
        raw.title = words_of(heading) if heading is not None else meta.get("og:title") or named
        raw.title_place = 1 if heading is None else heading.sourceline or 1
    raw.byline = meta.get("author") or meta.get("article:author") or None
    if raw.byline and raw.byline.startswith("http"):
        raw.byline = None
    day = meta.get("article:published_time") or meta.get("date") or meta.get("dcterms.date")
    if day:
        notes.drop("date line", f"published {day}: give the issue's day with --date", 1, limit=160)


def _address_of(tree: Any) -> str:
    """The page's own address, for links that are not whole."""
    for one in (*tree.iter("base"), *(link for link in tree.iter("link") if (link.get("rel") or "").lower() == "canonical")):
        if (one.get("href") or "").startswith(("https://", "http://")):
            return str(one.get("href"))
    return ""


def _is_google(tree: Any) -> bool:
    """Whether Google Docs wrote the page: its classes are c0, c1 ... and its lists lst-kix."""
    body = tree.find("body")
    classes = "" if body is None else (body.get("class") or "")
    return "doc-content" in classes or any("lst-kix" in (style.text or "") or ".c0{" in (style.text or "") for style in tree.iter("style"))


def _refuse_comments(tree: Any, file: str) -> None:
    """Raises Refusal when a Google document has comments: nobody has decided about them yet."""
    found = []
    for link in tree.iter("a"):
        if not (link.get("id") or "").startswith("cmnt_ref"):
            continue
        said = next((one for one in tree.iter("a") if one.get("id") == (link.get("href") or "").lstrip("#")), None)
        around = next((one for one in link.iterancestors() if one.tag in ("p", "li", "h1", "h2", "h3", "h4", "td")), link)
        comment = "" if said is None else words_of(said.getparent())
        found.append(f"  line {link.sourceline} (“{excerpt(words_of(around))}”): {excerpt(comment)}")
    if found:
        more = [f"  and {len(found) - 12} more"] if len(found) > 12 else []
        hint = "In Google Docs, resolve the comments, download the document again, and import that."
        raise Refusal("\n".join([f"{file} has comments:", *found[:12], *more]), hint=hint)
