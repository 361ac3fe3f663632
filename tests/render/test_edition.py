"""Issue to Edition: the goldens, the same bytes always, no network, and what every edition must hold."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.edition import Edition, content_of
from pipeline.core.issue import Figure, Issue, IssueId, Link, Section, SectionKind, plain
from pipeline.render.edition import missing_pictures
from pipeline.render.page import Sibling, legal_notice
from pipeline.settings import AuthorWording, Newsletter, Wording
from tests.render import samples

GOLDEN = Path(__file__).parent / "golden"
REGOLD = os.environ.get("BRIEFING_REGOLD") == "1"
"""Set to 1 to write the goldens anew; then read their difference before you commit it."""


def hrefs(html: str) -> Counter[str]:
    """The https links of a page with how often each stands there."""
    return Counter(unescape(href) for href in re.findall(r'<a\b[^>]*?href="(https://[^"]+)"', html))


def urls(text: str) -> Counter[str]:
    """The https addresses in a plain part."""
    return Counter(re.findall(r"https://\S+", text))


@pytest.mark.parametrize("name", ["rich", "uyghur", "chinese"])
@pytest.mark.parametrize("part", ["html", "text", "web", "feed"])
def test_golden(name: str, part: str) -> None:
    issue = {"rich": samples.RICH, "uyghur": samples.UYGHUR, "chinese": samples.CHINESE}[name]
    made = getattr(samples.edition(issue), part)
    # picture names hold a digest of encoded pixels, which may differ between builds of libjpeg; style names follow the sheet
    made = re.sub(r"-[0-9a-f]{12}((?:-\d+)?\.(?:jpg|png|css|webp|avif))", r"-DIGEST\1", made)
    path = GOLDEN / f"{name}.{part}.{'txt' if part == 'text' else 'html'}"
    if REGOLD:
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8"), f"{path.name} differs; if that is meant: BRIEFING_REGOLD=1"


def test_the_same_twice_and_in_eight_threads() -> None:
    issues = (samples.UYGHUR, samples.CHINESE, samples.UYGHUR, samples.CHINESE, samples.RICH)
    first = {id(issue): samples.edition(issue).to_json() for issue in issues}
    with ThreadPoolExecutor(8) as pool:
        others = list(pool.map(lambda number: samples.edition(issues[number % 5]).to_json(), range(400)))
    assert all(one == first[id(issues[number % 5])] for number, one in enumerate(others))


def test_rendering_asks_the_network_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was asked for while rendering")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert samples.edition().html


def test_both_parts_hold_the_same_links_equally_often() -> None:
    edition = samples.edition()
    assert hrefs(edition.html) == urls(edition.text)
    assert sum(hrefs(edition.html).values()) > 12


def test_every_link_of_the_draft_is_in_every_part() -> None:
    edition = samples.edition()
    wanted = {"https://example.org/registry?a=1&b=2", "https://example.org/podcast/24", "https://example.org/ruling"}
    for part in (edition.html, edition.web, edition.feed):
        assert wanted <= set(hrefs(part))
    assert wanted <= set(urls(edition.text))


def test_the_edition_says_who_sends_and_where_it_lies() -> None:
    edition = samples.edition()
    assert edition.archive_url == "https://news.example.org/river-letter/2026-11-25-the-ferry-that-stopped/"
    assert (edition.list_id, edition.list_name) == ("river-letter.news.example.org", "The River Letter")
    assert edition.authors == ("Mara Lindqvist",)
    assert [picture.name.rpartition("-")[0] for picture in edition.pictures] == ["ferry", "mara"]
    content = content_of(edition, ())
    assert (content.subject, content.html, content.text) == (edition.subject, edition.html, edition.text)
    assert content.list_archive_url == "https://news.example.org/river-letter/"


EMBEDDING = samples.NEWSLETTER.model_copy(update={"pictures": "embedded"})


def test_embedded_pictures_are_called_by_their_content_id_in_the_mail_only() -> None:
    edition, hosted = samples.edition(newsletter=EMBEDDING), samples.edition()
    assert [name for name, _ in edition.embedded] == [one.name for one in edition.pictures]
    assert sorted(re.findall(r'src="([^"]*)"', edition.html)) == sorted(f"cid:{id}" for _, id in edition.embedded)
    assert all(id == f"{name}@river-letter.news.example.org" for name, id in edition.embedded)
    assert (edition.web, edition.feed, edition.text) == (hosted.web, hosted.feed, hosted.text)
    assert len(edition.html) <= len(hosted.html) + 20
    assert Edition.from_json(edition.to_json()) == edition
    files = [*samples.pictures().values(), *samples.photos().values()]
    assert [(one.content_id, one.data) for one in content_of(edition, files).inline] == [
        (id, next(file.data for file in files if file.name == name)) for name, id in edition.embedded
    ]
    with pytest.raises(KeyError):
        content_of(edition, ())


def test_an_edition_of_an_earlier_version_keeps_its_digest() -> None:
    plain = replace(samples.edition(), renditions=())
    assert "renditions" not in plain.to_json()
    assert "embedded" not in plain.to_json()
    assert Edition.from_json(plain.to_json()).digest == plain.digest


def test_the_web_page_offers_every_rendition_and_nothing_else() -> None:
    edition = samples.edition()
    listed = re.findall(r'srcset="([^"]*)"', edition.web)
    offered = {part.split()[0].removeprefix("../../media/") for one in listed for part in one.split(", ")}
    assert offered == {*edition.renditions, edition.pictures[0].name}
    assert [one.rpartition(".")[2] for one in edition.renditions] == ["avif"] * 3 + ["webp"] * 3 + ["jpg"] * 2
    assert "srcset" not in edition.html
    assert "<picture" not in edition.feed


def test_only_the_pictures_below_the_lead_wait_to_be_loaded() -> None:
    second = replace(samples.RICH, opening=(*samples.RICH.opening, Figure(src="ferry.png", alt="Again", line=99)))
    images = re.findall(r"<img [^>]*srcset[^>]*>", samples.edition(second).web)
    assert ["fetchpriority" in one for one in images] == [True, False]
    assert ['loading="lazy"' in one for one in images] == [False, True]
    assert all(re.search(r'width="\d+" height="\d+"', one) for one in images)


def test_json_comes_back_exactly_and_the_digest_follows_every_field() -> None:
    edition = samples.edition()
    again = Edition.from_json(edition.to_json())
    assert again == edition
    assert again.digest == edition.digest
    for field in ("title", "text", "web", "feed", "reply_to", "archive_url"):
        assert replace(edition, **{field: getattr(edition, field) + "."}).digest != edition.digest
    assert replace(edition, pictures=()).digest != edition.digest


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"title": "x"}', "no json"])
def test_what_is_no_edition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an edition"):
        Edition.from_json(text)


def test_the_mail_carries_what_law_and_readers_ask_for() -> None:
    html = samples.edition().html
    assert html.startswith("<!DOCTYPE html>")
    assert 'class="address"' in html
    assert "https://news.example.org/leave/river-letter" in html
    assert "undesirable" in html
    assert 'lang="en" dir="ltr"' in html
    assert "__MERGE" not in html
    assert "{{" not in html
    assert re.search(r"http://", html) is None


def test_the_mail_is_light() -> None:
    html = samples.edition().html
    styles = re.findall(r"<style[^>]*>(.*?)</style>", re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL), re.DOTALL)
    assert len(styles) == 1
    assert len(styles[0].encode()) <= 2048
    assert "prefers-color-scheme:dark" in styles[0]
    assert "[data-ogsc]" in styles[0]
    assert "!important" in styles[0]
    assert len(html.encode()) < 19 * 1024


def test_the_web_page_links_relatively_and_runs_nothing() -> None:
    web = samples.edition().web
    body = web[web.index("<body") :]
    own = [href for href in re.findall(r'(?:href|src)="([^"]+)"', body) if href.startswith(samples.BASE_URL)]
    assert own == []
    assert "<script" not in web
    assert "style=" not in body
    assert '<link rel="canonical" href="https://news.example.org/river-letter/2026-11-25-the-ferry-that-stopped/">' in web
    for address in ("../index.html", "../../index.html", "../feed.xml", "../../leave/river-letter", "../../media/ferry-"):
        assert address in web


def test_the_feed_links_absolutely_and_carries_no_style() -> None:
    feed = samples.edition().feed
    assert all(address.startswith(("https://", "mailto:")) for address in re.findall(r'(?:href|src)="([^"]+)"', feed))
    assert "class=" not in feed
    assert "style=" not in feed


@pytest.mark.parametrize("part", ["html", "web"])
@pytest.mark.parametrize("issue", [samples.RICH, samples.UYGHUR], ids=["rich", "uyghur"])
def test_headings_begin_with_one_h1_and_skip_no_level(part: str, issue: Issue) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])\b", getattr(samples.edition(issue), part))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_right_to_left_turns_sides_and_leaves_english_alone() -> None:
    edition = samples.edition(samples.UYGHUR)
    assert edition.direction == "rtl"
    assert '<html lang="ug" dir="rtl">' in edition.html
    assert "padding-right:26px" in edition.html  # lists
    assert "padding-left:26px" not in edition.html
    assert "text-align:right" in edition.html
    assert re.search(r'<p dir="ltr" style="margin:0 0 18px;text-align:left">This sentence is in English', edition.html)
    assert ">بۇ ساننى توركۆرگۈدە ئوقۇش</a>" in edition.html
    assert re.search(r'<h2[^>]* lang="ug" dir="rtl"[^>]*>باشقىلارغا يوللاشتىن بۇرۇن</h2>', edition.html), "over a notice in English"
    assert "letter-spacing" not in edition.html


def test_a_bare_address_keeps_its_end_between_words_that_run_the_other_way() -> None:
    about = Wording(about="بۇرۇنقى سانلار: https://news.example.org/river-letter/")
    newsletter = samples.NEWSLETTER.model_copy(update={"editions": {"ug": about}})
    bare = r'<a[^>]* dir="ltr"[^>]*>https://news\.example\.org/river-letter/</a>'
    edition = samples.edition(samples.UYGHUR, newsletter=newsletter)
    assert re.search(bare, edition.html)
    assert re.search(bare, edition.web)
    russian = samples.edition(replace(samples.RICH, language="ru"), newsletter=newsletter.model_copy(update={"about": about.about}))
    assert not re.search(bare, russian.html)


def test_words_that_are_not_in_the_issues_language_say_so() -> None:
    edition = samples.edition(replace(samples.UYGHUR, language="ps"))
    assert re.search(r'<a[^>]* lang="en" dir="ltr"[^>]*>View this issue', edition.html)


def test_the_configurations_texts_say_their_language_or_come_in_the_issues() -> None:
    russian = replace(samples.RICH, language="ru")
    for part in ("html", "web"):
        page = getattr(samples.edition(russian), part)
        assert re.search(r'<p[^>]* lang="en" dir="ltr"[^>]*>What moves along the border rivers', page)
        assert re.search(
            r'<(p|div)[^>]* lang="en" dir="ltr"[^>]*>(\s*<h2>[^<]+</h2>\s*<p class="role">)?Correspondent on the upper river', page
        )
    wording = Wording(tagline="Что движется по рекам", about="О реках и границах.")
    both = samples.edition(russian, newsletter=samples.NEWSLETTER.model_copy(update={"editions": {"ru": wording}}))
    for part in ("html", "web"):
        assert re.search(r"<p[^>]*>Что движется по рекам</p>", getattr(both, part))
        assert not re.search(r'<p[^>]* lang="en"[^>]*>(Что движется|О реках)', getattr(both, part))
        assert "What moves along" not in getattr(both, part)
    assert "О реках и границах." in both.text


def test_an_author_card_comes_in_the_issues_language() -> None:
    russian = AuthorWording(
        name="Мара Линдквист", role="Наш корреспондент", bio="Мара пишет о реках.", links={"Её страница": "https://x.example"}
    )
    author = samples.AUTHOR.model_copy(update={"editions": {"ru": russian, "ug": AuthorWording(role="مۇخبىر")}})
    edition = samples.edition(replace(samples.RICH, language="ru-RU"), author=author)
    assert edition.authors == ("Мара Линдквист",)
    for part in (edition.html, edition.web, edition.text, edition.feed):
        assert "Мара Линдквист" in part
        assert "Lindqvist" not in part
    for part in (edition.html, edition.web, edition.text):
        assert all(words in part for words in ("Наш корреспондент", "Мара пишет о реках.", "Её страница", "mara@news.example.org"))
        assert "keeps bees" not in part
    for part in (edition.html, edition.web):
        assert not re.search(r'lang="en"[^>]*>\s*(<h2>)?(Мара|Наш)', part)
    uyghur = samples.edition(samples.UYGHUR, author=author)
    assert uyghur.authors == ("Mara Lindqvist",), "what is left out stays as it is"
    assert all("مۇخبىر" in part and "She keeps bees." in part for part in (uyghur.html, uyghur.web, uyghur.text))


def test_editions_in_other_languages_are_named_in_mail_text_and_web() -> None:
    there = (
        Sibling(id=IssueId.parse("river-letter/2026-11-25-parom"), language="ru", title="Паром"),
        Sibling(id=IssueId.parse("derya-xeti/2026-11-25-derya"), language="ug", title="دەريا"),
    )
    edition = samples.edition(siblings=there)
    assert edition.translations == (("ru", "river-letter/2026-11-25-parom"), ("ug", "derya-xeti/2026-11-25-derya"))
    assert hrefs(edition.html) == urls(edition.text)
    for id, name, language in (("river-letter/2026-11-25-parom", "Русский", "ru"), ("derya-xeti/2026-11-25-derya", "ئۇيغۇرچە", "ug")):
        assert re.search(rf'<a[^>]* lang="{language}"[^>]* href="https://news.example.org/{id}/"[^>]*>{name}</a>', edition.html)
        assert f"{name}:\nhttps://news.example.org/{id}/\n" in edition.text
        assert re.search(rf'<a lang="{language}"[^>]* href="../../{id}/index.html">{name}</a>', edition.web)
        assert f'<link rel="alternate" hreflang="{language}" href="https://news.example.org/{id}/">' in edition.web
    assert f'<link rel="alternate" hreflang="en" href="{edition.archive_url}">' in edition.web
    assert Edition.from_json(edition.to_json()) == edition
    assert "hreflang" not in samples.edition().web


def test_an_edition_stored_before_there_were_translations_keeps_its_digest() -> None:
    edition = samples.edition()
    assert "translation" not in json.loads(edition.to_json())
    assert "translation_of" not in json.loads(edition.to_json())
    assert Edition.from_json(edition.to_json()).digest == edition.digest


def test_mirrors_stand_in_mail_text_and_web() -> None:
    mirrors = ("https://mirror.example.net/", "https://other.example.com/briefing")
    edition = samples.edition(newsletter=samples.NEWSLETTER.model_copy(update={"mirrors": mirrors}))
    assert hrefs(edition.html) == urls(edition.text)
    for address in mirrors:
        assert f"\n{address}\n" in edition.text
        assert f'href="{address}"' in edition.html
        assert f'href="{address}"' in edition.web
    assert "same pages are here" not in samples.edition().html


@pytest.mark.parametrize(
    "address", ["http://mirror.example.net", "mirror.example.net", "https://", 'https://a"b', "https://u@h", "https://h/?q"]
)
def test_a_mirror_is_a_whole_https_address(address: str) -> None:
    with pytest.raises(ValidationError, match="must be an https"):
        Newsletter.model_validate(samples.NEWSLETTER.model_dump() | {"mirrors": [address]})


def test_stories_written_in_any_way_become_one_numbered_list() -> None:
    labelled = samples.section(
        SectionKind.MORE_STORIES, "Two", samples.para("a", label="A:"), samples.para("b"), samples.para("c", label="C:")
    )
    html = samples.edition(replace(samples.RICH, sections=(labelled,))).html
    assert len(re.findall(r"<li\b", html)) == 2
    assert html.count("<ol") == 1


@pytest.mark.parametrize(("language", "found"), [("ru", "ru"), ("ru-KZ", "ru"), ("en", "en"), ("zh", "en"), ("ug", "en")])
def test_the_legal_notice_speaks_the_readers_language_if_it_can(language: str, found: str) -> None:
    notice = legal_notice(samples.NEWSLETTER, language, samples.PLAIN_MEDIUM)
    assert notice is not None
    assert notice.language == found


def test_without_a_legal_notice_the_signature_still_begins() -> None:
    edition = samples.edition(newsletter=samples.NEWSLETTER.model_copy(update={"legal_notice": {}}))
    assert "Before you share this" not in edition.html
    assert "\n-- \n" in edition.text


def test_an_address_in_the_about_text_becomes_a_link_in_both_parts() -> None:
    newsletter = samples.NEWSLETTER.model_copy(update={"about": "Read us at https://example.org/about/. Then write."})
    edition = samples.edition(newsletter=newsletter)
    assert hrefs(edition.html) == urls(edition.text)
    assert 'href="https://example.org/about/"' in edition.html
    assert ">https://example.org/about/</a>. Then write." in edition.web


def test_missing_pictures_are_named() -> None:
    assert [figure.src for figure in missing_pictures(samples.RICH, {})] == ["ferry.png"]
    assert missing_pictures(samples.RICH, samples.pictures()) == ()


class _Reader(HTMLParser):
    """Collects characters and the names of elements, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[str] = []

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


NASTY = st.text(alphabet=st.sampled_from("<>&\"'ab/!-={}%()__`\\"), min_size=1, max_size=24).filter(lambda text: text.strip() == text)


@settings(max_examples=25, deadline=None)
@given(words=NASTY)
def test_no_character_of_a_draft_becomes_markup(words: str) -> None:
    harmless = "WORDS"

    def issue(value: str) -> Issue:
        link = Link("https://example.org/x", (samples.t(value),))
        figure = Figure(src="ferry.png", alt=value, caption=value, credit=value, line=1)
        blocks = (samples.para(value, link, label=value), figure, samples.para(value))
        section = Section(kind=SectionKind.PLAIN, title=(samples.t(value),), blocks=blocks, line=1)
        return replace(samples.RICH, title=value, subject=value, preheader=value, opening=(), sections=(section,), topics=(value,))

    nasty, tame = samples.edition(issue(words)), samples.edition(issue(harmless))
    for part in ("html", "web", "feed"):
        read, expected = _Reader(), _Reader()
        read.feed(getattr(nasty, part))
        expected.feed(getattr(tame, part))
        assert read.tags == expected.tags
        assert words in read.text


def test_plain_words_are_all_in_the_plain_part() -> None:
    text = " ".join(samples.edition().text.split())
    for section in samples.RICH.sections:
        assert plain(section.title) in text
