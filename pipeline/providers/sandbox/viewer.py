"""The sandbox's inbox for people: a list, a search by address, and each mail as HTML, text, headers and source. No script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline.providers.sandbox.rendering import all_headers, readable, whole_message
from pipeline.providers.sandbox.store import Mail, SandboxStore

PAGE_SIZE = 50

_FOLDER = Path(__file__).with_name("pages")
_GUARDS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; frame-src 'self'; img-src 'self' data:; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# The mail is somebody else's HTML: no script, no forms, and no picture from outside this machine, so that looking at a
# rehearsal tells nobody. Following a link opens a tab of its own.
_MAIL_GUARDS = _GUARDS | {
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline';"
        " img-src 'self' data: http://127.0.0.1:* http://localhost:*; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )
}
_SHOWN = frozenset({"image/jpeg", "image/png", "image/gif"})
"""What the inbox shows of what a mail carries: never a document, such as SVG."""

_VIEWS = ("html", "text", "headers", "source")
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(store: SandboxStore) -> list[Route]:
    """Every page."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (_FOLDER / "sandbox.css").read_text("utf-8")

    def page(template: str, values: Mapping[str, object], status: int = 200) -> Response:
        return HTMLResponse(environment.get_template(template).render(values), status, _GUARDS)

    def of_mail(show: Callable[[Request, Mail], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            mail = await run_in_threadpool(store.mail, request.path_params["id"])
            return page("missing.html", {}, 404) if mail is None else show(request, mail)

        return endpoint

    async def inbox(request: Request) -> Response:
        search = request.query_params.get("search", "").strip()
        asked = request.query_params.get("page", "1")
        number = int(asked) if asked.isdecimal() and len(asked) < 10 else 1
        offset = (max(number, 1) - 1) * PAGE_SIZE
        total, mails = await run_in_threadpool(lambda: store.mails(search=search, limit=PAGE_SIZE, offset=offset))
        return page("inbox.html", _inbox(search, max(number, 1), total, mails))

    async def stylesheet(_request: Request) -> Response:
        return Response(style, media_type="text/css", headers=_GUARDS)

    def view(request: Request, mail: Mail) -> Response:
        wanted = request.path_params.get("view", "html")
        return page("mail.html", _mail_page(mail, wanted if wanted in _VIEWS else "html", request.query_params.get("width", "")))

    return [
        Route("/", inbox),
        Route("/sandbox.css", stylesheet),
        Route("/mail/{id:int}", of_mail(view)),
        Route("/mail/{id:int}/frame", of_mail(_frame)),
        Route("/mail/{id:int}/inline/{content_id}", of_mail(_inline)),
        Route("/mail/{id:int}/message.eml", of_mail(_download)),
        Route("/mail/{id:int}/{view}", of_mail(view)),
    ]


def _frame(_request: Request, mail: Mail) -> Response:
    html = mail.html or "<p>This mail has no HTML part.</p>"
    for one in mail.inline:
        html = html.replace(f"cid:{one.content_id}", f"/mail/{mail.id}/inline/{one.content_id}")
    return HTMLResponse(html, headers=_MAIL_GUARDS)


def _inline(request: Request, mail: Mail) -> Response:
    wanted = request.path_params["content_id"]
    found = next((one for one in mail.inline if one.content_id == wanted), None)
    if found is None or found.media_type not in _SHOWN:
        return PlainTextResponse("no such picture", 404, _GUARDS)
    return Response(found.data, media_type=found.media_type, headers=_GUARDS)


def _download(_request: Request, mail: Mail) -> Response:
    name = f'attachment; filename="{mail.id}.eml"'
    return Response(whole_message(mail), media_type="message/rfc822", headers=_GUARDS | {"Content-Disposition": name})


def _inbox(search: str, number: int, total: int, mails: object) -> dict[str, object]:
    pages = max(1, -(-total // PAGE_SIZE))

    def link(to: int) -> str:
        query = {name: value for name, value in (("search", search), ("page", str(to) if to > 1 else "")) if value}
        return "/?" + urlencode(query) if query else "/"

    return {
        "mails": mails,
        "search": search,
        "total": total,
        "number": number,
        "pages": pages,
        "newer": link(number - 1) if number > 1 else "",
        "older": link(number + 1) if number < pages else "",
    }


def _mail_page(mail: Mail, view: str, width: str) -> dict[str, object]:
    headers = all_headers(mail)
    return {
        "mail": mail,
        "sender": readable(mail.sender),
        "view": view,
        "views": _VIEWS,
        "phone": width == "phone",
        "headers": [(name, value, readable(value)) for name, value in headers] if view == "headers" else [],
        "source": whole_message(mail).decode("utf-8", "replace") if view == "source" else "",
        "size": len(whole_message(mail)),
    }
