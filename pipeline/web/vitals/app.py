"""Signs of life for machines that watch: /healthz, /readyz, /metrics. A port of its own, apart from the public site."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.errors import BriefingError
from pipeline.flow import metrics
from pipeline.flow.context import Sender
from pipeline.store import schema

_FRESH = {"Cache-Control": "no-store"}


def create_vitals(sender: Sender, trouble: Callable[[], str]) -> Starlette:
    """``trouble`` says in a few words why the worker is not ready, or nothing."""
    return Starlette(
        routes=[
            Route("/healthz", _alive, methods=["GET"]),
            Route("/readyz", _ready(sender, trouble), methods=["GET"]),
            Route("/metrics", _metrics(sender), methods=["GET"]),
        ]
    )


async def _alive(request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n", headers=_FRESH)


def _ready(sender: Sender, trouble: Callable[[], str]) -> Callable[[Request], Awaitable[Response]]:
    def look() -> str:
        try:
            current = schema.revision(sender.engine) == schema.HEAD
        except BriefingError as error:
            return error.message
        return trouble() if current else "the database is of another version"

    async def endpoint(request: Request) -> Response:
        """The worker works: its database answers, and its last round is not long ago."""
        said = await run_in_threadpool(look)
        return PlainTextResponse(f"{said or 'ready'}\n", 503 if said else 200, headers=_FRESH)

    return endpoint


def _metrics(sender: Sender) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        text = await run_in_threadpool(metrics.exposition, sender)
        return Response(text, headers={**_FRESH, "Content-Type": metrics.CONTENT_TYPE})

    return endpoint
