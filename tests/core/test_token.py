"""Leave tokens: 38 characters, one newsletter, an expiry, and no second spelling."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.token import LEAVE_VALID, LeaveToken, open_leave_token, seal_leave_token, seal_leave_tokens

KEY = bytes(range(32))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@given(st.integers(1, 2**63), st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=40))
def test_round_trip(subscriber_id: int, newsletter: str) -> None:
    token = seal_leave_token(KEY, subscriber_id, newsletter, NOW)
    assert len(token) == 38
    assert open_leave_token(KEY, token, newsletter, NOW) == LeaveToken(subscriber_id, newsletter)


@given(st.integers(0, 37), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n"))
def test_any_other_character_spoils_it(position: int, character: str) -> None:
    token = seal_leave_token(KEY, 7, "weekly", NOW)
    forged = token[:position] + character + token[position + 1 :]
    assert (open_leave_token(KEY, forged, "weekly", NOW) is not None) == (forged == token)


@given(st.text(max_size=60))
def test_rubbish_is_refused_quietly(text: str) -> None:
    assert open_leave_token(KEY, text, "weekly", NOW) is None


def test_scope_key_and_expiry() -> None:
    token = seal_leave_token(KEY, 7, "weekly", NOW)
    assert open_leave_token(KEY, token, "daily", NOW) is None
    assert open_leave_token(bytes(32), token, "weekly", NOW) is None
    assert open_leave_token(KEY, token[:-1], "weekly", NOW) is None
    assert open_leave_token(KEY, token, "weekly", NOW + LEAVE_VALID) is not None
    assert open_leave_token(KEY, token, "weekly", NOW + LEAVE_VALID + timedelta(days=1)) is None


def test_the_same_day_gives_the_same_token() -> None:
    assert seal_leave_token(KEY, 7, "weekly", NOW) == seal_leave_token(KEY, 7, "weekly", NOW + timedelta(hours=3))


@given(st.lists(st.integers(0, 2**63), min_size=1, max_size=20), st.binary(min_size=1, max_size=100))
def test_tokens_of_a_batch_are_those_of_the_layout(ids: list[int], key: bytes) -> None:
    """The MAC by the library's own CMAC, one reader at a time."""
    expires = (int((NOW + LEAVE_VALID).timestamp()) // 86400).to_bytes(4, "big")
    scoped = hmac.digest(key, b"leave\0weekly\0", "sha256")
    for id, token in zip(ids, seal_leave_tokens(key, ids, "weekly", NOW), strict=True):
        head = id.to_bytes(8, "big") + expires
        mac = CMAC(AES256(scoped))
        mac.update(head + bytes(4))
        assert token == base64.urlsafe_b64encode(head + mac.finalize()).rstrip(b"=").decode()
        assert open_leave_token(key, token, "weekly", NOW) == LeaveToken(id, "weekly")
