"""Looking at what a draft would become: every Problem including those of its rendering, and the files of ``render``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from pipeline.configuration import line_of
from pipeline.copydesk.evidence import Answer
from pipeline.core.edition import Edition, Picture, content_of
from pipeline.core.mime import compose
from pipeline.core.problem import Problem, Severity
from pipeline.errors import Refusal
from pipeline.files import write_file
from pipeline.flow import copydesk, drafts
from pipeline.flow.context import Desk
from pipeline.flow.drafts import Draft
from pipeline.newsroom import shown
from pipeline.render.palette import NEEDED, faint
from pipeline.settings import Newsletter

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


def examine(desk: Desk, reference: str, answers: Mapping[str, Answer] | None = None) -> tuple[Draft, tuple[Problem, ...]]:
    """A draft and every Problem, also those that only its rendering shows; ``answers`` is what is known of its links."""
    draft = drafts.read(desk, reference)
    problems = judged(desk, draft, answers)
    if not draft.sound:
        return draft, problems
    edition, pictures = drafts.render(desk, draft)
    return draft, problems + edition_problems(desk, draft, edition, pictures)


def judged(desk: Desk, draft: Draft, answers: Mapping[str, Answer] | None = None) -> tuple[Problem, ...]:
    """What the parser and the copy desk say of a draft, by line."""
    said = copydesk.switched(desk, draft.problems) + tuple(remark.problem for remark in copydesk.remarks(desk, draft, answers))
    return tuple(sorted(said, key=lambda one: (one.line, one.column)))


def edition_problems(desk: Desk, draft: Draft, edition: Edition, pictures: Iterable[Picture]) -> tuple[Problem, ...]:
    """What only a rendering shows: the mail's weight, also with the pictures it carries, and colours that cannot be read."""
    newsletter = desk.settings.newsletter(edition.newsletter)
    weight = copydesk.weighed(desk, draft, edition) + _message_size(edition, pictures, shown(draft.path, desk.settings.root))
    return weight + _accent_problems(desk, newsletter)


def _accent_problems(desk: Desk, newsletter: Newsletter) -> tuple[Problem, ...]:
    """An accent that text is not set in, where the newsletter's own file chose it."""
    path = desk.settings.root / "config" / "newsletters" / f"{newsletter.id}.toml"
    text = path.read_text("utf-8")
    return tuple(
        Problem(
            rule="accent-contrast", severity=Severity.WARNING, file=shown(path, desk.settings.root),
            line=line_of(text, f"brand.{one.setting}") or 1,
            message=f"text in {one.colour} could hardly be read {'on a dark ground' if one.setting == 'accent_dark' else 'on paper'} "
            f"(contrast {one.contrast:.1f} to 1, and {NEEDED} are needed), so labels and links are set in {one.shown}",
            hint=f"Choose another brand.{one.setting} if that does not look right; lines and bars keep the colour you chose.",
        )
        for one in faint(newsletter.brand.accent, newsletter.brand.accent_dark)
    )  # fmt: skip


def _message_size(edition: Edition, pictures: Iterable[Picture], file: str) -> tuple[Problem, ...]:
    """What there is to say about the whole mail with the pictures it carries."""
    carried = {name for name, _ in edition.embedded}
    # base64 makes 4 octets of 3, and ends every 76 with a line end (RFC 2045 section 6.8).
    own = len(edition.html.encode()) + len(edition.text.encode())
    whole = own + sum(len(one.data) * 4 // 3 * 78 // 76 for one in pictures if one.name in carried)
    if not carried or whole <= WARN_MESSAGE_BYTES:
        return ()
    return (
        Problem(
            rule="message-size", severity=Severity.ERROR if whole > MAX_MESSAGE_BYTES else Severity.WARNING, file=file, line=1,
            message=f"with the {len(carried)} pictures it carries the mail is {whole / 1_000_000:.1f} MB for every reader",
            hint=f'Stay below {WARN_MESSAGE_BYTES // 1_000_000} MB: fewer pictures, or  pictures = "hosted"  for this newsletter.',
        ),
    )  # fmt: skip


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
