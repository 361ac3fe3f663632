"""A draft's text -> an ``Issue`` and every Problem at once. Pure: no file is opened here, and nothing is raised."""

from __future__ import annotations

import codecs
import re
from collections.abc import Container, Iterable
from difflib import get_close_matches

from pipeline.core.issue import Block, Issue, IssueId, ListBlock, Paragraph, SectionKind, plain
from pipeline.core.problem import Problem
from pipeline.draft.front_matter import FrontMatter, is_control, read_front_matter, split
from pipeline.draft.markdown import Body, read_body
from pipeline.draft.rules import Findings, line_count
from pipeline.settings import Newsletter

MAX_BYTES = 1_000_000
"""What is read of a draft's file at most; more than ``MAX_CHARACTERS`` in any encoding, so that the rest need not be looked at."""

MAX_CHARACTERS = 100_000
MAX_BLOCKS = 2_000
"""The mail's HTML may have 85 KB (``flow.rendering``): an issue of this size is certainly too long for one."""

SUBJECT_LIMIT = 70
PREHEADER_LIMIT = 90

# A full stop after one of these ends no sentence; neither does one after a single letter (initials, "U.S.").
_ABBREVIATION = re.compile(r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Lt|Sgt|Sen|Gov|Rep|Jr|Sr|No|vs|etc|approx|Inc|Ltd))\.$")
_PROMPT = re.compile(r"(?:\[[^\[\]]+\]\s*)+")
_SENTENCE_END = re.compile(r"[.!?…؟۔।]+[\"'”’»)\]]*(?=\s+\S)|[。！？]+[」』”’）]*")


def decode_draft(data: bytes, file: str) -> tuple[str, tuple[Problem, ...]]:
    """A draft's bytes as text with ``\\n`` line ends, whatever ends and whether or not a BOM the editor's program wrote.

    Bytes that are not UTF-8 are one Problem on the first bad byte's line; the text then holds U+FFFD in their place, so
    that everything else can still be checked. Of a file longer than ``MAX_BYTES`` no more is read.
    """
    if len(data) > MAX_BYTES:
        data = data[:MAX_BYTES]
        return _normalised(data.decode("utf-8", "replace")), ()  # parse_draft says what is wrong
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = _normalised(data.decode("utf-16", "replace"))
        findings = Findings(file, line_count(text))
        findings.add("encoding", 1, "the file is UTF-16", "Save it as UTF-8.")
        return text, findings.all()
    text = _normalised(data.decode("utf-8", "replace"))
    findings = Findings(file, line_count(text))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = _normalised(data[: error.start].decode("utf-8", "replace")).count("\n") + 1
        findings.add("encoding", line, f"the file is not UTF-8 (byte 0x{data[error.start]:02x})", "Save it as UTF-8.")
    return text, findings.all()


def parse_draft(
    source: str,
    *,
    file: str,
    id: IssueId,
    newsletter: Newsletter,
    authors: Container[str],
    newsletters: Container[str] | None = None,
) -> tuple[Issue | None, tuple[Problem, ...]]:
    """Reads a draft: the Issue as far as it can be built, and all Problems by line.

    The Issue is None when there is no headline to build it on. ``authors`` are the ids of author cards; ``newsletters``
    the ids that ``translation_of`` may name besides the draft's own newsletter.
    """
    source = _normalised(source)
    findings = Findings(file, line_count(source))
    if len(source) > MAX_CHARACTERS:
        findings.add("draft-size", 1, f"the draft has more than {MAX_CHARACTERS:,} characters", "Make several issues of it.")
        return None, findings.all()
    source = _without_controls(source, findings)
    parts = split(source, findings)
    front = FrontMatter(readable=False)
    if parts.block is not None:
        front = read_front_matter(parts.block, parts.block_line, findings)
    if front.readable and (front.title == "" or "title" not in front.lines):
        line = front.lines.get("title", parts.block_line - 1)
        findings.add("title-missing", line, "the issue has no title", "Write  title: The headline.")
    body = Body((), ())
    if parts.block is not None or parts.body:
        body = read_body(parts.body, parts.body_line, newsletter.sections, findings)
    _find_prompts(body, findings)
    if not front.readable:
        return None, findings.all()
    issue = _issue(front, body, id, newsletter, (authors, newsletters), findings)
    if issue is not None and len(issue.blocks()) + len(issue.sections) > MAX_BLOCKS:
        findings.add("draft-size", 1, f"the draft has more than {MAX_BLOCKS:,} paragraphs and headings", "Make several issues of it.")
        return None, findings.all()
    return issue, findings.all()


def _find_prompts(body: Body, findings: Findings) -> None:
    """Finds what the skeleton left for the writer: a paragraph or a heading that is nothing but words in square brackets."""

    def look(blocks: Iterable[Block]) -> None:
        for block in blocks:
            if isinstance(block, Paragraph) and _PROMPT.fullmatch(plain(block.content).strip()):
                found(block.line)
            elif isinstance(block, ListBlock):
                for item in block.items:
                    look(item)

    def found(line: int) -> None:
        findings.add("prompt-left", line, "this is a prompt of the skeleton", "Write your own words here, or remove it.")

    look(body.opening)
    for section in body.sections:
        if _PROMPT.fullmatch(plain(section.title).strip()):
            found(section.line)
        look(section.blocks)


def first_sentence(text: str) -> str:
    """The first sentence of a paragraph; the whole of it when no end can be told."""
    for match in _SENTENCE_END.finditer(text):
        following = text[match.end() :].lstrip()[:1]
        if following.islower() or (match[0].startswith(".") and _ABBREVIATION.search(text[: match.start() + 1])):
            continue
        return text[: match.end()].strip()
    return text.strip()


def _issue(
    front: FrontMatter, body: Body, id: IssueId, newsletter: Newsletter,
    known: tuple[Container[str], Container[str] | None], findings: Findings,
) -> Issue | None:  # fmt: skip
    """Puts the two halves together and checks what the front matter means."""
    authors, newsletters = known
    names = _authors(front, newsletter, authors, findings)
    translation_of = _translation_of(front, id, newsletters, findings)
    if front.date is not None and front.date != id.date:
        findings.add("date-mismatch", front.lines["date"], f"date is {front.date}, but the file's name says {id.date}",
                     "Rename the file or folder, or mend the date.")  # fmt: skip
    preheader = _preheader(front, body, findings)
    if not front.title:
        return None
    subject = front.subject or f"{newsletter.name}: {front.title}"
    if len(subject) > SUBJECT_LIMIT:
        line = front.lines["subject" if front.subject else "title"]
        findings.add("subject-long", line, f"the subject has {len(subject)} characters", f"Write a subject of at most {SUBJECT_LIMIT}.")
    return Issue(
        id=id,
        title=front.title,
        subject=subject,
        preheader=preheader,
        authors=names,
        language=front.language or newsletter.language,
        topics=front.topics,
        translation_of=translation_of,
        opening=body.opening,
        sections=body.sections,
    )


def _authors(front: FrontMatter, newsletter: Newsletter, known: Container[str], findings: Findings) -> tuple[str, ...]:
    """The ids of those who sign; unknown ones are named with those that are known."""
    names = sorted(str(name) for name in known) if isinstance(known, Iterable) else []
    listed = f"Known authors: {', '.join(names) or 'none yet'}."
    for name, line in front.authors:
        if name not in known:
            close = get_close_matches(name.casefold(), names, 1)
            hint = f"Did you mean {close[0]}? {listed}" if close else listed
            findings.add("author-unknown", line, f"there is no author {name[:60]!r}", hint)
    if front.authors:
        return tuple(dict.fromkeys(name for name, _ in front.authors))
    if newsletter.default_author not in known:
        findings.add("author-unknown", 1, f"the newsletter's own author {newsletter.default_author!r} is unknown",
                     f"Mend default_author in the newsletter's configuration. {listed}")  # fmt: skip
    return (newsletter.default_author,)


def _translation_of(front: FrontMatter, id: IssueId, newsletters: Container[str] | None, findings: Findings) -> str | None:
    """The whole id of the issue this one translates; the draft may leave its own newsletter's name out."""
    written = front.translation_of
    if written is None:
        return None
    line = front.lines["translation_of"]
    try:
        other = IssueId.parse(written if "/" in written else f"{id.newsletter}/{written}")
    except ValueError:
        findings.add("translation-of", line, f"{written[:80]!r} is not an issue", "Write it as  2026-11-25-some-slug.")
        return None
    if other == id:
        findings.add("translation-of", line, "the issue names itself as its original", "Name the other language's issue.")
        return None
    if other.newsletter != id.newsletter and newsletters is not None and other.newsletter not in newsletters:
        findings.add("translation-of", line, f"there is no newsletter {other.newsletter!r}", "Mend the part before the /.")
        return None
    return str(other)


def _preheader(front: FrontMatter, body: Body, findings: Findings) -> str:
    """The line inboxes show after the subject: as written, else the first sentence."""
    text, line = front.preheader, front.lines.get("preheader", 1)
    if text is None:
        paragraph = _first_paragraph(body)
        text = "" if paragraph is None else first_sentence(" ".join(f"{paragraph.label or ''} {plain(paragraph.content)}".split()))
        line = paragraph.line if paragraph else front.lines.get("title", 1)
    if not text:
        findings.add("preheader-empty", line, "there is no preheader", "Write one in the front matter:  preheader: What else is inside.")
    elif len(text) > PREHEADER_LIMIT:
        whose = "the preheader" if front.preheader else "the first sentence, which becomes the preheader,"
        findings.add("preheader-long", line, f"{whose} has {len(text)} characters",
                     f"Write a preheader of at most {PREHEADER_LIMIT}.")  # fmt: skip
    return text


def _first_paragraph(body: Body) -> Paragraph | None:
    """The paragraph a reader meets first; a correction or a note in front of it is not what the issue is about."""
    runs: list[tuple[Block, ...]] = [body.opening]
    runs += [section.blocks for section in body.sections if section.kind not in (SectionKind.NOTE, SectionKind.CORRECTION)]
    return next((block for run in runs for block in run if isinstance(block, Paragraph) and plain(block.content).strip()), None)


def _normalised(text: str) -> str:
    """One kind of line end, no byte order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _without_controls(source: str, findings: Findings) -> str:
    """The text with U+FFFD for every character that may stand in no line; each line that holds one is named."""
    out = []
    for number, line in enumerate(source.split("\n"), 1):
        bad = next((character for character in line if character != "\t" and is_control(character)), None)
        if bad is not None:
            findings.add("control-character", number, f"the line holds a control character (U+{ord(bad):04X})",
                         "Remove it: delete what stands there, blanks included, and type it anew.")  # fmt: skip
            line = "".join("\ufffd" if character != "\t" and is_control(character) else character for character in line)
        out.append(line)
    return "\n".join(out)
