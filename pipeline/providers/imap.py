"""A mailbox over IMAP (RFC 9051, and RFC 3501 before it), read and never changed: no flag is set, nothing is deleted."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

from pipeline.errors import CredentialsRefused, ProviderFault

TIMEOUT_S = 30.0
"""For each answer of the server."""

_AT_ONCE = 200
_UID = re.compile(rb"\bUID (\d+)")
_DATE = re.compile(rb'INTERNALDATE "([^"]+)"')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class ImapMailbox:
    """One folder of one account, opened for reading only (EXAMINE). Raises CredentialsRefused, ProviderFault."""

    def __init__(
        self, host: str, port: int, user: str, password: str, tls: bool = True, folder: str = "INBOX", context: ssl.SSLContext | None = None
    ) -> None:
        self._host = host
        try:
            self._client = (
                imaplib.IMAP4_SSL(host, port, ssl_context=context or ssl.create_default_context(), timeout=TIMEOUT_S)
                if tls
                else imaplib.IMAP4(host, port, timeout=TIMEOUT_S)
            )
        except (OSError, imaplib.IMAP4.error) as error:
            raise ProviderFault(f"{host} cannot be reached over IMAP: {_said(error)}") from None
        try:
            self._client.login(user, password)
        except (OSError, imaplib.IMAP4.error) as error:
            self.close()
            if isinstance(error, imaplib.IMAP4.abort | OSError):
                raise ProviderFault(f"{host} broke off the login: {_said(error)}") from None
            # What the server says may name the account.
            raise CredentialsRefused(
                f"{host} refuses the user or the password", hint="Many providers want a password for this program."
            ) from None
        quoted = '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
        try:
            self._do("EXAMINE", self._client.select(quoted, readonly=True))
        except (OSError, imaplib.IMAP4.error, ProviderFault):
            self.close()
            raise ProviderFault(f"{host} has no folder {folder!r} for this user") from None

    def search(self, header: str, value: str, since: datetime) -> list[bytes]:
        """The UIDs of messages in which a header has this value (or this identifier in angle brackets), and that the server got at or
        after ``since``, to the second.

        The server is asked for the messages of those days only, and their headers are compared here: how servers search in folded
        headers differs, and SINCE knows no time of day (RFC 9051 section 6.4.4).
        """
        # INTERNALDATE's day is that of the server's own zone: one day earlier is early enough anywhere.
        day = since.astimezone(UTC) - timedelta(days=1)
        uids = self._uids("SINCE", f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year}")
        found = []
        for start in range(0, len(uids), _AT_ONCE):
            some = b",".join(uids[start : start + _AT_ONCE]).decode()
            for uid, head, got_at in self._fetch(some, f"(UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({header})])"):
                given = str(message_from_bytes(head, policy=policy.compat32).get(header, ""))
                bare = "".join(given.split())
                if got_at >= since.replace(microsecond=0) and (bare == value or f"<{value}>" in bare):
                    found.append(uid)
        return found

    def fetch_new(self, after_uid: int) -> Iterator[tuple[int, bytes]]:
        """The messages with a higher UID than this, in order, whole."""
        for uid in self._uids("UID", f"{after_uid + 1}:*"):
            if int(uid) > after_uid:  # ``n:*`` always names the last message, too (RFC 9051 section 9, seq-range)
                for number, message, _ in self._fetch(uid.decode(), "(UID INTERNALDATE BODY.PEEK[])"):
                    yield int(number), message

    def close(self) -> None:
        """Ends the session."""
        try:
            self._client.logout()
        except (OSError, imaplib.IMAP4.error):
            self._client.shutdown()

    def _uids(self, *criteria: str) -> list[bytes]:
        found = self._do("SEARCH", self._call("SEARCH", *criteria))
        return sorted((found[0] or b"").split(), key=int)

    def _fetch(self, uids: str, what: str) -> Iterator[tuple[bytes, bytes, datetime]]:
        """UID, octets and time of arrival of each message. A server may put UID and date before the octets or behind them."""
        answers = self._do("FETCH", self._call("FETCH", uids, what))
        for place, answer in enumerate(answers):
            if not isinstance(answer, tuple):
                continue
            following = answers[place + 1] if place + 1 < len(answers) else b""
            said = answer[0] + b" " + (following if isinstance(following, bytes) else b"")
            uid, date = _UID.search(said), _DATE.search(said)
            if uid is None or date is None:
                raise ProviderFault(f"{self._host} answered a FETCH without UID or date")
            yield uid[1], answer[1], datetime.strptime(date[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)

    def _call(self, name: str, *arguments: str) -> tuple[str, list[Any]]:
        try:
            return self._client.uid(name, *arguments)
        except (OSError, imaplib.IMAP4.error) as error:
            raise ProviderFault(f"{self._host} broke off: {_said(error)}") from None

    def _do(self, name: str, answer: tuple[str, list[Any]]) -> list[Any]:
        said, data = answer
        if said != "OK":
            raise ProviderFault(f"{self._host} refuses {name}")
        return data


def _said(error: Exception) -> str:
    return type(error).__name__ if isinstance(error, OSError) else "it does not speak IMAP as expected"
