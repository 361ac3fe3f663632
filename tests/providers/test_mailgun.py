"""The Mailgun adapter: what it puts on the wire, and what it makes of every answer. Real HTTP over loopback throughout."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.message import Accepted, Batch, Content, InlinePicture, Outcome, Recipient, Refused, RejectReason, TryLater, Unknown
from pipeline.errors import ConfigurationError, CredentialsRefused, ProviderFault
from pipeline.providers.mailgun import Mailgun, inline_files, message_fields
from pipeline.providers.mailgun_answers import wait_seconds, without_addresses
from pipeline.providers.multipart import FormFile, form_data
from pipeline.providers.registry import make_provider
from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.run import start_in_thread

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
DOMAIN = "news.example.org"
SCHEMA = Path(os.environ.get("BRIEFING_SHARED", Path(__file__).parents[3] / "shared")) / "providers" / "openapi" / "mailgun-3.0.0.yaml"
CONTENT = Content(
    from_name="Редакция",
    from_address="briefing@news.example.org",
    reply_to="desk@example.org",
    subject="100% — Здравствуйте",
    html="<p>5% of 100%20 &amp; Здравствуйте</p>\n\n--not a boundary\r\n",
    text="5% Здравствуйте\n",
    list_id="cie.news.example.org",
    list_name="China In Eurasia",
    language="ru",
    archive_url="https://news.example.org/cie/railway",
    list_archive_url="https://news.example.org/cie/",
)


PICTURE = InlinePicture(
    content_id="ferry-abc.jpg@cie.news.example.org", name="ferry-abc.jpg", media_type="image/jpeg", data=b"\xff\xd8\0\r\n--"
)


def batch(count: int = 1, *, inline: tuple[InlinePicture, ...] = (), **changes: str) -> Batch:
    recipients = (
        Recipient(subscriber_id=i, address=f"reader{i}@example.com", unsubscribe_url=f"https://news.example.org/u/{i}")
        for i in range(1, count + 1)
    )
    return Batch(
        key="c12-b3-g0", campaign="12", content=dataclasses.replace(CONTENT, inline=inline, **changes), recipients=tuple(recipients)
    )


def mailgun(base_url: str, timeout_s: float = 10) -> Mailgun:
    return Mailgun(api_key="key-s3cret", domain=DOMAIN, base_url=base_url, now=lambda: NOW, timeout_s=timeout_s)


class Answering:
    """A server that reads one whole request a connection, keeps it, and answers with given bytes (none: it just closes)."""

    def __init__(self, answer: bytes, pause_s: float = 0.0) -> None:
        self.requests: list[bytes] = []
        self._answer, self._pause_s = answer, pause_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(self._read(connection))
                for octet in range(len(self._answer) if self._pause_s else 0):
                    time.sleep(self._pause_s)
                    try:
                        connection.sendall(self._answer[octet : octet + 1])
                    except OSError:
                        break
                if not self._pause_s:
                    connection.sendall(self._answer)

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head = data.partition(b"\r\n\r\n")[0].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(data) < len(head) + 4 + length:
            data += connection.recv(65536)
        return data

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def answer(status: int, body: str | dict[str, str], *headers: str) -> bytes:
    kind = "application/json" if isinstance(body, dict) else "text/plain"
    payload = (json.dumps(body) if isinstance(body, dict) else body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(payload)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


@contextmanager
def answering(raw: bytes, pause_s: float = 0.0) -> Iterator[Answering]:
    server = Answering(raw, pause_s)
    try:
        yield server
    finally:
        server.close()


def outcomes_of(raw: bytes, given: Batch | None = None) -> tuple[Outcome, ...]:
    with answering(raw) as server:
        provider = mailgun(server.url)
        try:
            return tuple(provider.send(given or batch()))
        finally:
            provider.close()


# What goes out


def test_the_request_read_back_by_another_parser() -> None:
    given = batch(3)
    with answering(answer(200, {"id": "<x@y>", "message": "Queued. Thank you."})) as server:
        provider = mailgun(server.url)
        provider.send(given)
        provider.close()
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v3/news.example.org/messages HTTP/1.1\r\n")
    assert b"authorization: basic yxbpomtles1zm2nyzxq=" in head.lower()
    fields = parsed_form(head, body)
    assert [value for name, value in fields if name == "to"] == [recipient.address for recipient in given.recipients]
    one = dict(fields)
    assert one["html"] == CONTENT.html
    assert one["text"] == CONTENT.text
    assert one["subject"] == CONTENT.subject
    assert one["from"] == "=?utf-8?b?0KDQtdC00LDQutGG0LjRjw==?= <briefing@news.example.org>"
    assert json.loads(one["recipient-variables"]) == {
        recipient.address: {"unsub": recipient.unsubscribe_url, "sid": str(recipient.subscriber_id)} for recipient in given.recipients
    }
    assert {name: value for name, value in one.items() if name[1] == ":"} == {
        "h:List-Id": "China In Eurasia <cie.news.example.org>",
        "h:List-Unsubscribe": "<%recipient.unsub%>",
        "h:List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "h:Reply-To": "desk@example.org",
        "h:Archived-At": "<https://news.example.org/cie/railway>",
        "h:List-Archive": "<https://news.example.org/cie/>",
        "h:Content-Language": "ru",
        "h:Message-Id": "<c12-b3-g0@news.example.org>",
        "v:batch": "c12-b3-g0",
        "v:campaign": "12",
        "v:subscriber": "%recipient.sid%",
        "o:tag": "12",
        "o:tracking": "no",
        "o:tracking-opens": "no",
        "o:tracking-clicks": "no",
    }


def parsed_form(head: bytes, body: bytes) -> list[tuple[str, str]]:
    kind = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-type:"))
    message = email.message_from_bytes(kind + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    assert not message.defects
    return [(str(part.get_param("name", header="content-disposition")), _payload(part)) for part in message.iter_parts()]


def _payload(part: Any) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_a_thousand_recipients_in_one_body() -> None:
    kind, body = form_data(message_fields(batch(1000), DOMAIN))
    fields = parsed_form(b"Content-Type: " + kind.encode(), body)
    assert [value for name, value in fields if name == "to"] == [f"reader{i}@example.com" for i in range(1, 1001)]
    assert len(json.loads(dict(fields)["recipient-variables"])) == 1000
    assert form_data(message_fields(batch(1000), DOMAIN)) == (kind, body)


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"Mailgun's OpenAPI document is not at {SCHEMA} (BRIEFING_SHARED)")
def test_the_form_against_mailguns_own_schema() -> None:
    yaml = pytest.importorskip("yaml")
    document = yaml.load(SCHEMA.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schema = document["components"]["schemas"]["POST-v3-domain_name-messages-multipart-form-data-RequestBody"]
    fields = message_fields(batch(2), DOMAIN)
    names = [name for name, _ in fields]
    assert set(schema["required"]) <= set(names)
    for name, value in fields:
        if name[:2] in ("h:", "v:"):
            continue  # the document knows them by example only
        rule = schema["properties"][name]
        assert rule["type"] == "array" or names.count(name) == 1, name
        assert value in rule.get("enum", [value]), name


def test_pictures_travel_as_inline_files_named_by_their_content_id() -> None:
    one = batch(2, inline=(PICTURE,))
    kind, body = form_data(message_fields(one, DOMAIN), inline_files(one.content))
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    *texts, file = [part for part in message.walk() if not part.is_multipart()]
    assert file["Content-Disposition"] == f'form-data; name="inline"; filename="{PICTURE.content_id}"'
    assert file.get_content_type() == "image/jpeg"
    assert body.count(PICTURE.data) == 1
    plain, plain_body = form_data(message_fields(batch(2), DOMAIN))
    assert kind != plain  # the boundary follows the files, too
    assert len(texts) == plain_body.count(b"Content-Disposition")


@pytest.mark.parametrize("name", ['a"b', "a\r\nb", "ö.jpg", ""])
def test_a_file_name_that_would_need_escaping_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="escaping"):
        form_data([("to", "a")], [FormFile("inline", name, "image/jpeg", b"")])


@pytest.mark.parametrize("trap", ["%recipient.unsub%", "%Recipient.name%", "%recipient.", "%unsubscribe_url%", "%tag_unsubscribe_url%"])
@pytest.mark.parametrize("field", ["subject", "html", "text", "from_name", "list_name"])
def test_content_that_mailgun_would_rewrite_is_refused(field: str, trap: str) -> None:
    with pytest.raises(ValueError, match="variable"):
        message_fields(batch(1, inline=(), **{field: f"before {trap} after"}), DOMAIN)


def test_too_many_options_are_refused_and_not_cut() -> None:
    with pytest.raises(ValueError, match="16384"):
        message_fields(batch(list_name="я" * 9000), DOMAIN)


def test_a_body_above_the_limit_is_refused_before_the_call() -> None:
    with pytest.raises(ValueError, match="25000000"):
        mailgun("http://127.0.0.1:1").send(batch(html="x" * 25_000_001))


# What comes back


def test_accepted() -> None:
    assert outcomes_of(answer(200, {"id": "<20261125.1@x>", "message": "Queued. Thank you."}), batch(3)) == (Accepted("20261125.1@x"),) * 3


@pytest.mark.parametrize("body", [{"message": "Queued. Thank you."}, {"id": ""}])
def test_a_receipt_without_an_id_is_a_doubt(body: dict[str, str]) -> None:
    assert isinstance(outcomes_of(answer(200, body))[0], Unknown)


@pytest.mark.parametrize("body", ["Mailgun Magnificent API", "<html>Welcome</html>"])
def test_a_page_that_is_no_mail_interface(body: str) -> None:
    with pytest.raises(ProviderFault, match="no mail was taken") as caught:
        outcomes_of(answer(200, body))
    assert not isinstance(caught.value, CredentialsRefused)
    assert "provider.mailgun.base_url" in caught.value.hint
    assert "provider.mailgun.domain" in caught.value.hint


def test_a_redirect_is_not_followed() -> None:
    with pytest.raises(ProviderFault) as caught:
        outcomes_of(answer(302, "", "Location: http://127.0.0.1:1/elsewhere"))
    assert "base_url" in caught.value.hint


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_name_the_variable_and_not_the_key(status: int) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        outcomes_of(answer(status, "Forbidden"))
    assert "BRIEFING_MAILGUN_API_KEY" in caught.value.hint
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_an_unknown_domain_names_the_setting() -> None:
    with pytest.raises(CredentialsRefused, match=DOMAIN) as caught:
        outcomes_of(answer(404, {"message": "Domain not found: news.example.org"}))
    assert "provider.mailgun.domain" in caught.value.hint


INVALID_TO = "'to' parameter is not a valid address. please check documentation"


def test_one_invalid_recipient_alone() -> None:
    (outcome,) = outcomes_of(answer(400, {"message": INVALID_TO}))
    assert isinstance(outcome, Refused)
    assert outcome.reason is RejectReason.INVALID


def test_a_fault_of_ours_does_not_mark_the_reader_invalid() -> None:
    (outcome,) = outcomes_of(answer(400, {"message": "'from' parameter is not a valid address. please check documentation"}))
    assert isinstance(outcome, Refused)
    assert outcome.reason is RejectReason.OTHER


def test_the_named_recipient_is_refused_and_the_others_may_go_again() -> None:
    first, second, third = outcomes_of(answer(400, {"message": "'to' parameter: <Reader2@example.com> is not a valid address"}), batch(3))
    assert first == third
    assert isinstance(first, TryLater)
    assert first.after_s == 0
    assert isinstance(second, Refused)
    assert second.reason is RejectReason.INVALID
    assert "@" not in second.detail


def test_nobody_named_refuses_the_batch() -> None:
    outcomes = outcomes_of(answer(400, {"message": INVALID_TO}), batch(3))
    assert [isinstance(outcome, Refused) and outcome.reason for outcome in outcomes] == [RejectReason.OTHER] * 3


@pytest.mark.parametrize("status", [402, 405, 413, 422])
def test_other_refusals(status: int) -> None:
    (outcome,) = outcomes_of(answer(status, "no"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is RejectReason.OTHER


@pytest.mark.parametrize("status", [202, 500, 502, 503, 504])
def test_what_may_have_been_taken_is_in_doubt(status: int) -> None:
    assert isinstance(outcomes_of(answer(status, {"message": "?"}))[0], Unknown)


@pytest.mark.parametrize("status", [429, 420])
def test_throttled(status: int) -> None:
    (outcome,) = outcomes_of(answer(status, {"message": "limit exceeded, try again after 120 seconds"}))
    assert isinstance(outcome, TryLater)
    assert outcome.after_s == 120


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("", "account-requests-per-sec limit exceeded, try again after 120 seconds", 120),
        ("", '{"message": "recipient limit exceeded, try again after Wed, 25 Nov 2026 06:05:00 UTC"}', 300),
        ("", "recipient limit exceeded, try again after 2026-11-25T06:01:30Z", 90),
        ("7", "slow down", 7),
        ("Wed, 25 Nov 2026 06:00:30 GMT", "", 30),
        ("", "slow down", 60),
        ("²", "slow down", 60),
        ("9" * 400, "slow down", 60),
        ("", "try again after 9999999999 Jan 99999", 60),
        ("", "try again after tomorrow", 60),
        ("", "try again after 0 seconds", 1),
        ("Wed, 25 Nov 2020 06:00:30 GMT", "", 1),
        ("", "try again after 99999999 seconds", 86_400),
    ],
)
def test_how_long_to_wait(header: str, body: str, seconds: float) -> None:
    assert wait_seconds(header, body, NOW) == seconds


def test_retry_after_header_is_read() -> None:
    assert outcomes_of(answer(429, "no", "Retry-After: 33"))[0] == TryLater(33.0, "mailgun answered 429: no")


def test_closed_without_an_answer_is_in_doubt() -> None:
    assert isinstance(outcomes_of(b"")[0], Unknown)


def test_half_an_answer_is_in_doubt() -> None:
    assert isinstance(outcomes_of(answer(200, {"id": "<x@y>"})[:-4])[0], Unknown)


def test_nobody_there_may_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    provider = mailgun(url)
    (outcome,) = provider.send(batch())
    provider.close()
    assert isinstance(outcome, TryLater)
    assert outcome.after_s == 10
    assert "cannot reach" in outcome.detail


def test_a_trickle_does_not_outlast_the_timeout() -> None:
    """Each octet arrives within the timeout, the whole never does."""
    with answering(answer(200, {"id": "<x@y>"}), pause_s=0.1) as server:
        provider = mailgun(server.url, timeout_s=0.5)
        begun = time.monotonic()
        (outcome,) = provider.send(batch())
        assert time.monotonic() - begun < 2
        provider.close()
    assert isinstance(outcome, Unknown)
    assert "0.5 s" in outcome.detail


@pytest.mark.parametrize(
    ("fault", "check", "stored"),
    [
        ("drop-after", Unknown, 2),
        ("drop-before", Unknown, 0),
        ("5xx", Unknown, 0),
        ("5xx-after", Unknown, 2),
        ("429", TryLater, 0),
        ("refuse", Refused, 0),
    ],
)
def test_the_sandboxs_faults_seen_from_the_adapter(tmp_path: Path, fault: str, check: type[Outcome], stored: int) -> None:
    server = start_in_thread(tmp_path / "s.db", faults=parse_faults(f"{fault}=1x"), api_key="key-s3cret")
    provider = mailgun(server.url)
    first, second = provider.send(batch(2)), provider.send(batch(2))
    mails = server.store.stats().mails
    provider.close()
    server.stop()
    assert all(isinstance(outcome, check) for outcome in first)
    assert all(isinstance(outcome, Accepted) for outcome in second)
    assert mails == stored + 2


def test_several_threads_at_once(tmp_path: Path) -> None:
    server = start_in_thread(tmp_path / "s.db", api_key="key-s3cret")
    provider = mailgun(server.url)
    found: list[Outcome] = []

    def go(number: int) -> None:
        mine = dataclasses.replace(batch(20), key=f"c1-b{number}-g0")
        found.extend(provider.send(mine))

    threads = [threading.Thread(target=go, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls = server.store.stats().calls
    provider.close()
    server.stop()
    assert calls == 8
    assert len(found) == 160
    assert all(isinstance(outcome, Accepted) for outcome in found)


def test_details_hold_no_address() -> None:
    assert without_addresses("bad: <a.b+c@example.com>,\n 'd@e.example'") == "bad: <[address]>, '[address]'"


# Settings


def test_no_secret_in_the_repr() -> None:
    assert "s3cret" not in repr(mailgun("https://api.mailgun.net"))


@pytest.mark.parametrize("base_url", ["", "ftp://x.example", "api.mailgun.net", "https://user:pw@x.example"])
def test_a_base_url_that_is_none(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        mailgun(base_url)


@pytest.mark.parametrize(
    ("name", "settings", "missing"),
    [
        ("mailgun", {"domain": DOMAIN}, "API_KEY"),
        ("mailgun", {"api_key": "k", "domain": ""}, "DOMAIN"),
        ("sandbox", {}, "BASE_URL"),
        ("filebox", {}, "DIRECTORY"),
    ],
)
def test_a_missing_setting_is_named_with_its_variable(name: str, settings: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"provider.{name}.{missing.lower()}") as caught:
        make_provider(name, settings, lambda: NOW)
    assert f"BRIEFING_{name.upper()}_{missing}" in caught.value.hint


def test_unknown_and_unusable_settings() -> None:
    with pytest.raises(ConfigurationError, match="pigeon") as caught:
        make_provider("pigeon", {}, lambda: NOW)
    assert "mailgun" in caught.value.hint
    with pytest.raises(ConfigurationError, match="base_url"):
        make_provider("sandbox", {"base_url": "nonsense"}, lambda: NOW)
