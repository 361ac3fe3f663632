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
    desk = _Leaving(station, pages, gate)
    methods = ["GET", "POST"]
    return [
        Route("/leave/{newsletter}", desk.endpoint(desk.ask_address, desk.leave_by_address), methods=methods),
        Route("/leave/{newsletter}/{token:path}", desk.endpoint(desk.ask_once, desk.leave_by_link), methods=methods),
    ]


class _Leaving:
    """The handlers, and what they share."""

    def __init__(self, station: Station, pages: Pages, gate: Floodgate) -> None:
        self._station = station
        self._pages = pages
        self._gate = gate

    def endpoint(self, get: Handler, post: Handler) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that finds the newsletter first, and names the request for the log."""

        async def endpoint(request: Request) -> Response:
            newsletter = self._station.settings.newsletters.get(request.path_params["newsletter"])
            request.scope[SHOWN] = f"/leave/{newsletter.id if newsletter else '?'}{'/...' if request.path_params.get('token') else ''}"
            if newsletter is None:
                return self._pages.trouble(404, "no_newsletter")
            return await (post if request.method == "POST" else get)(request, newsletter)

        return endpoint

    async def ask_address(self, request: Request, newsletter: Newsletter) -> Response:
        """The generic page, which is what a mail's body links to."""
        return self._pages.leave(newsletter, by_link=False)

    async def leave_by_address(self, request: Request, newsletter: Newsletter) -> Response:
        """Acts on a typed address; one answer for everybody, by text and by time (OWASP ASVS 6.3.8)."""
        if not self._gate.admits(request.client.host if request.client else None):
            page = self._pages.leave(newsletter, by_link=False, notice="too_many", status=429)
            page.headers["Retry-After"] = "60"
            return page
        address = await _field(request, "address")
        answer_at = self._station.monotonic() + ANSWER_AFTER_S
        await run_in_threadpool(readers.leave_by_address, self._station, newsletter.id, address)
        await asyncio.sleep(max(0.0, answer_at - self._station.monotonic()))
        return self._pages.left(newsletter, by_link=False)

    async def ask_once(self, request: Request, newsletter: Newsletter) -> Response:
        """The page behind a mail's own link; scanners follow links, so it changes nothing."""
        token = request.path_params["token"]
        if not token:
            return await self.ask_address(request, newsletter)
        if open_leave_token(self._station.leave_key, token, newsletter.id, self._station.clock()) is None:
            return self._bad_link(request, newsletter)
        return self._pages.leave(newsletter, by_link=True)

    async def leave_by_link(self, request: Request, newsletter: Newsletter) -> Response:
        """The button of that page, and the one of a mail program (RFC 8058)."""
        token = request.path_params["token"]
        if not token:
            return await self.leave_by_address(request, newsletter)
        if await _field(request, "List-Unsubscribe") != "One-Click":
            # The pair is what tells a wish to leave from a machine that posts to whatever it finds (RFC 8058, 3.2).
            return self._pages.leave(newsletter, by_link=True, notice="nothing_changed", status=400)
        if not await run_in_threadpool(readers.leave_by_token, self._station, newsletter.id, token):
            return self._bad_link(request, newsletter)
        return self._pages.left(newsletter, by_link=True)

    def _bad_link(self, request: Request, newsletter: Newsletter) -> Response:
        return self._pages.trouble(404, "bad_link", newsletter=newsletter)


async def _field(request: Request, name: str) -> str:
    """One field of a form, urlencoded or multipart (RFC 8058 allows both); empty when missing or a file."""
    async with request.form(max_files=0, max_fields=8) as form:
        value = form.get(name)
        return value if isinstance(value, str) else ""
