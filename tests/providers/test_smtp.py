"""The SMTP adapter over real sockets: a scripted server that answers or cuts at each step, and aiosmtpd."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from pipeline.core.message import Accepted, Batch, Content, Outcome, Recipient, Refused, RejectReason, TryLater, Unknown
from pipeline.errors import ConfigurationError, CredentialsRefused, ProviderFault
from pipeline.providers.base import Provider
from pipeline.providers.bounces import Bounces
from pipeline.providers.registry import make_provider
from pipeline.providers.smtp_answers import Reply, Stage, outcome_of
from tests.providers.smtp_servers import CUT, DRIP, SILENT, aiosmtpd_server, certificate, scripted

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
CONTENT = Content(
    from_name="Desk", from_address="desk@news.example.org", reply_to="", subject="A railway", html="<p>.\r\n.x</p>\n" * 40,
    text=".\n..dots\n" * 40, list_id="list.example.org", list_name="List", language="en", archive_url="",
)  # fmt: skip
Open = Callable[..., Provider]


def batch(count: int, *addresses: str) -> Batch:
    whole = [*addresses, *(f"r{i}@example.com" for i in range(len(addresses), count))]
    readers = (Recipient(subscriber_id=i, address=a, unsubscribe_url=f"https://x.example/{i}") for i, a in enumerate(whole, 1))
    return Batch(key="abc-1-2-1", campaign="abc-1", content=CONTENT, recipients=tuple(readers))


@pytest.fixture
def opened() -> Iterator[Open]:
    """Makes adapters for a server on this machine, and closes them."""
    made: list[Provider] = []

    def open_(port: int, **settings: str) -> Provider:
        plain = {"host": "127.0.0.1", "port": str(port), "domain": "news.example.org", "security": "none", "timeout": "6"}
        made.append(make_provider("smtp", plain | settings, lambda: NOW))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def words(outcomes: object) -> str:
    assert isinstance(outcomes, tuple)
    return " ".join({Accepted: "accepted", Refused: "refused", TryLater: "later", Unknown: "unknown"}[type(one)] for one in outcomes)


# Where a connection may break, on its first and on each further try: what the three messages of a batch come to.
STEPS: dict[str, tuple[tuple[Mapping[str, str], ...], str, int]] = {
    "all is well": (({},), "accepted accepted accepted", 3),
    "cut before the greeting": (({"connect": CUT},), "later later later", 0),
    "cut at EHLO": (({"EHLO": CUT},), "later later later", 0),
    "cut at MAIL, well again": (({"MAIL:2": CUT}, {}), "accepted accepted accepted", 3),
    "cut at RCPT, well again": (({"RCPT:2": CUT}, {}), "accepted accepted accepted", 3),
    "cut at DATA, well again": (({"DATA:2": CUT}, {}), "accepted accepted accepted", 3),
    "cut after the dot, well again": (({"dot:2": CUT}, {}), "accepted unknown accepted", 2),
    "cut after every dot": (({"dot": CUT},), "unknown unknown unknown", 0),
    "nonsense after the dot": (({"dot:2": "what?"}, {}), "accepted unknown accepted", 2),
    "354 after the dot": (({"dot:2": "354 more"}, {}), "accepted unknown accepted", 2),
    "cut at the second EHLO": (({"dot": CUT}, {"EHLO": CUT}), "unknown later later", 0),
    "refused at RCPT": (({"RCPT:2": "550 5.1.1 no such user"},), "accepted refused accepted", 2),
    "later at RCPT": (({"RCPT:2": "450 4.2.0 greylisted"},), "accepted later accepted", 2),
    "refused after the dot": (({"dot:2": "554 5.7.1 looks like spam"},), "accepted refused accepted", 2),
    "later after the dot": (({"dot:2": "451 4.3.0 queue file"},), "accepted later accepted", 2),
    "421 at MAIL: a limit of the connection": (({"MAIL:2": "421 4.7.0 enough"}, {}), "accepted accepted accepted", 3),
    "421 at every MAIL": (({"MAIL": "421 4.7.0 enough"},), "later later later", 0),
    "421 at RCPT": (({"RCPT:2": "421 4.7.0 slow down"}, {}), "accepted later accepted", 2),
    "451 greeting on the second connection": (({"dot:2": CUT}, {"connect": "451 busy"}), "accepted unknown later", 1),
    "a login is wanted half-way": (({"MAIL:2": "530 5.7.0 login"},), "accepted later later", 1),
    "nonsense at MAIL": (({"MAIL:2": "what?"}, {}), "accepted accepted accepted", 3),
}


@pytest.mark.parametrize("what", STEPS)
def test_where_a_connection_may_break(opened: Open, what: str) -> None:
    script, said, taken = STEPS[what]
    with scripted(*script) as server:
        assert words(opened(server.port).send(batch(3))) == said
        assert len(server.taken) == taken
        assert len({re.search(rb"Message-ID: <(\S+)>", one)[1] for one in server.taken}) == taken  # type: ignore[index]


@pytest.mark.parametrize(("again", "said"), [({}, "accepted"), ({"body": CUT}, "later")])
def test_a_connection_that_breaks_in_the_body(opened: Open, again: Mapping[str, str], said: str) -> None:
    """More than the buffers between the two hold, so that the sender notices before the end; else it is a doubt."""
    large = replace(batch(1), content=replace(CONTENT, text="x" * 70 + "\n", html=("y" * 70 + "\n") * 200_000))
    with scripted({"body": CUT}, again) as server:
        assert words(opened(server.port, timeout="60").send(large)) == said
        assert len(server.taken) == (said == "accepted")


@pytest.mark.parametrize("answer", ["250 2.0.0 Ok: que", "25", "250", "250-2.0.0 Ok\r\n250-and"])
def test_an_answer_that_breaks_off_is_none(opened: Open, answer: str) -> None:
    with scripted({"dot": f"half {answer}"}) as server:
        assert words(opened(server.port).send(batch(1))) == "unknown"


@pytest.mark.parametrize(
    ("step", "answer", "said"),
    [
        ("dot:2", SILENT, "accepted unknown later"),
        ("dot:2", DRIP, "accepted unknown later"),
        ("RCPT:2", SILENT, "accepted later later"),
        ("RCPT:2", DRIP, "accepted later later"),
        ("connect", SILENT, "later later later"),
        ("connect", DRIP, "later later later"),
    ],
)
def test_a_call_ends_in_its_time_and_nothing_leaves_later(opened: Open, step: str, answer: str, said: str) -> None:
    with scripted({step: answer}) as server:
        begun = time.monotonic()
        assert words(opened(server.port, timeout="1.5").send(batch(3))) == said
        assert time.monotonic() - begun < 4
        before = list(server.seen)
        time.sleep(0.5)
        assert server.seen == before


def test_no_message_begins_in_the_second_half(opened: Open) -> None:
    with scripted({"RCPT:2": DRIP}) as server:  # 20 s of dripping, but the call has only 6
        provider = opened(server.port, timeout="2")
        outcomes = provider.send(batch(3))
        assert isinstance(outcomes[2], TryLater)
        assert server.seen.count("MAIL") == 2


@pytest.mark.parametrize(
    ("steps", "error", "hint"),
    [
        ({"connect": "554 no service"}, ProviderFault, "host"),
        ({"connect": "HTTP/1.1 400 Bad Request"}, ProviderFault, "host"),
        ({"EHLO": "502 what"}, ProviderFault, "host"),
        ({"MAIL": "530 5.7.0 login first"}, CredentialsRefused, "BRIEFING_SMTP_PASSWORD"),
    ],
)
def test_what_no_other_batch_would_survive_is_an_error(
    opened: Open, steps: Mapping[str, str], error: type[ProviderFault], hint: str
) -> None:
    with scripted(steps) as server, pytest.raises(error) as caught:
        opened(server.port).send(batch(2))
    assert hint in caught.value.hint
    assert not server.taken


def test_nobody_listens(opened: Open) -> None:
    with scripted({}) as server:
        port = server.port
    assert words(opened(port).send(batch(2))) == "later later"


TABLE = [
    (Stage.RCPT, 550, "5.1.1 <a@b.example>: unknown user", RejectReason.INVALID),
    (Stage.RCPT, 550, "5.1.10 null MX", RejectReason.INVALID),
    (Stage.RCPT, 550, "5.1.2 no such domain", RejectReason.INVALID),
    (Stage.RCPT, 550, "No such user here", RejectReason.INVALID),
    (Stage.RCPT, 552, "5.2.2 mailbox full", RejectReason.BOUNCED),
    (Stage.RCPT, 550, "5.2.1 disabled", RejectReason.BOUNCED),
    (Stage.RCPT, 554, "5.7.1 access denied by policy", RejectReason.BLOCKED),
    (Stage.RCPT, 554, "5.7.1 <a@b.example>: Relay access denied", RejectReason.OTHER),
    (Stage.RCPT, 554, "transaction failed", RejectReason.OTHER),
    (Stage.MAIL, 553, "5.7.1 not your address", RejectReason.OTHER),
    (Stage.MAIL, 550, "5.1.8 sender domain", RejectReason.OTHER),
    (Stage.END, 554, "5.7.1 this looks like spam", RejectReason.SPAM),
    (Stage.END, 550, "5.7.26 unauthenticated", RejectReason.BLOCKED),
    (Stage.END, 552, "5.3.4 too big", RejectReason.OTHER),
    (Stage.END, 550, "no", RejectReason.OTHER),
]


@pytest.mark.parametrize(("stage", "code", "text", "reason"), TABLE)
def test_the_reasons_of_a_refusal(stage: Stage, code: int, text: str, reason: RejectReason) -> None:
    outcome = outcome_of(Reply(stage, code, text), "x@y")
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason
    assert "@" not in outcome.detail
    assert str(code) in outcome.detail


@pytest.mark.parametrize("code", [421, 450, 451, 452, 454])
@pytest.mark.parametrize("stage", list(Stage))
def test_4yz_is_never_taken(stage: Stage, code: int) -> None:
    outcome: Outcome = outcome_of(Reply(stage, code, "4.0.0 later"), "x@y")
    assert isinstance(outcome, TryLater)
    assert outcome.after_s == 60


def test_what_arrives_is_what_was_meant(opened: Open) -> None:
    with aiosmtpd_server() as inbox:
        outcomes = opened(inbox.port).send(batch(3))
    assert outcomes == tuple(Accepted(f"abc-1-2-1-{i}@news.example.org") for i in (1, 2, 3))
    assert [(sender, to) for sender, to, _ in inbox.mails] == [("desk@news.example.org", f"r{i}@example.com") for i in range(3)]
    assert all(b"\r\n." not in message.replace(b"\r\n..", b"") or b"\r\n." in message for _, _, message in inbox.mails)
    bodies = {message.partition(b"\r\n\r\n")[2] for _, _, message in inbox.mails}
    assert len(bodies) == 1
    assert inbox.connections == 1


def test_connections_are_used_again_and_a_dead_one_is_noticed_before_mail(opened: Open) -> None:
    with aiosmtpd_server() as inbox:
        provider = opened(inbox.port)
        for _ in range(3):
            provider.send(batch(2))
        assert (inbox.connections, len(inbox.mails)) == (1, 6)
    with scripted({"RSET": CUT}, {}) as server:
        provider = opened(server.port)
        assert words(provider.send(batch(1))) == "accepted"
        assert words(provider.send(batch(1))) == "accepted"
        assert (server.connections, len(server.taken)) == (2, 2)


def test_several_threads_have_a_connection_each(opened: Open) -> None:
    with aiosmtpd_server() as inbox:
        provider, said = opened(inbox.port), list[str]()
        threads = [Thread(target=lambda: said.append(words(provider.send(batch(10))))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert said == [" ".join(["accepted"] * 10)] * 4
        assert len(inbox.mails) == 40
        assert 1 <= inbox.connections <= 4
        provider.send(batch(1))
        assert inbox.connections <= 4


def test_one_refused_reader_does_not_spoil_the_next(opened: Open) -> None:
    with aiosmtpd_server() as inbox:
        inbox.answers["r1@example.com"] = "550 5.1.1 <r1@example.com>: no such user"
        outcomes = opened(inbox.port).send(batch(3))
    assert words(outcomes) == "accepted refused accepted"
    assert "r1@" not in repr(outcomes)


def test_too_large_for_the_server(opened: Open) -> None:
    with aiosmtpd_server(size=1000) as inbox:
        outcomes = opened(inbox.port).send(batch(2))
    assert words(outcomes) == "refused refused"
    assert outcomes[0] == outcomes[1]  # a fault of the issue, read as one
    assert not inbox.mails


@pytest.mark.parametrize(("smtputf8", "said"), [(True, "accepted accepted"), (False, "refused accepted")])
def test_an_address_beyond_ascii(opened: Open, smtputf8: bool, said: str) -> None:
    with aiosmtpd_server(smtputf8=smtputf8) as inbox:
        assert words(opened(inbox.port).send(batch(2, "доктор@example.com"))) == said
    assert [to for _, to, _ in inbox.mails] == ["доктор@example.com", "r1@example.com"][not smtputf8 :]


# TLS and logins


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_with_a_certificate_that_is_trusted(opened: Open, tmp_path: Path, security: str) -> None:
    context, authority = certificate(tmp_path)
    with aiosmtpd_server(tls=context, implicit=security == "tls") as inbox:
        provider = opened(inbox.port, security=security, host="localhost", certificates=str(authority))
        assert words(provider.send(batch(2))) == "accepted accepted"
        assert words(provider.send(batch(2))) == "accepted accepted"
        assert inbox.connections <= 2


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_tls_with_a_certificate_that_is_not(opened: Open, tmp_path: Path, security: str, wrong: str) -> None:
    context, authority = certificate(tmp_path, name="localhost" if wrong == "authority" else "mx.example.net", address="127.0.0.9")
    settings = {"certificates": str(authority)} if wrong == "name" else {}
    with aiosmtpd_server(tls=context, implicit=security == "tls") as inbox, pytest.raises(ProviderFault, match="certificate"):
        opened(inbox.port, security=security, host="localhost", **settings).send(batch(1))
    assert not inbox.mails


def test_no_starttls_no_mail(opened: Open) -> None:
    with scripted({}) as server, pytest.raises(ProviderFault, match="STARTTLS"):
        opened(server.port, security="starttls").send(batch(1))
    assert "MAIL" not in server.seen


def test_tls_with_a_server_that_speaks_none(opened: Open) -> None:
    with scripted({}) as server, pytest.raises(ProviderFault, match="no TLS"):
        opened(server.port, security="tls").send(batch(1))


def test_a_login(opened: Open, tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)
    tls = {"security": "starttls", "host": "localhost", "certificates": str(authority)}
    with aiosmtpd_server(tls=context, login=("desk", "пароль 1")) as inbox:
        assert words(opened(inbox.port, username="desk", password="пароль 1", **tls).send(batch(1))) == "accepted"
        with pytest.raises(CredentialsRefused) as caught:
            opened(inbox.port, username="desk", password="secret-x", **tls).send(batch(1))
        assert "secret-x" not in f"{caught.value.message}{caught.value.hint}"
        with pytest.raises(CredentialsRefused):
            opened(inbox.port, **tls).send(batch(1))
    assert len(inbox.mails) == 1


@pytest.mark.parametrize(("auth", "error"), [({"EHLO": "250-x\r\n250 AUTH LOGIN", "AUTH": "454 4.7.0 later"}, None), ({}, ProviderFault)])
def test_a_login_that_fails_for_now_or_is_not_offered(opened: Open, auth: Mapping[str, str], error: type[ProviderFault] | None) -> None:
    with scripted(auth) as server:
        provider = opened(server.port, username="desk", password="secret")
        if error:
            with pytest.raises(error, match="AUTH"):
                provider.send(batch(1))
        else:
            assert words(provider.send(batch(2))) == "later later"
    assert "MAIL" not in server.seen


# Return addresses


def test_each_message_has_a_return_address_of_its_own(opened: Open) -> None:
    settings = {"bounces": "Bounce@news.example.org", "bounce_key": "k" * 32}
    with aiosmtpd_server() as inbox:
        opened(inbox.port, **settings).send(batch(3))
    bounces = Bounces("bounce@news.example.org", "k" * 32)
    assert [bounces.read(sender.upper()) for sender, _, _ in inbox.mails] == [("abc-1-2-1", i) for i in (1, 2, 3)]
    assert all(len(sender.partition("@")[0]) <= 64 and "r1" not in sender for sender, _, _ in inbox.mails)


def test_a_return_address_that_was_not_made_here_says_nothing() -> None:
    bounces = Bounces("bounce@news.example.org", "k" * 32)
    good = bounces.sender("abc-1-2-1", 7)
    assert bounces.read(good) == ("abc-1-2-1", 7)
    for bad in (
        good.replace("2-1.7.", "2-1.8."),
        good.replace("abc", "abd"),
        good.replace("news.", "other."),
        good.replace("+", "-"),
        good[: good.index("@") - 1] + good[good.index("@") :],
        "bounce+@news.example.org",
        "bounce+1.@news.example.org",
        "",
    ):
        assert bounces.read(bad) is None, bad
    assert Bounces("bounce@news.example.org", "j" * 32).read(good) is None
    with pytest.raises(ValueError, match="characters"):
        bounces.sender("k" * 50, 7)


@pytest.mark.parametrize(
    "settings",
    [
        {"security": "none", "host": "mail.example.org"},
        {"security": "ssl"},
        {"port": "0"},
        {"port": "smtp"},
        {"domain": "no domain"},
        {"helo": "a b"},
        {"username": "desk"},
        {"bounces": "bounce@news.example.org"},
        {"bounces": "bounce@news.example.org", "bounce_key": "short"},
        {"bounces": "nobody", "bounce_key": "k" * 32},
        {"certificates": "/no/such/file.pem"},
        {"dkim_key": "x"},
        {"dkim_key": "x", "dkim_selector": "s1"},
        {"host": ""},
        {"timeout": "0"},
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, str]) -> None:
    plain = {"host": "127.0.0.1", "domain": "news.example.org", "security": "none"}
    with pytest.raises(ConfigurationError, match="smtp"):
        make_provider("smtp", plain | settings, lambda: NOW)
