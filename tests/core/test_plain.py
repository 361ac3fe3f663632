"""The quick look at a whole batch lets through only what the look at each one lets through unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.headers import address_value, plain_addresses, plain_urls, url_value

_ODD = st.text("ab@.%+-_/:<>\n\r ,;\"'é\u2028\ud800", max_size=12)
_ADDRESSES = st.lists(st.one_of(st.just("reader@example.org"), st.just("a.b+c@mail.example.org"), _ODD), max_size=5)
_URLS = st.lists(
    st.one_of(_ODD.map("https://x.example/".__add__), st.just("https://y.example/leave"), st.just("http://x.example/")), max_size=5
)


@given(_ADDRESSES)
def test_plain_addresses_need_no_examination(addresses: list[str]) -> None:
    if plain_addresses(addresses):
        assert [address_value("To", one) for one in addresses] == addresses


@given(_URLS)
def test_plain_urls_need_no_examination(urls: list[str]) -> None:
    if plain_urls(urls):
        assert [url_value("List-Unsubscribe", one) for one in urls] == [f"<{one}>" for one in urls]


def test_a_common_batch_is_plain() -> None:
    assert plain_addresses([f"reader.{number}+news@example.org" for number in range(1000)])
    assert plain_urls([f"https://news.example.org/leave/weekly/{number}-_" for number in range(1000)])


@pytest.mark.parametrize(
    "bad", ["", "@x.org", "a@", "a", "a@b@c", "a@x.org\nBcc: b@x.org", "a b@x.org", "é@x.org", "a@x.org\n", "<a@x.org>"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_odd_address_is_seen_anywhere(bad: str, place: int) -> None:
    batch = ["one@example.org", "two@example.org"]
    batch.insert(place, bad)
    assert not plain_addresses(batch)


@pytest.mark.parametrize(
    "bad", ["", "http://x.example/", "https://y.example/", "https://x.example/a\nhttps://x.example/b", "https://x.example/<"]
)
@pytest.mark.parametrize("place", [1, 2])
def test_one_odd_url_is_seen(bad: str, place: int) -> None:
    batch = ["https://x.example/1", "https://x.example/2"]
    batch.insert(place, bad)
    assert not plain_urls(batch)
