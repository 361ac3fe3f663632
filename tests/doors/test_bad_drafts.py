"""Drafts and documents that are too much, or were made to do harm: one Problem or one clear answer, in bounded time and memory.

Each runs as the command that a person runs, in a process of its own whose memory is limited by the system.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docx
import pytest

from tests.doors.conftest import SOURCE, Briefing

ISSUE = "eurasia-briefing/2021-09-01-a-ferry"
FRONT = '---\ntitle: A Ferry Waits\nsubject: "Eurasia Briefing: a ferry"\npreheader: What else is inside.\n---\n\n'
END = "\n\n## Until Next Time\n\nThat is all for this week. Write to us.\n"
LINE = FRONT.count("\n") + 1
"""The line of the file on which the text begins."""

MEMORY = 700 * 1024 * 1024
"""Bytes of address space: the interpreter with all libraries maps about half of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def bounded(root: Path) -> Callable[..., Done]:
    """Runs ``briefing`` in the newsroom with limited memory; a traceback fails the test."""

    def run(*arguments: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments], cwd=root, capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "200", "OPENBLAS_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def draft(root: Path) -> Callable[[bytes | str], Path]:
    """Lays a draft."""

    def lay(data: bytes | str) -> Path:
        path = root / "issues" / f"{ISSUE}.md"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return lay


PROSE = "The ferry has waited since spring, and its owner has sold it twice since then. "

DRAFTS: list[tuple[str, bytes | str, str, int]] = [
    ("two megabytes", FRONT + (PROSE * 5 + "\n\n") * 5200 + END, "draft-size", 1),
    ("two megabytes in a word", FRONT + "a" * 2_000_000 + END, "draft-size", 1),
    ("a hundred megabytes", b"\xd0\xbf" * 50_000_000, "draft-size", 1),
    ("5,000 links", FRONT + "".join(f"[link {n}](https://example.org/{n}) " for n in range(5000)) + END, "draft-size", 1),
    ("as many links as fit", FRONT + "".join(f"[l{n}](https://e.org/{n}) " for n in range(3500)) + END, "mail-clipped", 1),
    ("as many paragraphs as fit", FRONT + "a\n\n" * 20_000 + END, "draft-size", 1),
    ("a long front matter", FRONT.replace("preheader", "topics: [" + "a, " * 20_000 + "b]\npreheader") + END, "draft-size", 2),
    ("a table", FRONT + "Words.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n" + END, "table", LINE + 2),
    ("quotes 50 deep", FRONT + ">" * 50 + " deep\n" + END, "nesting", LINE),
    ("lists 3,000 deep", FRONT + "- " * 3000 + "deep\n" + END, "nesting", LINE),
    ("brackets", FRONT + "[" * 90_000 + END, "brackets-unpaired", LINE),
    ("an override", FRONT + "The ship \u202edelias\u202c on.\n" + END, "invisible-character", LINE),
    ("an override in the title", FRONT.replace("A Ferry", "A \u202eFerry") + "Words.\n" + END, "invisible-character", 2),
    ("a homoglyph link", FRONT + "See [the news](https://ехample.org/a).\n" + END, "link-idn", LINE),
    ("an address that names another", FRONT + "See [example.org](https://example.com/a).\n" + END, "link-mismatch", LINE),
    ("NUL bytes", FRONT + "The fer\0ry.\n" + END, "control-character", LINE),
    ("only NUL bytes", "\0" * 90_000, "front-matter-missing", 1),
    ("C1 controls", FRONT + "The ferry\x85 \x9b31m waits.\n" + END, "control-character", LINE),
    ("a C1 control as an entity", FRONT + "The ferry&#128; waits &#x9b;.\n" + END, "", 0),
    ("UTF-16", (FRONT + "Words.\n" + END).encode("utf-16"), "encoding", 1),
    ("UTF-16 without its mark", (FRONT + "Words.\n" + END).encode("utf-16-le"), "control-character", 1),
    ("Latin-1", (FRONT + "Words.\n\nJos\xe9.\n" + END).encode("latin-1"), "encoding", LINE + 2),
    ("a long number", FRONT + "It cost " + "9" * 50_000 + " crowns.\n" + END, "", 0),
    ("aliases", FRONT.replace("preheader", "topics: &a [*a, *a]\npreheader") + "Words.\n" + END, "value-type", 4),
    ("a tag of Python's", FRONT.replace("A Ferry Waits", "!!python/object/apply:os.system [id]") + "Words.\n" + END, "value-type", 2),
    ("raw HTML", FRONT + "A <script>alert(1)</script> ferry.\n" + END, "raw-html", LINE),
    ("a script as a link", FRONT + "[a ferry](javascript:alert(1)) waits.\n" + END, "link-scheme", LINE),
]


def test_check_names_what_is_wrong(bounded: Callable[..., Done], draft: Callable[[bytes | str], Path]) -> None:
    issues = []
    for number, (_, data, _, _) in enumerate(DRAFTS):
        path = draft(data)
        issues.append(f"eurasia-briefing/2021-09-01-case-{number}")
        path.rename(path.with_name(f"2021-09-01-case-{number}.md"))
    done = bounded("check", *issues, "--json")
    assert done.code == 1
    for (name, _, rule, line), found in zip(DRAFTS, json.loads(done.out)["issues"], strict=True):
        named = [problem for problem in found["problems"] if problem["rule"] == rule]
        assert line in {problem["line"] for problem in named} or not rule, (name, found["problems"][:5])
        assert all(problem["file"].endswith(".md") and problem["message"] for problem in found["problems"]), name


@pytest.mark.parametrize("name", ["two megabytes", "quotes 50 deep", "a table", "NUL bytes", "UTF-16"])
def test_what_is_wrong_is_neither_rendered_nor_approved(
    briefing: Briefing, draft: Callable[[bytes | str], Path], root: Path, name: str
) -> None:
    draft(next(case[1] for case in DRAFTS if case[0] == name))
    for command in (("render", ISSUE, "--out", "out"), ("approve", ISSUE)):
        done = briefing(*command)
        assert done.code == 1
        assert "briefing check" in done.err
    assert not (root / "out").exists()


def test_line_ends_make_no_difference(briefing: Briefing, draft: Callable[[bytes | str], Path], root: Path) -> None:
    text = FRONT + "The ferry\nwaits.\n\n- one\n- two\n" + END
    made = []
    for ends in ("\n", "\r\n", "\r"):
        path = draft("\ufeff" * (ends == "\r\n") + text.replace("\n", ends))
        os.utime(path, (1_600_000_000, 1_600_000_000))
        assert briefing("render", ISSUE, "--out", "out").code == 0
        made.append({one.name: one.read_bytes() for one in (root / "out").rglob("*") if one.is_file()})
    assert made[0] == made[1] == made[2]


# --- documents ----------------------------------------------------------------------------------------------------------


def packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(name, data)
    return out.getvalue()


def word(*paragraphs: str) -> bytes:
    document = docx.Document()
    for words in paragraphs:
        document.add_paragraph(words)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def with_part(name: str, data: bytes) -> bytes:
    """A Word document with one part of its package replaced."""
    with zipfile.ZipFile(io.BytesIO(word("A ferry waits."))) as package:
        return packed({one: package.read(one) for one in package.namelist()} | {name: data})


def lying() -> bytes:
    """A package that says of its 300 MB that they are 1,000 bytes."""
    data = bytearray(with_part("word/document.xml", b"<a>" + b" " * 300_000_000))
    size = (300_000_003).to_bytes(4, "little")
    return bytes(data.replace(size, (1000).to_bytes(4, "little")))


def locked() -> bytes:
    """A package whose parts say that they are encrypted."""
    data = bytearray(word("A ferry waits."))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


DOCUMENTS: list[tuple[str, str, Callable[[], bytes], str]] = [
    ("bomb", "a.docx", lambda: with_part("word/document.xml", b"<a>" + b" " * 300_000_000), "too large"),
    ("bomb that lies", "a.docx", lying, "damaged"),
    ("bomb in a bomb", "a.docx", lambda: packed({f"{n}.docx": bytes(50_000_000) for n in range(5)}), "too large"),
    ("many parts", "a.docx", lambda: packed({f"{n}.xml": b"" for n in range(6000)}), "too large"),
    ("entities", "a.docx", lambda: with_part("word/document.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), "entity"),
    ("locked", "a.docx", locked, "password"),
    ("locked by Word", "a.docx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password"),
    ("cut", "a.docx", lambda: word("A ferry waits.")[:-500], "damaged"),
    ("no document", "a.docx", lambda: packed({"a.txt": b"a"}), "no Word document"),
    ("deep tables", "a.docx", lambda: with_part("word/document.xml", b"<a>" * 100_000), "damaged"),
    ("many paragraphs", "a.docx", lambda: word(*["A ferry waits."] * 6000), "paragraphs"),
    ("deep page", "a.html", lambda: b"<div>" * 100_000 + b"deep", "nested too deeply"),
    ("page of tags", "a.html", lambda: b"<p>a" * 10_000, "paragraphs"),
    ("deep Markdown", "a.md", lambda: b"> " * 5000 + b"deep", "nested too deeply"),
    ("page of NUL", "a.html", lambda: b"\0" * 1_000_000, ""),
    ("text of NUL", "a.txt", lambda: b"\0" * 1_000_000, "not text"),
    ("a long line of text", "a.txt", lambda: b"A ferry waits. " * 60_000, ""),
    ("UTF-16 text", "a.txt", lambda: "A ferry waits.".encode("utf-16"), "not UTF-8"),
]


@pytest.mark.parametrize(("name", "make", "said"), [case[1:] for case in DOCUMENTS], ids=[case[0] for case in DOCUMENTS])
def test_a_document_that_is_too_much(
    bounded: Callable[..., Done], briefing: Briefing, root: Path, tmp_path: Path, name: str, make: Callable[[], bytes], said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    before = sorted((root / "issues").rglob("*"))
    run = bounded if said == "too large" or make is lying else briefing
    done = run("import", str(path), "--newsletter", "eurasia-briefing", "--date", "2021-09-01", "--drop-pictures")
    if said:
        assert done.code in (1, 2)
        assert said in done.err
        assert path.name in done.err
        assert sorted((root / "issues").rglob("*")) == before
