"""Mail over SMTP (RFC 5321) to a submission server or relay: one transaction a message, several on a connection.

Nothing of SMTP can be repeated or searched, so a batch is small: a process that dies in the middle leaves all of it in doubt.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.clock import Clock
from pipeline.core.event import Event
from pipeline.core.headers import address_value
from pipeline.core.message import Batch, Outcome, Recipient, Refused, RejectReason, TryLater, Unknown
from pipeline.core.mime import assemble, fold, message_headers
from pipeline.errors import BriefingError, CredentialsRefused, ProviderFault
from pipeline.providers.base import Asked, Call, Capabilities, Provider, SendingNames
from pipeline.providers.bounce_mailbox import BounceMailbox
from pipeline.providers.bounces import Bounces
from pipeline.providers.dkim import Signer, digest_of_body
from pipeline.providers.guard import check_batch
from pipeline.providers.smtp_answers import LATER_S, Reply, Stage, outcome_of
from pipeline.providers.smtp_session import Deadline, Lost, NoSession, Security, Server, Session, connect, deadline

CAPABILITIES = Capabilities(
    batch_size=50,
    payload_limit=25_000_000,
    per_recipient_headers=True,
    idempotency_window_s=None,
    lookup=False,
    call_limit_s=60,
    lookup_settles_s=None,
    signed_webhooks=False,
    tracking_switch=True,
)

PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 6409 and RFC 8314; the plain one is for a relay on this machine."""

ASK_S = 15.0
"""For the question whether it can be reached."""

_RETRY_S = 10.0
_IDLE_S = 30.0
"""Shorter than servers wait for the next command."""

_CONNECTIONS_A_CALL = 4
_BEGIN_UNTIL = 0.5
"""The share of a call's time in which messages begin: the rest is for the answer to the last one."""

_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]+")
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)


class Smtp(Provider):
    """A provider adapter that speaks to one SMTP server. Each thread that submits has a connection; idle ones are kept."""

    name = "smtp"

    def __init__(
        self,
        *,
        host: str,
        domain: str,
        now: Clock,
        security: str = "starttls",
        port: int | None = None,
        helo: str = "",
        username: str = "",
        password: str = "",
        certificates: Path | None = None,
        bounces: Bounces | None = None,
        signer: Signer | None = None,
        mailbox: BounceMailbox | None = None,
        timeout_s: float = 60,
    ) -> None:
        """``domain`` is the right side of the Message-IDs and, without ``helo``, our name to the server.

        ``timeout_s`` bounds a whole call. ValueError when something is unusable.
        """
        if not _NAME.fullmatch(domain):
            raise ValueError("domain is not a domain name")
        if not re.fullmatch(r"[!-~]+", helo or domain):
            raise ValueError("helo is not a host name")
        if security not in PORTS:
            raise ValueError(f"security is {security!r}, and must be one of: {', '.join(PORTS)}")
        way = next(one for one in PORTS if one == security)
        if way == "none" and not _loopback(host):
            raise ValueError('security = "none" is for a server on this machine; elsewhere it is starttls or tls')
        if bool(username) != bool(password):
            raise ValueError("username and password go together")
        self.capabilities = replace(CAPABILITIES, call_limit_s=timeout_s, mailbox=mailbox is not None)
        self._mailbox = mailbox
        self._domain, self._now, self._bounces, self._signer = domain.lower(), now, bounces, signer
        self._server = Server(
            host=host, port=port or PORTS[way], security=way, helo=helo or domain, context=_context(certificates),
            username=username, password=password,
        )  # fmt: skip
        self._idle: list[Session] = []
        self._lock = threading.Lock()

    def events_after(self, place: str) -> Iterator[tuple[Sequence[Event], str]]:
        """What the bounce mailbox holds behind a place. Raises ProviderFault."""
        if self._mailbox is not None:
            yield from self._mailbox.events_after(place)

    def ask(self) -> Asked:
        """Connects, logs in, says goodbye; opens the bounce mailbox. No mail is begun."""
        said = f"reaches {self._server.host}, which takes " + ("the login" if self._server.username else "the connection")
        with deadline(ASK_S) as limit:
            try:
                connect(self._server, limit).leave()
            except NoSession as error:
                raise self.error_of(error) or ProviderFault(error.why, hint="The worker tries again by itself.") from None
        return Asked(f"{said}; {self._mailbox.ask()}" if self._mailbox else said)

    def names(self, from_domain: str) -> SendingNames | None:
        """The envelope is ours; so is the signature, when we sign. Whether the server signs, only it knows."""
        envelope = self._bounces.domain if self._bounces else from_domain
        if self._signer is None:
            return SendingNames(envelope=envelope)
        return SendingNames(
            envelope=envelope, dkim_domain=self._signer.domain, dkim_selector=self._signer.selector, dkim_key=self._signer.public_key
        )

    def __repr__(self) -> str:  # no credentials
        return f"Smtp({self._server!r}, domain={self._domain!r})"

    def compose(self, batch: Batch) -> Call:
        """What all messages share, and what is each reader's own; only Date and signature come when a message leaves."""
        check_batch(batch, self.capabilities)
        if not batch.recipients:
            return Call(batch=batch, body=b"")
        own = [self.sender(batch, one).encode() + b"\r\n" + self._head(batch, one, _NO_DATE) for one in batch.recipients]
        shared = _shared(batch)
        size = len(shared) + max(map(len, own))
        if size > self.capabilities.payload_limit:
            raise ValueError(f"a message would be {size} bytes; {self.name} takes {self.capabilities.payload_limit}")
        return Call(batch=batch, body=b"\0".join([shared, *own]))

    def submit(self, call: Call) -> Sequence[Outcome]:
        """Hands over message after message; what one of them met says nothing of the others.

        CredentialsRefused and ProviderFault only as long as no message has met anything; later the rest is TryLater. No message
        begins in the second half of the time.
        """
        batch = call.batch
        if not batch.recipients:
            return ()
        with deadline(self.capabilities.call_limit_s) as limit:
            return _Run(self, batch, limit).outcomes()

    def close(self) -> None:
        """Lets go of idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.leave()

    def message(self, batch: Batch, recipient: Recipient, shared: bytes, body_digest: bytes) -> bytes:
        """One reader's message as it leaves now."""
        now = self._now()
        head = self._head(batch, recipient, now)
        if self._signer is None:
            return head + shared
        mime_head, _, _ = shared.partition(b"\r\n\r\n")
        return self._signer.sign(head + mime_head + b"\r\n", body_digest, now) + head + shared

    def message_id(self, batch: Batch, recipient: Recipient) -> str:
        """Known before anything leaves, and the same for every try: who gets two can tell, and so can a mail server's log."""
        return f"{batch.key}-{recipient.subscriber_id}@{self._domain}"

    def session(self, limit: Deadline) -> Session:
        """An idle connection that still answers, or a new one. Raises NoSession."""
        while True:
            with self._lock:
                session = self._idle.pop() if self._idle else None
            if session is None:
                return connect(self._server, limit)
            session.use(limit)
            if time.monotonic() - session.idle_since < _IDLE_S and session.alive():
                return session
            session.drop()

    def keep(self, session: Session) -> None:
        """Puts a connection aside for the next call."""
        session.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(session)

    def error_of(self, failure: NoSession) -> BriefingError | None:
        """The exception for a connection that nobody will get, None for one that may come later."""
        if failure.kind == "credentials":
            hint = "Check BRIEFING_SMTP_USERNAME and BRIEFING_SMTP_PASSWORD."
            return CredentialsRefused(failure.why, hint=hint)
        if failure.kind == "fault":
            hint = "Check provider.smtp.host, port and security (starttls, tls or none), and certificates for a certificate of your own."
            return ProviderFault(f"{failure.why}; no mail was taken", hint=hint)
        return None

    def sender(self, batch: Batch, recipient: Recipient) -> str:
        """The envelope sender, where a report of non-delivery goes: it names the message when ``bounces`` is set."""
        if self._bounces is not None:
            return self._bounces.sender(batch.key, recipient.subscriber_id)
        return address_value("From", batch.content.from_address)

    def _head(self, batch: Batch, recipient: Recipient, date: datetime) -> bytes:
        headers = message_headers(
            batch.content,
            to=recipient.address,
            unsubscribe_url=recipient.unsubscribe_url,
            message_id=self.message_id(batch, recipient),
            date=date,
        )
        return b"".join(fold(name, value) for name, value in headers.items())


class _Run:
    """One call under way."""

    def __init__(self, smtp: Smtp, batch: Batch, limit: Deadline) -> None:
        self._smtp, self._batch, self._limit = smtp, batch, limit
        self._begin_until = time.monotonic() + smtp.capabilities.call_limit_s * _BEGIN_UNTIL
        self._shared = _shared(batch)
        self._digest = digest_of_body(self._shared.partition(b"\r\n\r\n")[2])
        self._session: Session | None = None
        self._connections = 0

    def outcomes(self) -> Sequence[Outcome]:
        """One outcome a recipient. Raises what ``Smtp.submit`` says."""
        found: list[Outcome] = []
        try:
            for recipient in self._batch.recipients:
                if found and time.monotonic() > self._begin_until:
                    raise NoSession("later", "the time of the call was over before this message")
                found.append(self._one(recipient))
        except NoSession as failure:
            error = self._smtp.error_of(failure)
            if error is not None and not found:
                raise error from None
            # An exception would lose what became of the messages before.
            found += [TryLater(_RETRY_S, failure.why)] * (len(self._batch.recipients) - len(found))
        finally:
            self._limit.guard(None)
            if self._session is not None:
                self._smtp.keep(self._session)
        return tuple(found)

    def _one(self, recipient: Recipient) -> Outcome:
        """One message. A connection that breaks before the end of the data is opened anew and the message tried once more."""
        message = self._smtp.message(self._batch, recipient, self._shared, self._digest)
        sender = self._smtp.sender(self._batch, recipient)
        lost = ""
        for _ in range(2):
            session = self._ready()
            if not (session.smtputf8 or (sender + recipient.address).isascii()):
                return Refused(RejectReason.OTHER, "the server does not take addresses beyond ASCII (SMTPUTF8)")
            if session.size_limit is not None and len(message) > session.size_limit:
                return Refused(RejectReason.OTHER, f"the server takes {session.size_limit} bytes; a message has {len(message)}")
            try:
                reply = session.transact(sender, recipient.address, message)
            except Lost as error:
                self._session = None
                if error.in_doubt:
                    return Unknown(f"the connection was lost after the whole message had been sent ({error.why})")
                lost = error.why
                continue
            if reply.code == 421:  # the server closes the connection; some do so after a number of messages
                session.drop()
                self._session = None
                if reply.stage is Stage.MAIL:
                    lost = "421"
                    continue
            return self._outcome(reply, recipient)
        return TryLater(LATER_S, f"the connection was lost before the message had been sent ({lost})")

    def _outcome(self, reply: Reply, recipient: Recipient) -> Outcome:
        if reply.code == 530:  # RFC 4954 section 6: it wants a login first
            raise NoSession("credentials", "the server wants a user name and a password")
        return outcome_of(reply, self._smtp.message_id(self._batch, recipient))

    def _ready(self) -> Session:
        if self._session is None:
            if self._connections == _CONNECTIONS_A_CALL:
                raise NoSession("later", "the connection was lost again and again")
            self._connections += 1
            self._session = self._smtp.session(self._limit)
        return self._session


def _shared(batch: Batch) -> bytes:
    """MIME's own headers and the body: the same for all readers."""
    return assemble([], text=batch.content.text, html=batch.content.html, inline=batch.content.inline)


def _context(certificates: Path | None) -> ssl.SSLContext:
    """Verifies certificate and name, TLS 1.2 at least; with the system's authorities, or with the one given instead."""
    try:
        context = ssl.create_default_context(cafile=None if certificates is None else str(certificates))
    except (OSError, ssl.SSLError):
        raise ValueError(f"certificates cannot be read as certificates in PEM: {certificates}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
