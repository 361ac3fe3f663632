"""The text under the front matter -> sections and blocks. Everything questionable becomes a Problem and, as far as it can,
still a block: editors see all findings at once, and the preview shows what there is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markdown_it.token import Token

from pipeline.core.issue import (
    Block,
    Figure,
    Inline,
    LineBreak,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Section,
    SectionKind,
    Strong,
    SubHeading,
    Text,
    plain,
)
from pipeline.draft.figures import read_figure
from pipeline.draft.inlines import read_inlines
from pipeline.draft.rules import Findings
from pipeline.draft.tokens import Node, parse_markdown

MAX_DEPTH = 6
"""Lists and quotes inside one another; a phone's screen has no room for more."""

_DASHES = re.compile(r"\s*(?:--+|[—–―])\s*")
_TABLE_RULE = re.compile(r"(?=.*\|)(?=.*-)[|:\- \t]+")
_ASIDES = (SectionKind.NOTE, SectionKind.CORRECTION)
_KINDS = ", ".join(kind.value for kind in SectionKind)


@dataclass(frozen=True, slots=True)
class Body:
    """What stands under the front matter."""

    opening: tuple[Block, ...]
    sections: tuple[Section, ...]


def read_body(body: str, first_line: int, sections: Mapping[str, str], findings: Findings) -> Body:
    """Reads Markdown that begins on ``first_line`` of the file; ``sections`` maps headings to section kinds."""
    try:
        tree = parse_markdown(body, first_line)
    except RecursionError:  # hundreds of pictures inside one another's alternative texts
        findings.add("nesting", first_line, "the text is nested too deeply to be read", "Remove the nested brackets.")
        return Body((), ())
    for label, line in tree.unused_references:
        findings.add("link-reference", line, f"nothing refers to the address [{label[:40].lower()}]",
                     "Readers do not see this line: refer to it, or write the brackets as \\[ and \\].")  # fmt: skip
    kinds = {heading_key(heading): SectionKind(kind) for heading, kind in sections.items()}
    reader = _BodyReader(kinds, body.split("\n"), first_line, findings)
    reader.flow(tree.nodes)
    return reader.result()


def heading_key(heading: str) -> str:
    """The form under which two spellings of a heading are one: case folded, blanks alike."""
    return " ".join(unicodedata.normalize("NFC", heading).casefold().split())


@dataclass(slots=True)
class _Open:
    """A section being filled."""

    kind: SectionKind
    title: tuple[Inline, ...]
    line: int
    blocks: list[Block] = field(default_factory=list)
    resumed: bool = False
    #: A box interrupted it before its first block; what follows the box belongs to it.


class _BodyReader:
    """Walks the tree once, filling the opening and then section after section."""

    def __init__(self, kinds: Mapping[str, SectionKind], lines: Sequence[str], first_line: int, findings: Findings) -> None:
        self.kinds = kinds
        self.lines = lines
        self.first_line = first_line
        self.findings = findings
        self.blocks = BlockReader(findings)
        self.opening: list[Block] = []
        self.sections: list[_Open] = []
        self.target: list[Block] | None = self.opening
        #: Where the next block goes; None after a box, when a section must be opened first.
        self.resume: _Open | None = None
        #: The section that the box before interrupted.
        self.level = 1
        self.box: _Open | None = None
        #: The box that is being read.

    def flow(self, nodes: Sequence[Node]) -> None:
        """Takes blocks where headings and boxes may stand."""
        for node in nodes:
            match node.token.type:
                case "heading_open":
                    self._heading(node)
                case "container_box_open":
                    self._container(node)
                case _:
                    self._add(self.blocks.read(node))

    def result(self) -> Body:
        """The finished body; notes what is empty."""
        for section in self.sections:
            if not section.blocks and not section.resumed:
                name = plain(section.title).strip()[:60] or section.kind.value
                self.findings.add("section-empty", section.line, f"there is nothing under {name!r}", "Write something, or remove it.")
        if not self.opening and not any(section.blocks for section in self.sections):
            self.findings.add("body-empty", self.first_line, "the issue has no text", "Write below the front matter.")
        done = tuple(Section(kind=s.kind, title=s.title, blocks=tuple(s.blocks), line=s.line) for s in self.sections)
        return Body(tuple(self.opening), done)

    def _add(self, blocks: Sequence[Block]) -> None:
        if not blocks:
            return
        if self.target is None:
            kind = self.resume.kind if self.resume else SectionKind.PLAIN
            if self.resume:
                self.resume.resumed = True
            self._start(_Open(kind, (), blocks[0].line))
        assert self.target is not None
        self.target.extend(blocks)

    def _start(self, section: _Open) -> None:
        self.sections.append(section)
        self.target = section.blocks
        self.resume = section

    def _heading(self, node: Node) -> None:
        level = int(node.token.tag[1:])
        content = self.blocks.inlines(node)
        words = plain(content).strip()
        if not words:
            self.findings.add("heading-empty", node.line, "the heading has no words", "Write them after the #, or remove it.")
        if level == 1:
            self.findings.add("heading-top", node.line, f"{words[:60]!r} is a first-level heading", "The title is that; write ## here.")
            level = 2
        if self.box is not None and level == 2:
            self._box_title(content, node)
        elif level == 2:
            self.level = 2
            self._start(_Open(self.kinds.get(heading_key(words), SectionKind.PLAIN), content, node.line))
        else:
            if level > self.level + 1:
                wanted = "#" * (self.level + 1)
                self.findings.add("heading-order", node.line, f"the heading {words[:60]!r} skips a level", f"Write {wanted} here.")
            self.level = level
            self._add([SubHeading(level=level, content=content, line=node.line)])

    def _box_title(self, content: tuple[Inline, ...], node: Node) -> None:
        assert self.box is not None
        if not self.box.blocks and not self.box.title:
            self.box.title = content
            return
        self.findings.add("container-heading", node.line, "a second title inside a ::: box", "Write ### here, or close the box before it.")
        self._add([SubHeading(level=3, content=content, line=node.line)])

    def _container(self, node: Node) -> None:
        name, title = [*node.token.info.split(maxsplit=1), "", ""][:2]
        if not name:
            self.findings.add("container-stray", node.line, "this ::: closes nothing", "Remove it, or write  ::: note  to open a box.")
            self.flow(node.children)
            return
        self._check_closed(node, name)
        if self.box is not None:
            self.findings.add("container-place", node.line, f"the box {name[:40]!r} stands inside another", "Close that one before it.")
            self.flow(node.children)
            return
        known = name.casefold() in list(SectionKind)
        if not known:
            self.findings.add("container-kind", node.line, f"there is no box of the kind {name[:40]!r}", f"Known kinds: {_KINDS}.")
        kind = SectionKind(name.casefold()) if known else SectionKind.PLAIN
        interrupted, level = self.resume, self.level
        self.box = _Open(kind, (Text(title.strip()),) if title.strip() else (), node.line)
        self._start(self.box)
        self.level = 2
        self.flow(node.children)
        self.box, self.level = None, level
        self.target, self.resume = None, interrupted if kind in _ASIDES else None

    def _check_closed(self, node: Node, name: str) -> None:
        end = node.token.map[1] if node.token.map else len(self.lines)
        closing = self.lines[end].lstrip(" \t>") if end < len(self.lines) else ""
        if not re.fullmatch(r":{3,}[ \t]*", closing):
            self.findings.add("container-open", node.line, f"the box {name[:40]!r} is not closed", "Put a line of ::: after its text.")


class BlockReader:
    """Converts blocks that may stand anywhere: in the flow, in a list item, in a quote."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def inlines(self, node: Node) -> tuple[Inline, ...]:
        """The running text directly inside a paragraph or heading."""
        return trimmed(tuple(i for child in node.children for i in read_inlines(child.token.children or [], child.line, self.findings)))

    def read(self, node: Node, depth: int = 0) -> list[Block]:
        """One token's blocks; nothing when it holds nothing."""
        match node.token.type:
            case "paragraph_open":
                return self._paragraph(node)
            case "hr":
                return [Rule(line=node.line)]
            case "fence" | "code_block":
                return self._code(node)
            case "html_block":
                return self._html(node)
            case "heading_open":
                self.findings.add("heading-place", node.line, "a heading stands inside a list, a quote or a box in one",
                                  "Put it at the edge of the line, with an empty line before.")  # fmt: skip
                content = self.inlines(node)
                return [Paragraph(content=content, line=node.line)] if content else []
            case _ if depth >= MAX_DEPTH:
                return self._flatten(node)
            case "bullet_list_open" | "ordered_list_open":
                items = tuple(tuple(self._blocks(item.children, depth + 1)) for item in node.children)
                start = node.token.attrGet("start")
                ordered = node.token.type == "ordered_list_open"
                return [ListBlock(ordered=ordered, items=items, start=1 if start is None else int(start), line=node.line)]
            case "blockquote_open":
                return self._quote(node, depth)
            case _:
                self.findings.add("container-place", node.line, "a ::: box stands inside a list or a quote",
                                  "Put it at the edge of the line.")  # fmt: skip
                return self._blocks(node.children, depth + 1)

    def _blocks(self, nodes: Sequence[Node], depth: int) -> list[Block]:
        return [block for node in nodes for block in self.read(node, depth)]

    def _flatten(self, node: Node) -> list[Block]:
        self.findings.add("nesting", node.line, "lists and quotes are nested too deeply", f"{MAX_DEPTH} levels are the most.")
        paragraphs = [inner for inner in node.walk() if inner.token.type in ("paragraph_open", "heading_open")]
        return [block for inner in paragraphs for block in self._paragraph(inner)]

    def _paragraph(self, node: Node) -> list[Block]:
        children = [token for child in node.children for token in child.token.children or []]
        words, settings = _parted(children)
        if words and all(token.type == "image" for token in words):
            return list(self._figures(words, settings, node.line))
        self._look_for_tables(node)
        label, content = split_label(self.inlines(node))
        if label and not content:
            self.findings.add("label-alone", node.line, f"the label {label[:60]!r} has no text after it",
                              "Write its paragraph on the same line.")  # fmt: skip
        return [Paragraph(content=content, label=label, line=node.line)] if content or label else []

    def _look_for_tables(self, node: Node) -> None:
        """CommonMark knows no tables and would set their lines as text."""
        for number, line in enumerate("\n".join(child.token.content for child in node.children).split("\n")):
            if number and _TABLE_RULE.fullmatch(line):
                self.findings.add("table", node.line + number - 1, "this is a table, and a mail has none",
                                  "Write a list with an item for each row, or the figures that matter into a sentence.")  # fmt: skip

    def _figures(self, images: Sequence[Token], settings: Mapping[int, str], first: int) -> list[Figure]:
        out: list[Figure] = []
        for index, image in enumerate(images):
            line = first + int(image.meta.get("line", 0))
            if out:
                self.findings.add("image-inline", line, "two pictures share a paragraph", "Put an empty line between them.")
            out.append(read_figure(image, line, self.findings, settings.get(index, "")))
        return out

    def _quote(self, node: Node, depth: int) -> list[Block]:
        paragraphs: list[tuple[Inline, ...]] = []
        attribution = ""
        for child in node.children:
            if child.token.type == "paragraph_open":
                tokens = [token for inner in child.children for token in inner.token.children or []]
                source: Sequence[Token] = ()
                if child is node.children[-1]:
                    tokens, source = map(list, split_source(tokens, alone=not paragraphs))
                paragraphs.append(trimmed(read_inlines(tokens, child.line, self.findings)))
                attribution = _DASHES.sub("", plain(trimmed(read_inlines(source, child.line, self.findings))), count=1)
                continue
            self.findings.add("quote-content", child.line, "a quote holds something that is not a paragraph",
                              "Only text goes into a quote; its source goes last:  > -- Name, role.")  # fmt: skip
            for block in self._blocks([child], depth + 1):
                paragraphs += _words(block)
        kept = tuple(paragraph for paragraph in paragraphs if paragraph)
        return [Quote(paragraphs=kept, attribution=attribution, line=node.line)] if kept else []

    def _code(self, node: Node) -> list[Block]:
        self.findings.add("code-block", node.line, "this would become a block of program code",
                          "Indent less than four blanks, remove the ``` and write it as text.")  # fmt: skip
        content: list[Inline] = []
        for line in node.token.content.strip("\n").split("\n"):
            content += [LineBreak(), Text(line.strip())] if content else [Text(line.strip())]
        return [Paragraph(content=tuple(content), line=node.line)] if node.token.content.strip() else []

    def _html(self, node: Node) -> list[Block]:
        self.findings.add("raw-html", node.line, "raw HTML in the text", "Write it in Markdown, or put \\ before the <.")
        text = " ".join(re.sub(r"<!--.*?(-->|$)|<[^<>]*>", " ", node.token.content, flags=re.DOTALL).split())
        return [Paragraph(content=(Text(text),), line=node.line)] if text else []


def _parted(children: Sequence[Token]) -> tuple[list[Token], dict[int, str]]:
    """A paragraph's tokens without blanks, and by the place of a picture what stands in braces behind it."""
    words: list[Token] = []
    settings: dict[int, str] = {}
    for token in children:
        if token.type == "softbreak" or (token.type == "text" and not token.content.strip()):
            continue
        if token.type == "text" and words and words[-1].type == "image" and re.fullmatch(r"\s*\{[^{}]*\}\s*", token.content):
            settings[len(words) - 1] = token.content.strip()
        else:
            words.append(token)
    return words, settings


def split_label(content: tuple[Inline, ...]) -> tuple[str | None, tuple[Inline, ...]]:
    """A paragraph's run-in label and the rest; ``**Label:** text`` and ``**Label**: text`` are the same."""
    first = content[0] if content else None
    if not isinstance(first, Strong) or any(isinstance(child, Link | LineBreak) for child in first.children):
        return None, content
    label, rest = plain(first.children).strip(), content[1:]
    if label[-1:] in (":", "："):
        return (label, trimmed(rest)) if len(label) > 1 else (None, content)
    following = rest[0] if rest else None
    if label and isinstance(following, Text) and following.value[:1] in (":", "："):
        return label + following.value[0], trimmed((Text(following.value[1:]), *rest[1:]))
    return None, content


def split_source(tokens: Sequence[Token], *, alone: bool) -> tuple[Sequence[Token], Sequence[Token]]:
    """A quote's last paragraph cut before the line that names its source.

    The source is a last line that begins with dashes; typed as ``--`` it may run over several lines. A paragraph that
    stands alone in its quote keeps its first line: there a dash opens direct speech.
    """
    starts = [] if alone else [-1]
    depth = 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0 and token.type in ("softbreak", "hardbreak"):
            starts.append(index)
    for index in reversed(starts):
        words = tokens[index + 1].content if index + 1 < len(tokens) else ""
        if _DASHES.match(words) and (index == (starts or [-1])[-1] or words.startswith("--")):
            return tokens[: max(index, 0)], tokens[index + 1 :]
    return tokens, ()


def trimmed(content: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """Inlines without blanks and breaks at either end."""
    nodes = list(content)
    while nodes and (isinstance(nodes[0], LineBreak) or (isinstance(nodes[0], Text) and not nodes[0].value.lstrip(" \t"))):
        del nodes[0]
    while nodes and (isinstance(nodes[-1], LineBreak) or (isinstance(nodes[-1], Text) and not nodes[-1].value.rstrip(" \t"))):
        del nodes[-1]
    if nodes and isinstance(nodes[0], Text):
        nodes[0] = Text(nodes[0].value.lstrip(" \t"))
    if nodes and isinstance(nodes[-1], Text):
        nodes[-1] = Text(nodes[-1].value.rstrip(" \t"))
    return tuple(nodes)


def _words(block: Block) -> list[tuple[Inline, ...]]:
    """A block as plain paragraphs, for places where only those may stand."""
    match block:
        case Paragraph(content=content, label=label):
            return [(Strong((Text(label),)), Text(" "), *content)] if label else [content]
        case SubHeading(content=content):
            return [content]
        case Figure(alt=alt):
            return [(Text(alt),)] if alt else []
        case Quote(paragraphs=paragraphs):
            return list(paragraphs)
        case ListBlock(items=items):
            return [words for item in items for inner in item for words in _words(inner)]
        case Rule():
            return []
