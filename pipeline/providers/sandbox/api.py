"""The sandbox's machine doors: Mailgun's (`/v3/...`) and a JSON one of its own for tests (`/api/...`)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pipeline.clock import Clock
from pipeline.core.message import InlinePicture
from pipeline.providers.sandbox.adapter import KEY_WINDOW_S, DoubtClass
from pipeline.providers.sandbox.events import EVENTS_A_MAIL, LISTS, events_of, happened
from pipeline.providers.sandbox.faults import Dice
from pipeline.providers.sandbox.intake import INVALID_TO, Rejected, read_call
from pipeline.providers.sandbox.rendering import all_headers
from pipeline.providers.sandbox.store import KeyReused, Mail, SandboxStore

EVENTS_PAGE = 300
"""Mailgun's own limit for one page of events."""

_FORM_LIMIT = 25_000_000
_PAGE_LIMIT = 1000
_DRIP_S = 0.2
_KEY_LIMIT = 256
# Of accept-then-timeout, for a caller that waits without end.
_SILENCE_S = 600.0
_MOST_FILES = 100
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(store: SandboxStore, dice: Dice, now: Clock, api_key: str, doubt_class: DoubtClass = DoubtClass.SEARCH) -> list[Route]:
    """Every door under /v3 and /api."""

    def with_key(endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            if _has_key(request.headers.get("authorization", ""), api_key):
                return await endpoint(request)
            return PlainTextResponse("Forbidden", 401, {"WWW-Authenticate": 'Basic realm="MG API"'})

        return guarded

    messages, events = _messages(store, dice, now, keyed=doubt_class is DoubtClass.KEY), _events(store, dice, now)
    search = [
        Route("/v3/{domain}/events", with_key(events), methods=["GET"]),
        Route("/v3/{domain}/events/{page}", with_key(events), methods=["GET"]),
    ]
    return [
        Route("/v3/{domain}/messages", with_key(messages), methods=["POST"]),
        *(search if doubt_class is DoubtClass.SEARCH else ()),
        *(Route(f"/v3/{{domain}}/{name}", with_key(_list(store, name)), methods=["GET"]) for name in LISTS),
        *_own_routes(store),
        # Mailgun's answer to a POST on any path it does not have: a 200 that is easily taken for success.
        Route("/{path:path}", _magnificent, methods=["GET", "POST"]),
    ]


class _Fate:
    """The dice of one request; what they decide is noted."""

    def __init__(self, store: SandboxStore, dice: Dice, request: int) -> None:
        self._store, self._dice, self._request = store, dice, request

    def strikes(self, name: str) -> bool:
        struck = self._dice.strikes(name)
        if struck:
            self._store.struck(self._request, name)
        return struck


def _messages(store: SandboxStore, dice: Dice, now: Clock, *, keyed: bool) -> Endpoint:
    async def messages(request: Request) -> Response:
        fate = _Fate(store, dice, await run_in_threadpool(store.begin, now()))
        key, digest = request.headers.get("idempotency-key", ""), ""
        if keyed and key:
            whole = request.url.path.encode() + b"\0" + await request.body()
            digest = hashlib.sha256(whole).hexdigest()
        fields, files = await _form(request)
        if dice.latency_s:
            await asyncio.sleep(dice.latency_s)
        if fate.strikes("drop-before"):
            return await _hang_up(request)
        if refusal := _refused_by_fault(fate):
            return refusal
        domain = request.path_params["domain"]
        try:
            call = read_call(fields, files=files, domain=domain, fallback_id=f"{now():%Y%m%d%H%M%S}.{uuid.uuid4().hex}@{domain}")
        except Rejected as error:
            return JSONResponse({"message": str(error)}, 400)
        message_id = call.message_id
        if not digest:
            await run_in_threadpool(store.accept, call, now())
        elif len(key) > _KEY_LIMIT:
            return JSONResponse({"message": f"an Idempotency-Key has at most {_KEY_LIMIT} characters"}, 400)
        else:
            window = timedelta(seconds=KEY_WINDOW_S)
            try:
                message_id = await run_in_threadpool(store.accept_once, call, now(), key=key, digest=digest, window=window)
            except KeyReused:
                return JSONResponse({"message": "this Idempotency-Key was used for another call"}, 409)
        return await _answer_to_taken(request, fate, {"id": f"<{message_id}>", "message": "Queued. Thank you."})

    return messages


async def _answer_to_taken(request: Request, fate: _Fate, document: dict[str, str]) -> Response:
    """What the caller gets to see of a call that is stored."""
    text = json.dumps(document)
    if fate.strikes("drop-after"):
        return await _hang_up(request)
    if fate.strikes("5xx-after"):
        return JSONResponse({"message": "Service Unavailable"}, 503)
    if fate.strikes("accept-then-timeout"):
        return await _silence(request)
    if fate.strikes("half"):
        return _announced(_half(request, text), text)
    if fate.strikes("drip"):
        return _announced(_drip(text), text)
    if fate.strikes("json"):
        return Response(text[: len(text) // 2], media_type="application/json")
    return JSONResponse(document)


def _announced(pieces: AsyncIterator[str], text: str) -> Response:
    """An answer in pieces that says before how long it is."""
    return StreamingResponse(pieces, media_type="application/json", headers={"content-length": str(len(text))})


async def _half(request: Request, text: str) -> AsyncIterator[str]:
    yield text[: len(text) // 2]
    await _hang_up(request)


async def _drip(text: str) -> AsyncIterator[str]:
    for character in text:
        yield character
        await asyncio.sleep(_DRIP_S)


async def _silence(request: Request) -> Response:
    """Waits until the caller has gone."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SILENCE_S):
            while not await request.is_disconnected():
                await asyncio.sleep(0.05)
    return Response(status_code=204)


def _refused_by_fault(fate: _Fate) -> Response | None:
    if fate.strikes("401"):
        return PlainTextResponse("Forbidden", 401)
    if fate.strikes("429"):
        return JSONResponse({"message": "Domain is not allowed to send: recipient limit exceeded, try again after 1 seconds"}, 429)
    if fate.strikes("5xx"):
        return JSONResponse({"message": "Internal Server Error"}, 500)
    if fate.strikes("refuse"):
        return JSONResponse({"message": INVALID_TO}, 400)
    return None


def _events(store: SandboxStore, dice: Dice, now: Clock) -> Endpoint:
    async def events(request: Request) -> Response:
        wanted = _page_of(request)
        if wanted is None:
            return JSONResponse({"message": "not a page of events"}, 400)
        domain, limit = request.path_params["domain"], min(max(int(wanted["limit"]), 1), EVENTS_PAGE)
        # An event comes to light as late as the search does.
        until = now() - timedelta(seconds=dice.lag_s)
        items, last = await run_in_threadpool(_page_from, store, domain, wanted, limit, until)
        following = dict(wanted, after=str(last))
        page = base64.urlsafe_b64encode(json.dumps(following).encode()).decode()
        address = str(request.url.replace(path=f"/v3/{domain}/events/{page}", query=""))
        return JSONResponse({"items": items, "paging": {"next": address}})

    return events


_MORE: Mapping[str, Mapping[str, object]] = {"bounces": {"code": "550", "error": "No such mailbox"}, "unsubscribes": {"tags": ["*"]}}


def _list(store: SandboxStore, name: str) -> Endpoint:
    """One of the lists of addresses that Mailgun would not mail again. The sandbox mails them all the same."""

    async def page(request: Request) -> Response:
        limit = request.query_params.get("limit", "100")
        if not limit.isdecimal() or not 0 < int(limit) <= _PAGE_LIMIT:
            return JSONResponse({"message": "limit is a number up to 1000"}, 400)
        after = request.query_params.get("address", "")
        found = await run_in_threadpool(
            lambda: store.fated(domain=request.path_params["domain"], fate=LISTS[name], after=after, limit=int(limit))
        )
        items = [{"address": address, "created_at": f"{at:%a, %d %b %Y %H:%M:%S} UTC", **_MORE.get(name, {})} for address, at in found]
        last = found[-1][0] if found else after
        base = request.url.replace(query="")
        pages = {
            "first": {"page": "first"},
            "last": {"page": "last"},
            "next": {"page": "next", "address": last},
            "previous": {"page": "previous"},
        }
        paging = {which: str(base.replace(query=urlencode({**query, "limit": limit}))) for which, query in pages.items()}
        return JSONResponse({"items": items, "paging": paging})

    return page


def _page_from(
    store: SandboxStore, domain: str, wanted: Mapping[str, str], limit: int, until: datetime
) -> tuple[list[dict[str, object]], int]:
    """The events of the next mails, taken at ``until`` or before, that have any that are wanted, at most ``limit``; and the last mail
    that was looked at."""
    kinds = frozenset(filter(None, (kind.strip() for kind in wanted["event"].split(" OR "))))
    begin, end = float(wanted["begin"] or 0), float(wanted["end"] or "inf")
    last = int(wanted["after"])
    most = limit if kinds == {"accepted"} else max(limit // EVENTS_A_MAIL, 1)
    filters = {"domain": domain, "message_id": wanted["message-id"], "recipient": wanted["recipient"], "tag": wanted["tags"]}
    while mails := store.accepted(**filters, after=last, until=until, limit=most):
        last = mails[-1].id
        items = [event for mail in mails for event in events_of(mail) if happened(event, kinds, begin, end)]
        if items:
            return items, last
    return [], last


_FILTERS = ("message-id", "recipient", "event", "tags", "begin", "end")


def _page_of(request: Request) -> dict[str, str] | None:
    """The filters of a first page from its query, of a further one from its token; None when either is nonsense."""
    wanted = {name: request.query_params.get(name, "") for name in _FILTERS}
    wanted |= {"limit": request.query_params.get("limit", "100"), "after": "0"}
    try:
        if token := request.path_params.get("page"):
            wanted = {name: str(json.loads(base64.urlsafe_b64decode(token))[name]) for name in wanted}
        int(wanted["limit"]), int(wanted["after"]), float(wanted["begin"] or 0), float(wanted["end"] or 0)
    except (ValueError, LookupError, TypeError, binascii.Error):
        return None
    wanted["message-id"] = wanted["message-id"].removeprefix("<").removesuffix(">")
    return wanted


def _own_routes(store: SandboxStore) -> list[Route]:
    async def listing(request: Request) -> Response:
        query = request.query_params
        try:
            limit, offset = int(query.get("limit", "50")), int(query.get("offset", "0"))
        except ValueError:
            return JSONResponse({"message": "limit and offset are whole numbers"}, 400)
        limit, offset = min(max(limit, 0), _PAGE_LIMIT), max(offset, 0)
        total, mails = await run_in_threadpool(lambda: store.mails(search=query.get("search", ""), limit=limit, offset=offset))
        return JSONResponse({"total": total, "items": [_summary(mail) for mail in mails]})

    async def one(request: Request) -> Response:
        mail = await run_in_threadpool(store.mail, request.path_params["id"])
        if mail is None:
            return JSONResponse({"message": "no such message"}, 404)
        inline = [{"content_id": file.content_id, "media_type": file.media_type, "size": len(file.data)} for file in mail.inline]
        return JSONResponse({**_summary(mail), "headers": all_headers(mail), "html": mail.html, "text": mail.text, "inline": inline})

    async def stats(_request: Request) -> Response:
        return JSONResponse(asdict(await run_in_threadpool(store.stats)))

    async def clear(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return JSONResponse({"message": "another site may not empty the inbox"}, 403)
        await run_in_threadpool(store.clear)
        if "text/html" in request.headers.get("accept", ""):
            return Response(status_code=303, headers={"Location": "/"})
        return Response(status_code=204)

    return [
        Route("/api/messages", listing, methods=["GET"]),
        Route("/api/messages/{id:int}", one, methods=["GET"]),
        Route("/api/stats", stats, methods=["GET"]),
        Route("/api/clear", clear, methods=["POST"]),
    ]


def _summary(mail: Mail) -> dict[str, object]:
    return {
        "id": mail.id,
        "to": mail.address,
        "from": mail.sender,
        "subject": mail.subject,
        "received_at": mail.received_at.isoformat(),
        "message_id": mail.message_id,
        "campaign": mail.campaign,
        "batch": mail.batch,
        "variables": dict(mail.variables),
    }


async def _form(request: Request) -> tuple[list[tuple[str, str]], list[tuple[str, InlinePicture]]]:
    """The text fields in order, and the files by field. Starlette's own limits (1000 fields, 1 MB a part) are below one full
    call of Mailgun's."""
    fields: list[tuple[str, str]] = []
    files: list[tuple[str, InlinePicture]] = []
    try:
        async with request.form(max_files=_MOST_FILES, max_fields=5000, max_part_size=_FORM_LIMIT) as form:
            for field, value in form.multi_items():
                if isinstance(value, str):
                    fields.append((field, value))
                else:
                    name, data = value.filename or "", await value.read()
                    media_type = value.content_type or "application/octet-stream"
                    files.append((field, InlinePicture(content_id=name, name=name, media_type=media_type, data=data)))
    except MultiPartException:
        return [], []
    return fields, files


async def _hang_up(request: Request) -> Response:
    """Closes the connection under the answer; ``run.py`` puts the means into the scope."""
    hang_up: Callable[[], None] | None = request.scope.get("extensions", {}).get("briefing.hang_up")
    if hang_up is None:
        return PlainTextResponse("the fault was to drop this connection, which only briefing sandbox's own server can do", 500)
    hang_up()
    await asyncio.sleep(0.01)  # until the server has noticed; what is answered after that goes nowhere
    return Response(status_code=204)


async def _magnificent(request: Request) -> Response:
    return PlainTextResponse("Not Found", 404) if request.method != "POST" else PlainTextResponse("Mailgun Magnificent API")


def _has_key(authorization: str, api_key: str) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, f"api:{api_key}".encode())
