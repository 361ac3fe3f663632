"""Markdown text -> a tree of markdown-it's tokens, each with its line of the file."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType
from mdit_py_plugins.container import container_plugin

MAX_NESTING = 50
"""Beyond this markdown-it drops text; blocks are refused long before (``markdown.MAX_DEPTH``)."""


class _Markdown(MarkdownIt):
    """CommonMark that hands addresses over as written: it drops bad ones, and then nobody could name them."""

    def validateLink(self, url: str) -> bool:
        return True

    def normalizeLink(self, url: str) -> str:
        return url

    def normalizeLinkText(self, link: str) -> str:
        return link


class _LinedInline(StateInline):
    """Notes in each token's ``meta`` how many lines below its paragraph's first line it stands."""

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> None:
        super().__init__(src, md, env, tokens)
        self.line_ends = [index for index, character in enumerate(src) if character == "\n"]

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        token = super().push(ttype, tag, nesting)
        token.meta["line"] = bisect_left(self.line_ends, self.pos)
        return token

    def pushPending(self) -> Token:
        token = super().pushPending()
        token.meta["line"] = bisect_left(self.line_ends, self.pos)
        return token


def _inline(state: StateCore) -> None:
    """markdown-it's own core rule of this name, with lines."""
    parser = state.md.inline
    for token in state.tokens:
        if token.type == "inline":
            token.children = token.children or []
            inner = _LinedInline(token.content, state.md, state.env, token.children)
            parser.tokenize(inner)
            for rule in parser.ruler2.getRules(""):
                rule(inner)


@cache
def _parser() -> MarkdownIt:
    # html stays on: only then is HTML recognised, so that it can be refused with its line. Nothing renders these tokens.
    md = _Markdown("commonmark", {"html": True, "maxNesting": MAX_NESTING, "store_labels": True})
    md.use(container_plugin, "box", validate=lambda params, markup: True)
    md.core.ruler.at("inline", _inline)
    return md


@dataclass(slots=True)
class Node:
    """A block token with what it encloses; ``line`` is the 1-based line of the file on which it begins."""

    token: Token
    line: int
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """This node and everything inside, in reading order, without recursion."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


@dataclass(frozen=True, slots=True)
class Tree:
    """The parsed text: its blocks, and the reference definitions nothing refers to (label, line)."""

    nodes: list[Node]
    unused_references: list[tuple[str, int]]


def parse_markdown(body: str, first_line: int) -> Tree:
    """Parses text that begins on ``first_line`` of its file. Raises RecursionError for absurdly nested pictures."""
    env: dict[str, object] = {}
    # The container plugin looks one character beyond a last line of blanks; a final line end keeps that inside the text.
    tokens = _parser().parse(body + "\n", env)
    root: list[Node] = []
    open_nodes: list[Node] = []
    used: set[object] = set()
    for token in tokens:
        if token.nesting < 0:
            open_nodes.pop()
            continue
        line = first_line + token.map[0] if token.map else (open_nodes[-1].line if open_nodes else first_line)
        node = Node(token, line)
        (open_nodes[-1].children if open_nodes else root).append(node)
        if token.nesting > 0:
            open_nodes.append(node)
        used.update(child.meta["label"] for child in token.children or [] if "label" in child.meta)
    references = env.get("references")
    unused = []
    for label, reference in (references if isinstance(references, dict) else {}).items():
        if label not in used:
            unused.append((str(label), first_line + int(reference["map"][0])))
    return Tree(root, unused)
