"""The copy desk's rounds: what it says of a draft, the repairs it makes in the file, the sheet for the fact-checker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.copydesk.desk import Remark, look_over
from pipeline.copydesk.facts import Sheet, gather
from pipeline.copydesk.fixing import apply, diff
from pipeline.copydesk.reading import Copy, fingerprint
from pipeline.copydesk.registry import RULES
from pipeline.copydesk.source import paragraphs, read_copy
from pipeline.core.issue import Issue, IssueId
from pipeline.core.problem import Severity
from pipeline.draft import rules as draft_rules
from pipeline.draft.parse import decode_draft, parse_draft
from pipeline.errors import DiskFault, Refusal
from pipeline.files import write_file
from pipeline.flow import drafts
from pipeline.flow.context import Desk
from pipeline.flow.drafts import Draft
from pipeline.newsroom import shown

EARLIER = 10
"""Issues before this one in which a repeated paragraph is looked for."""

MAX_ROUNDS = 5
"""A repair may uncover another (``the the the``); who needs more rounds looks at the draft himself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What ``check --fix`` did."""

    id: IssueId
    repairs: int
    diff: str
    #: Unified; empty when there was nothing to repair.


def reasons() -> Mapping[str, str]:
    """Why each rule is there, the parser's and the desk's."""
    return {**{id: info.reason for id, info in draft_rules.RULES.items()}, **{rule.id: rule.reason for rule in RULES}}


def remarks(desk: Desk, draft: Draft) -> tuple[Remark, ...]:
    """What the copy desk says of a draft; nothing while there is no headline to build an issue on."""
    copy = _copy(desk, draft.id, draft.issue, draft.text)
    return look_over(copy, shown(draft.path, desk.settings.root)) if copy else ()


def facts(desk: Desk, reference: str) -> Sheet:
    """Everything in an issue that somebody should look up. Raises Refusal when the draft cannot be read."""
    draft = drafts.read(desk, reference)
    copy = _copy(desk, draft.id, draft.issue, draft.text)
    if copy is None:
        raise Refusal(f"{draft.id} cannot be read as an issue", hint=f"See why with: briefing check {draft.id}")
    return gather(copy)


def repair(desk: Desk, reference: str) -> Repaired:
    """Makes the certain repairs in the draft's file, whole or not at all.

    Raises Refusal when the draft would be worse afterwards (nothing is written then), UsageError, DiskFault.
    """
    draft = drafts.read(desk, reference)
    file = shown(draft.path, desk.settings.root)
    if any(problem.rule in ("encoding", "control-character", "draft-size") for problem in draft.problems):
        return Repaired(id=draft.id, repairs=0, diff="")  # what cannot be read must not be written back
    try:
        before = draft.path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DiskFault(f"{file} cannot be read: {error}") from None
    after, count = _mended(desk, draft, before)
    if _errors(desk, draft, after) - _errors(desk, draft, before):
        raise Refusal(f"the repairs would break {file}; nothing was written", hint="Mend it by hand.")
    if after != before:
        write_file(draft.path, after.encode("utf-8"))
    return Repaired(id=draft.id, repairs=count, diff=diff(before, after, file))


def _mended(desk: Desk, draft: Draft, source: str) -> tuple[str, int]:
    """The text with every certain repair, and how many there were."""
    count = 0
    for _ in range(MAX_ROUNDS):
        text, _ = decode_draft(source.encode("utf-8"), "")
        copy = _copy(desk, draft.id, _parsed(desk, draft, source)[0], text)
        edits = {one.edit for one in look_over(copy, "") if one.edit is not None} if copy else set()
        if not edits:
            break
        mended = apply(source, edits)
        count += len(edits)
        source = mended
    return source, count


def _parsed(desk: Desk, draft: Draft, source: str) -> tuple[Issue | None, tuple[str, ...]]:
    issue, problems = parse_draft(
        source, file="", id=draft.id, newsletter=desk.settings.newsletter(draft.id.newsletter), authors=desk.settings.authors,
        newsletters=desk.settings.newsletters,
    )  # fmt: skip
    return issue, tuple(problem.rule for problem in problems if problem.severity is Severity.ERROR)


def _errors(desk: Desk, draft: Draft, source: str) -> set[str]:
    issue, rules = _parsed(desk, draft, source)
    return {*rules, *(() if issue else ("unreadable",))}


def _copy(desk: Desk, id: IssueId, issue: Issue | None, text: str) -> Copy | None:
    if issue is None:
        return None
    newsletter = desk.settings.newsletter(id.newsletter)
    signers = (desk.settings.authors[author].name for author in issue.authors if author in desk.settings.authors)
    names = (desk.settings.newsroom.name, newsletter.name, *signers)
    return read_copy(
        issue, text, newsletter=newsletter, style=desk.settings.style, own_names=names, others=_earlier(desk, id)
    )  # fmt: skip


def _earlier(desk: Desk, id: IssueId) -> dict[str, frozenset[str]]:
    """The paragraphs of the newsletter's last issues before this one."""
    before = [(other, path) for other, path in drafts.listed(desk, id.newsletter) if (other.date, other.slug) < (id.date, id.slug)]
    out = {}
    for other, path in before[:EARLIER]:
        try:
            status = path.stat()
            out[str(other)] = _paragraphs(path, status.st_mtime_ns, status.st_size)
        except OSError:
            continue  # gone since it was listed
    return out


@lru_cache(maxsize=256)
def _paragraphs(path: Path, changed: int, size: int) -> frozenset[str]:
    """A draft's paragraphs as fingerprints; kept, since the preview asks at every save."""
    text, _ = decode_draft(drafts.read_bytes(path), "")
    return frozenset(fingerprint(paragraph) for paragraph in paragraphs(text))
