"""Blocks and inlines as HTML that is safe by construction: every character of a draft is escaped here and nowhere else.

One writer serves mail, web page and feed. They differ in the classes on elements (mail: one class an element, for the
inliner; web: words for the style sheet; feed: none) and in how a picture is addressed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pipeline.core.issue import (
    Block,
    Code,
    Emphasis,
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
from pipeline.render.language import text_direction

QUESTION_LABELS = frozenset({"Q:", "В:", "س:", "پ:", "问:", "问：", "F:"})
"""Run-in labels that make a paragraph of an expert corner a question: English, Russian, Arabic script, Chinese, German."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a page shows it: where it lies and how large it is drawn, in CSS pixels."""

    src: str
    width: int
    height: int
    srcset: str = ""
    #: Further widths of the file at ``src``, as ``srcset`` has them.
    sources: tuple[tuple[str, str], ...] = ()
    #: Media type and ``srcset`` of better files, the best first (HTML, 4.8.2).
    sizes: str = ""
    #: How wide the page draws it, for all of these.


@dataclass(frozen=True, slots=True)
class Medium:
    """Where HTML goes: the classes of its elements and the addresses of its pictures."""

    name: str
    #: ``mail``, ``web`` or ``feed``.
    classes: Mapping[str, str]
    #: Role, or ``role.section-kind``, to class.
    picture: Callable[[str], Shown]
    #: From ``Figure.picture``.


MAIL_CLASSES: Mapping[str, str] = {
    "paragraph": "p", "paragraph.note": "pn", "paragraph.correction": "pn", "label": "v", "link": "a v",
    "link.podcast-button": "b", "quote": "q ba", "quote-text": "qt v", "quote-by": "qb m", "unordered": "ul",
    "ordered": "ul", "item": "li", "unordered.read-more": "rl", "item.read-more": "ri ln", "stories": "st", "story": "si v",
    "story-text": "sp x", "heading": "h3", "question": "qu", "figure": "f", "image": "g", "caption": "cap m", "rule": "r ln",
    "code": "mono", "ltr": "tl", "rtl": "tr",
}  # fmt: skip
"""The classes of ``templates/email/inline.css``; the inliner takes off those that no rule needs afterwards."""

WEB_CLASSES: Mapping[str, str] = {
    "label": "label", "quote": "pull", "quote-by": "by", "stories": "stories", "question": "question",
    "link.podcast-button": "button", "credit": "credit",
}  # fmt: skip


def story_groups(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Blocks of a ``more-stories`` section with each story an item of one ordered list.

    Writers number stories in three ways: a numbered list, a subheading each, or a run-in label each. The first of these
    that is present decides.
    """
    if any(isinstance(block, ListBlock) and block.ordered for block in blocks):
        return tuple(blocks)

    def starts(block: Block) -> bool:
        if any(isinstance(other, SubHeading) for other in blocks):
            return isinstance(block, SubHeading)
        return isinstance(block, Paragraph) and block.label is not None

    lead: list[Block] = []
    items: list[list[Block]] = []
    for block in blocks:
        if starts(block):
            items.append([block])
        elif items:
            items[-1].append(block)
        else:
            lead.append(block)
    if not items:
        return tuple(lead)
    return (*lead, ListBlock(ordered=True, items=tuple(map(tuple, items)), line=items[0][0].line))


class Writer:
    """Writes blocks for one medium in one direction."""

    def __init__(self, medium: Medium, direction: str) -> None:
        self._medium = medium
        self._direction = direction
        self._figures = 0

    def section(self, section: Section) -> Markup:
        """A section's blocks, without its title."""
        blocks = story_groups(section.blocks) if section.kind is SectionKind.MORE_STORIES else section.blocks
        return self.blocks(blocks, section.kind, above=2 if section.title else 1)

    def blocks(self, blocks: Sequence[Block], kind: SectionKind = SectionKind.PLAIN, *, above: int = 1, role: str = "paragraph") -> Markup:
        """A run of blocks; ``above`` is the level of the heading over it, so that no level is skipped (WCAG 1.3.1)."""
        out: list[Markup] = []
        for block in blocks:
            level = min(3, above + 1)
            match block:
                case Paragraph():
                    out.append(self._paragraph(block, kind, level, role))
                case SubHeading():
                    above = min(block.level, above + 1)
                    out.append(self._element(f"h{above}", "heading", kind, self.inlines(block.content), plain(block.content)))
                case Figure():
                    out.append(self._figure(block, kind))
                case Quote():
                    out.append(self._quote(block, kind))
                case ListBlock():
                    out.append(self._list(block, kind, above))
                case Rule():
                    out.append(Markup("<hr{}>").format(self._class("rule", kind)))
        return Markup("\n").join(out)

    def inlines(self, nodes: Sequence[Inline]) -> Markup:
        """A run of inlines."""
        out: list[Markup] = []
        for node in nodes:
            match node:
                case Text(value):
                    out.append(escape(value))
                case Code(value):
                    out.append(Markup("<code{}>{}</code>").format(self._class("code"), value))
                case LineBreak():
                    out.append(Markup("<br>"))
                case Strong(children):
                    out.append(Markup("<strong>{}</strong>").format(self.inlines(children)))
                case Emphasis(children):
                    out.append(Markup("<em>{}</em>").format(self.inlines(children)))
                case Link():
                    out.append(self._link(node, "link"))
        return Markup("").join(out)

    def _link(self, node: Link, role: str) -> Markup:
        href = node.href.strip()
        # Between words that run from right to left a bare address would lose its last slash to the wrong end.
        bare = self._direction == "rtl" and plain(node.children).strip() in (href, href.removeprefix("mailto:"))
        turned = Markup(' dir="ltr"') if bare else Markup("")
        return Markup('<a{}{} href="{}">{}</a>').format(self._class(role), turned, href, self.inlines(node.children))

    def _paragraph(self, block: Paragraph, kind: SectionKind, level: int, role: str) -> Markup:
        text = plain(block.content)
        if kind is SectionKind.EXPERT_CORNER and block.label in QUESTION_LABELS:
            content = Markup("<span{}>{}</span> {}").format(self._class("label"), block.label, self.inlines(block.content))
            return self._element(f"h{level}", "question", kind, content, text)
        match block.content:
            case (Link() as link,) if kind is SectionKind.PODCAST and block.label is None:
                return self._element("p", role, kind, self._link(link, "link.podcast-button"), text)
        return self._element("p", role, kind, self._labelled(block), (block.label or "") + text)

    def _labelled(self, block: Paragraph) -> Markup:
        content = self.inlines(block.content)
        if block.label is None:
            return content
        # A blank in Chinese, too: SpamAssassin takes a tag between two letters for a way to hide a word.
        return Markup("<strong{}>{}</strong> {}").format(self._class("label"), block.label, content)

    def _figure(self, block: Figure, kind: SectionKind) -> Markup:
        image = self._image(self._medium.picture(block.picture), block.alt, kind)
        credit = Markup("<span{}>({})</span>").format(self._class("credit"), block.credit) if block.credit else Markup("")
        words = Markup(" ").join(part for part in (escape(block.caption), credit) if part)
        mail = self._medium.name == "mail"  # Outlook and Yahoo drop <figure>
        if not words:
            return self._element("div" if mail else "figure", "figure", kind, image, "")
        caption = self._element("p" if mail else "figcaption", "caption", kind, words, block.caption + block.credit)
        return self._element("div" if mail else "figure", "figure", kind, image + "\n" + caption, "")

    def _image(self, shown: Shown, alt: str, kind: SectionKind) -> Markup:
        self._figures += 1
        more = Markup("")
        if shown.srcset:
            more += Markup(' srcset="{}" sizes="{}"').format(shown.srcset, shown.sizes)
        if shown.sources:  # the lead picture is what the page is opened for; the others wait until they come near
            more += Markup(' fetchpriority="high"') if self._figures == 1 else Markup(' loading="lazy" decoding="async"')
        image = Markup('<img{} src="{}" alt="{}" width="{}" height="{}"{}>').format(
            self._class("image", kind), shown.src, alt, shown.width, shown.height, more
        )
        if not shown.sources:
            return image
        sources = Markup("\n").join(
            Markup('<source type="{}" srcset="{}" sizes="{}">').format(type, srcset, shown.sizes) for type, srcset in shown.sources
        )
        return Markup("<picture>\n{}\n{}\n</picture>").format(sources, image)

    def _quote(self, block: Quote, kind: SectionKind) -> Markup:
        parts = [self._element("p", "quote-text", kind, self.inlines(content), plain(content)) for content in block.paragraphs]
        if block.attribution:
            # A foreign name stays under the quote, its dash before it: only the name runs its own way.
            other = self._other_direction(block.attribution)
            name = Markup('<span dir="{}">{}</span>').format(other, block.attribution) if other else block.attribution
            parts.append(self._element("p", "quote-by", kind, Markup("&mdash; {}").format(name), ""))
        return self._element("blockquote", "quote", kind, Markup("\n").join(parts), "")

    def _list(self, block: ListBlock, kind: SectionKind, above: int) -> Markup:
        stories = block.ordered and kind is SectionKind.MORE_STORIES
        names = ("stories", "story") if stories else ("ordered" if block.ordered else "unordered", "item")
        items: list[Markup] = []
        for item in block.items:
            match item:
                case (Paragraph() as only,) if not (stories and self._medium.name == "mail"):
                    items.append(self._element("li", names[1], kind, self._labelled(only), plain(only.content)))
                case _:
                    inner = self.blocks(item, kind, above=above, role="story-text" if stories else "paragraph")
                    items.append(self._element("li", names[1], kind, inner, ""))
        start = Markup(' start="{}"').format(block.start) if block.ordered and block.start != 1 else Markup("")
        tag = "ol" if block.ordered else "ul"
        return Markup("<{}{}{}>\n{}\n</{}>").format(tag, self._class(names[0], kind), start, Markup("\n").join(items), tag)

    def _element(self, tag: str, role: str, kind: SectionKind, content: Markup, text: str) -> Markup:
        """One element; when its own text runs the other way than the page, it says so."""
        other = self._other_direction(text)
        turned = Markup("") if other is None else Markup(' dir="{}"').format(other)
        return Markup("<{}{}{}>{}</{}>").format(tag, self._class(role, kind, other), turned, content, tag)

    def _other_direction(self, text: str) -> str | None:
        found = text_direction(text, self._direction)
        return found if found is not None and found != self._direction else None

    def _class(self, role: str, kind: SectionKind | None = None, turned: str | None = None) -> Markup:
        classes = self._medium.classes
        name = classes.get(f"{role}.{kind}", classes.get(role, ""))
        both = f"{name} {classes.get(turned or '', '')}".strip()
        return Markup(' class="{}"').format(both) if both else Markup("")
