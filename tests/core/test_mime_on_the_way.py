"""The very bytes that ``filebox`` writes: signed with DKIM, handed through a real SMTP server, received unchanged, verified."""

from __future__ import annotations

import base64
import email
import email.policy
import random
import smtplib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pipeline.core.message import Batch, Content, Recipient
from pipeline.providers.filebox import Filebox
from tests.core.test_mime import URL, content, decoded

SIGNED = [
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"mime-version",
    b"content-type",
]
NAMES = {
    "english": ("China In Eurasia", "China In Eurasia: why a railway redraws the map"),
    "cyrillic": ("Редакция «Китай в Евразии»", "Китай в Евразии: зачем железная дорога перекраивает карту, и кому это выгодно"),
    "arabic": ("نشرة أوراسيا", "نشرة أوراسيا: لماذا تعيد سكة حديد رسم الخريطة"),
    "chinese": ("欧亚通讯", "欧亚通讯：一条铁路为何改写地图"),
}


class Received:
    """A mailbox behind a real SMTP server."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Takes one message."""
        assert isinstance(envelope.original_content, bytes)
        self.messages.append(envelope.original_content)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Received, int]]:
    received = Received()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(received, hostname="127.0.0.1", port=port)
    controller.start()
    yield received, port
    controller.stop()


def written(folder: Path, given: Content) -> bytes:
    """One message as filebox writes it."""
    box = Filebox(directory=folder, domain="news.example.org", now=lambda: datetime(2026, 11, 25, 6, tzinfo=UTC))
    reader = Recipient(subscriber_id=7, address="reader@example.com", unsubscribe_url=URL)
    box.send(Batch(key="c1-b1-g0", campaign="1", content=given, recipients=(reader,)))
    (path,) = folder.glob("*.eml")
    return path.read_bytes()


def prime(chance: random.Random) -> int:
    """A number of 512 bits that is prime for the purposes of a test."""
    while True:
        number = chance.getrandbits(512) | 3 << 510 | 1
        if all(pow(base, number - 1, number) == 1 for base in (2, 3, 5)):
            return number


def der(tag: int, body: bytes) -> bytes:
    """A value as DER has it (X.690 section 8.1)."""
    size = len(body)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + body


@pytest.fixture(scope="module")
def key() -> tuple[bytes, bytes]:
    """An RSA key for this test alone: the private half as PEM, the public half as its DNS record."""
    chance, e = random.Random(7), 65537
    p, q = prime(chance), prime(chance)
    d = pow(e, -1, (p - 1) * (q - 1))

    def numbers(*values: int) -> bytes:
        return der(0x30, b"".join(der(0x02, one.to_bytes(one.bit_length() // 8 + 1, "big")) for one in values))

    private = base64.encodebytes(numbers(0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)))
    return (
        b"-----BEGIN RSA PRIVATE KEY-----\n" + private + b"-----END RSA PRIVATE KEY-----\n",
        b"v=DKIM1; k=rsa; p=" + base64.b64encode(numbers(p * q, e)),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_signed_mail_arrives_as_it_left(tmp_path: Path, mailbox: tuple[Received, int], key: tuple[bytes, bytes], name: str) -> None:
    from_name, subject = NAMES[name]
    long_line = "Слово " * 400 + "\n.\n..\nFrom here\n"
    raw = written(tmp_path, content(from_name=from_name, list_name=from_name, subject=subject, text=long_line, html=f"<p>{long_line}</p>"))
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert f"\r\nList-Unsubscribe: <{URL}>\r\n".encode() in raw
    private, record = key
    signature = dkim.sign(raw, b"news", b"news.example.org", private, canonicalize=(b"relaxed", b"relaxed"), include_headers=SIGNED)
    received, port = mailbox
    with smtplib.SMTP("127.0.0.1", port) as connection:
        connection.sendmail("bounce@news.example.org", ["reader@example.com"], signature + raw)
    (arrived,) = received.messages
    assert arrived == signature + raw
    assert dkim.verify(arrived, dnsfunc=lambda _, **__: record)
    signed = signature.replace(b"\r\n", b"").replace(b" ", b"").lower()
    assert b"list-unsubscribe:list-unsubscribe-post" in signed
    for header in (b"List-Unsubscribe: <https://news", b"One-Click"):
        assert not dkim.verify(arrived.replace(header, header[:-1] + b"x", 1), dnsfunc=lambda _, **__: record)
    message = email.message_from_bytes(arrived)
    assert decoded(message["Subject"]) == subject
    assert from_name in decoded(message["From"])
    alternatives = next(part for part in message.walk() if part.get_content_type() == "multipart/alternative")
    kinds = [part.get_content_type() for part in alternatives.get_payload()]  # type: ignore[union-attr]
    assert kinds[0] == "text/plain"
    assert len(kinds) == 2


def test_the_library_that_breaks_long_addresses_is_not_used(tmp_path: Path) -> None:
    """``email.policy.SMTP`` turns a long List-Unsubscribe into encoded words; even a reader that reflows leaves ours whole."""
    raw = written(tmp_path, content())
    trapped = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert trapped["List-Unsubscribe"] == f"<{URL}>"
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"List-Unsubscribe: =?" not in head
    assert len(f"List-Unsubscribe: <{URL}>") > 78
