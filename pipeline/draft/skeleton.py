"""The draft that ``briefing new`` lays: front matter, and a body that tells its editor what goes where."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import date

from pipeline.core.issue import SectionKind
from pipeline.draft.front_matter import is_control
from pipeline.settings import Newsletter

SLUG_LIMIT = 60

_GUIDE = """\
# Everything after a # up here is a note to you and is not published.
# A picture is a paragraph of its own, its file beside this one:
#   ![What the picture shows](photo.jpg "Caption, with its date. (Credit: Agency)")
# A pull quote:  > What was said.   and on the next line:  > -- Name, role
"""
_OPENING = """\
[Greet the reader and say in one paragraph what happened and why it matters this week.]

[Say in one sentence what else is inside.]
"""
_LEAD = """\
## [The headline of the lead story]

[Tell the lead story in three or four short paragraphs.]

**Finding Perspective:** [Let one named expert say what this means.]

**Why It Matters:** [Say what may happen next, and to whom.]
"""
_PROMPTS: dict[SectionKind, str] = {
    SectionKind.PLAIN: "[Write this section in one to three paragraphs.]\n",
    SectionKind.EXPERT_CORNER: "**Q:** [Ask what a reader would ask.]\n\n**A:** [Answer in the expert's words, with name and role.]\n",
    SectionKind.MORE_STORIES: "".join(
        f"{number}. **[Headline of the {nth} story.]** [Tell it in two or three sentences, with a link.]\n\n"
        for number, nth in enumerate(("first", "second", "third"), 1)
    ),
    SectionKind.BRIEFS: "**Place Or Topic:** [One short item in two sentences.]\n\n**Place Or Topic:** [Another one.]\n",
    SectionKind.WATCH: "[Name one thing to watch before the next issue, with its date.]\n",
    SectionKind.READ_MORE: "- [Name a piece worth reading, and link to it.]\n",
    SectionKind.PODCAST: "[Name the episode, say who speaks, and link to it.]\n",
    SectionKind.SIGN_OFF: "[Say goodbye, and when the next issue comes.]\n",
}


def skeleton(newsletter: Newsletter, title: str, date: date) -> str:
    """A draft with the newsletter's sections in their order and a prompt in square brackets in each.

    Its only Problems are the prompts themselves (``prompt-left``) until they are replaced.
    """
    shown = "".join(" " if is_control(character) else character for character in title)
    # JSON's quoted strings are YAML's: quotes, backslashes and colons in a headline need no thought.
    quoted = json.dumps(" ".join(shown.split()) or "Untitled", ensure_ascii=False)
    front = [
        "---",
        f"title: {quoted}",
        "subject:     # left empty: the newsletter's name and the title; at most 70 characters",
        "preheader:   # left empty: the first sentence; at most 90 characters",
        f"date: {date.isoformat()}",
        f"author: {json.dumps(newsletter.default_author, ensure_ascii=False)}",
        "topics: []",
    ]
    return "\n".join(front) + "\n" + _GUIDE + "---\n\n" + "\n".join([_OPENING, _LEAD, *_sections(newsletter)])


def slugify(title: str) -> str:
    """A title as the end of a file name: ASCII letters and digits with hyphens, at most 60; ``issue`` when none are left."""
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", re.sub(r"['’]", "", ascii_title.lower())).strip("-")
    if len(slug) > SLUG_LIMIT:  # cut between words, unless the first word alone is too long
        cut = slug[: SLUG_LIMIT + 1]
        slug = cut.rpartition("-")[0] or cut[:SLUG_LIMIT]
    return slug or "issue"


def _sections(newsletter: Newsletter) -> list[str]:
    """One section a kind (several headings may map to one kind, for instance in several languages), and every plain one."""
    out: list[str] = []
    seen: set[SectionKind] = set()
    for heading, name in newsletter.sections.items():
        kind = SectionKind(name)
        if kind in seen or kind not in _PROMPTS:  # notes and corrections are not for every issue
            continue
        if kind is not SectionKind.PLAIN:
            seen.add(kind)
        out.append(f"## {_escaped(heading)}\n\n{_PROMPTS[kind].rstrip()}\n")
    return out


def _escaped(heading: str) -> str:
    """A heading whose own punctuation stays punctuation in Markdown."""
    return re.sub(r"([\\`*_\[\]<>#&!])", r"\\\1", " ".join(heading.split()))
