"""Our DKIM signatures, verified by dkimpy, which shares no line with them, after a transfer through a real SMTP server."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pipeline.providers.dkim import OVERSIGNED, SIGNED, Signer, digest_of_body
from pipeline.providers.registry import make_provider
from tests.providers.smtp_servers import aiosmtpd_server
from tests.providers.test_smtp import CONTENT, batch

NOW = datetime(2026, 1, 7, 6, 0, tzinfo=UTC)
"""In the past: a verifier takes no signature of the future."""

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
PLAIN = serialization.NoEncryption()
Dns = Callable[..., bytes]


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, PLAIN).decode()


def record(name: bytes, **_: object) -> bytes:
    """What the DNS would say of our selector."""
    assert name == b"s2026._domainkey.news.example.org."
    der = RSA.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def test_a_signature_survives_the_transfer() -> None:
    content = replace(
        CONTENT, from_name="Редакция", subject="Почему новая железная дорога меняет карту  Евразии", reply_to="desk@example.org",
        html="<p>.\n trailing \t \n\n  two  blanks</p>\n\n\n", text="Тире — и точка\n.\n..\n \t\nEnd   \n\n\n", language="ru",
        archive_url="https://news.example.org/x", list_name="Китай в Евразии",
    )  # fmt: skip
    settings = {"host": "127.0.0.1", "domain": "news.example.org", "security": "none", "dkim_selector": "s2026", "dkim_key": pem(RSA)}
    with aiosmtpd_server() as inbox:
        provider = make_provider("smtp", settings | {"port": str(inbox.port)}, lambda: NOW)
        provider.send(replace(batch(3), content=content))
        provider.close()
    assert len(inbox.mails) == 3
    for _, _, message in inbox.mails:
        verifier = dkim.DKIM(message, minkey=2048)
        assert verifier.verify(dnsfunc=record)
        covered = [name.decode().lower() for name in verifier.include_headers]
        assert {"list-unsubscribe", "list-unsubscribe-post"} < set(covered)
        assert {name: covered.count(name) for name in set(covered)} == {name: 1 + (name in OVERSIGNED) for name in SIGNED}
        assert max(map(len, message.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m.replace(b"Subject: ", b"Subject: Not ", 1),
        lambda m: m.replace(b"https://x.example/1", b"https://y.example/1", 1),
        lambda m: m.replace(b"List-Unsubscribe=One-Click", b"List-Unsubscribe=No", 1),
        lambda m: b"Subject: Another\r\n" + m,
        lambda m: b"From: other@example.com\r\n" + m,
        lambda m: m + b"more\r\n",
        lambda m: m.replace(b"dots", b"d0ts", 1),
    ],
)
def test_what_is_changed_or_added_breaks_it(spoil: Callable[[bytes], bytes]) -> None:
    message = signed()
    assert dkim.verify(message, dnsfunc=record)
    assert spoil(message) != message
    assert not dkim.verify(spoil(message), dnsfunc=record)


def test_folding_on_the_way_does_not() -> None:
    message = signed().replace(b"Subject: A railway", b"subject:   A \r\n\trailway", 1)
    assert dkim.verify(message, dnsfunc=record)


def signed(private_key: str | None = None) -> bytes:
    head = (
        b"From: Desk <desk@news.example.org>\r\nTo: r@example.com\r\nSubject: A railway\r\nDate: Wed, 25 Nov 2026 06:00:00 +0000\r\n"
        b"Message-ID: <x@news.example.org>\r\nList-Unsubscribe: <https://x.example/1>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )
    body = b"dots \t and\tblanks  \r\n\r\n \r\n"
    signer = Signer(domain="news.example.org", selector="s2026", private_key=private_key or pem(RSA))
    return signer.sign(head, digest_of_body(body), NOW) + head + b"\r\n" + body


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b" \t\r\n", b"x", b"x\r\n", b" x  y\t\tz \r\n\r\n a\r\n"])
def test_the_digest_of_a_body_is_dkimpys(body: bytes) -> None:
    head = b"From: a@x.example\r\nTo: b@x.example\r\n"
    key = RSA.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, PLAIN)
    theirs = dkim.sign(head + b"\r\n" + body, b"s", b"x.example", key, canonicalize=(b"relaxed", b"relaxed"))
    found = re.search(rb"bh=([^;]+);", re.sub(rb"\s", b"", theirs))
    assert found is not None
    assert base64.b64decode(found[1]) == digest_of_body(body)


def test_ed25519_signs_the_digest_of_what_rsa_would_sign() -> None:
    """dkimpy wants PyNaCl for it, so the octets are held against the library's own verification (RFC 8463 section 3)."""
    message = signed(pem(ED25519))
    assert b"a=ed25519-sha256" in message
    field = message.partition(b"\r\nFrom:")[0].partition(b":")[2].replace(b"\r\n", b"")
    field, _, signature = field.rpartition(b"b=")
    head = dict(re.findall(rb"^([A-Za-z-]+): (.*)\r\n", message.partition(b"\r\n\r\n")[0] + b"\r\n", re.MULTILINE))
    names = [b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe", b"list-unsubscribe-post"]
    values = {name.lower(): value for name, value in head.items()}
    covered = b"".join(name + b":" + values[name] + b"\r\n" for name in names)
    covered += b"dkim-signature:" + re.sub(rb" +", b" ", field).strip() + b" b="
    ED25519.public_key().verify(base64.b64decode(re.sub(rb"\s", b"", signature)), hashlib.sha256(covered).digest())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"private_key": "no key"}, "PEM"),
        ({"private_key": pem(ec.generate_private_key(ec.SECP256R1()))}, "neither RSA"),
        ({"selector": "a b"}, "dkim_selector"),
        ({"domain": "exa_mple;d=x"}, "dkim_domain"),
    ],
)
def test_what_cannot_sign(changes: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Signer(**({"domain": "news.example.org", "selector": "s", "private_key": pem(RSA)} | changes))


def test_no_key_in_a_repr() -> None:
    assert "PRIVATE" not in repr(Signer(domain="news.example.org", selector="s", private_key=pem(RSA)))
