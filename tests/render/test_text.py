"""The plain part: width by columns, whole addresses, and the forms of each block."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.issue import Issue, Link, ListBlock, Quote
from pipeline.render.page import prose
from pipeline.render.text import WIDTH, TextWriter, underlined, width, wrap
from tests.render import samples


@pytest.mark.parametrize("issue", [samples.RICH, samples.UYGHUR, samples.CHINESE], ids=["en", "ug", "zh"])
def test_no_line_is_wider_than_72_columns_but_an_address(issue: Issue) -> None:
    for line in samples.edition(issue).text.splitlines():
        assert width(line) <= WIDTH or re.fullmatch(r"\s*(\[\d+\] )?https://\S+", line), line


def test_an_address_stands_alone_on_its_line() -> None:
    for line in samples.edition().text.splitlines():
        if "https://" in line:
            assert re.fullmatch(r"\s*(\[\d+\] )?https://\S+", line), line


def test_the_plain_part_has_its_forms() -> None:
    text = samples.edition().text
    assert "The Ferry That Stopped, and the Quarrel Beneath It\n==================================================\n" in text
    assert "\nAcross the Region\n-----------------\n" in text
    assert "> You can close a ferry with a stamp. You cannot close a river.\n>\n> -- Ilyas Tor, ferryman" in text
    assert "\nCorrection\n----------\n\nOur last issue" in text
    assert "\nNote\n----\n\nWe print" in text
    assert "\nQ: Can a state simply stop a private ferry?\n" in text
    assert "\nA: Usually nobody, for a year." in text
    assert "\n1. Slow Freight: " in text
    assert "[Picture: A flat ferry lies empty" in text
    assert "(Example\nPictures)" in text
    assert "\nWhy It Matters: A ferry looks small" in text
    assert text.count("\n-- \n") == 1
    assert text.index("\n-- \n") < text.index("Before you share this")
    assert "desk@news.example.org" in text
    assert not re.search(r"<(p|a|td|br|div)\b|&\w+;|\]\(", text)


def test_no_line_ends_in_a_blank_but_the_signature_mark() -> None:
    assert [line for line in samples.edition().text.splitlines() if line != line.rstrip()] == ["-- "]


def test_chinese_wraps_between_characters_and_not_before_a_comma() -> None:
    lines = wrap("渡口" * 30 + "，" + "河流" * 30).splitlines()
    assert len(lines) > 2
    assert all(width(line) <= WIDTH for line in lines)
    assert not any(line.startswith("，") for line in lines)


def test_a_chinese_line_ends_at_a_pause_of_its_second_half() -> None:
    assert wrap("渡口" * 12 + "，" + "河流" * 12).splitlines() == ["渡口" * 12 + "，", "河流" * 12]
    assert wrap("渡口" * 4 + "，" + "河流" * 20).splitlines()[0] == "渡口" * 4 + "，" + "河流" * 13 + "河"
    assert wrap("渡口" * 12 + "。”" + "河流" * 12).splitlines()[0].endswith("流")


def test_after_chinese_stands_neither_a_blank_nor_a_half_width_colon() -> None:
    writer = TextWriter("图片")
    assert writer.prose((samples.link("https://example.org/a", "登记册"), samples.t("显示"))) == "登记册[1]显示\n[1] https://example.org/a"
    assert writer.link("退订", "https://example.org/b") == "退订：\nhttps://example.org/b"
    assert writer.link("Leave", "https://example.org/b") == "Leave:\nhttps://example.org/b"


def test_an_address_of_the_configuration_ends_where_chinese_begins() -> None:
    (paragraph,) = prose("往期见 https://example.org/zh/。想订阅，请写信。", samples.PLAIN_MEDIUM, "ltr")
    assert [node.href for node in paragraph.nodes if isinstance(node, Link)] == ["https://example.org/zh/"]
    assert paragraph.text.endswith("。想订阅，请写信。")


def test_lists_nest_with_their_indent() -> None:
    inner = ListBlock(ordered=False, items=((samples.para("in"),),), line=1)
    text = TextWriter("Picture").blocks((ListBlock(ordered=True, start=9, items=((samples.para("out"), inner),), line=1),))
    assert text == "9. out\n\n   * in"


def test_quotes_keep_their_mark_on_every_line() -> None:
    quote = Quote(paragraphs=((samples.t("word " * 40),), (samples.t("end"),)), attribution="Somebody with a very long office " * 3, line=1)
    lines = TextWriter("Picture").blocks((quote,)).splitlines()
    assert all(line.startswith(">") for line in lines)
    assert all(width(line) <= WIDTH for line in lines)


def test_a_bare_address_is_printed_once() -> None:
    text = TextWriter("Picture").prose((samples.t("See "), samples.link("https://example.org/a", "https://example.org/a"), samples.t(".")))
    assert text == "See [1].\n[1] https://example.org/a"


def test_underline_is_as_wide_as_the_title() -> None:
    assert underlined("渡口", "=") == "渡口\n===="


@given(st.text(alphabet=st.sampled_from("ab é渡，。 \n-"), max_size=300), st.integers(min_value=20, max_value=72))
def test_wrapping_loses_no_character_and_keeps_the_width(text: str, columns: int) -> None:
    wrapped = wrap(text, columns=columns)
    assert re.sub(r"\s", "", wrapped) == re.sub(r"\s", "", text)
    for line in wrapped.splitlines():
        assert width(line) <= columns or " " not in line.strip()
