"""Reports of non-delivery in the forms of several mail servers, written by hand after their formats, and generated ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.event import Event, EventType
from pipeline.core.message import RejectReason
from pipeline.providers.bounces import Bounces
from pipeline.providers.dsn import read_dsn

NOW = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
BOUNCES = Bounces("bounce@news.example.org", "k" * 32)
VERP = BOUNCES.sender("abc-1-2-1", 7)
RECEIPT = "abc-1-2-1-7@news.example.org"

POSTFIX = f"""\
Return-Path: <>
Delivered-To: {VERP}
Date: Wed, 25 Nov 2026 06:10:00 +0100 (CET)
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {VERP}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Message-Id: <20261125051000.4bZ1@mx.example.org>
Content-Type: multipart/report; report-type=delivery-status; boundary="B/mx.example.org"

--B/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

The mail could not be delivered to <reader@example.com>.

--B/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 4bZ1
Arrival-Date: Wed, 25 Nov 2026 06:09:58 +0100 (CET)

Final-Recipient: rfc822; reader@example.com
Original-Recipient: rfc822;Reader@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 <reader@example.com>: Recipient address
    rejected: User unknown in virtual mailbox table

--B/mx.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <{VERP}>
Message-ID: <{RECEIPT}>
Subject: A railway

--B/mx.example.org--
"""

EXIM = f"""\
Return-path: <>
Envelope-to: {VERP}
X-Failed-Recipients: reader@example.com
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@exim.example.org>
To: {VERP}
Content-Type: multipart/report; report-type=delivery-status; boundary=1763-eximdsn-804
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1x-0001@exim.example.org>
Date: Wed, 25 Nov 2026 05:10:00 +0000

--1763-eximdsn-804
Content-type: text/plain; charset=us-ascii

A message that you sent could not be delivered: reader@example.com

--1763-eximdsn-804
Content-type: message/delivery-status

Reporting-MTA: dns; exim.example.org

Action: failed
Final-Recipient: rfc822;reader@example.com
Status: 5.0.0
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full

--1763-eximdsn-804
Content-type: message/rfc822

Message-ID: <{RECEIPT}>
Subject: A railway
From: desk@news.example.org

The text.

--1763-eximdsn-804--
"""

EXIM_OLD = f"""\
Return-path: <>
X-Failed-Recipients: reader@example.com
From: Mail Delivery System <Mailer-Daemon@exim.example.org>
To: bounce@news.example.org
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1x-0002@exim.example.org>
Date: Wed, 25 Nov 2026 05:10:00 +0000

A message that you sent could not be delivered:

  reader@example.com
    host mx.example.com [192.0.2.7]: 550 5.1.1 no such user

------ This is a copy of the message, including all the headers. ------

Message-ID: <{RECEIPT}>
Subject: A railway

550 5.7.1 is only quoted here
"""

EXCHANGE = f"""\
From: <postmaster@exchange.example.net>
To: <bounce@news.example.org>
Date: Wed, 25 Nov 2026 05:10:00 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="=_exchange_1"
Content-Language: en-US
Message-ID: <0a1@exchange.example.net>
In-Reply-To: <{RECEIPT}>
Subject: Undeliverable: A railway
Auto-Submitted: auto-replied
MIME-Version: 1.0

--=_exchange_1
Content-Type: multipart/alternative; boundary="=_inner"

--=_inner
Content-Type: text/plain; charset="us-ascii"

reader@example.net was not found.
--=_inner
Content-Type: text/html; charset="us-ascii"

<p>reader@example.net was not found.</p>
--=_inner--

--=_exchange_1
Content-Type: message/delivery-status

Reporting-MTA: dns;exchange.example.net
Received-From-MTA: dns;mx.example.org
Arrival-Date: Wed, 25 Nov 2026 05:09:59 +0000

Original-Recipient: rfc822;reader@example.net
Final-Recipient: rfc822;reader@example.net
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient reader@example.net not found by SMTP address lookup

--=_exchange_1
Content-Type: message/rfc822

Received: from mx.example.org by exchange.example.net; Wed, 25 Nov 2026 05:09:59 +0000
Message-ID:
 <{RECEIPT}>
Subject: A railway

--=_exchange_1--
"""


def only(text: str, bounces: Bounces | None = BOUNCES) -> Event:
    (event,) = read_dsn(text.replace("\n", "\r\n").encode(), bounces=bounces, now=NOW)
    (again,) = read_dsn(text.encode(), bounces=bounces, now=NOW)  # line ends as a mailbox may store them
    assert again.type is event.type and again.address == event.address
    assert "@example" not in event.detail and "@example" not in repr(event)
    return event


def test_postfix() -> None:
    event = only(POSTFIX)
    assert (event.type, event.reason) == (EventType.BOUNCED, RejectReason.INVALID)
    assert (event.batch_key, event.subscriber_id, event.address) == ("abc-1-2-1", 7, "")
    assert event.receipt == RECEIPT
    assert event.at == datetime(2026, 11, 25, 5, 10, tzinfo=UTC)
    assert "User unknown in virtual" in event.detail


def test_without_a_signed_return_address_it_says_receipt_and_address_only() -> None:
    for event in (only(POSTFIX, None), only(POSTFIX, Bounces("bounce@news.example.org", "j" * 32))):
        assert (event.batch_key, event.subscriber_id, event.receipt) == ("", None, RECEIPT)
        assert event.address == "Reader@example.com"  # as we wrote it, not as it was forwarded


def test_exim() -> None:
    event = only(EXIM)
    assert (event.type, event.reason) == (EventType.BOUNCED, RejectReason.BOUNCED)  # 5.2.2 out of the general 5.0.0
    assert (event.batch_key, event.subscriber_id, event.receipt) == ("abc-1-2-1", 7, RECEIPT)


def test_exim_of_old() -> None:
    event = only(EXIM_OLD)
    assert (event.type, event.reason, event.address) == (EventType.BOUNCED, RejectReason.INVALID, "reader@example.com")
    assert event.receipt == RECEIPT


def test_exchange() -> None:
    event = only(EXCHANGE)
    assert (event.type, event.reason, event.address) == (EventType.BOUNCED, RejectReason.INVALID, "reader@example.net")
    assert event.receipt == RECEIPT
    assert "RESOLVER.ADR" in event.detail


@pytest.mark.parametrize(
    ("old", "new", "type_", "final", "reason"),
    [
        ("Action: failed\nStatus: 5.1.1", "Action: delayed\nStatus: 4.4.1", EventType.DEFERRED, False, None),
        ("Status: 5.1.1", "Status: 4.4.7", EventType.DEFERRED, True, RejectReason.TIMED_OUT),
        ("Status: 5.1.1", "Status: 4.2.2", EventType.DEFERRED, True, RejectReason.BOUNCED),
        ("Action: failed\nStatus: 5.1.1", "Action: delivered\nStatus: 2.1.5", EventType.DELIVERED, False, None),
        ("Action: failed\nStatus: 5.1.1", "Action: relayed\nStatus: 2.1.5", EventType.OTHER, False, None),
        ("Action: failed\nStatus: 5.1.1", "Action: Failed\nStatus: 5.7.1 (blocked)", EventType.BOUNCED, False, RejectReason.BLOCKED),
        ("Status: 5.1.1\n", "", EventType.BOUNCED, False, RejectReason.INVALID),  # from the diagnostic
        ("Status: 5.1.1", "Status: 5.9.9", EventType.BOUNCED, False, RejectReason.BOUNCED),
        ("Recipient address", "Message is spam", EventType.BOUNCED, False, RejectReason.SPAM),
    ],
)
def test_what_a_report_may_say(old: str, new: str, type_: EventType, final: bool, reason: RejectReason | None) -> None:
    assert old in POSTFIX
    event = only(POSTFIX.replace(old, new))
    assert (event.type, event.final, event.reason) == (type_, final, reason)


def test_several_recipients_are_several_events_each_with_its_id() -> None:
    more = "Final-Recipient: rfc822; other@example.com\nAction: failed\nStatus: 5.7.1\nLast-Attempt-Date: Wed, 25 Nov 2026 05:00:00 +0000\n"
    end = "\n--B/mx.example.org\nContent-Description: Undelivered"
    assert end in POSTFIX
    text = POSTFIX.replace(end, f"\n{more}{end}")
    events = read_dsn(text.encode(), bounces=None, now=NOW)
    assert [event.address for event in events] == ["Reader@example.com", "other@example.com"]
    assert events[1].at == datetime(2026, 11, 25, 5, 0, tzinfo=UTC)
    assert len({event.id for event in events}) == 2
    assert events == read_dsn(text.encode(), bounces=None, now=NOW)


def test_addresses_beyond_ascii() -> None:
    text = POSTFIX.replace("message/delivery-status", "message/global-delivery-status").replace(
        "Original-Recipient: rfc822;Reader@example.com", "Original-Recipient: utf-8; доктор@example.com"
    )
    (event,) = read_dsn(text.encode(), bounces=None, now=NOW)
    assert (event.type, event.reason) == (EventType.BOUNCED, RejectReason.INVALID)


def test_the_report_inside_a_returned_message_is_not_read() -> None:
    inner = EXCHANGE.replace("reader@example.net", "victim@example.org")
    outer = EXIM.replace("Message-ID: <" + RECEIPT + ">\nSubject: A railway\nFrom: desk@news.example.org\n\nThe text.\n", inner)
    assert outer != EXIM
    assert [event.address for event in read_dsn(outer.encode(), bounces=None, now=NOW)] == ["reader@example.com"]


def test_a_report_of_the_future_is_of_now() -> None:
    text = POSTFIX.replace("2026", "2030")
    assert only(text).at == NOW


@pytest.mark.parametrize(
    "text",
    [
        f"From: reader@example.com\nTo: {VERP}\nSubject: Re: A railway\n\nThank you, 550 times!\n",
        f"From: reader@example.com\nTo: {VERP}\nAuto-Submitted: auto-replied\nSubject: Out of office\n\nBack on Monday.\n",
        "",
        "no mail at all",
        "Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n\n--x--\n",
    ],
)
def test_what_is_no_report_is_no_event(text: str) -> None:
    assert list(read_dsn(text.encode(), bounces=BOUNCES, now=NOW)) == []


@settings(max_examples=150, deadline=None)
@given(
    action=st.sampled_from(["failed", "delayed", "delivered", "relayed", "expanded"]),
    status=st.tuples(st.sampled_from("245"), st.integers(0, 7), st.integers(0, 30)),
    words=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200),
    number=st.integers(1, 10**9),
    minutes=st.integers(0, 10**6),
    headers_only=st.booleans(),
)
def test_a_generated_report_is_read_as_it_was_meant(
    action: str, status: tuple[str, int, int], words: str, number: int, minutes: int, headers_only: bool
) -> None:
    when = NOW - timedelta(minutes=minutes)
    returned = EmailMessage()
    returned["Message-ID"], returned["Subject"] = f"<{number}@news.example.org>", "A railway"
    report = MIMEMultipart("report", report_type="delivery-status")
    report["To"], report["Date"] = BOUNCES.sender("abc-1-2-1", number), when.strftime("%a, %d %b %Y %H:%M:%S +0000")
    lines = MIMEBase("message", "delivery-status")
    about = EmailMessage()
    about["Reporting-MTA"] = "dns; mx.example.org"
    one = EmailMessage()
    code = ".".join(map(str, status))
    one["Final-Recipient"], one["Action"], one["Status"] = "rfc822; reader@example.com", action, code
    one["Diagnostic-Code"] = f"smtp; {words}"
    lines.set_payload([about, one])
    report.attach(MIMEText(words))
    report.attach(lines)
    report.attach(MIMEText(returned.as_string(), "rfc822-headers") if headers_only else MIMEMessage(returned))
    (event,) = read_dsn(report.as_bytes(), bounces=BOUNCES, now=NOW)
    assert (event.batch_key, event.subscriber_id, event.receipt) == ("abc-1-2-1", number, f"{number}@news.example.org")
    assert event.at == when
    wanted = {"failed": EventType.BOUNCED, "delayed": EventType.DEFERRED, "delivered": EventType.DELIVERED}.get(action, EventType.OTHER)
    given_up = action == "failed" and status[0] == "4"
    assert (event.type, event.final) == ((EventType.DEFERRED, True) if given_up else (wanted, False))
    assert (event.reason is not None) == (action == "failed")


@settings(max_examples=300, deadline=None)
@given(cut=st.integers(0, len(POSTFIX)), noise=st.binary(max_size=40), at=st.integers(0, len(POSTFIX)))
def test_nothing_in_a_mail_raises(cut: int, noise: bytes, at: int) -> None:
    raw = POSTFIX.encode()
    for mail in (raw[:cut], raw[:at] + noise + raw[at:], noise, raw.replace(b"us-ascii", noise.replace(b"\n", b"") or b"x")):
        for event in read_dsn(mail, bounces=BOUNCES, now=NOW):
            assert event.at.tzinfo is not None
            assert event.at <= NOW
