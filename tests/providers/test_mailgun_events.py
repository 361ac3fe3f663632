"""Mailgun's webhooks: only its own are believed, and every kind it documents is understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.providers.base import Forged
from pipeline.providers.mailgun_events import MailgunEvents, read_event
from pipeline.providers.sandbox.hooks import signed

NOW = datetime(2026, 12, 2, 7, 0, tzinfo=UTC)
KEY = "key-for-signing"
LISTENER = MailgunEvents(KEY)


def data(event: str = "failed", **more: Any) -> dict[str, Any]:
    """Event-data as Mailgun documents it, shortened."""
    return {
        "event": event,
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": 1796194800.25,
        "recipient": "anna@example.org",
        "user-variables": {"batch": "bcb89d4d-1-1-1", "campaign": "bcb89d4d-1", "subscriber": "7"},
        "message": {"headers": {"message-id": "bcb89d4d-1-1-1@mail.example.org"}},
        **more,
    }


def body(event: dict[str, Any] | None = None, *, key: str = KEY, at: datetime = NOW, token: str = "t" * 50) -> bytes:
    return json.dumps(signed(key, event or data(), int(at.timestamp()), token)).encode()


def parsed(event: dict[str, Any]) -> Event:
    (found,) = LISTENER.parse({}, body(event))
    return found


def test_a_call_of_mailguns_is_believed() -> None:
    LISTENER.verify({}, body(), NOW)


def test_a_published_example_is_signed_as_we_sign() -> None:
    """The algorithm, written out once more: hexadecimal HMAC-SHA-256 of timestamp and token, one after the other."""
    import hashlib
    import hmac

    call = signed(KEY, {}, 1529006854, "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0")
    wanted = hmac.new(KEY.encode(), b"1529006854a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0", hashlib.sha256).hexdigest()
    assert call["signature"]["signature"] == wanted


@pytest.mark.parametrize(
    "call",
    [
        body(key="another"),
        body(at=NOW - timedelta(hours=10)),
        body(at=NOW + timedelta(minutes=6)),
        body(token=""),
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"signature": null}',
        b'{"signature": {"timestamp": "soon", "token": "x", "signature": "y"}}',
        b'{"signature": {"timestamp": 99999999999999999999, "token": "x", "signature": "y"}}',
        b'{"signature": {"timestamp": "1796194800", "token": "x", "signature": "\xd0\xbf"}}',
        b'{"signature": {"timestamp": "1796194800", "token": "x", "signature": "\\ud800"}}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
    ids=lambda call: call[:40].decode("latin-1"),
)
def test_everything_else_is_forged(call: bytes) -> None:
    with pytest.raises(Forged) as error:
        LISTENER.verify({}, call, NOW)
    assert "example" not in str(error.value)


def test_a_signature_of_another_time_or_token_is_forged() -> None:
    for part in ("timestamp", "token"):
        call = json.loads(body())
        call["signature"][part] = call["signature"][part][:-1] + ("1" if call["signature"][part][-1] != "1" else "2")
        with pytest.raises(Forged):
            LISTENER.verify({}, json.dumps(call).encode(), NOW)


def test_a_call_that_is_repeated_for_eight_hours_is_still_believed() -> None:
    LISTENER.verify({}, body(at=NOW - timedelta(hours=8)), NOW)


STATUS = {"code": 550, "enhanced-code": "5.1.1", "message": "550 5.1.1 <anna@example.org> no such mailbox"}


@pytest.mark.parametrize(
    ("event", "type", "reason", "final"),
    [
        (data("accepted"), EventType.SENT, None, False),
        (data("delivered"), EventType.DELIVERED, None, False),
        (data("failed", severity="temporary", reason="generic"), EventType.DEFERRED, None, False),
        (
            data("failed", severity="permanent", reason="bounce", **{"delivery-status": STATUS}),
            EventType.BOUNCED, RejectReason.BOUNCED, True,
        ),
        (data("failed", severity="permanent", reason="generic"), EventType.BOUNCED, RejectReason.BOUNCED, True),
        (data("failed", severity="permanent", reason="old"), EventType.DEFERRED, RejectReason.TIMED_OUT, True),
        (
            data("failed", severity="permanent", reason="generic", **{"delivery-status": {"code": 452}}),
            EventType.DEFERRED, RejectReason.OTHER, True,
        ),
        (
            data("failed", severity="permanent", reason="bounce", **{"delivery-status": {"code": 552, "enhanced-code": "5.2.2"}}),
            EventType.DEFERRED, RejectReason.OTHER, True,
        ),
        (
            data("failed", severity="permanent", reason="bounce", **{"delivery-status": {"code": 550, "bounce-type": "soft"}}),
            EventType.DEFERRED, RejectReason.OTHER, True,
        ),
        (
            data("failed", severity="permanent", reason="generic", **{"delivery-status": {"code": 550, "enhanced-code": "5.7.1"}}),
            EventType.BOUNCED, RejectReason.BLOCKED, True,
        ),
        (data("failed", severity="permanent", reason="suppress-bounce"), EventType.BOUNCED, RejectReason.BOUNCED, False),
        (data("failed", severity="permanent", reason="suppress-complaint"), EventType.COMPLAINED, RejectReason.SPAM, False),
        (data("failed", severity="permanent", reason="suppress-unsubscribe"), EventType.UNSUBSCRIBED, RejectReason.UNSUBSCRIBED, False),
        (data("failed"), EventType.DEFERRED, None, False),
        (data("complained"), EventType.COMPLAINED, RejectReason.SPAM, False),
        (data("unsubscribed"), EventType.UNSUBSCRIBED, None, False),
        (data("rejected", reject={"reason": "virus"}), EventType.REJECTED, RejectReason.OTHER, False),
        (data("stored"), EventType.OTHER, None, False),
        (data("made up tomorrow"), EventType.OTHER, None, False),
    ],
    ids=lambda value: f"{value['event']}-{value.get('reason', '')}" if isinstance(value, dict) else str(value),
)  # fmt: skip
def test_every_kind_is_understood(event: dict[str, Any], type: EventType, reason: RejectReason | None, final: bool) -> None:
    found = parsed(event)
    assert (found.type, found.reason, found.final) == (type, reason, final)


def test_opens_and_clicks_are_dropped() -> None:
    assert LISTENER.parse({}, body(data("opened"))) == ()
    assert LISTENER.parse({}, body(data("clicked"))) == ()


def test_our_own_words_come_back() -> None:
    found = parsed(data("failed", severity="permanent", reason="bounce", **{"delivery-status": STATUS}))
    assert (found.batch_key, found.subscriber_id, found.receipt) == ("bcb89d4d-1-1-1", 7, "bcb89d4d-1-1-1@mail.example.org")
    assert found.at == datetime.fromtimestamp(1796194800.25, UTC)
    assert found.id == "2026-12-02.G9Bn5sl1TC6nu79C8C0bwg"
    assert found.nonce == "t" * 50
    assert "anna" not in found.detail
    assert "no such mailbox" in found.detail
    assert "anna" not in repr(found)


def test_without_metadata_the_message_id_still_names_the_batch() -> None:
    found = parsed(data("delivered", **{"user-variables": []}))
    assert (found.batch_key, found.subscriber_id, found.address) == ("bcb89d4d-1-1-1", None, "anna@example.org")


@pytest.mark.parametrize("said", ["%recipient.sid%", "-1", "1e3", "7" * 40, "٧", None, {}, []])
def test_a_reader_that_is_no_number_is_none(said: object) -> None:
    assert parsed(data("delivered", **{"user-variables": {"subscriber": said}})).subscriber_id is None


@pytest.mark.parametrize(
    "event",
    [None, [], "x", {}, data(id=""), data(id=None), data(timestamp=None), data(timestamp="x"), data(timestamp=1e400), data(timestamp=1e18)],
    ids=str,
)
def test_what_is_no_event_is_said_to_be_none(event: object) -> None:
    with pytest.raises(ValueError, match="event"):
        read_event(event)


def test_a_signed_call_without_an_event_is_said_to_be_none() -> None:
    call = json.loads(body())
    del call["event-data"]
    with pytest.raises(ValueError, match="event-data"):
        LISTENER.parse({}, json.dumps(call).encode())
