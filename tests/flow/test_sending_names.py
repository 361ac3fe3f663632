"""SPF, DKIM and DMARC as a receiver finds them, asked of a real name server on this machine."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipeline.flow.sending_names import Unasked, examine, txt_lookup
from pipeline.providers.base import SendingNames
from pipeline.providers.dkim import Signer, digest_of_body
from pipeline.providers.registry import make_provider
from tests.flow.dns_server import Zone, name_server

FROM = "news.example.org"
OURS = SendingNames(envelope=FROM, spf_includes="mailgun.org", dkim_domain=FROM, dkim_selector="s1", dkim_key="QUJD")
GOOD: Zone = {
    FROM: ["v=spf1 include:mailgun.org ~all", "other words"],
    f"s1._domainkey.{FROM}": ["v=DKIM1; k=rsa; p=QU JD"],
    f"_dmarc.{FROM}": ["v=DMARC1; p=quarantine; rua=mailto:x@example.org"],
}


def said(zone: Zone, names: SendingNames = OURS, domain: str = FROM) -> dict[str, tuple[bool, str]]:
    with name_server(zone) as (host, port):
        found = examine(domain, names, txt_lookup(host, port))
    return {one.what.partition(" ")[0]: (one.ok, one.said) for one in found}


def test_all_is_well() -> None:
    found = said(GOOD)
    assert {ok for ok, _ in found.values()} == {True}
    assert "the key that we sign with" in found["DKIM"][1]
    assert "p=quarantine; SPF and DKIM fit" in found["DMARC"][1]


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        ({FROM: []}, "SPF", "no SPF record"),
        ({FROM: ["v=spf1 -all", "v=spf1 include:mailgun.org"]}, "SPF", "2 SPF records"),
        ({FROM: ["v=spf1 include:other.example -all"]}, "SPF", "without include:mailgun.org"),
        ({FROM: ["v=spf1 include:loop.example -all"], "loop.example": ["v=spf1 include:loop.example"]}, "SPF", "without include"),
        ({FROM: ["v=spf10 include:mailgun.org"]}, "SPF", "no SPF record"),
        ({f"s1._domainkey.{FROM}": []}, "DKIM", "has no key"),
        ({f"s1._domainkey.{FROM}": ["v=DKIM1; p="]}, "DKIM", "withdrawn"),
        ({f"s1._domainkey.{FROM}": ["v=DKIM1; p=WFla"]}, "DKIM", "another key"),
        ({f"_dmarc.{FROM}": []}, "DMARC", "no DMARC record"),
        ({f"_dmarc.{FROM}": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "DMARC", "no DMARC record"),
        ({FROM: "SERVFAIL"}, "SPF", "gave no answer"),
    ],
)
def test_each_fault_is_named(change: Zone, what: str, words: str) -> None:
    found = said({**GOOD, **change})
    assert {name for name, (ok, _) in found.items() if not ok} == {what}
    assert words in found[what][1]


def test_an_include_behind_an_include_counts_and_so_does_an_alias() -> None:
    deep = {FROM: ["v=spf1 include:a.example -all"], "a.example": ["v=spf1 include:eu.mailgun.org ~all"]}
    assert said({**GOOD, **deep})["SPF"][0]
    assert said({**GOOD, f"s1._domainkey.{FROM}": "key.provider.example", "key.provider.example": ["p=QUJD"]})["DKIM"][0]


@pytest.mark.parametrize(
    ("signer", "policy", "fits"),
    [
        ("mg.news.example.org", "v=DMARC1; p=none", True),
        ("mg.news.example.org", "v=DMARC1; p=none; adkim=s; aspf=s", False),
        ("example.org", "v=DMARC1; p=none", True),
        ("other.example.org", "", True),
        ("provider.example", "v=DMARC1; p=none", False),
    ],
)
def test_the_signature_must_fit_the_sender(signer: str, policy: str, fits: bool) -> None:
    names = SendingNames(envelope=signer, dkim_domain=signer, dkim_selector="s1")
    zone: Zone = {
        signer: ["v=spf1 -all"], f"s1._domainkey.{signer}": ["p=QUJD"],
        f"_dmarc.{FROM}": [policy] if policy else [], "_dmarc.example.org": ["v=DMARC1; p=reject"],
    }  # fmt: skip
    ok, words = said(zone, names)["DMARC"]
    assert ok is fits
    assert ("fit the From address" in words) is fits


def test_what_only_the_provider_knows_is_no_fault() -> None:
    found = said({f"_dmarc.{FROM}": ["v=DMARC1; p=none"]}, SendingNames(dkim_domain=FROM))
    assert {ok for ok, _ in found.values()} == {True}
    found = said({f"_dmarc.{FROM}": ["v=DMARC1; p=none"]}, SendingNames(envelope=f"send.{FROM}", envelope_optional=True))
    assert found["SPF"][0] and "unless" in found["SPF"][1]


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.flow.sending_names.TIMEOUT_S", 0.3)
    with name_server({FROM: "SILENT"}) as (host, port), pytest.raises(Unasked, match=FROM):
        txt_lookup(host, port)(FROM)


def _pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_our_public_key_is_the_one_dkimpy_verifies_with(kind: str) -> None:
    import dkim

    key: Any = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
    signer = Signer(domain=FROM, selector="s1", private_key=_pem(key))
    head, body = b"From: a@news.example.org\r\nTo: b@example.org\r\nSubject: x\r\n", b"Words.\r\n"
    signature = signer.sign(head, digest_of_body(body), datetime.now(UTC))
    record = f"v=DKIM1; k={kind}; p={signer.public_key}".encode()
    if kind == "rsa":  # dkimpy needs one more package for the other
        assert dkim.verify(signature + head + b"\r\n" + body, dnsfunc=lambda name, timeout=5: record)
    else:
        assert base64.b64decode(signer.public_key) == key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    settings = {"host": "127.0.0.1", "security": "none", "domain": FROM, "dkim_key": _pem(key), "dkim_selector": "s1"}
    names = make_provider("smtp", settings, lambda: datetime.now(UTC)).names(FROM)
    assert names == SendingNames(envelope=FROM, dkim_domain=FROM, dkim_selector="s1", dkim_key=signer.public_key)
    assert names is not None
    zone: Zone = {**GOOD, FROM: ["v=spf1 mx -all"], f"s1._domainkey.{FROM}": [record.decode()]}
    assert {ok for ok, _ in said(zone, names).values()} == {True}
