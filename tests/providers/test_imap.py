"""The mailbox over IMAP, against a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import CredentialsRefused, ProviderFault
from pipeline.providers.imap import ImapMailbox
from tests.providers.imap_servers import PASSWORD, USER, Mailserver, dovecot

AT = datetime(2026, 11, 18, 6, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailserver]:
    with dovecot(tmp_path_factory.mktemp("dovecot")) as one:
        yield one


def message(number: int, **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Subject": f"Mail {number}", **headers}.items()]
    return "\r\n".join([*lines, "", f"Body {number}", ""]).encode()


def plain(server: Mailserver, folder: str = "INBOX") -> ImapMailbox:
    return ImapMailbox("127.0.0.1", server.port, USER, PASSWORD, tls=False, folder=folder)


def test_a_message_is_found_by_header_and_time(server: Mailserver) -> None:
    url = "<https://briefing.example.org/eurasia-briefing/2026-11-18-a-very-long-slug-that-folds-the-header-of-the-mail/>"
    server.put(message(1, Archived_At=f"\r\n {url}", List_Id='"A Name, Quoted" <eurasia.example.org>'), AT, "Search")
    server.put(message(2, Archived_At=url.replace("2026-11-18", "2026-11-04")), AT, "Search")
    box = plain(server, "Search")
    try:
        assert box.arrived("Archived-At", url, AT) == [1]
        assert box.arrived("Archived-At", url, AT - timedelta(days=300)) == [1]
        assert box.arrived("Archived-At", url, AT + timedelta(seconds=1)) == []
        assert box.arrived("Archived-At", url[:-3], AT) == []
        assert box.arrived("List-Id", "eurasia.example.org", AT) == [1]
        assert box.arrived("List-Id", "asia.example.org", AT) == []
    finally:
        box.close()


def test_new_messages_come_whole_and_in_order_and_stay_unread(server: Mailserver) -> None:
    for number in (1, 2, 3):
        server.put(message(number), AT, "New")
    for _ in range(2):
        box = plain(server, "New")
        assert [(uid, b"Body" in octets) for uid, octets in box.fetch_new(1)] == [(2, True), (3, True)]
        assert list(box.fetch_new(3)) == []
        _, flags = box._imap.uid("SEARCH", "UNSEEN")
        box.close()
        assert flags[0] is not None
        assert flags[0].split() == [b"1", b"2", b"3"]


def test_over_tls_with_a_certificate_that_is_trusted_only(server: Mailserver) -> None:
    box = ImapMailbox("localhost", server.tls_port, USER, PASSWORD, tls=True, certificates=server.certificate)
    assert box.arrived("Subject", "nothing", AT) == []
    box.close()
    with pytest.raises(ProviderFault, match=r"did not greet us .*self.signed certificate"):
        ImapMailbox("localhost", server.tls_port, USER, PASSWORD, tls=True)


def test_what_goes_wrong_is_said_without_the_account(server: Mailserver) -> None:
    with pytest.raises(CredentialsRefused, match="refused the login") as refused:
        ImapMailbox("127.0.0.1", server.port, USER, "wrong", tls=False)
    assert USER not in refused.value.message
    with pytest.raises(ProviderFault, match="would not open the folder 'Elsewhere'"):
        plain(server, "Elsewhere")
    with pytest.raises(ProviderFault, match="did not greet us"):
        ImapMailbox("127.0.0.1", 1, USER, PASSWORD, tls=False)
