"""One polite question to a stranger's server: is this page there?

HEAD first, GET where HEAD is not understood, and of no answer more than its head. Only public addresses are asked: a draft
must not make this machine speak to its own network (server-side request forgery). A name is looked up once, and what was
checked is what is connected to, for every hop of a redirect.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from time import monotonic, sleep

import httpx

from pipeline.copydesk.evidence import Answer, Verdict

MAX_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_WAIT = frozenset({429, 503})
_NO_HOST = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """An address that is not asked; the text follows "the link"."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    location: str
    retry_after: str


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open Internet, also behind the forms in which IPv6 carries IPv4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inside is None and ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return inside.is_global and not inside.is_multicast
    return ip.is_global and not ip.is_multicast


class Asker:
    """Asks for pages: a host at a time, with a pause between two questions to it. Safe from several threads."""

    def __init__(
        self, *, user_agent: str, clock: Callable[[], datetime], permitted: Callable[[str], bool] = is_public,
        pause_s: float = 1.0, timeout_s: float = 10.0, longest_wait_s: float = 20.0,
    ) -> None:  # fmt: skip
        """``permitted`` says of an IP address whether it may be connected to; only tests give another one."""
        self._clock = clock
        self._permitted = permitted
        self._pause_s = pause_s
        self._longest_wait_s = longest_wait_s
        self._turns: dict[str, Lock] = {}
        self._last: dict[str, float] = {}
        self._barred: set[str] = set()
        self._guard = Lock()
        self._client = httpx.Client(
            headers={"User-Agent": user_agent, "Accept": "*/*"},
            timeout=httpx.Timeout(timeout_s),
            # Connections are kept by address; two hosts of one address must not share one that was opened for the other.
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,  # behind a proxy nobody knows which address is connected to
        )

    def close(self) -> None:
        """Closes what is open."""
        self._client.close()

    def ask(self, url: str) -> Answer:
        """What is known of the page afterwards. Raises nothing: whatever happens out there is an answer."""
        try:
            target = httpx.URL(url)
            for _ in range(MAX_HOPS + 1):
                reply = self._patiently(target)
                if reply.status not in _REDIRECTS or not reply.location:
                    return _judged(reply)
                target = target.join(reply.location)
            return Answer(Verdict.UNSURE, "is passed on again and again")
        except Refused as refused:
            return Answer(Verdict.UNSURE, str(refused))
        except socket.gaierror as error:
            if error.errno in _NO_HOST:
                return Answer(Verdict.DEAD, "names a host that does not exist")
            return Answer(Verdict.UNSURE, "could not be looked up")
        except httpx.TimeoutException:
            return Answer(Verdict.UNSURE, "was not answered in time")
        except httpx.HTTPError as error:
            return Answer(Verdict.UNSURE, _in_words(error))
        except (httpx.InvalidURL, UnicodeError, ValueError):
            return Answer(Verdict.UNSURE, "leads to an address that cannot be read")

    def _patiently(self, target: httpx.URL) -> _Reply:
        """HEAD, then GET when the answer to HEAD may be about HEAD. Waits once as long as the server asks for."""
        if target.host in self._barred:
            raise Refused("was not asked for: the server wants to be left alone")
        reply = self._once("HEAD", target)
        if reply.status in _WAIT and 0 <= (wait := self._seconds(reply.retry_after)) <= self._longest_wait_s:
            sleep(wait)
            reply = self._once("HEAD", target)
        if reply.status in _WAIT:
            self._barred.add(target.host)
        elif reply.status >= 400:
            reply = self._once("GET", target)
        return reply

    def _once(self, method: str, target: httpx.URL) -> _Reply:
        if target.scheme not in ("http", "https") or not target.host:
            raise Refused("is passed on to what is no web page")
        address = self._address(target)
        host = target.netloc.decode("ascii")
        request = self._client.build_request(
            method, target.copy_with(host=address), headers={"Host": host}, extensions={"sni_hostname": target.raw_host.decode("ascii")}
        )
        with self._turn(target.host):
            if target.host in self._last:
                sleep(max(0.0, self._last[target.host] + self._pause_s - monotonic()))
            try:
                response = self._client.send(request, stream=True)
                response.close()  # its head is all that is read
            finally:
                self._last[target.host] = monotonic()
        return _Reply(response.status_code, response.headers.get("location", ""), response.headers.get("retry-after", ""))

    def _address(self, target: httpx.URL) -> str:
        """The address to connect to. Raises Refused, socket.gaierror."""
        port = target.port or (443 if target.scheme == "https" else 80)
        found = [str(one[4][0]) for one in socket.getaddrinfo(target.raw_host.decode("ascii"), port, type=socket.SOCK_STREAM)]
        # One inner address among outer ones is no accident: nobody who means well mixes them.
        if not found or not all(self._permitted(one) for one in found):
            raise Refused("leads into a private network")
        return next((one for one in found if ":" not in one), found[0])

    def _turn(self, host: str) -> Lock:
        with self._guard:
            return self._turns.setdefault(host, Lock())

    def _seconds(self, retry_after: str) -> float:
        """``Retry-After`` (RFC 9110 section 10.2.3) in seconds; -1 for none."""
        if retry_after.strip().isdigit():
            return float(retry_after)
        with suppress(ValueError, TypeError, OverflowError):
            return max(0.0, (parsedate_to_datetime(retry_after) - self._clock()).total_seconds())
        return -1.0


def _judged(reply: _Reply) -> Answer:
    if reply.status < 400:
        return Answer(Verdict.ALIVE)
    if reply.status in _GONE:
        return Answer(Verdict.DEAD, f"is dead (the server says {reply.status})")
    return Answer(Verdict.UNSURE, f"cannot be judged (the server says {reply.status})")


def _in_words(error: httpx.HTTPError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) or "CERTIFICATE" in str(cause):
            return "leads to a server whose certificate is not valid"
        cause = cause.__cause__ or cause.__context__
    return "leads to a server that does not answer" if isinstance(error, httpx.ConnectError) else "was answered with what is not HTTP"
