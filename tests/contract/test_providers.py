"""What every provider adapter promises (DESIGN 4.5), shown by what arrives rather than by what was called."""

from __future__ import annotations

import contextlib
import dataclasses
import email
import email.policy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.message import Accepted, Batch, Content, InlinePicture, Recipient
from pipeline.providers.base import Provider
from pipeline.providers.registry import make_provider
from pipeline.providers.sandbox.rendering import whole_message
from pipeline.providers.sandbox.run import RunningServer, start_in_thread
from tests.docs import example_provider
from tests.providers.capture import ResendServer, SesServer, capturing
from tests.providers.smtp_servers import aiosmtpd_server

MakeBatch = Callable[..., Batch]

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
DOMAIN = "news.example.org"
CARRY_PICTURES = ("sandbox", "filebox", "ses", "smtp")


@dataclass(frozen=True)
class Rig:
    """One instance of the suite: an adapter, and the messages that have arrived through it, oldest first."""

    provider: Provider
    arrived: Callable[[], Sequence[EmailMessage]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = start_in_thread(tmp_path_factory.mktemp("sandbox") / "sandbox.db")
    yield server
    server.stop()


@pytest.fixture(params=["sandbox", "filebox", "resend", "ses", "smtp", "example"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "filebox":
        yield from _filebox(tmp_path)
    elif request.param == "resend":
        yield from _resend()
    elif request.param == "ses":
        yield from _ses()
    elif request.param == "smtp":
        yield from _smtp()
    elif request.param == "example":
        yield from _example(tmp_path)
    else:
        yield from _sandbox(request.getfixturevalue("server"))


def _sandbox(server: RunningServer) -> Iterator[Rig]:
    server.store.clear()
    provider = make_provider("sandbox", {"base_url": server.url, "domain": DOMAIN}, lambda: NOW)

    def arrived() -> Sequence[EmailMessage]:
        _, mails = server.store.mails(limit=10_000)
        whole = [server.store.mail(mail.id) for mail in reversed(mails)]
        return [_parsed(whole_message(mail)) for mail in whole if mail is not None]

    yield Rig(provider, arrived)
    provider.close()


def _filebox(tmp_path: Path) -> Iterator[Rig]:
    folder = tmp_path / "box"
    provider = make_provider("filebox", {"directory": str(folder), "domain": DOMAIN}, lambda: NOW)

    def arrived() -> Sequence[EmailMessage]:
        files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns) if folder.exists() else []
        return [_parsed(path.read_bytes()) for path in files]

    yield Rig(provider, arrived)
    provider.close()


def _resend() -> Iterator[Rig]:
    server = ResendServer("re_s3cret")
    with capturing(server) as capture:
        provider = make_provider("resend", {"api_key": "re_s3cret", "base_url": capture.url}, lambda: NOW)
        yield Rig(provider, lambda: [_parsed(mail.as_bytes()) for mail in server.mails])
        provider.close()


def _ses() -> Iterator[Rig]:
    server = SesServer("AKIDEXAMPLE", "s3cret", "eu-central-1")
    settings = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s3cret", "region": "eu-central-1"}
    with capturing(server) as capture:
        provider = make_provider("ses", {**settings, "base_url": capture.url}, lambda: NOW)
        yield Rig(provider, lambda: [_parsed(mail.as_bytes()) for mail in server.mails])
        provider.close()


def _smtp() -> Iterator[Rig]:
    with aiosmtpd_server() as inbox:
        settings = {"host": "127.0.0.1", "port": str(inbox.port), "security": "none", "domain": DOMAIN}
        provider = make_provider("smtp", settings, lambda: NOW)
        yield Rig(provider, lambda: [_parsed(raw) for _, _, raw in inbox.mails])
        provider.close()


def _example(tmp_path: Path) -> Iterator[Rig]:
    """The adapter that docs/providers/adding.md shows to whoever writes one."""
    server = example_provider.PostboxServer("pb_s3cret")
    with capturing(server) as capture:
        provider = example_provider.load(tmp_path).Postbox(api_key="pb_s3cret", base_url=capture.url, now=lambda: NOW)
        yield Rig(provider, lambda: [_parsed(mail.as_bytes()) for mail in server.mails])
        provider.close()


def _parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


@pytest.fixture
def content() -> Content:
    return Content(
        from_name="China In Eurasia",
        from_address="briefing@news.example.org",
        reply_to="desk@example.org",
        subject="Почему новая железная дорога меняет карту",
        html="<!DOCTYPE html><html lang='ru'><body><p>100% of the line, &amp; more — Здравствуйте</p></body></html>\n",
        text="100% of the line, & more — Здравствуйте\n",
        list_id="cie.news.example.org",
        list_name="Китай в Евразии",
        language="ru",
        archive_url="https://news.example.org/cie/2026-11-25-railway",
        list_archive_url="https://news.example.org/cie/",
    )


@pytest.fixture
def make_batch(content: Content) -> Callable[..., Batch]:
    """``make_batch(3, content=..., key=...)``: a batch of so many readers."""

    def make(count: int, *, content: Content = content, key: str = "c12-b3-g0") -> Batch:
        recipients = (
            Recipient(subscriber_id=i, address=f"reader{i}@example.com", unsubscribe_url=f"https://news.example.org/u/{i}-{'t' * 120}")
            for i in range(1, count + 1)
        )
        return Batch(key=key, campaign="12", content=content, recipients=tuple(recipients))

    return make


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def test_one_outcome_a_recipient_and_one_message_each(rig: Rig, make_batch: MakeBatch) -> None:
    batch = make_batch(5)
    outcomes = rig.provider.send(batch)
    assert len(outcomes) == 5
    assert all(isinstance(outcome, Accepted) and outcome.receipt and "<" not in outcome.receipt for outcome in outcomes)
    assert [message["To"] for message in rig.arrived()] == [recipient.address for recipient in batch.recipients]


def test_the_pictures_a_mail_carries_arrive_or_it_is_not_composed(rig: Rig, make_batch: MakeBatch, content: Content) -> None:
    id = "ferry-0123456789ab.jpg@cie.news.example.org"
    picture = InlinePicture(content_id=id, name="ferry-0123456789ab.jpg", media_type="image/jpeg", data=b"\xff\xd8\xff" + bytes(range(256)))
    html = content.html.replace("</p>", f'</p><img src="cid:{id}" alt="">')
    batch = make_batch(2, content=dataclasses.replace(content, html=html, inline=(picture,)))
    if rig.provider.name not in CARRY_PICTURES:
        with pytest.raises(ValueError, match="pictures"):
            rig.provider.compose(batch)
        return
    rig.provider.send(batch)
    assert len(rig.arrived()) == 2
    for message in rig.arrived():
        text, related = message.iter_parts()
        page, found = related.iter_parts()
        assert (message.get_content_type(), text.get_content_type()) == ("multipart/alternative", "text/plain")
        assert (related.get_content_type(), page.get_content_type()) == ("multipart/related", "text/html")
        assert (found["Content-ID"], found.get_content_type()) == (f"<{id}>", "image/jpeg")
        assert (found.get_filename(), found.get_content_disposition()) == (picture.name, "inline")
        assert found.get_payload(decode=True) == picture.data
        assert f'src="cid:{id}"' in body(message, "html")


def test_receipts_are_the_message_ids_in_the_order_of_the_batch(rig: Rig, make_batch: MakeBatch) -> None:
    receipts = [outcome.receipt for outcome in rig.provider.send(make_batch(4)) if isinstance(outcome, Accepted)]
    assert [message["Message-ID"] for message in rig.arrived()] == [f"<{receipt}>" for receipt in receipts]


def test_every_reader_gets_a_way_out_of_their_own(rig: Rig, make_batch: MakeBatch) -> None:
    batch = make_batch(3)
    rig.provider.send(batch)
    found = {message["To"]: message["List-Unsubscribe"] for message in rig.arrived()}
    assert found == {recipient.address: f"<{recipient.unsubscribe_url}>" for recipient in batch.recipients}
    assert {message["List-Unsubscribe-Post"] for message in rig.arrived()} == {"List-Unsubscribe=One-Click"}


def test_subject_and_bodies_are_the_same_for_all_and_as_given(rig: Rig, make_batch: MakeBatch, content: Content) -> None:
    rig.provider.send(make_batch(3))
    assert {message["Subject"] for message in rig.arrived()} == {content.subject}
    assert {body(message, "html") for message in rig.arrived()} == {content.html}
    assert {body(message, "plain") for message in rig.arrived()} == {content.text}


def test_the_headers_of_a_list(rig: Rig, make_batch: MakeBatch, content: Content) -> None:
    rig.provider.send(make_batch(1))
    (message,) = rig.arrived()
    assert message["From"].addresses[0].display_name == content.from_name
    assert message["From"].addresses[0].addr_spec == content.from_address
    assert message["Reply-To"] == content.reply_to
    assert message["List-Id"] == f"{content.list_name} <{content.list_id}>"
    assert message["Archived-At"] == f"<{content.archive_url}>"
    assert message["List-Archive"] == f"<{content.list_archive_url}>"
    assert message["Content-Language"] == content.language


def test_nobody_sees_another_reader(rig: Rig, make_batch: MakeBatch) -> None:
    rig.provider.send(make_batch(3))
    for message in rig.arrived():
        assert message.as_string().count("@example.com") == 1


def test_a_full_batch(rig: Rig, make_batch: MakeBatch) -> None:
    size = min(rig.provider.capabilities.batch_size, 1000)
    outcomes = rig.provider.send(make_batch(size))
    assert len(outcomes) == size
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


def test_an_empty_batch_is_nothing(rig: Rig, make_batch: MakeBatch) -> None:
    assert list(rig.provider.send(make_batch(0))) == []
    assert not rig.arrived()


def test_a_repeat_inside_the_idempotency_window_mails_nobody_twice(rig: Rig, make_batch: MakeBatch) -> None:
    if rig.provider.capabilities.idempotency_window_s is None:
        pytest.skip(f"{rig.provider.name} has no idempotency, and says so in its capabilities")
    first = rig.provider.send(make_batch(3))
    assert rig.provider.send(make_batch(3)) == first
    assert len(rig.arrived()) == 3


BAD: dict[str, Callable[[Batch], Batch]] = {
    "more recipients than a call takes": lambda batch: replaced(batch, recipients=many(1001)),
    "one address twice": lambda batch: replaced(batch, recipients=(reader(1, "a@example.com"), reader(2, "A@Example.com"))),
    "one subscriber twice": lambda batch: replaced(batch, recipients=(reader(1, "a@example.com"), reader(1, "a@example.com"))),
    "two addresses in one": lambda batch: replaced(batch, recipients=(reader(1, "a@example.com,b@example.com"),)),
    "a header in an address": lambda batch: replaced(batch, recipients=(reader(1, "a@example.com\r\nBcc: b@example.com"),)),
    "a header in the way out": lambda batch: replaced(batch, recipients=(reader(1, "a@example.com", "https://x.example/\r\nBcc: b"),)),
    "a way out that is not https": lambda batch: replaced(batch, recipients=(reader(1, "a@example.com", "http://news.example.org/u"),)),
    "a line break in the subject": lambda batch: replaced(batch, content=replaced(batch.content, subject="a\r\nBcc: b@example.com")),
    "a line break in the sender": lambda batch: replaced(batch, content=replaced(batch.content, from_name="a\nb")),
    "a key that is a path": lambda batch: replaced(batch, key="../../etc/cron.d/x"),
}


def replaced(value: Any, **changes: object) -> Any:
    return dataclasses.replace(value, **changes)


def reader(number: int, address: str, url: str = "https://news.example.org/u/1") -> Recipient:
    return Recipient(subscriber_id=number, address=address, unsubscribe_url=url)


def many(count: int) -> tuple[Recipient, ...]:
    return tuple(reader(number, f"r{number}@example.com") for number in range(count))


@pytest.mark.parametrize("what", sorted(BAD))
def test_what_cannot_be_expressed_raises_and_mails_nobody(rig: Rig, make_batch: MakeBatch, what: str) -> None:
    with pytest.raises(ValueError, match=r"\w+") as caught:
        rig.provider.send(BAD[what](make_batch(1)))
    assert "example.com" not in str(caught.value)
    assert not rig.arrived()


def test_no_address_and_no_secret_in_a_repr(rig: Rig, make_batch: MakeBatch) -> None:
    shown = repr(rig.provider) + repr(make_batch(2)) + repr(rig.provider.send(make_batch(2)))
    assert "reader1@" not in shown
    assert "api_key" not in shown
    assert "s3cret" not in shown
    assert "password" not in shown


def test_capabilities_are_sane(rig: Rig) -> None:
    able = rig.provider.capabilities
    assert able.batch_size >= 1
    assert able.payload_limit >= 100_000
    assert able.per_recipient_headers
    assert able.tracking_switch or rig.provider.name == "resend"  # a property of the sending domain there
    assert able.idempotency_window_s is None or able.idempotency_window_s > 0


def test_close_may_be_called_twice(rig: Rig) -> None:
    rig.provider.close()
    with contextlib.closing(rig.provider):
        pass
