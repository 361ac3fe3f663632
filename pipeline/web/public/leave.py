"""Leaving a newsletter: by the link of a mail (RFC 8058) or by typing an address. GET changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.core.token import open_leave_token
from pipeline.flow import readers
from pipeline.flow.context import Station
from pipeline.settings import Newsletter
from pipeline.web.public.floodgate import Floodgate
from pipeline.web.public.guards import SHOWN
from pipeline.web.public.pages import Pages

ANSWER_AFTER_S = 0.25
"""A typed address is answered after this time, on the list or not: a write takes longer than finding nothing to write."""

Handler = Callable[[Request, Newsletter], Awaitable[Response]]


def routes(station: Station, pages: Pages, gate: Floodgate) -> list[Route]:
    """The routes under ``/leave/``."""

    async def ask_address(request: Request, newsletter: Newsletter) -> Response:
        return pages.leave(request, newsletter, by_link=False)

    async def leave_by_address(request: Request, newsletter: Newsletter) -> Response:
        if not gate.admits(request.client.host if request.client else None):
            notice = "We are getting too many requests just now, so nothing has been changed. Please try again in a minute."
            page = pages.leave(request, newsletter, by_link=False, notice=notice, status=429)
            page.headers["Retry-After"] = "60"
            return page
        address = await _field(request, "address")
        answer_at = station.monotonic() + ANSWER_AFTER_S
        await run_in_threadpool(readers.leave_by_address, station, newsletter.id, address)
        await asyncio.sleep(max(0.0, answer_at - station.monotonic()))
        return pages.left(request, newsletter, by_link=False)

    async def ask_once(request: Request, newsletter: Newsletter) -> Response:
        token = request.path_params["token"]
        if not token:
            return pages.leave(request, newsletter, by_link=False)
        if open_leave_token(station.leave_key, token, newsletter.id, station.clock()) is None:
            return _bad_link(pages, request, newsletter)
        return pages.leave(request, newsletter, by_link=True)

    async def leave_by_link(request: Request, newsletter: Newsletter) -> Response:
        token = request.path_params["token"]
        if not token:
            return await leave_by_address(request, newsletter)
        if await _field(request, "List-Unsubscribe") != "One-Click":
            # The pair is what tells a wish to leave from a machine that posts to whatever it finds (RFC 8058, 3.2).
            return pages.leave(request, newsletter, by_link=True, notice="Nothing has been changed yet.", status=400)
        if not await run_in_threadpool(readers.leave_by_token, station, newsletter.id, token):
            return _bad_link(pages, request, newsletter)
        return pages.left(request, newsletter, by_link=True)

    def of_newsletter(get: Handler, post: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            newsletter = station.settings.newsletters.get(request.path_params["newsletter"])
            request.scope[SHOWN] = f"/leave/{newsletter.id if newsletter else '?'}{'/...' if request.path_params.get('token') else ''}"
            if newsletter is None:
                return pages.trouble(request, 404, "There is no such newsletter", "Please check the address, or begin at our front page.")
            return await (post if request.method == "POST" else get)(request, newsletter)

        return endpoint

    methods = ["GET", "POST"]
    return [
        Route("/leave/{newsletter}", of_newsletter(ask_address, leave_by_address), methods=methods),
        Route("/leave/{newsletter}/{token:path}", of_newsletter(ask_once, leave_by_link), methods=methods),
    ]


def _bad_link(pages: Pages, request: Request, newsletter: Newsletter) -> Response:
    return pages.trouble(
        request, 404, "This link does not work any more",
        "It may be very old, or part of it was lost on the way. Nothing has been changed.",
        newsletter=newsletter,
    )  # fmt: skip


async def _field(request: Request, name: str) -> str:
    """One field of a form, urlencoded or multipart (RFC 8058 allows both); empty when missing or a file."""
    async with request.form(max_files=0, max_fields=8) as form:
        value = form.get(name)
        return value if isinstance(value, str) else ""
