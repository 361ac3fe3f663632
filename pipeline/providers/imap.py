"""Reading one mailbox over IMAP (RFC 3501, 9051): what came since, and what has a certain header. Nothing in it is ever changed.

The mailbox is opened with EXAMINE and mails are fetched with BODY.PEEK, so no flag moves and nothing is deleted.
"""

from __future__ import annotations

import contextlib
import imaplib
import ipaddress
import re
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import CredentialsRefused, ProviderFault

LARGEST = 1_000_000
"""Octets of a mail that are fetched, from its beginning."""

TIMEOUT_S = 30.0
"""For each answer of the server."""

_AT_ONCE = 200
_UID = re.compile(rb"\bUID (\d+)")
_DATE = re.compile(rb'INTERNALDATE "([^"]+)"')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEADER = re.compile(r"[!-9;-~]+")
_VALUE = re.compile(r"[ !#-\[\]-~]+")
_CODE = re.compile(rb"\[([A-Z]+)[ \]]")
T = TypeVar("T")


class ImapMailbox:
    """A folder of one account, open for reading. For one thread at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        tls: bool,
        *,
        certificates: Path | None = None,
        timeout_s: float = TIMEOUT_S,
        folder: str = "INBOX",
    ) -> None:
        """Connects and logs in. ``tls`` is from the first byte and verified; without it ``host`` must be this machine (ValueError).

        ``certificates`` is a PEM file to trust instead of the system's. Raises CredentialsRefused when the login is refused,
        ProviderFault when the server cannot be reached or is not what it should be.
        """
        if not tls and not is_loopback(host):
            raise ValueError("a mailbox is read over TLS; without it only on this machine")
        self._host = host
        try:
            context = ssl.create_default_context(cafile=str(certificates) if certificates else None) if tls else None
        except (OSError, ssl.SSLError):
            raise ValueError("certificates is not a file of certificates in PEM") from None
        self._imap = self._guarded(
            "greet us",
            lambda: imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=timeout_s) if tls else imaplib.IMAP4(host, port, timeout_s),
        )
        try:
            self._log_in(user, password)
            quoted = '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
            self._asked(f"open the folder {folder!r}", lambda: self._imap.select(quoted, readonly=True))
            #: While it stays the same, a UID means the same mail (RFC 3501 section 2.3.1.1).
            self.uidvalidity = self._number("UIDVALIDITY")
            #: No mail has this UID yet.
            self.uidnext = self._number("UIDNEXT")
        except BaseException:
            self._drop()
            raise

    def __repr__(self) -> str:  # no credentials
        return f"ImapMailbox(host={self._host!r})"

    def search(self, header: str, value: str, since: date) -> list[int]:
        """The UIDs of mails that the server got on that day or later and whose header holds the value; any mail without a header.

        ValueError for what cannot stand in a search: only ASCII without quotes and backslashes can. Raises ProviderFault.
        """
        wanted = ["SINCE", f"{since.day}-{_MONTHS[since.month - 1]}-{since.year:04}"]
        if header:
            if not _HEADER.fullmatch(header) or not _VALUE.fullmatch(value):
                raise ValueError("a header is searched for plain ASCII without quotes")
            wanted += ["HEADER", header, f'"{value}"']
        return self._search(*wanted)

    def arrived(self, header: str, value: str, since: datetime) -> list[int]:
        """The UIDs of mails that the server got at or after a moment, and whose header is the value or has it in angle brackets.

        The server is asked for the mails of those days only, and headers are compared here: SINCE knows no time of day (RFC 9051 section
        6.4.4), and servers differ in how they search in folded headers. Raises ProviderFault.
        """
        # INTERNALDATE's day is that of the server's own zone: a day earlier is early enough anywhere.
        uids = sorted(self.search("", "", since.astimezone(UTC).date() - timedelta(days=1)))
        found = []
        for start in range(0, len(uids), _AT_ONCE):
            some = ",".join(map(str, uids[start : start + _AT_ONCE]))
            for uid, head, got_at in self._heads(some, header):
                given = "".join(str(message_from_bytes(head, policy=policy.compat32).get(header, "")).split())
                if got_at >= since.replace(microsecond=0) and (given == value or f"<{value}>" in given):
                    found.append(uid)
        return found

    def _heads(self, uids: str, header: str) -> Iterator[tuple[int, bytes, datetime]]:
        """UID, one header and time of arrival of each mail; a server may put UID and time before the octets or behind them."""
        what = f"(UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({header})])"
        _, answers = self._asked("show headers", lambda: self._imap.uid("FETCH", uids, what))
        for place, answer in enumerate(answers):
            if not isinstance(answer, tuple):
                continue
            following = answers[place + 1] if place + 1 < len(answers) else b""
            said = answer[0] + b" " + (following if isinstance(following, bytes) else b"")
            uid, at = _UID.search(said), _DATE.search(said)
            if uid is None or at is None:
                raise ProviderFault(f"{self._host} shows a mail without UID or time")
            yield int(uid[1]), answer[1], datetime.strptime(at[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)

    def fetch_new(self, after_uid: int) -> Iterator[tuple[int, bytes]]:
        """UID and octets (at most ``LARGEST``) of every mail with a higher UID, in their order. Raises ProviderFault.

        A mail that goes away meanwhile is passed over.
        """
        # "*" is the highest UID there is, which may be lower than where the range begins; the range holds it all the same.
        for uid in sorted(one for one in self._search("UID", f"{after_uid + 1}:*") if one > after_uid):
            found = self._fetch(uid)
            raw = next((bytes(one[1]) for one in found if isinstance(one, tuple) and len(one) > 1), None)
            if raw is not None:
                yield uid, raw

    def _fetch(self, uid: int) -> list[Any]:
        return self._asked("show a mail", lambda: self._imap.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{LARGEST}>)"))[1]

    def close(self) -> None:
        """Leaves the server. May be called twice."""
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self._imap.logout()
        self._drop()

    def _drop(self) -> None:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self._imap.shutdown()

    def _log_in(self, user: str, password: str) -> None:
        """AUTHENTICATE PLAIN (RFC 4616), which takes any character; else LOGIN."""
        try:
            if "AUTH=PLAIN" in self._imap.capabilities:
                self._imap.authenticate("PLAIN", lambda _: b"\0%b\0%b" % (user.encode(), password.encode()))
            else:
                self._imap.login(user, password)
        except imaplib.IMAP4.abort as error:
            raise self._fault("log us in", error) from None
        except (imaplib.IMAP4.error, UnicodeError) as error:
            code = _CODE.search(str(error).encode("ascii", "replace"))
            raise CredentialsRefused(
                f"{self._host} refused the login to the mailbox{f' ({code[1].decode()})' if code else ''}",
                hint="Check the user name and the password of the mailbox, and that the account may use IMAP.",
            ) from None
        except OSError as error:
            raise self._fault("log us in", error) from None

    def _search(self, *wanted: str) -> list[int]:
        self._asked("answer", self._imap.noop)  # what came since the mailbox was opened comes to light
        _, found = self._asked("search the mailbox", lambda: self._imap.uid("SEARCH", *wanted))
        return [int(one) for line in found if isinstance(line, bytes) for one in line.split() if one.isdigit()]

    def _number(self, name: str) -> int:
        _, found = self._imap.response(name)
        value = found[0] if found else None
        if not isinstance(value, bytes) or not value.isdigit():
            raise ProviderFault(f"{self._host} names no {name} for the mailbox", hint="This is not a whole IMAP server.")
        return int(value)

    def _asked(self, what: str, call: Callable[[], tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
        status, found = self._guarded(what, call)
        if status != "OK":
            raise ProviderFault(f"{self._host} would not {what} ({status})")
        return status, found

    def _guarded(self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._fault(what, error) from None

    def _fault(self, what: str, error: Exception) -> ProviderFault:
        # What a server says may quote the user's name.
        why = getattr(error, "verify_message", "") or type(error).__name__
        return ProviderFault(f"{self._host} did not {what} ({why})", hint="Check the host, the port and the way of encryption.")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
