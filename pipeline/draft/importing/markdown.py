"""Markdown from elsewhere -> a draft's parts.

markdown-it reads it, raw HTML and all, and writes HTML with line numbers; from there on it goes the way of a web page. So there is one
place that knows what a list, a figure or a form is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from pipeline.draft.importing.decode import decode
from pipeline.draft.importing.foreign_front import read_front
from pipeline.draft.importing.tidy import Raw, finish
from pipeline.draft.importing.values import DocumentImport, Notes
from pipeline.draft.importing.web import parse_html, walk
from pipeline.errors import Refusal

_SHORTCODE = re.compile(r"\{\{[<%].{0,80}?[>%]\}\}|\{%.{0,80}?%\}|^:::|^!!!|\[\[[^\]\n]{1,80}\]\]")
_ADDRESS = re.compile(r" {0,3}\[[^\]^][^\]]{0,200}\]:[ \t]*\S")
MAX_NESTING = 60
"""Lists and quotes inside one another; the parser leaves out what is deeper, so a file that comes near is refused."""
_FOOTNOTE = re.compile(r" {0,3}\[\^([^\]\s]{1,80})\]:")


def read_markdown(data: bytes, *, file: str) -> DocumentImport:
    """Sorts a Markdown file of another tool. Raises Refusal when it has no text, UsageError when it is not UTF-8."""
    text = decode(data, file, declared=False)
    notes, raw = Notes(file), Raw()
    first_line, body = read_front(text, raw, notes)
    _ask_about_signs(body, first_line, notes)
    spread, lines = _spread(body, first_line)
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": MAX_NESTING}).enable(["table", "strikethrough"])
    parser.use(footnote_plugin, inline=False)
    environment: dict[str, Any] = {}
    try:
        tokens = parser.parse(spread, environment)
    except RecursionError:
        tokens = None
    if tokens is None or any(token.level >= MAX_NESTING - 2 for token in tokens):
        raise Refusal(f"{file} is nested too deeply to be read", hint="Remove the nested brackets or quotes.")
    for token in tokens:
        if token.type == "fence" and token.info.strip():
            notes.drop("name of a code block", token.info, lines[token.map[0]] if token.map else first_line, limit=160)
    _list_references(tokens, environment, lines, notes)
    _list_footnotes(body, environment, first_line, notes)
    html = _with_lines(parser, tokens, environment, lines)
    tree = parse_html(f"<!doctype html><html><body>{html}</body></html>", file)
    walk(tree.find("body"), raw, notes, classes={}, markdown=True)
    return finish(raw, notes, unit="line")


def _spread(body: str, first_line: int) -> tuple[str, list[int]]:
    """The text with an empty line before each address that follows a footnote at once (it would go on with it); the lines' numbers."""
    out: list[str] = []
    numbers: list[int] = []
    for number, line in enumerate(body.split("\n"), first_line):
        if out and _FOOTNOTE.match(out[-1]) and _ADDRESS.match(line):
            out.append("")
            numbers.append(number)
        out.append(line)
        numbers.append(number)
    return "\n".join(out), [*numbers, numbers[-1]]


def _with_lines(parser: MarkdownIt, tokens: Sequence[Token], environment: dict[str, Any], lines: Sequence[int]) -> str:
    """HTML in which every block says on which line of the file it began."""
    marked: list[Token] = []
    for token in tokens:
        if token.map is not None and token.type == "html_block":
            # raw HTML has no place for a number; an element that shows nothing stands before it
            marked.append(Token("html_block", "", 0, content=f'<wbr data-line="{lines[token.map[0]]}">'))
        elif token.map is not None and token.nesting >= 0:
            token.attrSet("data-line", str(lines[token.map[0]]))
        marked.append(token)
    return str(parser.renderer.render(marked, parser.options, environment))


def _list_references(tokens: Sequence[Token], environment: dict[str, Any], lines: Sequence[int], notes: Notes) -> None:
    """Addresses that nothing refers to vanish in CommonMark; here they are listed."""
    inner = [child for token in tokens for child in token.children or []]
    used = {str(child.attrs[name]) for child in inner for name in ("href", "src") if name in child.attrs}
    for label, reference in environment.get("references", {}).items():
        if reference["href"] not in used:
            line = lines[min(reference.get("map", [0])[0], len(lines) - 1)]
            notes.drop(
                "address that nothing refers to", f"[{label.lower()}]: {reference['href']} {reference.get('title', '')}", line, limit=160
            )


def _ask_about_signs(body: str, first_line: int, notes: Notes) -> None:
    """Marks of other tools are kept as the text they are; an editor should see them."""
    for number, line in enumerate(body.split("\n"), first_line):
        if found := _SHORTCODE.search(line):
            notes.warn("import-sign", f"a sign of another tool was kept as text: {found[0][:40]}", "Replace or remove it.", number)


def _list_footnotes(body: str, environment: dict[str, Any], first_line: int, notes: Notes) -> None:
    """Footnotes stand as a list at the end; one that nothing refers to would vanish, and is listed."""
    found = environment.get("footnotes", {}).get("refs", {})
    used = [label for label, number in found.items() if number >= 0]
    if used:
        notes.warn("import-footnotes", f"{len(used)} footnotes stand at the end of the draft", "Work them into the text.", first_line)
    for number, line in enumerate(body.split("\n"), first_line):
        match = _FOOTNOTE.match(line)
        if match is not None and found.get(f":{match[1]}", 0) < 0:
            notes.drop("footnote that nothing refers to", line, number, limit=160)
