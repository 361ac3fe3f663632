"""What surrounds every public answer: headers, a short log, a limit on bodies, and a quiet end for our own mistakes."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 16_384
"""Octets: an address and some multipart wrapping; RFC 8058's body is 26."""

SHOWN = "briefing.shown"
"""Key in the request's scope for what the log calls the request. Paths as asked for may hold a token or an address."""

_access = logging.getLogger("pipeline.web.access")
_faults = logging.getLogger("pipeline.web")


def guard_headers(*, https: bool) -> dict[str, str]:
    """The headers of every answer. HSTS is for those only who are served over HTTPS (RFC 6797, 7.2)."""
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return headers | ({"Strict-Transport-Security": "max-age=31536000"} if https else {})


class Guard:
    """Sets the headers, logs one line, and turns an unforeseen exception into a page without a traceback."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, a reader gets a sentence and the log gets the place
            _faults.error("%s", fault_line(error))
            if not status:
                await PlainTextResponse("Something broke on our side. Please try again later.\n", 500)(scope, receive, guarded)
        finally:
            _access.info("%s %s %d %d ms", _method(scope), scope.get(SHOWN, "(other)"), status, round((time.monotonic() - started) * 1000))


def fault_line(error: BaseException) -> str:
    """An exception by type and place, innermost last. Never its message: that may quote a token or an address."""
    places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-4:]]
    return f"{type(error).__name__} at {' > '.join(places)}"


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"} else "?"


class BodyLimit:
    """Refuses bodies over a size, whatever their Content-Length claims (HTTP 413)."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > self._limit:
                    # The rest is not read, so the connection cannot carry another request.
                    raise HTTPException(413, headers={"Connection": "close"})
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)
