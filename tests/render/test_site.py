"""Front page, newsletter page, feed, style sheet, colours, languages."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.render.environment import open_templates
from pipeline.render.language import direction, own_name, shared_language, text_direction, typography
from pipeline.render.palette import contrast, dark, light
from pipeline.render.site import (
    FeedEntry,
    IssueEntry,
    NewsletterEntry,
    distinct_stamps,
    front_css,
    render_feed,
    render_front,
    render_newsletter,
    render_sitemap,
    rfc3339,
    with_languages,
)
from pipeline.render.web import site_css
from pipeline.render.words import plural, words
from pipeline.settings import Brand
from tests.render import samples

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
ATOM = "{http://www.w3.org/2005/Atom}"
WHEN = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)


def entries(count: int) -> list[FeedEntry]:
    """Editions published in the same second."""
    edition = samples.edition()
    return [
        FeedEntry(
            edition=replace(edition, issue_id=f"river-letter/2026-11-25-n{n}", archive_url=f"{edition.archive_url}{n}/"),
            published=WHEN,
            updated=WHEN,
        )
        for n in range(count)
    ]


def feed(given_entries: list[FeedEntry]) -> ET.Element:
    """A feed, parsed."""
    text = render_feed(
        open_templates(),
        newsletter=samples.NEWSLETTER,
        newsroom_name="Example Newsroom",
        base_url=samples.BASE_URL,
        entries=given_entries,
        updated=WHEN,
    )
    return ET.fromstring(text)


def test_the_feed_has_what_rfc_4287_asks_for() -> None:
    root = feed(entries(3))
    for name in ("id", "title", "updated", "author"):
        assert root.find(ATOM + name) is not None
    assert root.findall(ATOM + "link")[0].attrib["href"] == "https://news.example.org/river-letter/feed.xml"
    stamps = [entry.findtext(ATOM + "updated") for entry in root.findall(ATOM + "entry")]
    assert len(set(stamps)) == 3
    assert root.findtext(ATOM + "updated") == max(stamp or "" for stamp in stamps)
    assert len({entry.findtext(ATOM + "id") for entry in root.findall(ATOM + "entry")}) == 3
    content = root.find(f"{ATOM}entry/{ATOM}content")
    assert content is not None
    assert content.text == samples.edition().feed


def test_a_feed_names_the_languages_of_an_issue_its_own_first() -> None:
    (alone,) = entries(1)
    russian = replace(IssueEntry.of(alone.edition), stem="2026-11-25-a-ru", language="ru")
    links = feed([replace(alone, also=(russian,))]).findall(f"{ATOM}entry/{ATOM}link")
    assert [(one.get("rel"), one.get("hreflang"), one.get("href")) for one in links] == [
        ("alternate", "en", alone.edition.archive_url),
        ("alternate", "ru", f"{samples.BASE_URL}/river-letter/2026-11-25-a-ru/"),
    ]


def test_an_empty_feed_is_a_feed() -> None:
    root = feed([])
    assert root.findtext(ATOM + "updated") == "2026-11-25T05:00:00Z"
    assert root.findall(ATOM + "entry") == []


def test_characters_xml_has_no_form_for_are_left_out() -> None:
    broken = replace(entries(1)[0].edition, title="A\x0bB\ufffe <&>", feed="<p>\x00x</p>")
    root = feed([FeedEntry(edition=broken, published=WHEN, updated=WHEN)])
    assert root.findtext(f"{ATOM}entry/{ATOM}title") == "AB <&>"


@given(st.lists(st.integers(min_value=0, max_value=3), max_size=8))
def test_stamps_always_differ_and_keep_their_order(seconds: list[int]) -> None:
    edition = _EDITION
    given_entries = [
        FeedEntry(edition=replace(edition, issue_id=str(n)), published=WHEN, updated=WHEN.replace(second=second))
        for n, second in enumerate(seconds)
    ]
    stamps = distinct_stamps(given_entries)
    assert len(set(stamps)) == len(seconds)
    for one, first in zip(given_entries, stamps, strict=True):
        for other, second_stamp in zip(given_entries, stamps, strict=True):
            assert first < second_stamp or one.updated >= other.updated


_EDITION = samples.edition()


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 11, 25))


def test_the_front_page_lists_newsletters_and_opens_from_a_disk() -> None:
    newsletters = (
        NewsletterEntry(newsletter=samples.NEWSLETTER, latest=(IssueEntry.of(_EDITION),)),
        NewsletterEntry(newsletter=samples.NEWSLETTER.model_copy(update={"id": "empty", "name": "Empty & Co"}), latest=()),
    )
    html = render_front(open_templates(), newsroom_name="Example Newsroom", base_url=samples.BASE_URL, newsletters=newsletters)
    assert 'href="river-letter/2026-11-25-the-ferry-that-stopped/index.html"' in html
    assert 'href="river-letter/index.html"' in html
    assert "Empty &amp; Co" in html
    assert "No issue has come out yet." in html
    assert f'href="{front_css(open_templates(), newsletters)[0]}"' in html
    assert not re.search(r'<body.*(?:href|src)="(?:/|https?:)', html, re.DOTALL)


def test_the_newsletter_page_says_how_to_read_join_and_leave() -> None:
    page = render_newsletter(
        open_templates(), newsletter=samples.NEWSLETTER, newsroom_name="Example Newsroom", base_url=samples.BASE_URL,
        issues=(IssueEntry.of(_EDITION),), join_path="join/river-letter",
    )  # fmt: skip
    for address in (
        "feed.xml",
        "../join/river-letter",
        "../leave/river-letter",
        "../river-letter/2026-11-25-the-ferry-that-stopped/index.html",
    ):
        assert f'href="{address}"' in page
    assert "comes out every other Wednesday" in page
    assert "<script" not in page


def test_the_style_sheet_is_named_after_its_content_and_asks_for_nothing() -> None:
    name, css = site_css(open_templates())
    assert re.fullmatch(r"style-[0-9a-f]{12}\.css", name)
    assert (name, css) == site_css(open_templates(), Brand())
    assert site_css(open_templates(), Brand(accent="#004488"))[0] != name
    assert b"url(" not in css
    assert b"@import" not in css
    assert css.count(b"{") == css.count(b"}")
    assert len(css) < 14 * 1024


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_text_in_any_accent_can_be_read(accent: str) -> None:
    day, night = light(accent), dark(accent)
    for palette in (day, night):
        for ground in (palette.page, palette.paper, palette.tint):
            assert contrast(palette.accent, ground) >= 4.5
            assert contrast(palette.ink, ground) >= 7
            assert contrast(palette.muted, ground) >= 4.5
        assert contrast(palette.paper, palette.accent) >= 4.5  # the button


def test_our_own_accent_is_left_alone() -> None:
    assert light("#8a1c2b").accent == "#8a1c2b"
    assert dark("#f0919e").accent == "#f0919e"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "ltr"),
        ("ug", "rtl"),
        ("ug-Cyrl", "ltr"),
        ("ug-Latn-CN", "ltr"),
        ("az-Arab", "rtl"),
        ("fa-IR", "rtl"),
        ("zh-Hans", "ltr"),
        ("he", "rtl"),
    ],
)
def test_direction_of_a_language(language: str, expected: str) -> None:
    assert direction(language) == expected


def test_direction_of_a_text() -> None:
    for page in ("ltr", "rtl"):
        assert text_direction("Hello", page) == "ltr"
        assert text_direction("كېمە", page) == "rtl"
        assert text_direction("12:30 – 14", page) is None
        assert text_direction("كېمە toxtidi دەريا", page) == page
        assert text_direction("The Briefing Desk تەھرىر بۆلۈمى", page) == page
    assert text_direction("كېمە دۈشەنبە كۈنى توختىدى، NATO", "ltr") == "rtl"


def test_words_fall_back_to_the_primary_language_then_to_english() -> None:
    environment = open_templates()
    assert words(environment, "ru-KZ").language == "ru"
    assert words(environment, "ug").language == "ug"
    assert words(environment, "ug-Cyrl").language == "en"
    assert words(environment, "kk").language == "en"
    assert words(environment, "fa").day(samples.RICH.id.date) == "۲۵ نوامبر ۲۰۲۶"
    assert words(environment, "ug").day(samples.RICH.id.date) == "2026-يىلى 25-نويابىر"
    assert words(environment, "zh-Hant-TW").day(samples.RICH.id.date) == "2026年11月25日"
    assert typography("zh").serif != typography("en").serif


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (1, "1 минута"), (2, "2 минуты"), (4, "4 минуты"), (5, "5 минут"), (11, "11 минут"), (12, "12 минут"), (21, "21 минута"),
        (22, "22 минуты"), (111, "111 минут"), (121, "121 минута"),
    ],
)  # fmt: skip
def test_russian_minutes_have_their_plural(minutes: int, said: str) -> None:
    assert words(open_templates(), "ru").reading_time("слово " * (230 * minutes)) == f"{said} чтения"


def test_plural_forms_by_language() -> None:
    assert [plural("en", n) for n in (0, 1, 2)] == ["other", "one", "other"]
    assert [plural("fa", n) for n in (0, 1, 2)] == ["one", "one", "other"]
    assert {plural("zh-Hans", n) for n in range(30)} == {"other"}
    assert words(open_templates(), "fa").reading_time("واژه " * 2760) == "۱۲ دقیقه مطالعه"


def test_languages_call_themselves() -> None:
    assert [own_name(tag) for tag in ("ru", "ru-KZ", "ug", "ug-Cyrl", "zh-Hans-CN", "zh", "xx")] == [
        "Русский", "Русский", "ئۇيغۇرچە", "Уйғурчә", "简体中文", "中文", "xx",
    ]  # fmt: skip


def test_pages_of_no_newsletter_speak_the_shared_language() -> None:
    russian = samples.NEWSLETTER.model_copy(update={"language": "ru"})
    assert shared_language([russian, russian]) == "ru"
    assert shared_language([russian, samples.NEWSLETTER]) == shared_language([]) == "en"


def entry(stem: str, language: str, original: str | None = None) -> IssueEntry:
    """A line of a list."""
    return replace(IssueEntry.of(_EDITION), stem=stem, language=language, translation_of=original, title=stem)


def test_lists_and_sitemap_name_languages_both_ways() -> None:
    first, second = entry("2026-11-25-a", "en"), entry("2026-11-25-a-ru", "ru", "river-letter/2026-11-25-a")
    third, alone = entry("2026-11-25-a-ug", "ug", "river-letter/2026-11-25-a"), entry("2026-11-11-b", "en")
    known = with_languages([third, second, first, alone])
    assert [one.language for one in known[first.id].also] == ["ru", "ug"]
    assert [one.language for one in known[third.id].also] == ["en", "ru"]
    assert known[alone.id].also == ()
    page = render_newsletter(
        open_templates(), newsletter=samples.NEWSLETTER, newsroom_name="Example Newsroom", base_url=samples.BASE_URL,
        issues=list(known.values()),
    )  # fmt: skip
    for stem, language, name in ((first.stem, "en", "English"), (second.stem, "ru", "Русский"), (third.stem, "ug", "ئۇيغۇرچە")):
        assert len(re.findall(rf'<a lang="{language}"[^>]* href="\.\./river-letter/{stem}/index\.html">{name}</a>', page)) == 2
    sitemap = render_sitemap(base_url=samples.BASE_URL, newsletters=[], issues=[(one, WHEN) for one in known], entries=known)
    links = {
        url.findtext(f"{SITEMAP}loc"): [(one.get("hreflang"), one.get("href")) for one in url.findall("{http://www.w3.org/1999/xhtml}link")]
        for url in ET.fromstring(sitemap)
    }
    top = f"{samples.BASE_URL}/river-letter/"
    assert {language for language, _ in links[f"{top}{first.stem}/"]} == {"en", "ru", "ug"}
    assert sorted(links[f"{top}{first.stem}/"]) == sorted(links[f"{top}{second.stem}/"]) == sorted(links[f"{top}{third.stem}/"])
    assert links[f"{top}{alone.stem}/"] == []


def test_a_translation_whose_original_is_not_out_names_nobody() -> None:
    lonely = entry("2026-11-25-a-ru", "ru", "river-letter/2026-11-25-a")
    assert with_languages([lonely])[lonely.id].also == ()


def test_reading_time_counts_words_and_chinese_characters() -> None:
    english = words(open_templates(), "en")
    assert english.reading_time("word " * 690) == "3 min read"
    assert english.reading_time("河" * 1000) == "2 min read"
    assert english.reading_time("") == "1 min read"
