"""One POST, bounded in time, with the one question answered that a mailing depends on: may the request have arrived?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import httpx

from pipeline.clock import since_boot
from pipeline.core.message import Outcome, TryLater, Unknown

_ANSWER_LIMIT = 256 * 1024
_SEARCH_LIMIT = 8 * 1024 * 1024
"""Octets of an answer to GET: a page of 300 events has about half a megabyte."""
_PIECE = 128 * 1024
_RETRY_S = 10.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Raised before the first byte of a request leaves. After any other transport error the request may have arrived.
_NOTHING_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class NotSent(Exception):
    """The request certainly did not reach the server. The text names the host, no address and no secret."""


class InDoubt(Exception):
    """The request may have been read and acted on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; ``body`` is cut at 256 KiB (8 MiB for GET), ``headers`` go by lower-case names."""

    status: int
    content_type: str
    retry_after: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def date(self) -> datetime | None:
        """What time it is there (RFC 9110 section 6.6.1)."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError, TypeError):
            return None


def outcomes_of(everyone: int, post: Callable[[], Answer], read: Callable[[Answer], Sequence[Outcome]]) -> Sequence[Outcome]:
    """What became of each recipient: what ``read`` makes of the answer; without a whole one, later if nothing left, else a doubt."""
    try:
        answer = post()
    except NotSent as error:
        return (TryLater(_RETRY_S, str(error)),) * everyone
    except InDoubt as error:
        return (Unknown(str(error)),) * everyone
    return read(answer)


class HttpCaller:
    """Keeps connections to one server. Safe from several threads. HTTP/1.1, no redirects, no retries of its own."""

    def __init__(self, *, base_url: str, timeout_s: float, username: str = "", password: str = "", bearer: str = "") -> None:
        """``timeout_s`` bounds a whole call, name look-up included. ValueError when ``base_url`` is not an HTTP address.

        Credentials: a name and a password (RFC 7617), or a bearer token (RFC 6750), or none when every call brings its own.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("base_url is not of the form https://host[:port][/path], without a name or password in it")
        self.host = parts.hostname
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._secrets = [one for one in (password, bearer) if len(one) > 8]
        self._idle: list[_Hand] = []
        #: Appending and popping are atomic.
        self._client = httpx.Client(
            auth=httpx.BasicAuth(username, password) if username else None,
            headers={"authorization": f"Bearer {bearer}"} if bearer else {},
            timeout=httpx.Timeout(timeout_s, connect=min(10.0, timeout_s), pool=min(10.0, timeout_s)),
            # Shorter than servers keep an idle connection, so that we rarely write into one that is being closed.
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=4.0),
            transport=None,
            follow_redirects=False,
            http2=False,
            trust_env=parts.hostname not in _LOOPBACK,  # a proxy is for the outside
        )

    def post(
        self, path: str, *, content: bytes, content_type: str, headers: Mapping[str, str] | None = None, leave_by: float | None = None
    ) -> Answer:
        """Posts the bytes and gives the answer whatever its status. Raises NotSent or InDoubt.

        No byte leaves later than ``timeout_s`` after the call, nor after ``leave_by`` (``clock.since_boot``), also when the machine
        stood still meanwhile.
        """
        now = since_boot()
        until = now + self._timeout_s if leave_by is None else min(now + self._timeout_s, leave_by)
        if now > until:
            raise NotSent(f"the call to {self.host} came too late: the machine stood still")
        fields = {"content-type": content_type, "content-length": str(len(content)), **(headers or {})}
        return self._within(lambda: self._ask("POST", path, _pieces(content, until), fields))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Reads something that changes nothing, and gives the answer whatever its status. Raises NotSent or InDoubt."""
        return self._within(lambda: self._ask("GET", path, None, headers or {}))

    def close(self) -> None:
        """Closes the connections."""
        while self._idle:
            self._idle.pop().dismiss()
        self._client.close()

    def _within(self, work: Callable[[], Answer]) -> Answer:
        """Waits for the work for the time of a call, in a thread that is kept for the next one unless it hangs."""
        try:
            hand = self._idle.pop()
        except IndexError:
            hand = _Hand()
        result = hand.within(self._timeout_s, work)
        if result is None:
            hand.dismiss()
            raise InDoubt(f"no complete answer within {self._timeout_s:g} s")
        self._idle.append(hand)
        if isinstance(result, BaseException):
            raise result
        return result

    def _ask(self, method: str, path: str, content: Iterator[bytes] | None, headers: Mapping[str, str]) -> Answer:
        try:
            with self._client.stream(method, self._base_url + path, content=content, headers=headers) as response:
                body = _read(response, _ANSWER_LIMIT if content is not None else _SEARCH_LIMIT)
                for secret in self._secrets:  # what an answer says is kept and shown, even when it repeats our key
                    body = body.replace(secret, "[key]")
        except _TooLate:
            raise InDoubt(f"the call to {self.host} was given up half-way: its time was over") from None
        except _NOTHING_LEFT as error:
            raise NotSent(f"cannot reach {self.host} ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            # Its text may quote what was sent; its type is enough.
            raise InDoubt(f"the connection to {self.host} failed after the request had begun ({type(error).__name__})") from None
        found = response.headers
        return Answer(response.status_code, found.get("content-type", ""), found.get("retry-after", ""), body, dict(found.items()))


class _TooLate(Exception):
    """The time of a call ran out while its body was leaving."""


def _pieces(content: bytes, until: float) -> Iterator[bytes]:
    """The body in pieces, none of which leaves after its time: a machine that wakes from a freeze must not finish an old call."""
    for start in range(0, len(content) or 1, _PIECE):
        if since_boot() > until:
            raise _TooLate
        yield content[start : start + _PIECE]


def _read(response: httpx.Response, limit: int) -> str:
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) > limit:
            break
    return body[:limit].decode("utf-8", "replace")


class _Hand:
    """A thread that makes one call after another, so that whoever waits for a call can stop waiting.

    httpx bounds each read and write, not their sum, and a name look-up not at all. The call that is given up may yet
    go through, which is why running out of time is a doubt and not a failure.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Callable[[], Answer], SimpleQueue[Answer | BaseException]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="provider-call", daemon=True).start()

    def within(self, seconds: float, work: Callable[[], Answer]) -> Answer | BaseException | None:
        """What the work gave or raised; None when it takes longer: the hand is busy then, and must not be given other work."""
        box: SimpleQueue[Answer | BaseException] = SimpleQueue()
        self._work.put((work, box))
        try:
            return box.get(timeout=seconds)
        except Empty:
            return None

    def dismiss(self) -> None:
        """Ends the thread once its present work is done."""
        self._work.put(None)

    def _run(self) -> None:
        while (given := self._work.get()) is not None:
            work, box = given
            try:
                box.put(work())
            except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
                box.put(error)
            del given, work, box  # a body is not kept until the next call
