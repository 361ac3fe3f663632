"""Looking at what a draft would become: every Problem including those of its rendering, and the files of ``render``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from pipeline.core.edition import Edition, Picture, content_of
from pipeline.core.mime import compose
from pipeline.core.problem import Problem, Severity
from pipeline.errors import Refusal
from pipeline.files import write_file
from pipeline.flow import copydesk, drafts
from pipeline.flow.context import Desk
from pipeline.flow.drafts import Draft
from pipeline.newsroom import shown

WARN_HTML_BYTES = 75 * 1024
MAX_HTML_BYTES = 85 * 1024
"""Gmail clips mail of about 102 KB; what a sender adds on the way counts too."""

WARN_MESSAGE_BYTES = 1_000_000
MAX_MESSAGE_BYTES = 5_000_000
"""The whole mail with the pictures it carries. Many mailboxes take ten times more; a reader's phone and purse do not, and
a mailing of ten thousand sends it ten thousand times."""

SAMPLE_READER = "reader@example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What ``render`` wrote."""

    paths: tuple[Path, ...]
    summary: dict[str, object]
    problems: tuple[Problem, ...]


def examine(desk: Desk, reference: str) -> tuple[Draft, tuple[Problem, ...]]:
    """A draft and every Problem, also those that only its rendering shows."""
    draft = drafts.read(desk, reference)
    problems = judged(desk, draft)
    if not draft.sound:
        return draft, problems
    edition, pictures = drafts.render(desk, draft)
    return draft, problems + size_problems(edition, pictures, shown(draft.path, desk.settings.root))


def judged(desk: Desk, draft: Draft) -> tuple[Problem, ...]:
    """What the parser and the copy desk say of a draft, by line."""
    said = draft.problems + tuple(remark.problem for remark in copydesk.remarks(desk, draft))
    return tuple(sorted(said, key=lambda one: (one.line, one.column)))


def size_problems(edition: Edition, pictures: Iterable[Picture], file: str) -> tuple[Problem, ...]:
    """What there is to say about the weight of an edition's mail: of its HTML, and of the whole with the pictures it carries."""
    found: list[Problem] = []
    size = len(edition.html.encode())
    if size > WARN_HTML_BYTES:
        found.append(Problem(
            rule="mail-size", severity=Severity.ERROR if size > MAX_HTML_BYTES else Severity.WARNING, file=file, line=1,
            message=f"the mail is {size / 1024:.0f} KB; Gmail cuts off what is longer than about 102 KB",
            hint=f"Shorten it below {WARN_HTML_BYTES // 1024} KB, or move a story to the next issue.",
        ))  # fmt: skip
    carried = {name for name, _ in edition.embedded}
    # base64 makes 4 octets of 3, and ends every 76 with a line end (RFC 2045 section 6.8).
    whole = size + len(edition.text.encode()) + sum(len(one.data) * 4 // 3 * 78 // 76 for one in pictures if one.name in carried)
    if carried and whole > WARN_MESSAGE_BYTES:
        found.append(Problem(
            rule="message-size", severity=Severity.ERROR if whole > MAX_MESSAGE_BYTES else Severity.WARNING, file=file, line=1,
            message=f"with the {len(carried)} pictures it carries the mail is {whole / 1_000_000:.1f} MB for every reader",
            hint=f'Stay below {WARN_MESSAGE_BYTES // 1_000_000} MB: fewer pictures, or  pictures = "hosted"  for this newsletter.',
        ))  # fmt: skip
    return tuple(found)


def sound(desk: Desk, reference: str) -> tuple[Draft, tuple[Problem, ...]]:
    """A draft without errors, with its warnings. Raises Refusal that quotes the first error."""
    draft, problems = examine(desk, reference)
    first = next((one for one in problems if one.severity is Severity.ERROR), None)
    if first is not None:
        raise Refusal(f"{draft.id} has errors, the first: {first}", hint=f"See them all with: briefing check {draft.id}")
    return draft, problems


def sample_mail(edition: Edition, pictures: Iterable[Picture], base_url: str, path: Path) -> bytes:
    """An edition's mail as one made-up reader would get it, dated by the day on which the draft at ``path`` was last saved."""
    return compose(
        content_of(edition, pictures), to=SAMPLE_READER, unsubscribe_url=f"{base_url}/leave/{edition.newsletter}/SAMPLE",
        message_id=f"{edition.digest[:32]}@{edition.from_address.rpartition('@')[2]}",
        date=datetime.combine(datetime.fromtimestamp(path.stat().st_mtime, UTC), time(0), UTC),
    )  # fmt: skip


def write(desk: Desk, reference: str, folder: Path) -> Written:
    """Writes ``<slug>.html .txt .eml .web.html`` and ``edition.json``, with the pictures under ``media/``.

    The same draft gives the same bytes: the .eml is addressed to a sample reader and dated by the day on which the draft
    was last saved, so that a spam filter tried on it judges the mail and not its age. Raises Refusal when the draft has
    errors, DiskFault.
    """
    draft, problems = sound(desk, reference)
    edition, pictures = drafts.render(desk, draft)
    name = draft.id.slug
    eml = sample_mail(edition, pictures, desk.settings.newsroom.base_url, draft.path)
    html, text, web = edition.html.encode(), edition.text.encode(), edition.web.encode()
    media = {f"media/{one.name}": one.data for one in pictures}
    summary: dict[str, object] = {
        "issue": edition.issue_id, "subject": edition.subject, "preheader": edition.preheader, "digest": edition.digest,
        "language": edition.language,
        "sizes": {"html": len(html), "text": len(text), "eml": len(eml), "web": len(web), "pictures": sum(map(len, media.values()))},
        "pictures": [one.name for one in pictures],
        "problems": [one.as_json() for one in problems],
    }  # fmt: skip
    files = {
        f"{name}.html": html, f"{name}.txt": text, f"{name}.eml": eml, f"{name}.web.html": web,
        "edition.json": (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode(),
    }  # fmt: skip
    return Written(
        paths=tuple(write_file(folder / path, data) for path, data in (files | media).items()), summary=summary, problems=problems
    )
