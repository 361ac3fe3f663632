"""Addresses: what is taken, what is refused and with which words, and which spellings are one reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.address import AddressRefused, address_key, parse_address


@pytest.mark.parametrize(
    ("typed", "mailed"),
    [
        ("Reader@Example.ORG", "Reader@example.org"),
        ("  reader+news@mail.example.org ", "reader+news@mail.example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("читатель@example.org", "читатель@example.org"),
        ("reader@почта.example.org", "reader@xn--80a1acny.example.org"),
    ],
)
def test_taken(typed: str, mailed: str) -> None:
    assert parse_address(typed) == mailed


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "empty"),
        ("reader", "@"),
        ("@example.org", "@"),
        ("reader@", "@"),
        ("reader@example", "period"),
        ("a@b.example.org, c@d.example.org", "one address"),
        ("reader@example.org\r\nBcc: x@example.org", "control character"),
        ("rea der@example.org", "invalid characters"),
        ("reader@-example.org", "hyphen"),
        ("a" * 65 + "@example.org", "long"),
        ("a" * 310 + "@example.org", "longer than 254"),
        ("Name <reader@example.org>", "display name|invalid|angle"),
    ],
)
def test_refused_with_a_reason(typed: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=words):
        parse_address(typed)


@given(st.text(max_size=80))
def test_a_refusal_never_repeats_a_plausible_address(text: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        parse_address(f"{text}secret-name@example.org\x00")
    assert "secret-name" not in str(refused.value)


def test_spellings_of_one_reader() -> None:
    assert address_key("Reader@example.org") == address_key("rEADER@example.org")
    assert address_key("ﬁne@example.org") == address_key("fine@example.org")
