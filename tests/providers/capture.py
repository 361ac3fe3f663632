"""Small servers on this machine that read what is sent to them as the documentation of Resend, SES and Mailgun says, and keep it.

They stand where the providers would stand: what arrives is put into messages by other code than ours (the standard library's
``email``), a signature is made again by botocore.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Answerer = Callable[[Request], tuple[int, Any]]


@dataclass
class Capture:
    """A running server: its address and the requests so far."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def capturing(answerer: Answerer) -> Iterator[Capture]:
    """Serves on a free port until the end of the block; answers with JSON."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            capture.requests.append(request)
            status, answer = answerer(request)
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    capture = Capture(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield capture
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class ResendServer:
    """POST /emails/batch: the key, the limit of 100, permissive and strict validation, one id an email."""

    def __init__(self, api_key: str) -> None:
        self.mails: list[EmailMessage] = []
        #: What GET /suppressions and GET /domains show.
        self.suppressions: list[dict[str, Any]] = []
        self.domains: list[dict[str, Any]] = []
        self.may_only_send = False
        self._api_key, self._seen = api_key, dict[str, tuple[bytes, dict[str, Any]]]()

    def __call__(self, request: Request) -> tuple[int, Any]:
        """Answers one request."""
        if request.headers.get("authorization") != f"Bearer {self._api_key}":
            return 403, {"statusCode": 403, "name": "invalid_api_key", "message": "API key is invalid"}
        path, _, query = request.path.partition("?")
        if request.method == "GET" and self.may_only_send:
            message = "This API key is restricted to only send emails"
            return 401, {"statusCode": 401, "name": "restricted_api_key", "message": message}
        if (request.method, path) == ("GET", "/suppressions"):
            return self._list(dict(parse_qsl(query, strict_parsing=True)))
        if (request.method, path) == ("GET", "/domains"):
            return 200, {"object": "list", "has_more": False, "data": self.domains}
        if request.path != "/emails/batch":
            return 404, {"statusCode": 404, "name": "not_found", "message": "The requested endpoint does not exist."}
        emails, key = request.json(), request.headers.get("idempotency-key", "")
        if len(emails) > 100:
            return 422, {"statusCode": 422, "name": "validation_error", "message": "Too many emails"}
        if key in self._seen:
            body, first = self._seen[key]
            if body != request.body:
                return 409, {"statusCode": 409, "name": "invalid_idempotent_request", "message": "Key used with a different payload"}
            return 200, first
        errors = [{"index": place, "message": "Invalid `to` field."} for place, one in enumerate(emails) if "@" not in str(one["to"])]
        if errors and request.headers.get("x-batch-validation") != "permissive":
            return 422, {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."}
        wrong = {error["index"] for error in errors}
        answer: dict[str, Any] = {"data": [{"id": self._take(one)} for place, one in enumerate(emails) if place not in wrong]}
        if errors:
            answer["errors"] = errors
        if key:
            self._seen[key] = request.body, answer
        return 200, answer

    def _list(self, query: Mapping[str, str]) -> tuple[int, Any]:
        assert set(query) <= {"limit", "after", "before", "origin"} and 1 <= int(query.get("limit", "20")) <= 100
        ids = [one["id"] for one in self.suppressions]
        if query.get("after") and query["after"] not in ids:
            return 422, {"statusCode": 422, "name": "validation_error", "message": "The `after` cursor is invalid."}
        start = ids.index(query["after"]) + 1 if query.get("after") else 0
        page = self.suppressions[start : start + int(query.get("limit", "20"))]
        return 200, {"object": "list", "has_more": start + len(page) < len(ids), "data": page}

    def _take(self, one: Mapping[str, Any]) -> str:
        id = str(uuid.uuid4())
        for tag in one.get("tags", ()):
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["name"]) and re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["value"])
        self.mails.append(
            message(
                id,
                sender=one["from"],
                to=one["to"],
                reply_to=one.get("reply_to"),
                subject=one["subject"],
                html=one["html"],
                text=one["text"],
                headers=one.get("headers", {}),
            )
        )
        return id


class SesServer:
    """POST /v2/email/outbound-bulk-emails: the signature, the limits of the model, templates with simple variables."""

    def __init__(self, access_key_id: str, secret_access_key: str, region: str, templates: Mapping[str, Mapping[str, str]] = {}) -> None:
        self.mails: list[EmailMessage] = []
        self.tags: list[dict[str, str]] = []
        self.suppressed: list[dict[str, Any]] = []
        self.account: dict[str, Any] = {}
        self.denied = False
        self._key, self._secret, self._region, self._templates = access_key_id, secret_access_key, region, templates

    def __call__(self, request: Request) -> tuple[int, Any]:
        """Answers one request."""
        if request.headers.get("authorization") != self.signature(request):
            return 403, {"__type": "SignatureDoesNotMatch", "message": "The request signature we calculated does not match"}
        if request.method == "GET" and self.denied:
            return 403, {"__type": "AccessDeniedException", "message": "User: arn:aws:iam::1:user/x is not authorized"}
        path, _, query = request.path.partition("?")
        if (request.method, path) == ("GET", "/v2/email/suppression/addresses"):
            return self._list(dict(parse_qsl(query)))
        if (request.method, path) == ("GET", "/v2/email/account"):
            return 200, self.account
        call = request.json()
        if len(call["BulkEmailEntries"]) > 50:
            return 400, {"__type": "BadRequestException", "message": "Too many destinations"}
        return 200, {"BulkEmailEntryResults": [self._take(call, entry) for entry in call["BulkEmailEntries"]]}

    def signature(self, request: Request) -> str:
        """The Authorization header that botocore would have sent with this request."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        names = re.search(r"SignedHeaders=([a-z0-9;-]+)", request.headers["authorization"])
        assert names
        signed = {name: request.headers[name] for name in names[1].split(";")}
        again = AWSRequest(request.method, f"http://{request.headers['host']}{request.path}", headers=signed, data=request.body)
        again.context["timestamp"] = request.headers["x-amz-date"]
        signer = SigV4Auth(Credentials(self._key, self._secret), "ses", self._region)
        text = signer.string_to_sign(again, signer.canonical_request(again))
        return f"AWS4-HMAC-SHA256 Credential={signer.scope(again)}, SignedHeaders={names[1]}, Signature={signer.signature(text, again)}"

    def _list(self, query: Mapping[str, str]) -> tuple[int, Any]:
        start = int(query.get("NextToken", "+0/=")[1:-2])
        if start > len(self.suppressed):
            return 400, {"__type": "InvalidNextTokenException", "message": "The token is invalid"}
        following = start + int(query.get("PageSize", "100"))
        page: dict[str, Any] = {"SuppressedDestinationSummaries": self.suppressed[start:following]}
        if following < len(self.suppressed):
            page["NextToken"] = f"+{following}/="
        return 200, page

    def _take(self, call: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, str]:
        template, (to,) = call["DefaultContent"]["Template"], entry["Destination"]["ToAddresses"]
        if not to.isascii() or "@" not in to:
            return {"Status": "INVALID_PARAMETER", "Error": "Local address contains control or whitespace"}
        data = json.loads(template.get("TemplateData") or "{}")
        data |= json.loads(entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {}).get("ReplacementTemplateData") or "{}")
        content = template.get("TemplateContent") or self._templates[template["TemplateName"]]
        headers = {one["Name"]: one["Value"] for one in [*template.get("Headers", ()), *entry.get("ReplacementHeaders", ())]}
        id = f"0100{uuid.uuid4()}-000000"
        self.mails.append(
            message(
                id,
                sender=call["FromEmailAddress"],
                to=[to],
                reply_to=call.get("ReplyToAddresses"),
                subject=rendered(content["Subject"], data),
                html=rendered(content["Html"], data),
                text=rendered(content["Text"], data),
                headers=headers,
                pictures=template.get("Attachments", ()),
            )
        )
        self.tags.append({one["Name"]: one["Value"] for one in [*call.get("DefaultEmailTags", ()), *entry.get("ReplacementTags", ())]})
        return {"Status": "SUCCESS", "MessageId": id}


def rendered(text: str, data: Mapping[str, str]) -> str:
    """A template with its simple variables in place; KeyError for one that has no value."""
    return re.sub(r"\{\{\s*([^{}]*?)\s*\}\}", lambda found: data[found[1]], text)


def message(
    id: str,
    *,
    sender: str,
    to: list[str] | str,
    reply_to: list[str] | str | None,
    subject: str,
    html: str,
    text: str,
    headers: Mapping[str, str],
    pictures: Sequence[Mapping[str, str]] = (),
) -> EmailMessage:
    """What a reader would get, by the standard library. The id stands for the Message-ID that the provider would give it.

    ``pictures`` are attachments as SES takes them.
    """
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = f"<{id}>"
    mail["From"] = Address(*parsed(sender)) if sender.isascii() is False else sender
    mail["To"] = to if isinstance(to, str) else ", ".join(to)
    mail["Subject"] = subject
    if reply_to:
        mail["Reply-To"] = reply_to if isinstance(reply_to, str) else ", ".join(reply_to)
    mail.set_content(text, cte="base64")
    mail.add_alternative(html, subtype="html", cte="base64")
    for one in pictures:
        page = mail.get_body(("html",))
        assert page is not None and one["ContentDisposition"] == "INLINE" and 1 <= len(one["ContentId"]) <= 78
        main, _, minor = one["ContentType"].partition("/")
        data = base64.b64decode(one["RawContent"], validate=True)
        page.add_related(data, main, minor, cid=f"<{one['ContentId']}>", filename=one["FileName"], disposition="inline")
    for name, value in headers.items():
        assert value.isascii() and 1 <= len(value) <= 995 and re.fullmatch(r"[!-9;-@A-~]+", name), name
        mail[name] = value
    return mail


def parsed(sender: str) -> tuple[str, str, str]:
    """Name, local part and domain."""
    name, address = parseaddr(sender)
    local, _, domain = address.partition("@")
    return name, local, domain
