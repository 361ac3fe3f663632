"""SMTP servers for tests, on real sockets of this machine: one of aiosmtpd's, and one that follows a script."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import ipaddress
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Inbox:
    """What aiosmtpd took: envelope and bytes, oldest first."""

    port: int = 0
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    connections: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    #: RCPT address -> what is answered instead of 250.

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        content = envelope.original_content or envelope.content
        self.mails += [(envelope.mail_from, recipient, content) for recipient in envelope.rcpt_tos]
        return "250 2.0.0 Ok: queued as 4bZ1qk0x"


@contextmanager
def aiosmtpd_server(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, login: tuple[str, str] | None = None, **options: Any
) -> Iterator[Inbox]:
    """A server of aiosmtpd's, whose TLS (STARTTLS, or from the first byte) and login are as told."""
    inbox = Inbox()

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: object) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == login, handled=False)

    class Counted(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            inbox.connections += 1
            super().connection_made(transport)

    class Own(Controller):
        def factory(self) -> SMTP:
            return Counted(
                self.handler,
                hostname="mx.example.org",
                enable_SMTPUTF8=options.get("smtputf8", True),
                data_size_limit=options.get("size", 33554432),
                tls_context=tls if not implicit else None,
                require_starttls=tls is not None and not implicit,
                authenticator=check if login else None,
                auth_required=login is not None,
                auth_require_tls=not options.get("plain_login", False) and not implicit,
                loop=self.loop,
            )

    controller = Own(inbox, hostname="127.0.0.1", port=_free_port(), ssl_context=tls if implicit else None)
    controller.start()
    inbox.port, inbox.connections = controller.port, 0  # it has tried itself
    try:
        yield inbox
    finally:
        controller.stop()
        with warnings.catch_warnings():  # after STARTTLS aiosmtpd 1.4.6 leaves the plain transport behind
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def certificate(folder: Path, *, name: str = "localhost", address: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, public


CUT = "cut"
SILENT = "silent"
DRIP = "drip"
HALF = "half "
Script = Sequence[Mapping[str, str]]


class ScriptedServer:
    """Answers each connection by the next mapping of its script: a step -> an answer, CUT, SILENT, DRIP, or HALF and its half.

    Steps: ``connect``, ``EHLO``, ``STARTTLS``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``, ``body`` (after its first bytes), ``dot``,
    ``RSET``, ``QUIT``. ``MAIL:2`` is the second MAIL of a connection. What is not named is answered as a well server would.
    The last mapping holds for all further connections.
    """

    USUAL = {"connect": "220 mx.example.org", "EHLO": "250-mx.example.org\r\n250 8BITMIME", "DATA": "354 Go on", "dot": "250 2.0.0 queued",
             "QUIT": "221 Bye"}  # fmt: skip

    def __init__(self, script: Script) -> None:
        self._script, self.connections, self.taken, self.seen = script or [{}], 0, list[bytes](), list[str]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._stopped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            steps = self._script[min(self.connections, len(self._script) - 1)]
            self.connections += 1
            self._open.append(peer)
            threading.Thread(target=self._converse, args=(peer, steps), daemon=True).start()

    def _converse(self, peer: socket.socket, steps: Mapping[str, str]) -> None:
        with peer, peer.makefile("rb") as lines, contextlib.suppress(OSError, _Cut):
            counts, body = dict[str, int](), bytearray()

            def say(step: str) -> str:
                self.seen.append(step)
                counts[step] = counts.get(step, 0) + 1
                answer = steps.get(f"{step}:{counts[step]}", steps.get(step, self.USUAL.get(step, "250 2.0.0 Ok")))
                if answer == CUT:
                    raise _Cut
                if answer == SILENT:
                    self._stopped.wait(20)
                    raise _Cut
                if answer.startswith(HALF):
                    peer.sendall(answer.removeprefix(HALF).encode())
                    raise _Cut
                if answer.startswith(DRIP):
                    for byte in b"250 2.0.0 " + b"x" * 400 + b"\r\n":
                        peer.sendall(bytes([byte]))
                        if self._stopped.wait(0.05):
                            raise _Cut
                else:
                    if step == "dot" and answer.startswith("2"):
                        self.taken.append(bytes(body))
                    peer.sendall(answer.encode() + b"\r\n")
                return answer

            say("connect")
            while line := lines.readline():
                step = line.split(None, 1)[0].decode("latin-1").upper()
                if say(step).startswith("354"):
                    body.clear()
                    self._data(lines, steps, say, body)
                if step == "QUIT":
                    return

    @staticmethod
    def _data(lines: Any, steps: Mapping[str, str], say: Callable[[str], str], body: bytearray) -> None:
        while (line := lines.readline()) != b".\r\n":
            if not line:
                raise _Cut
            body += line
            if "body" in steps and len(body) > 200:
                say("body")
        say("dot")


class _Cut(Exception):
    """The connection ends here."""


@contextmanager
def scripted(*script: Mapping[str, str]) -> Iterator[ScriptedServer]:
    """A ScriptedServer that is stopped at the end."""
    server = ScriptedServer(script)
    try:
        yield server
    finally:
        server.stop()
