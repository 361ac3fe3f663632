"""The door for providers: ``POST /hooks/<provider>``. Verified, kept, answered; what it means is applied by the worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.errors import BriefingError
from pipeline.flow import feedback
from pipeline.flow.context import Station
from pipeline.providers.base import Forged, Listening
from pipeline.web.public.guards import SHOWN, BodyLimit, Guard, fault_line

MAX_EVENT = 1024 * 1024
"""Octets of one call. The largest that is documented is a notification of Amazon's, a quarter of that."""

_log = logging.getLogger("pipeline.web.hooks")


def create_hooks(station: Station, listeners: Mapping[str, Listening]) -> Starlette:
    """The application over what reads each provider's calls.

    Nothing here says "never again" (406 for Mailgun, 403 for others): a call that we refuse for a wrong key or a fault of ours
    is repeated for hours, and the news is not lost when somebody mends it meanwhile.
    """
    # A flood waits here, where waiting costs nothing, instead of before SQLite's lock, where it would starve the worker.
    one_at_a_time = asyncio.Lock()

    async def hook(request: Request) -> Response:
        name = request.path_params["provider"]
        listener = listeners.get(name)
        if listener is None:
            request.scope[SHOWN] = "/hooks/?"
            return _said(404, "no such provider, or its signing key is not set")
        request.scope[SHOWN] = f"/hooks/{name}"
        # Several headers of one name: the last, as a dictionary has it.
        headers, body = {key.lower(): value for key, value in request.headers.items()}, await request.body()
        async with one_at_a_time:
            return await run_in_threadpool(_take, station, name, listener, headers, body)

    return Starlette(
        routes=[Route("/{provider}", hook, methods=["POST"])],
        middleware=[Middleware(Guard, headers={"X-Content-Type-Options": "nosniff"}), Middleware(BodyLimit, limit=MAX_EVENT)],
    )


def _take(station: Station, name: str, listener: Listening, headers: Mapping[str, str], body: bytes) -> Response:
    try:
        listener.verify(headers, body, station.clock())
        news = listener.parse(headers, body)
        received = feedback.receive(station, name, news)
    except Forged as error:
        _log.warning("%(provider)s: refused: %(why)s", {"provider": name, "why": str(error)})
        return _said(401, "not signed by the provider")
    except ValueError as error:
        # Its text may quote the call.
        _log.warning("%(provider)s: signed, but it cannot be read (%(at)s)", {"provider": name, "at": fault_line(error)})
        return _said(400, "this is not what the provider documents")
    except BriefingError as error:
        _log.error("%(why)s (%(at)s)", {"why": error.message, "at": fault_line(error)})
        answer = _said(503, "it cannot be kept now")
        answer.headers["Retry-After"] = "60"
        return answer
    named = {"provider": name, "kept": received.kept, "repeated": received.repeated}
    _log.debug("%(provider)s: %(kept)d events kept, %(repeated)d known before", named)
    return _said(200, "ok")


def _said(status: int, text: str) -> Response:
    return PlainTextResponse(text + "\n", status)
