"""One SMTP connection and its transactions, bounded in time, with the one question answered that a mailing depends on.

That question: had the end of the data left when the connection broke? Before it, the message was certainly not taken: a
server must not act before the end of the data, and must cancel an open transaction when the connection goes (RFC 5321
sections 4.1.1.4 and 4.1.1.10). After it and without an answer, nobody can tell (RFC 1047).
"""

from __future__ import annotations

import base64
import contextlib
import re
import selectors
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import BinaryIO, Literal

from pipeline.providers.smtp_answers import Reply, Stage, said

Security = Literal["starttls", "tls", "none"]

_PIECE = 16 * 1024
_CONNECT_S = 10.0
_DOT = re.compile(rb"^\.", re.MULTILINE)


class Late(OSError):
    """The time of a call is over; nothing more may leave."""


class Lost(Exception):
    """The connection broke. ``in_doubt``: the end of the data had begun to leave, so the message may have been taken."""

    def __init__(self, why: str, *, in_doubt: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.in_doubt = in_doubt


class NoSession(Exception):
    """No connection on which mail can be handed over. ``kind`` says whose fault it is."""

    def __init__(self, kind: Literal["later", "fault", "credentials"], why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to connect and how. ``context`` verifies the certificate."""

    host: str
    port: int
    security: Security
    helo: str
    context: ssl.SSLContext
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:  # no credentials
        return f"Server({self.host!r}, {self.port}, {self.security!r})"


class Deadline:
    """The end of a call: sends check it, and what blocks in the network beyond it is torn open."""

    def __init__(self, until: float) -> None:
        self.until = until
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def guard(self, sock: socket.socket | None) -> None:
        """From now on it is this socket whose waiting ends with the time."""
        with self._lock:
            self._socket = sock

    def left_s(self) -> float:
        """Seconds left. Raises Late when there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise Late("its time was over")
        return left

    def strike(self) -> None:
        """Ends whatever waits on the guarded socket; a time-out of each read would not bound their sum."""
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # under TLS too, and without a word to the peer


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """A Deadline so many seconds from now, with its guard."""
    one = Deadline(time.monotonic() + seconds)
    timer = threading.Timer(seconds, one.strike)
    timer.daemon = True
    timer.start()
    try:
        yield one
    finally:
        timer.cancel()
        one.guard(None)


class _Wire(smtplib.SMTP):
    """smtplib's dialogue, with every byte held against the deadline."""

    def __init__(self, helo: str, host: str) -> None:
        super().__init__(local_hostname=helo)
        self._host = host  # what STARTTLS holds the certificate against
        self.deadline: Deadline | None = None

    def send(self, s: object) -> None:
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)  # type: ignore[call-overload]
        if self.sock is None or self.deadline is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        for start in range(0, len(data), _PIECE):
            self.sock.settimeout(self.deadline.left_s())
            self.sock.sendall(data[start : start + _PIECE])

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is not None and self.deadline is not None:
            self.sock.settimeout(self.deadline.left_s())
            if self.file is None:
                self.file = _WholeLines(self.sock.makefile("rb"))
        return super().getreply()


class _WholeLines:
    """An answer whose line breaks off is none; smtplib would take ``250`` and a lost connection for a 250."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit:
            raise ConnectionResetError("the answer broke off")
        return line

    def close(self) -> None:
        self._file.close()


class Session:
    """An open connection, ready for MAIL. For one thread at a time."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._open_transaction = False
        self.idle_since = time.monotonic()
        size = wire.esmtp_features.get("size", "")
        #: Octets of a message that the server takes (RFC 1870); None: it does not say.
        self.size_limit = int(size) if size.isdecimal() and int(size) else None
        self.smtputf8 = wire.has_extn("smtputf8") and wire.has_extn("8bitmime")
        self._takes_size = wire.has_extn("size")

    def use(self, limit: Deadline) -> None:
        """Puts the session under a call's deadline."""
        self._wire.deadline = limit
        limit.guard(self._wire.sock)

    def alive(self) -> bool:
        """Whether the server still listens, asked with RSET; before MAIL nothing can be lost."""
        try:
            return self._reset()
        except OSError:
            return False

    def transact(self, sender: str, recipient: str, message: bytes) -> Reply:
        """Hands over one message (CRLF, ending in one). Gives the answer that decided; raises Lost."""
        try:
            return self._transact(sender, recipient, message)
        except _AfterTheDot as error:
            self.drop()
            raise Lost(str(error), in_doubt=True) from None
        except OSError as error:  # smtplib's errors are among them
            self.drop()
            raise Lost(_why(error)) from None

    def _transact(self, sender: str, recipient: str, message: bytes) -> Reply:
        wire = self._wire
        if self._open_transaction and not self._reset():
            raise smtplib.SMTPServerDisconnected("RSET was refused")
        plain = sender.isascii() and recipient.isascii() and message.isascii()
        wire.command_encoding = "ascii" if plain else "utf-8"
        options = (f" SIZE={len(message)}" if self._takes_size else "") + ("" if plain else " BODY=8BITMIME SMTPUTF8")
        self._open_transaction = True
        for stage, command, wanted in (
            (Stage.MAIL, f"MAIL FROM:<{sender}>{options}", 2),
            (Stage.RCPT, f"RCPT TO:<{recipient}>", 2),
            (Stage.DATA, "DATA", 3),
        ):
            reply = self._ask(stage, command)
            if reply.code // 100 != wanted:
                return reply
        wire.send(_DOT.sub(b"..", message))
        if wire.sock is None or _readable(wire.sock):
            # It hung up or spoke before its turn. Without the end of the data it takes nothing, and there is no doubt.
            raise smtplib.SMTPServerDisconnected("interrupted")
        try:
            wire.send(b".\r\n")
            code, text = wire.getreply()
        except OSError as error:
            raise _AfterTheDot(_why(error)) from None
        self._open_transaction = False
        return Reply(Stage.END, code, text.decode("utf-8", "replace"))

    def _ask(self, stage: Stage, command: str) -> Reply:
        code, text = self._wire.docmd(command)
        if code == -1:
            raise smtplib.SMTPServerDisconnected("no answer of SMTP")
        return Reply(stage, code, text.decode("utf-8", "replace"))

    def _reset(self) -> bool:
        code, _ = self._wire.docmd("RSET")
        self._open_transaction = code // 100 != 2
        return not self._open_transaction

    def drop(self) -> None:
        """Closes the connection without a word."""
        self._wire.close()

    def leave(self) -> None:
        """Says QUIT and closes."""
        with contextlib.suppress(OSError), deadline(1.0) as limit:
            self.use(limit)
            self._wire.docmd("QUIT")
        self._wire.close()


def _readable(sock: socket.socket) -> bool:
    """Whether the peer has said something, or has hung up."""
    with selectors.DefaultSelector() as selector:  # select() knows no descriptor above 1023
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


class _AfterTheDot(Exception):
    """What went wrong once the end of the data had begun to leave."""


def connect(server: Server, limit: Deadline) -> Session:
    """Opens, secures and authenticates a connection. Raises NoSession; no mail has left then."""
    wire = _Wire(server.helo, server.host)
    wire.deadline = limit
    try:
        _open(wire, server, limit)
        return Session(wire)
    except NoSession:
        wire.close()
        raise
    except ssl.SSLCertVerificationError as error:
        wire.close()
        raise NoSession("fault", f"the certificate of {server.host} is not to be trusted ({error.verify_message})") from None
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        wire.close()
        raise NoSession("later", f"{server.host} hung up ({type(error).__name__})") from None
    except ssl.SSLError as error:
        wire.close()
        raise NoSession("fault", f"no TLS with {server.host} ({error.reason or type(error).__name__})") from None
    except OSError as error:
        wire.close()
        raise NoSession("later", f"cannot reach {server.host} ({_why(error)})") from None


def _open(wire: _Wire, server: Server, limit: Deadline) -> None:
    wire.sock = _socket(server, limit)
    limit.guard(wire.sock)
    if server.security == "tls":
        wire.sock.settimeout(limit.left_s())
        wire.sock = server.context.wrap_socket(wire.sock, server_hostname=server.host)
        limit.guard(wire.sock)
    _expect(2, "its greeting", *wire.getreply())
    _expect(2, "EHLO", *wire.ehlo())
    if server.security == "starttls":
        if not wire.has_extn("starttls"):
            raise NoSession("fault", f"{server.host} offers no STARTTLS")
        try:
            wire.sock.settimeout(limit.left_s())
            _expect(2, "STARTTLS", *wire.starttls(context=server.context))
        except smtplib.SMTPResponseException as error:
            _expect(2, "STARTTLS", error.smtp_code, _bytes(error.smtp_error))
        limit.guard(wire.sock)
        _expect(2, "EHLO", *wire.ehlo())
    if server.username:
        _log_in(wire, server)


def _log_in(wire: _Wire, server: Server) -> None:
    """AUTH PLAIN (RFC 4616), else LOGIN. smtplib's own does not take a password beyond ASCII."""
    offered = wire.esmtp_features.get("auth", "").upper().split()
    name, password = server.username, server.password
    if "PLAIN" in offered:
        code, text = wire.docmd("AUTH", f"PLAIN {_base64(chr(0) + name + chr(0) + password)}")
    elif "LOGIN" in offered:
        code, text = wire.docmd("AUTH", f"LOGIN {_base64(name)}")
        if code == 334:
            code, text = wire.docmd(_base64(password))
    else:
        raise NoSession("fault", f"{server.host} offers neither AUTH PLAIN nor AUTH LOGIN")
    if code // 100 == 5:
        raise NoSession("credentials", f"{server.host} answered {code} to the user name and password")
    _expect(2, "AUTH", code, text)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _expect(wanted: int, what: str, code: int, text: bytes) -> None:
    if code // 100 == wanted:
        return
    kind: Literal["later", "fault"] = "later" if code // 100 == 4 else "fault"
    raise NoSession(kind, f"the server answered {what} with {said(code, text.decode('utf-8', 'replace'))}")


def _socket(server: Server, limit: Deadline) -> socket.socket:
    """A connection to the first address of the host that answers."""
    last: OSError = OSError("no address")
    for family, kind, protocol, _, address in _addresses(server, min(_CONNECT_S, limit.left_s())):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(_CONNECT_S, limit.left_s()))
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise last


_Address = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


def _addresses(server: Server, seconds: float) -> list[_Address]:
    """The host's addresses; the look-up itself knows no time limit, so it is left behind when it takes too long."""
    box: SimpleQueue[list[_Address] | OSError] = SimpleQueue()

    def look() -> None:
        try:
            box.put([*socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            box.put(error if isinstance(error, OSError) else OSError("not a host name"))

    threading.Thread(target=look, name="smtp-name", daemon=True).start()
    try:
        found = box.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if isinstance(found, OSError):
        raise found
    return found


def _why(error: OSError) -> str:
    """A fault for people; its own text may quote what was sent."""
    return str(error) if isinstance(error, Late) else type(error).__name__


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
