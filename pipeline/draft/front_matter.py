"""The YAML block at the top of a draft. Only the node graph is read, never constructed: each value keeps its line, nothing
is converted behind the editor's back, and aliases stay references, so an alias bomb costs nothing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

import yaml

from pipeline.draft.rules import Findings

KEYS = ("title", "subject", "preheader", "date", "author", "authors", "language", "topics", "translation_of")
"""Every key the front matter may hold."""

MAX_CHARACTERS = 20_000
"""YAML is read slowly; a front matter has some hundred characters."""

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LANGUAGE = re.compile(
    r"(?P<language>[A-Za-z]{2,3})(-(?P<script>[A-Za-z]{4}))?(-(?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)"
)
_KIND = {"bool": "a yes/no value", "int": "a number", "float": "a number", "timestamp": "a date", "seq": "a list", "map": "a table",
         "null": "nothing"}  # fmt: skip
_HINTS = (
    ("mapping values are not allowed", 'A value that holds a colon stands in quotes:  title: "One: two".'),
    ("cannot start any token", "A value that begins with a special character stands in quotes; indent with blanks, not tabs."),
    ("unexpected end of stream", "A quotation mark or bracket was opened and not closed."),
    ("expected ',' or", "A bracket was opened and not closed."),
    ("could not find expected ':'", "Every line is written  key: value."),
    ("expected <block end>", "Quotation marks go around the whole value; keys begin at the edge."),
    ("undefined alias", "A value that begins with * stands in quotes."),
)


@dataclass(frozen=True, slots=True)
class Split:
    """A draft cut in two; lines are 1-based lines of the file. ``block`` is None when there is no front matter."""

    block: str | None
    block_line: int
    body: str
    body_line: int


@dataclass(slots=True, kw_only=True)
class FrontMatter:
    """What the front matter says, form checked and meaning not; None or empty where it says nothing."""

    title: str | None = None
    #: Empty when nothing is written after ``title:``; None also when what is written there is no text.
    subject: str | None = None
    preheader: str | None = None
    date: date | None = None
    authors: list[tuple[str, int]] = field(default_factory=list)
    language: str | None = None
    topics: tuple[str, ...] = ()
    translation_of: str | None = None
    lines: dict[str, int] = field(default_factory=dict)
    #: The line of each key that is there.
    readable: bool = True
    #: False when the YAML is broken.


def split(source: str, findings: Findings) -> Split:
    """Cuts a draft (line ends already ``\\n``) at its two lines of ``---``."""
    lines = source.split("\n")
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines[start].rstrip() != "---":
        findings.add("front-matter-missing", start + 1, "the draft does not begin with front matter",
                     "Begin the file with a line of ---, then  title: The headline, then another line of ---.")  # fmt: skip
        return Split(None, 1, source, 1)
    for number in range(start + 1, len(lines)):
        if lines[number].rstrip() == "---":
            return Split("\n".join(lines[start + 1 : number]) + "\n", start + 2, "\n".join(lines[number + 1 :]), number + 2)
    findings.add("front-matter-open", start + 1, "the front matter is not closed", "Put a line of --- after its last key.")
    return Split(None, 1, "", len(lines))


def read_front_matter(block: str, first_line: int, findings: Findings) -> FrontMatter:
    """Reads the block between the lines of ``---``, which begins at ``first_line`` of the file."""
    out = FrontMatter()
    reader = _Reader(block, first_line, findings)
    root = reader.compose()
    if reader.broken:
        out.readable = False
        return out
    if root is None:
        return out
    for name, line, node in reader.pairs(root):
        out.lines[name] = line
        if not (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):  # a key left empty asks for its default
            _take(out, reader, name, node, line)
        elif name == "title":
            out.title = ""
    return out


def _take(out: FrontMatter, reader: _Reader, name: str, node: yaml.Node, line: int) -> None:
    """Puts one value in its place."""
    match name:
        case "title":
            out.title = reader.text(name, node, line)
        case "subject":
            out.subject = reader.text(name, node, line)
        case "preheader":
            out.preheader = reader.text(name, node, line, empty=True)
        case "translation_of":
            out.translation_of = reader.text(name, node, line)
        case "date":
            out.date = reader.date(node, line)
        case "language":
            out.language = reader.language(node, line)
        case "topics":
            out.topics = tuple(dict.fromkeys(text for text, _ in reader.texts(name, node, line)))
        case "author":
            value = reader.text(name, node, line)
            out.authors += [(value, line)] if value else []
        case "authors":
            out.authors += reader.texts(name, node, line)
    if "author" in out.lines and "authors" in out.lines and name in ("author", "authors"):
        reader.findings.add("author-both", line, "author and authors are both given", "Keep one of them.")


class _Reader:
    """The block's nodes, with lines of the file."""

    def __init__(self, block: str, first_line: int, findings: Findings) -> None:
        self.block = block
        self.first_line = first_line
        self.findings = findings
        self.broken = False

    def line_at(self, index: int) -> int:
        # Counted here, not taken from the mark: YAML also ends lines at U+0085 and U+2028, which editors do not.
        return self.first_line + self.block.count("\n", 0, index)

    def _break(self, line: int, message: str, hint: str) -> None:
        self.broken = True
        self.findings.add("yaml", line, message, hint)

    def compose(self) -> yaml.MappingNode | None:
        """The block's mapping; None when it is empty or broken."""
        if len(self.block) > MAX_CHARACTERS:
            self.broken = True
            self.findings.add("draft-size", self.first_line, f"the front matter has more than {MAX_CHARACTERS:,} characters", "Shorten it.")
            return None
        try:
            root = yaml.compose(self.block, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            scanning = (error.context or "").startswith("while scanning") or "flow" in (error.context or "")
            # What was opened and not closed is found at the end of the block; the opening is what must be mended.
            mark = (error.context_mark if scanning else None) or error.problem_mark or error.context_mark
            problem = error.problem or "cannot be read"
            hint = next((hint for part, hint in _HINTS if part in problem), "See the example in docs/reference/draft.md.")
            self._break(self.line_at(mark.index) if mark else self.first_line, f"the front matter is not YAML: {problem}", hint)
            return None
        except yaml.reader.ReaderError as error:
            self._break(self.line_at(error.position), "the front matter holds a character that YAML forbids", "Remove it.")
            return None
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
            # PyYAML lets chr() of an impossible escape and very deep nesting through as themselves.
            self._break(self.first_line, "the front matter cannot be read", "Write plain  key: value  lines.")
            return None
        if root is not None and not isinstance(root, yaml.MappingNode):
            self._break(self.first_line, "the front matter is not a list of keys", "Every line is written  key: value.")
            return None
        return root

    def pairs(self, root: yaml.MappingNode) -> list[tuple[str, int, yaml.Node]]:
        """Known keys with their line and value, each once."""
        out: dict[str, tuple[str, int, yaml.Node]] = {}
        for key, value in root.value:
            line = self.line_at(key.start_mark.index)
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name not in KEYS:
                close = get_close_matches(str(name).casefold(), KEYS, 1)
                shown = repr(_clean(name)[:40]) if name is not None else "that is not a word"
                known = f"Known keys: {', '.join(KEYS)}."
                self.findings.add("key-unknown", line, f"unknown key {shown}", f"Did you mean {close[0]}? {known}" if close else known)
            elif name in out:
                self.findings.add("key-duplicate", line, f"{name} is given a second time (first in line {out[name][1]})", "Keep one.")
            else:
                out[name] = (name, line, value)
        return list(out.values())

    def text(self, name: str, node: yaml.Node, line: int, *, empty: bool = False) -> str | None:
        """One line of text; None when the value is something else."""
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":str"):
            kind = _KIND.get(node.tag.rpartition(":")[2], "something else")
            hint = f'Put it in quotes:  {name}: "{node.value}".' if isinstance(node, yaml.ScalarNode) else f"Write  {name}: some text."
            self.findings.add("value-type", line, f"{name} must be text, but YAML reads {kind} here", hint)
            return None
        value = _clean(node.value.strip(" \n"))
        if value != node.value.strip(" \n"):
            self.findings.add("one-line", line, f"{name} must be one line without control characters", "Write it on one line.")
        value = re.sub(" {2,}", " ", value).strip()
        if not value and not empty:
            if name == "title":  # told once, as missing
                return ""
            self.findings.add("value-type", line, f"{name} is empty", f"Write {name}, or leave the key out.")
            return None
        return value

    def texts(self, name: str, node: yaml.Node, line: int) -> list[tuple[str, int]]:
        """A list of texts, each with its line."""
        if not isinstance(node, yaml.SequenceNode):
            self.findings.add("value-type", line, f"{name} must be a list", f"Write  {name}: [one, another].")
            return []
        out = []
        for item in node.value:
            at = self.line_at(item.start_mark.index)
            value = self.text(name, item, at)
            out += [(value, at)] if value else []
        return out

    def date(self, node: yaml.Node, line: int) -> date | None:
        """A day in ISO form, quoted or not."""
        text = node.value.strip() if isinstance(node, yaml.ScalarNode) else ""
        try:
            return date.fromisoformat(text if _ISO_DATE.fullmatch(text) else "")
        except ValueError:
            self.findings.add("date-form", line, "date is not a day of the calendar", "Write it as year-month-day:  date: 2026-11-25.")
            return None

    def language(self, node: yaml.Node, line: int) -> str | None:
        """A BCP 47 tag in its usual spelling (RFC 5646 section 2.1.1): ``zh-Hans-CN``."""
        value = self.text("language", node, line)
        if value is None:
            return None
        match = _LANGUAGE.fullmatch(value)
        if match is None:
            self.findings.add("language-tag", line, f"{value!r} is not a language tag", "Write for instance en, ru, zh-Hans or pt-BR.")
            return None
        parts = (match["language"].lower(), (match["script"] or "").title(), (match["region"] or "").upper())
        return "-".join(part for part in parts if part) + match["variants"].lower()


def _clean(text: str) -> str:
    """The text with every line break, control character and lone surrogate as a blank."""
    return "".join(" " if is_control(character) else character for character in text)


def is_control(character: str) -> bool:
    """Whether a character may stand in no line of text: controls, line separators, surrogates, U+FFFE and U+FFFF (XML 1.0, 2.2)."""
    return unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") or character in "\ufffe\uffff"
