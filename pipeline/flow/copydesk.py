"""The copy desk's rounds: what it says of a draft, the repairs it makes in the file, the sheet for the fact-checker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from pipeline.copydesk.desk import Remark, look_over
from pipeline.copydesk.evidence import Answer, Evidence, Mail, PictureFile
from pipeline.copydesk.facts import Sheet, counts, gather
from pipeline.copydesk.fixing import apply, diff
from pipeline.copydesk.reading import Copy, fingerprint
from pipeline.copydesk.registry import RULES
from pipeline.copydesk.source import paragraphs, read_copy
from pipeline.core.edition import Edition
from pipeline.core.issue import Issue, IssueId
from pipeline.core.mime import encoded_size
from pipeline.core.problem import Problem, Severity
from pipeline.draft import rules as draft_rules
from pipeline.draft.parse import decode_draft, parse_draft
from pipeline.errors import DiskFault, Refusal
from pipeline.files import write_file
from pipeline.flow import drafts
from pipeline.flow.context import Desk
from pipeline.flow.drafts import Draft
from pipeline.flow.sent import paragraphs_sent
from pipeline.flow.spelling import speller
from pipeline.newsroom import shown

EARLIER = 10
"""Issues before this one in which a repeated paragraph is looked for."""

_HTML_LINK = re.compile(r"<a\s[^>]*?href=[\"']?https?:", re.IGNORECASE)
_TEXT_LINK = re.compile(r"https?://\S")

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


def remarks(desk: Desk, draft: Draft, answers: Mapping[str, Answer] | None = None) -> tuple[Remark, ...]:
    """What the copy desk says of a draft; nothing while there is no headline to build an issue on.

    ``answers``: what came of asking for its links, when somebody did.
    """
    if draft.issue is None:
        return ()
    evidence = Evidence(
        others=_earlier(desk, draft.id), sent=paragraphs_sent(desk.settings, draft.id), answers=answers or {},
        speller=speller(desk.settings, draft.issue.language),
        pictures={
            figure.src: PictureFile(published=len(one.data), personal=one.found_personal)
            for figure in draft.issue.figures() if (one := draft.pictures.get(figure.picture)) is not None
        },
    )  # fmt: skip
    copy = _copy(desk, draft.id, draft.issue, draft.text, evidence)
    return look_over(copy, shown(draft.path, desk.settings.root))


def switched(desk: Desk, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The parser's Problems as the newsroom wants them: warnings can be switched, errors cannot."""
    out = []
    for problem in problems:
        state = desk.settings.style.rules.get(problem.rule, problem.severity.value)
        if problem.severity is not Severity.WARNING or state == problem.severity.value:
            out.append(problem)
        elif state != "off":
            out.append(replace(problem, severity=Severity(state)))
    return tuple(out)


def weighed(desk: Desk, draft: Draft, edition: Edition) -> tuple[Problem, ...]:
    """What the copy desk says of the mail that a draft became."""
    if draft.issue is None:
        return ()
    mail = Mail(
        html=len(edition.html.encode()), encoded=encoded_size(edition.html), html_links=len(_HTML_LINK.findall(edition.html)),
        text_links=len(_TEXT_LINK.findall(edition.text)),
    )  # fmt: skip
    copy = _copy(desk, draft.id, draft.issue, draft.text, Evidence(mail=mail))
    rules = [rule for rule in RULES if rule.id.startswith("mail-")]
    return tuple(remark.problem for remark in look_over(copy, shown(draft.path, desk.settings.root), rules))


def links(desk: Desk, drafts_: Iterable[Draft]) -> tuple[str, ...]:
    """The addresses that drafts link to, as written, each once."""
    copies = (_copy(desk, one.id, one.issue, one.text) for one in drafts_ if one.issue is not None)
    return tuple(dict.fromkeys(link.href for copy in copies for link in copy.links))


def unspelt(desk: Desk, drafts_: Iterable[Draft]) -> tuple[str, ...]:
    """The languages of drafts for which there is no dictionary on this machine."""
    languages = dict.fromkeys(one.issue.language for one in drafts_ if one.issue is not None)
    return tuple(language for language in languages if speller(desk.settings, language) is None)


def facts(desk: Desk, reference: str) -> Sheet:
    """Everything in an issue that somebody should look up. Raises Refusal when the draft cannot be read."""
    draft = drafts.read(desk, reference)
    if draft.issue is None:
        raise Refusal(f"{draft.id} cannot be read as an issue", hint=f"See why with: briefing check {draft.id}")
    return gather(_copy(desk, draft.id, draft.issue, draft.text), earlier=_counts(desk, draft.id))


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
        issue = _parsed(desk, draft, source)[0]
        edits = {one.edit for one in look_over(_copy(desk, draft.id, issue, text), "") if one.edit is not None} if issue else set()
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


def _copy(desk: Desk, id: IssueId, issue: Issue, text: str, evidence: Evidence | None = None) -> Copy:
    newsletter = desk.settings.newsletter(id.newsletter)
    signers = (desk.settings.authors[author].name for author in issue.authors if author in desk.settings.authors)
    names = (desk.settings.newsroom.name, newsletter.name, *signers)
    return read_copy(issue, text, newsletter=newsletter, style=desk.settings.style, own_names=names, evidence=evidence)


def _before(desk: Desk, id: IssueId) -> Iterator[tuple[IssueId, Path, int, int]]:
    """The newsletter's last drafts before this one, each with the mark of its file's state."""
    before = [(other, path) for other, path in drafts.listed(desk, id.newsletter) if (other.date, other.slug) < (id.date, id.slug)]
    for other, path in before[:EARLIER]:
        try:
            status = path.stat()
        except OSError:
            continue  # gone since it was listed
        yield other, path, status.st_mtime_ns, status.st_size


def _earlier(desk: Desk, id: IssueId) -> dict[str, frozenset[str]]:
    """The paragraphs of the newsletter's last issues before this one."""
    out = {}
    for other, path, changed, size in _before(desk, id):
        with suppress(OSError):
            out[str(other)] = _paragraphs(path, changed, size)
    return out


def _counts(desk: Desk, id: IssueId) -> tuple[Mapping[str, int], ...]:
    """The words by section of the newsletter's last issues before this one, as far as they can be read."""
    out = []
    newsletter = desk.settings.newsletter(id.newsletter)
    for other, path, _, _ in _before(desk, id):
        with suppress(OSError):
            text, _ = decode_draft(path.read_bytes(), "")
            issue, _ = parse_draft(
                text, file="", id=other, newsletter=newsletter, authors=desk.settings.authors, newsletters=desk.settings.newsletters
            )
            if issue is not None and issue.translation_of is None:
                out.append(counts(issue))
    return tuple(out)


@lru_cache(maxsize=256)
def _paragraphs(path: Path, changed: int, size: int) -> frozenset[str]:
    """A draft's paragraphs as fingerprints; kept, since the preview asks at every save."""
    text, _ = decode_draft(drafts.read_bytes(path), "")
    return frozenset(fingerprint(paragraph) for paragraph in paragraphs(text))
