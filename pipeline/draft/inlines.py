"""Running text: markdown-it's inline tokens -> ``core.issue`` inlines, with the findings on the way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it.token import Token

from pipeline.core.issue import Code, Emphasis, Inline, LineBreak, Link, Strong, Text, plain
from pipeline.draft.front_matter import is_control
from pipeline.draft.links import check_href
from pipeline.draft.rules import Findings

MAX_DEPTH = 8
"""Emphasis and links inside one another; deeper is a typing accident, and would only make everybody downstream recurse."""

# Scripts without blanks between words: kana, bopomofo, Han, their punctuation and full-width forms. Not Hangul, which has blanks.
_CJK = re.compile(
    "[\u2e80-\u2fdf\u3000-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f"
    "\uff01-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_LOST_REFERENCE = re.compile(r"\[[^\[\]]+\]\[[^\[\]]*\]")


@dataclass(slots=True)
class _Frame:
    """An opened mark and what it has collected; the bottom frame has no mark."""

    mark: str
    line: int
    href: str = ""
    out: list[Inline] = field(default_factory=list)


def read_inlines(tokens: Sequence[Token], line: int, findings: Findings) -> tuple[Inline, ...]:
    """Converts the children of an inline token that begins on ``line`` of the file."""
    reader = _Reader(line, findings)
    for index, token in enumerate(tokens):
        reader.take(token, tokens[index + 1] if index + 1 < len(tokens) else None)
    return tuple(reader.stack[0].out)


def alt_text(image: Token) -> str:
    """An image's alternative text: the words of its description without markup."""
    parts = [" " if child.type in ("softbreak", "hardbreak") else child.content for child in image.children or []]
    return " ".join("".join(parts).split())


class _Reader:
    def __init__(self, line: int, findings: Findings) -> None:
        self.first_line = line
        self.findings = findings
        self.stack = [_Frame("", line)]
        self.last = ""
        #: The last character read, whatever mark it stands in.
        self.skipped = 0
        #: Opened marks that are too deep to be kept.

    def take(self, token: Token, following: Token | None) -> None:
        line = self.first_line + int(token.meta.get("line", 0))
        match token.type:
            case "text":
                self._text(token.content, line)
            case "code_inline":
                self._append(Code(self._clean(token.content, line)))
            case "softbreak":
                after = following.content[:1] if following is not None else ""
                self._append(Text("" if _CJK.match(self.last) and _CJK.match(after) else " "))
            case "hardbreak":
                self._append(LineBreak())
            case "image":
                self.findings.add("image-inline", line, f"the picture {_src(token)} stands inside running text",
                                  "Give it a paragraph of its own, with an empty line before and after, and no link.")  # fmt: skip
                self._text(alt_text(token), line)
            case "html_inline":
                self.findings.add("raw-html", line, "raw HTML in the text", "Write it in Markdown, or put \\ before the <.")
            case "strong_open" | "em_open" | "link_open":
                self._open(token, line)
            case "strong_close" | "em_close" | "link_close":
                self._close()

    def _open(self, token: Token, line: int) -> None:
        if len(self.stack) > MAX_DEPTH:
            self.findings.add("nesting", line, "bold, italics and links are nested too deeply", "Use fewer marks.")
            self.skipped += 1
            return
        self.stack.append(_Frame(token.type, line, str(token.attrs.get("href", ""))))

    def _close(self) -> None:
        if self.skipped:
            self.skipped -= 1
            return
        frame = self.stack.pop()
        children = tuple(frame.out)
        if frame.mark == "link_open":
            self._link(frame, children)
        elif children:
            self._append(Strong(children) if frame.mark == "strong_open" else Emphasis(children))

    def _link(self, frame: _Frame, children: tuple[Inline, ...]) -> None:
        href = check_href(frame.href)
        if href.rule:
            self.findings.add(href.rule, frame.line, href.message, href.hint)
        if not plain(children).strip():
            self.findings.add("link-text", frame.line, "a link has no words", "Write  [words](https://address).")
        elif href.url is not None:
            self._append(Link(href.url, children))
            return
        for child in children:  # a link that cannot stand leaves its words
            self._append(child)

    def _text(self, content: str, line: int) -> None:
        content = self._clean(content, line)
        for lost in _LOST_REFERENCE.findall(content):
            self.findings.add("link-reference", line, f"{lost[:60]} refers to an address that is not given",
                              "Add a line  [name]: https://address  or write  [words](https://address).")  # fmt: skip
        self._append(Text(content))

    def _clean(self, content: str, line: int) -> str:
        # Typed controls are gone by now; what is found here was written as &#12; or the like.
        if any(is_control(character) and character != "\t" for character in content):
            self.findings.add("control-character", line, "the text holds a control character", "Remove it.")
            content = "".join(character for character in content if not is_control(character))
        return content

    def _append(self, node: Inline) -> None:
        out = self.stack[-1].out
        if isinstance(node, Text | Code):
            self.last = node.value[-1:] or self.last
        elif isinstance(node, LineBreak):
            self.last = ""
        if isinstance(node, Text):
            if not node.value:
                return
            before = out[-1] if out else None
            if isinstance(before, Text):
                out.pop()
                node = Text(before.value + node.value)
        out.append(node)


def _src(image: Token) -> str:
    return str(image.attrs.get("src", ""))[:60]
