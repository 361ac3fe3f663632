"""The public site as one application: the archive's files, the pages for leaving, and a sign of life."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from pipeline.errors import BriefingError
from pipeline.flow.context import Station
from pipeline.web.public import archive, leave
from pipeline.web.public.floodgate import Floodgate
from pipeline.web.public.guards import SHOWN, BodyLimit, Guard, fault_line, guard_headers
from pipeline.web.public.pages import Pages

TROUBLES = {404: "no_page", 405: "no_way", 413: "too_much"}
"""What is said about a status: names of ``PageWords``, each with a second one that ends in ``_more``."""

_log = logging.getLogger("pipeline.web")


def create_public(station: Station) -> Starlette:
    """The application readers' browsers talk to. Raises TemplateFault when the site's style sheet cannot be rendered.

    Behind a proxy that keeps the path of ``base_url``, it answers below that path as well as at the top.
    """
    pages = Pages(station)
    base = urlsplit(station.settings.newsroom.base_url)
    routes: list[BaseRoute] = [
        Route("/healthz", _alive, methods=["GET"]),
        Route("/favicon.ico", _no_icon, methods=["GET"]),
        *leave.routes(station, pages, Floodgate(station.monotonic)),
        Route("/{path:path}", _archive(station, pages), methods=["GET"]),
    ]
    middleware = [
        Middleware(Guard, headers=guard_headers(https=base.scheme == "https")),
        Middleware(GZipMiddleware, minimum_size=500, compresslevel=6),
        Middleware(BodyLimit),
    ]
    return Starlette(
        routes=[Mount(base.path, routes=routes), *routes] if base.path else routes,
        middleware=middleware,
        exception_handlers={HTTPException: _refused(pages), BriefingError: _failed(pages)},
    )


async def _alive(request: Request) -> Response:
    """Says that the process answers; whether database and provider are well is what ``briefing doctor`` tells."""
    request.scope[SHOWN] = "/healthz"
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


async def _no_icon(request: Request) -> Response:
    """Browsers ask for it unbidden; 204 keeps their consoles and our log clean."""
    request.scope[SHOWN] = "/favicon.ico"
    return Response(status_code=204, headers={"Cache-Control": archive.AWHILE})


def _archive(station: Station, pages: Pages) -> Callable[[Request], Awaitable[Response]]:
    root = station.settings.var / "archive"

    async def endpoint(request: Request) -> Response:
        path = request.path_params["path"]
        found = await run_in_threadpool(archive.find, root, path)
        if found is None:
            if (css := pages.sheet(path)) is not None:
                return Response(css, media_type="text/css", headers={"Cache-Control": archive.FOREVER})
            request.scope[SHOWN] = "(no such page)"
            return pages.trouble(404, "no_page" if path else "empty")
        request.scope[SHOWN] = ascii(f"/{path}")[1:-1]  # it exists, so it is no secret; escaped, so it is one line
        return archive.answer(found, path, request.headers)

    return endpoint


def _refused(pages: Pages) -> Callable[[Request, Exception], Response]:
    def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        page = pages.trouble(error.status_code, TROUBLES.get(error.status_code, "unread"))
        page.headers.update(error.headers or {})
        return page

    return handler


def _failed(pages: Pages) -> Callable[[Request, Exception], Response]:
    """Database or disk cannot be used: the reader is told that nothing happened, so that nobody believes to have left."""

    def handler(request: Request, error: Exception) -> Response:
        _log.error("%(why)s (%(at)s)", {"why": getattr(error, "message", ""), "at": fault_line(error)})
        page = pages.trouble(503, "down")
        page.headers["Retry-After"] = "120"
        return page

    return handler
