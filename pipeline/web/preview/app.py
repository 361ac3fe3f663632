"""The preview as an application: a page, its frames with policies of their own, and a stream of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from pipeline import newsroom
from pipeline.core.issue import IssueId
from pipeline.errors import BriefingError
from pipeline.flow.context import Desk
from pipeline.web.preview.guard import PAGE_GUARDS, frame_guards
from pipeline.web.preview.schemes import links_apart
from pipeline.web.preview.views import Pages, mail_copy
from pipeline.web.preview.watch import Watch
from pipeline.web.preview.workbench import Fault, Look, Workbench

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]", "::1")
FRAMES = "/frames"
"""Below this path lies what stands in for the public site, so that the archive page's relative links hold."""

HEARTBEAT_S = 15.0
WITHOUT_WATCH_S = 1.0

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Preview:
    """What the handlers share."""

    bench: Workbench
    pages: Pages
    watch: Watch
    reference: str | None


def create_preview(root: Path, load: Callable[[], Desk], reference: str | None = None) -> Starlette:
    """The preview of the newsroom at ``root``: of one issue (an id or a path), or with a list of drafts first.

    ``load`` opens the newsroom and is called again after every change, so that configuration is live too; it may raise
    ConfigurationError, which is shown. ``app.state.close`` ends the streams; ``pipeline.serving`` calls it when it stops.
    """
    folders = dict.fromkeys((root / "issues", root / "config", root / "templates", newsroom.packaged() / "templates"))
    preview = _Preview(Workbench(root, load), Pages(), Watch(folders), reference)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(preview.watch.run())
        yield
        preview.watch.close()
        await watching

    app = Starlette(
        routes=_routes(preview),
        # Drafts are shown without a password, so a page elsewhere must not reach them under a name of its own (DNS rebinding).
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK_NAMES), www_redirect=False)],
        lifespan=lifespan,
    )
    app.state.close = preview.watch.close
    return app


def _routes(preview: _Preview) -> list[Route]:
    def bound(handler: Callable[[_Preview, Request], Awaitable[Response]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return await handler(preview, request)

        return endpoint

    issue = "{newsletter}/{stem}"
    return [
        Route("/", bound(_start)),
        Route("/drafts", bound(_drafts)),
        Route("/events", bound(_events)),
        Route("/preview.css", bound(_asset)),
        Route("/preview.js", bound(_asset)),
        Route(f"/events/{issue}", bound(_events)),
        Route(f"/issues/{issue}", bound(_issue)),
        Route(f"/issues/{issue}/", bound(_issue)),
        Route(f"{FRAMES}/media/{{name}}", bound(_file)),
        Route(f"{FRAMES}/{{name}}.css", bound(_file)),
        Route(f"{FRAMES}/{issue}/", bound(_web_frame)),
        Route(f"{FRAMES}/{issue}/{{view}}", bound(_frame)),
        Route("/{path:path}", bound(_missing)),
    ]


async def _start(preview: _Preview, request: Request) -> Response:
    if preview.reference is None:
        return await _drafts(preview, request)
    try:
        id = await run_in_threadpool(preview.bench.resolve, preview.reference)
    except BriefingError as error:
        return _page(preview.pages.fault(Fault(error.message, error.hint), preview.bench.version(None)))
    return RedirectResponse(f"/issues/{id}", 302, PAGE_GUARDS)


async def _drafts(preview: _Preview, request: Request) -> Response:
    version = await run_in_threadpool(preview.bench.version, None)
    try:
        found = await run_in_threadpool(preview.bench.drafts)
    except BriefingError as error:
        return _page(preview.pages.fault(Fault(error.message, error.hint), version))
    return _page(preview.pages.drafts(found, version))


async def _issue(preview: _Preview, request: Request) -> Response:
    look = await _look(preview, request)
    if look is None:
        return await _missing(preview, request)
    return _page(preview.pages.issue(look, request.query_params.get("view", ""), request.query_params.get("at", "")))


async def _frame(preview: _Preview, request: Request) -> Response:
    look, view = await _look(preview, request), request.path_params["view"]
    if look is None or look.rendering is None:
        return await _missing(preview, request)
    if view in ("text", "headers"):
        page = preview.pages.text if view == "text" else preview.pages.headers
        return _page(page(look.rendering), guards=frame_guards("'self'"))
    copy = mail_copy(look.rendering, view)
    if copy is None:
        return await _missing(preview, request)
    return _page(links_apart(copy), guards=frame_guards("'unsafe-inline'"))


async def _web_frame(preview: _Preview, request: Request) -> Response:
    look = await _look(preview, request)
    if look is None or look.rendering is None:
        return await _missing(preview, request)
    return _page(links_apart(look.rendering.edition.web), guards=frame_guards("'self'"))


async def _look(preview: _Preview, request: Request) -> Look | None:
    """The issue a path names (it may turn out to have no draft, which is then its fault), or None for no issue's name."""
    id = _id_of(request)
    if id is None:
        return None
    # The address the browser used, not the one we listen on: 'self' in a policy means exactly that origin.
    base_url = str(request.base_url).rstrip("/") + FRAMES
    return await run_in_threadpool(preview.bench.look, id, base_url)


def _id_of(request: Request) -> IssueId | None:
    try:
        return IssueId.parse(f"{request.path_params['newsletter']}/{request.path_params['stem']}")
    except ValueError:
        return None


async def _file(preview: _Preview, request: Request) -> Response:
    found = await run_in_threadpool(preview.bench.file, request.url.path.removeprefix(f"{FRAMES}/"))
    if found is None:
        return await _missing(preview, request)
    # Named after their content: asked for once, they make the next frame come sooner.
    return Response(found[0], media_type=found[1], headers=PAGE_GUARDS | {"Cache-Control": "private, max-age=86400, immutable"})


async def _asset(preview: _Preview, request: Request) -> Response:
    body, media_type = preview.pages.asset(request.url.path.removeprefix("/"))
    return Response(body, media_type=media_type, headers=dict(PAGE_GUARDS))


async def _missing(preview: _Preview, request: Request) -> Response:
    return _page(preview.pages.missing(), 404)


async def _events(preview: _Preview, request: Request) -> Response:
    """Server-sent events: the version now, then each new one. A page that finds it has another version asks anew."""
    id = _id_of(request) if "stem" in request.path_params else None
    headers = dict(PAGE_GUARDS) | {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=headers)

    async def stream() -> AsyncIterator[str]:
        last = ""
        while not preview.watch.closed and not await request.is_disconnected():
            ticket = preview.watch.ticket()  # taken before looking: a save while we look must not be missed
            version = await run_in_threadpool(preview.bench.version, id)
            yield f"data: {version}\n\n" if version != last else ": still here\n\n"
            last = version
            await preview.watch.after(ticket, HEARTBEAT_S if preview.watch.alive else WITHOUT_WATCH_S)

    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _page(html: str, status: int = 200, *, guards: Mapping[str, str] = PAGE_GUARDS) -> Response:
    return HTMLResponse(html, status, dict(guards))
