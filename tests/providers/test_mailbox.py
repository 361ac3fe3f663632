"""The bounce mailbox, read from a real IMAP server (Dovecot): what is found, what is remembered, and that nothing is changed."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.core.event import EventType
from pipeline.errors import ConfigurationError, CredentialsRefused, ProviderFault
from pipeline.providers.arf import read_complaint
from pipeline.providers.bounce_mailbox import BounceMailbox
from pipeline.providers.bounces import Bounces
from pipeline.providers.imap import LARGEST, ImapMailbox
from pipeline.providers.registry import make_provider
from tests.providers.dovecot import PASSWORD, USER, Dovecot, dovecot
from tests.providers.test_dsn import BOUNCES, POSTFIX, VERP

LONG_AGO = dt.date(2020, 1, 1)


def report(number: int, *, to: str = VERP) -> bytes:
    """A report of Postfix's about one message."""
    return POSTFIX.replace(VERP, to).replace("4bZ1", f"4bZ{number}").encode()


def complaint(*, mail_from: str = VERP, kind: str = "abuse") -> bytes:
    """A report as RFC 5965 has it in its appendix, about one message."""
    return f"""\
From: <abusedesk@example.com>
Date: Wed, 25 Nov 2026 08:40:00 +0100
Subject: FW: A railway
To: <complaints@news.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{mail_from}>
Original-Rcpt-To: <reader@example.com>
Arrival-Date: Wed, 25 Nov 2026 06:30:00 +0000
Source-IP: 192.0.2.1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822

From: <briefing@news.example.org>
To: <reader@example.com>
Subject: A railway
Message-ID: <abc-1-2-1-7@news.example.org>

Words.
--part1_13d.2e68ed54_boundary--
""".encode()


LETTER = b"From: reader@example.com\nTo: bounce@news.example.org\nSubject: out of office\nX-Probe: abc-7\n\nI am away until Monday.\n"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


@pytest.fixture
def empty(server: Dovecot) -> Dovecot:
    """The server with an empty mailbox that nobody knows yet."""
    for folder in ("new", "cur"):
        for path in (server.root / "mail" / folder).iterdir():
            path.unlink()
    server.make_anew()
    return server


def opened(server: Dovecot, **more: Any) -> ImapMailbox:
    return ImapMailbox("localhost", server.tls_port, USER, PASSWORD, True, certificates=server.certificate, **more)


def test_new_mails_are_read_in_their_order_and_nothing_is_changed(empty: Dovecot) -> None:
    empty.deliver(report(1), LETTER, b"Subject: long\n\n" + b"x" * (LARGEST + 100))
    with closing(opened(empty)) as box:
        mails = dict(box.fetch_new(0))
        assert [*mails] == sorted(mails) and len(mails) == 3
        assert list(mails.values())[1].replace(b"\r\n", b"\n") == LETTER
        assert len(list(mails.values())[2]) == LARGEST
        last = max(mails)
        assert list(box.fetch_new(last)) == [], "a range beyond the last mail ends at the last mail"
        assert box.uidnext == last + 1
        empty.deliver(LETTER)
        assert [uid for uid, _ in box.fetch_new(last)] == [last + 1]
    names = empty.files()
    assert len(names) == 4
    assert not any("S" in name.partition(":2,")[2] for name in names), "no mail was marked as seen"
    box.close()  # twice does no harm


def test_a_header_is_searched_for(empty: Dovecot) -> None:
    empty.deliver(LETTER, report(1))
    with closing(opened(empty)) as box:
        assert box.search("X-Probe", "abc-7", LONG_AGO) == [1]
        assert box.search("X-Probe", "abc-8", LONG_AGO) == []
        assert box.search("", "", LONG_AGO) == [1, 2]
        assert box.search("", "", (NOW + timedelta(days=2)).date()) == []
        for header, value in (("X-Probe\r\n", "a"), ("X-Probe", 'a" DELETED "'), ("X-Probe", "a\r\nb"), ("X-Probe", "ü")):
            with pytest.raises(ValueError, match="plain ASCII"):
                box.search(header, value, LONG_AGO)


def test_the_certificate_is_verified_and_the_password_counts(empty: Dovecot) -> None:
    with pytest.raises(ProviderFault) as untrusted:
        ImapMailbox("localhost", empty.tls_port, USER, PASSWORD, True)
    assert "self" in untrusted.value.message
    with pytest.raises(CredentialsRefused) as refused:
        ImapMailbox("localhost", empty.tls_port, USER, "s3cret", True, certificates=empty.certificate)
    assert "s3cret" not in str(refused.value) and USER not in str(refused.value)
    with pytest.raises(ValueError, match="over TLS"):
        ImapMailbox("imap.example.org", 143, USER, PASSWORD, False)
    with closing(ImapMailbox("127.0.0.1", empty.port, USER, PASSWORD, False)) as plain:
        assert plain.uidvalidity > 0
    with pytest.raises(ProviderFault):
        ImapMailbox("127.0.0.1", 9, USER, PASSWORD, False, timeout_s=2)


def reading(server: Dovecot) -> BounceMailbox:
    return BounceMailbox(lambda: opened(server), BOUNCES, lambda: NOW)


def test_reports_and_complaints_become_events_each_once(empty: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    stranger = Bounces("bounce@news.example.org", "o" * 32).sender("abc-1-2-1", 7)
    empty.deliver(
        report(1), LETTER, complaint(), report(2, to=stranger), report(3, to=stranger), complaint(mail_from=stranger), b"\xff\xfe\0"
    )
    with caplog.at_level(logging.DEBUG, "pipeline"):
        ((events, place),) = reading(empty).events_after("")
    assert [(one.type, one.batch_key, one.subscriber_id) for one in events] == [
        (EventType.BOUNCED, "abc-1-2-1", 7),
        (EventType.COMPLAINED, "abc-1-2-1", 7),
    ]
    assert "7 mails read, 2 reports about our mail, 3 reports without our mark, 2 that are no report" in caplog.text
    assert "example" not in caplog.text
    assert [*reading(empty).events_after(place)] == [([], place)]
    empty.deliver(report(4))
    ((more, behind),) = reading(empty).events_after(place)
    assert len(more) == 1 and behind != place


def test_a_mailbox_that_was_made_anew_is_read_again(empty: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    empty.deliver(report(1), report(2))
    ((first, place),) = reading(empty).events_after("")
    (empty.root / "mail" / "dovecot-uidlist").unlink()
    for path in (empty.root / "mail").glob("dovecot.*"):
        path.unlink()
    validity = int(place.partition(":")[0])
    again = reading(empty).events_after(f"{validity - 1}:900")
    assert {one.id for events, _ in again for one in events} == {one.id for one in first}
    assert "made anew" in caplog.text


def test_many_mails_come_in_pieces(empty: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.providers.bounce_mailbox.PIECE", 2)
    empty.deliver(*(report(number) for number in range(5)))
    pieces = [*reading(empty).events_after("")]
    assert [len(events) for events, _ in pieces] == [2, 2, 1]
    assert len({one.id for events, _ in pieces for one in events}) == 5


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("abuse", EventType.COMPLAINED), ("fraud", EventType.COMPLAINED), ("opt-out", EventType.UNSUBSCRIBED), ("not-spam", EventType.OTHER),
     ("auth-failure", EventType.OTHER), ("x@y <script>", EventType.OTHER)],
)  # fmt: skip
def test_what_a_kind_of_feedback_means(kind: str, type_: EventType) -> None:
    (event,) = read_complaint(complaint(kind=kind), bounces=BOUNCES, now=datetime(2026, 11, 25, 9, tzinfo=UTC))
    assert event.type is type_
    assert event.at == datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
    assert "@" not in event.detail and event.address == ""


def test_a_complaint_that_repeats_our_address_in_the_returned_message_only() -> None:
    raw = complaint(mail_from="redacted@example.net").replace(b"Subject: A railway\nMessage", b"Return-Path: <%b>\nMessage" % VERP.encode())
    (event,) = read_complaint(raw, bounces=BOUNCES, now=NOW)
    assert (event.batch_key, event.subscriber_id) == ("abc-1-2-1", 7)
    (nobodys,) = read_complaint(complaint(), bounces=None, now=NOW)
    assert nobodys.batch_key == ""
    assert read_complaint(LETTER, bounces=BOUNCES, now=NOW) == ()


SMTP = {"host": "127.0.0.1", "security": "none", "domain": "news.example.org", "imap_host": "127.0.0.1", "imap_username": "u",
        "imap_password": "p", "bounces": "bounce@news.example.org", "bounce_key": "k" * 32}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [({"bounces": ""}, "but bounces is not"), ({"imap_port": "x"}, "imap_port"), ({"imap_password": ""}, "imap_password is missing"),
     ({"imap_security": "starttls"}, "imap_security"), ({"imap_security": "none", "imap_host": "imap.example.org"}, "on this machine")],
)  # fmt: skip
def test_settings_that_do_not_fit(change: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_provider("smtp", {**SMTP, **change}, lambda: NOW)


def test_an_adapter_has_a_mailbox_when_it_is_told_of_one() -> None:
    assert make_provider("smtp", SMTP, lambda: NOW).capabilities.mailbox
    without = {name: value for name, value in SMTP.items() if not name.startswith("imap_")}
    assert not make_provider("smtp", without, lambda: NOW).capabilities.mailbox
