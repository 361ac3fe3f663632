"""How the tests of the copy desk make a draft and have it read."""

from __future__ import annotations

import io
import random
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

from PIL import ExifTags, Image

from pipeline.configuration import load
from pipeline.copydesk.desk import Remark, look_over
from pipeline.copydesk.evidence import Answer, Evidence, Mail, PictureFile, Verdict
from pipeline.copydesk.finding import Finding
from pipeline.copydesk.reading import Copy, fingerprint
from pipeline.copydesk.registry import RULES
from pipeline.copydesk.source import read_copy
from pipeline.core.issue import IssueId
from pipeline.draft.parse import parse_draft
from pipeline.flow.spelling import speller
from pipeline.settings import Newsletter, Style

ROOT = Path(__file__).parents[2]
NEWSLETTER = Newsletter(
    id="weekly", name="The Weekly", tagline="", from_name="Desk", from_address="desk@example.org", reply_to="desk@example.org",
    list_id="weekly.example.org", postal_address="1 Street", language="en", default_author="desk", about="",
    sections={"Expert Corner": "expert-corner", "Until Next Time": "sign-off"}, legal_notice={"en": "A notice."},
)  # fmt: skip
ID = IssueId("weekly", date(2021, 8, 18), "slug")
STYLE: Style = load(ROOT, {}).style
FRONT = '---\ntitle: The headline of this test\nsubject: "The Weekly: a subject of its own"\npreheader: What else is inside today.\n---\n\n'
BODY_LINE = FRONT.count("\n") + 1


def draft(text: str) -> str:
    """A whole draft around some lines, which are a value of the front matter or belong into the text."""
    key = re.match(r"(title|subject|preheader|language):", text)
    if key is None:
        return FRONT + text + "\n"
    return re.sub(rf"^{key[1]}:.*\n", "", FRONT, flags=re.MULTILINE).replace("---\n", f"---\n{text}\n", 1) + "Words.\n"


SENT = (
    "In the harbour nothing has moved since spring, and the cranes, which were to load forty ships a day, stand with their arms in the fog."
)
EVIDENCE = Evidence(
    sent={"weekly/2021-08-04-other": frozenset({fingerprint(SENT)})},
    pictures={
        "heavy.png": PictureFile(published=500_000), "light.png": PictureFile(published=40_000),
        "phone.jpg": PictureFile(published=40_000, personal=frozenset({"gps", "camera", "names"})),
    },
    answers={
        "https://example.org/gone": Answer(Verdict.DEAD, "is dead (the server says 404)"),
        "https://example.org/slow": Answer(Verdict.UNSURE, "was not answered in time"),
        "https://example.org/report": Answer(Verdict.ALIVE),
    },
    speller=speller(load(ROOT, {}), "en-US"),
)  # fmt: skip
"""What the rules' examples speak of."""


def read(source: str, style: Style = STYLE, own: tuple[str, ...] = (), evidence: Evidence = EVIDENCE) -> Copy:
    issue, _ = parse_draft(source, file="f.md", id=ID, newsletter=NEWSLETTER, authors={"desk"})
    assert issue is not None
    if weight := re.search(r"whose mail is (\d+) KB(?:, or (\d+) KB)?", source):
        html = int(weight[1]) * 1024
        evidence = replace(evidence, mail=Mail(html=html, encoded=int(weight[2] or 0) * 1024, html_links=40, text_links=40))
    if crowd := re.search(r"whose mail has (\d+) links", source):
        evidence = replace(evidence, mail=Mail(html=1, encoded=1, html_links=int(crowd[1]) - 40, text_links=40))
    return read_copy(issue, source, newsletter=NEWSLETTER, style=style, own_names=own, evidence=evidence)


def said(rule: str, source: str, **more: object) -> list[Finding]:
    """What one rule says of a draft."""
    return list(next(one for one in RULES if one.id == rule).look(read(source, **more)))  # type: ignore[arg-type]


def places(rule: str, text: str, **more: object) -> list[tuple[int, int]]:
    """Where one rule finds something: lines of the given text from 1, lines of the front matter below 1."""
    shift = BODY_LINE - 1 if not re.match(r"(title|subject|preheader|language):", text) else 1
    return [(one.line - shift, one.column) for one in said(rule, draft(text), **more)]


def phone_picture(side: int = 60) -> bytes:
    """A picture as a telephone writes it, with its place and its owner; noise, so that it stays heavy."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Maria Example"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.BodySerialNumber] = "0042"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (38.0, 33.0, 0.0)})
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(7).randbytes(side * side * 3)).save(out, "JPEG", exif=exif, quality=90)
    return out.getvalue()


def remarks(source: str, style: Style = STYLE) -> tuple[Remark, ...]:
    return look_over(read(source, style), "f.md")
