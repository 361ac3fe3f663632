"""Issues built by hand, of every kind of section, block and inline; own sentences, example.org only."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from functools import cache

from jinja2 import Environment
from PIL import Image

from pipeline.core.edition import Edition, Picture
from pipeline.core.issue import (
    Block,
    Code,
    Emphasis,
    Figure,
    Inline,
    Issue,
    IssueId,
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
)
from pipeline.render.edition import build_edition
from pipeline.render.environment import open_templates
from pipeline.render.html import Medium
from pipeline.render.page import Sibling, no_picture
from pipeline.render.pictures import prepare_picture, prepare_portrait
from pipeline.settings import Author, Brand, Newsletter

BASE_URL = "https://news.example.org"

NEWSLETTER = Newsletter(
    id="river-letter",
    name="The River Letter",
    tagline="What moves along the border rivers, every other Wednesday",
    from_name="The River Letter",
    from_address="letter@news.example.org",
    reply_to="desk@news.example.org",
    list_id="river-letter.news.example.org",
    postal_address="Example Newsroom\n1 Harbour Street\n10000 Sampletown",
    language="en",
    default_author="mara",
    about="The River Letter follows trade, water and power along three borders. It comes out every other Wednesday.\n\n"
    "Past issues are open to everybody, and the feed asks for no address.",
    brand=Brand(accent="#8a1c2b", accent_dark="#f0919e"),
    legal_notice={
        "en": "In some countries this newsroom has been named undesirable. There, sharing a link to this letter can be "
        "punished. Read the law where you are before you pass it on.",
        "ru": "В некоторых странах наша редакция объявлена нежелательной. Там за ссылку на это письмо могут наказать.",
    },
)

AUTHOR = Author(
    id="mara",
    name="Mara Lindqvist",
    role="Correspondent on the upper river",
    bio="Mara has reported from river towns for eleven years. She keeps bees.",
    photo="mara.png",
    email="mara@news.example.org",
    links={"Her page": "https://social.example.org/mara"},
)


PLAIN_MEDIUM = Medium("page", {}, no_picture)
"""A medium without classes or pictures."""


def drawn(width: int = 1600, height: int = 900, *, format: str = "PNG", colour: str = "#44708a") -> bytes:
    """A small picture file: one colour with a lighter band."""
    image = Image.new("RGB", (width, height), colour)
    image.paste(Image.new("RGB", (width, height // 3), "#c9bfa8"), (0, height // 2))
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


def t(value: str) -> Text:
    """A Text, shorter to write."""
    return Text(value)


def link(href: str, words: str) -> Link:
    """A Link with plain words."""
    return Link(href, (Text(words),))


def para(*content: Inline | str, label: str | None = None, line: int = 1) -> Paragraph:
    """A Paragraph of strings and inlines."""
    return Paragraph(content=tuple(Text(part) if isinstance(part, str) else part for part in content), label=label, line=line)


def section(kind: SectionKind, title: str, *blocks: Block) -> Section:
    """A Section with a plain title."""
    return Section(kind=kind, title=(Text(title),) if title else (), blocks=blocks, line=1)


OPENING: tuple[Block, ...] = (
    para("Hello, and welcome back. This fortnight begins on a ferry that no longer runs, and with the people who are rowing instead."),
    para(
        "The crossing at Lower Mill closed on Monday after the operator lost its license, cutting two districts off from the ",
        link("https://example.org/market-figures", "largest cattle market on the river"),
        ". Officials call it a matter of safety. Drivers, traders and one ",
        Emphasis((t("very"),)),
        " patient ferryman describe something else: a quarrel about who collects the fee.",
    ),
    Figure(
        src="ferry.png",
        alt="A flat ferry lies empty at a wooden landing while rowing boats pass behind it",
        caption="The ferry at Lower Mill on its first idle morning, November 16.",
        credit="Example Pictures",
        line=9,
    ),
    para("Here is what I have learned since, and what I still cannot confirm."),
)

WHY = section(
    SectionKind.PLAIN,
    "Who Owns a Crossing?",
    para(
        "Three companies have held the concession in nine years. Each of them, ",
        link("https://example.org/registry?a=1&b=2", "the public registry shows"),
        ", was wound up within a month of losing it, and each left the landing in worse repair than it had found it.",
        label="Finding Perspective:",
    ),
    para(
        "A ferry looks small on a map. But the nearest bridge is 140 kilometers away, its weight limit is ",
        Strong((t("20 tons"),)),
        ", and a truck of onions weighs twice that. Prices on the east bank rose by a fifth in four days.",
        label="Why It Matters:",
    ),
    Quote(
        paragraphs=((t("You can close a ferry with a stamp. You cannot close a river."),),),
        attribution="Ilyas Tor, ferryman at Lower Mill for 31 years",
        line=20,
    ),
    SubHeading(level=3, content=(t("What the ministry says"),), line=24),
    para("The ministry answered five of our nine questions. In short:"),
    ListBlock(
        ordered=False,
        items=(
            (para("the license lapsed because ", link("https://example.org/ruling", "a court voided the tender"), ";"),),
            (para("a new tender comes ", Emphasis((t("before"),)), " the spring flood;"),),
            (para("rowing passengers across for money stays forbidden."),),
        ),
        line=26,
    ),
    para("Those who want to check can ask the registry for file ", Code("LM-2210/4"), ", which is open to anybody."),
)

EXPERT = section(
    SectionKind.EXPERT_CORNER,
    "Expert Corner: Water and Tolls",
    para("Readers asked how river tolls are set. I put their questions to Dana Okafor, who teaches transport law."),
    para("Can a state simply stop a private ferry?", label="Q:"),
    para(
        "It can, if the license says so, and nearly every license does. What it cannot do is stop it ",
        "without offering another way across. Courts in the region have ",
        link("https://example.org/precedent", "ruled on this twice since 2015"),
        ".",
        label="A:",
    ),
    para("And who pays for that other way?", label="Q:"),
    para("Usually nobody, for a year. Then the district does, and sends the bill to the next operator.", label="A:"),
)

STORIES = section(
    SectionKind.MORE_STORIES,
    "Three More Stories From the River",
    ListBlock(
        ordered=True,
        items=(
            (
                para(
                    "The railway opened its second track to grain trains, but only by night. ",
                    link("https://example.org/night-trains", "Timetables seen by the Letter"),
                    " show four a day, not the promised twelve.",
                    label="Slow Freight:",
                ),
            ),
            (
                para("Two border towns now share one power line, and one bill.", label="A Shared Switch:"),
                para("Neither wants to be the one that pays first."),
            ),
            (para("The glacier that feeds the upper river lost nine meters of height this summer.", label="Less Ice:"),),
        ),
        line=50,
    ),
)

BRIEFS = section(
    SectionKind.BRIEFS,
    "Across the Region",
    para("Fishermen may again use nets with a mesh of 40 millimeters.", label="Delta:"),
    para(
        "The toll bridge took more money in October than in all of last year, ",
        link("https://example.org/toll", "its owner says"),
        ".",
        label="Upper Valley:",
    ),
    para("A strike at the dry dock ended after eleven days; the welders got half of what they wanted.", label="Harbor:"),
)

WATCH = section(
    SectionKind.WATCH,
    "One Thing to Watch",
    para(
        "On December 3 the water commission meets for the first time since spring. If ",
        link("https://example.org/agenda", "item four of its agenda"),
        " survives the week, the crossing opens before winter.",
    ),
)

READ_MORE = section(
    SectionKind.READ_MORE,
    "From Our Pages",
    ListBlock(
        ordered=False,
        items=(
            (para(link("https://example.org/bees", "The beekeepers who predict floods")),),
            (para(link("https://example.org/map", "A map of every crossing"), ", drawn by readers"),),
        ),
        line=70,
    ),
)

PODCAST = section(
    SectionKind.PODCAST,
    "Listen",
    para("Ilyas Tor tells the story of the winter of 1994 himself, in 24 minutes."),
    para(link("https://example.org/podcast/24", "Play episode 24")),
)

LAST = (
    section(SectionKind.CORRECTION, "", para("Our last issue put the bridge's weight limit at 30 tons. It is 20 tons.")),
    section(SectionKind.NOTE, "", para("We print the names of ferry passengers only with their consent.")),
    section(
        SectionKind.SIGN_OFF,
        "Until the Next Crossing",
        para("That is all from me. Write with tips, doubts or good photographs of boats.", LineBreak(), "Mara"),
        Rule(line=90),
    ),
)

RICH = Issue(
    id=IssueId("river-letter", date(2026, 11, 25), "the-ferry-that-stopped"),
    title="The Ferry That Stopped, and the Quarrel Beneath It",
    subject="The River Letter: The Ferry That Stopped",
    preheader="A license lapsed, two districts were cut off, and somebody still collects the fee.",
    authors=("mara",),
    language="en",
    topics=("Transport", "Water"),
    opening=OPENING,
    sections=(WHY, EXPERT, STORIES, BRIEFS, WATCH, READ_MORE, PODCAST, *LAST),
)

UYGHUR = Issue(
    id=IssueId("river-letter", date(2026, 11, 25), "derya"),
    title="دەريا ۋە كېمە",
    subject="دەريا خېتى: دەريا ۋە كېمە",
    preheader="كېمە توختىدى، ئەمما دەريا ئېقىۋاتىدۇ.",
    authors=("mara",),
    language="ug",
    opening=(
        para("كېمە دۈشەنبە كۈنى توختىدى. ", link("https://example.org/ug", "بازار خەۋىرى"), " بۇنى جەزملەشتۈردى."),
        para("This sentence is in English and ends on its own side."),
    ),
    sections=(
        section(SectionKind.PLAIN, "نېمە ئۈچۈن مۇھىم", ListBlock(ordered=False, items=((para("بىرىنچى"),), (para("ئىككىنچى"),)), line=5)),
        section(SectionKind.WATCH, "بىر ئىش", para("كېلەر ھەپتە يىغىن بار.")),
    ),
)

CHINESE = Issue(
    id=IssueId("river-letter", date(2026, 11, 25), "duchuan"),
    title="停航的渡船",
    subject="河流通讯：停航的渡船",
    preheader="执照到期，两个县被隔开，仍有人在收费。",
    authors=("mara",),
    language="zh",
    opening=(
        para(
            "下磨渡口星期一停航，运营者失去了执照，两个县与河上最大的牲畜市场因此断了联系。官员说这是安全问题；司机、商人和一位船夫说的却是另一回事：谁来收这笔钱。",
            link("https://example.org/zh", "公开的登记册"),
            "显示，九年里有三家公司拿到过经营权。",
        ),
    ),
    sections=(section(SectionKind.BRIEFS, "各地消息", para("渔民又可以使用四十毫米网眼的渔网。", label="三角洲：")),),
)


@cache
def pictures() -> dict[str, Picture]:
    """The pictures RICH shows, by ``Figure.picture``."""
    return {"ferry.png": prepare_picture(drawn(format="JPEG"), "ferry")}


@cache
def photos() -> dict[str, Picture]:
    """The author's portrait, by author id."""
    return {"mara": prepare_portrait(drawn(400, 400, colour="#7a4b3a"), "mara")}


@cache
def templates() -> Environment:
    """The packaged templates, compiled once."""
    return open_templates()


def edition(
    issue: Issue = RICH, *, newsletter: Newsletter = NEWSLETTER, next_issue: str | None = "December 9", siblings: Sequence[Sibling] = (),
    author: Author = AUTHOR,
) -> Edition:  # fmt: skip
    """The edition of a sample with the packaged templates."""
    built, _ = build_edition(
        issue,
        newsletter=newsletter,
        authors=(author,),
        newsroom_name="Example Newsroom",
        base_url=BASE_URL,
        pictures=pictures(),
        author_photos=photos(),
        next_issue=next_issue,
        environment=templates(),
        siblings=siblings,
    )
    return built
