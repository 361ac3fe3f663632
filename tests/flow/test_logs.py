"""Whole campaigns with faults, bounces and webhooks on every provider, everything logged: no address, no part of one, no key."""

from __future__ import annotations

import ast
import base64
import hmac
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline import logs
from pipeline.errors import BriefingError
from pipeline.flow import campaigns, checkup, delivery, doubts, editions, feedback, readers, suppressions
from pipeline.providers.base import Listening
from pipeline.providers.mailgun_events import MailgunEvents
from pipeline.providers.registry import make_provider
from pipeline.providers.resend_events import ResendEvents
from pipeline.providers.sandbox.faults import parse_faults
from pipeline.providers.sandbox.hooks import signed
from pipeline.providers.sandbox.run import start_in_thread
from pipeline.providers.ses_events import SesEvents
from pipeline.serving import start_app
from pipeline.web.site import create_site
from tests.flow.conftest import ISSUE, NEWSLETTER, Office
from tests.providers.capture import Answerer, Request, ResendServer, SesServer, capturing
from tests.providers.smtp_servers import CUT, scripted
from tests.providers.test_ses import NOW, TOPIC, Amazon

Open = Callable[..., Office]
KEY = "s3cret-key-for-calls"
SIGNING = "s3cret-key-for-hooks"
WHSEC = "whsec_" + base64.b64encode(SIGNING.encode()).decode()
FATES = ("bounce+zaphod", "soft+zaphod", "complain+zaphod", "zaphod")


class Everything(logging.Handler):
    """Keeps what was logged, as it was logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage() + (f" {record.exc_info[1]!r}" if record.exc_info else ""))


@dataclass
class Heard:
    """What left through our own handlers at their most talkative, of both forms, and what our own records said."""

    text: io.StringIO
    json: io.StringIO
    records: Everything


@pytest.fixture
def heard() -> Iterator[Heard]:
    root, ours = logging.getLogger(), logging.getLogger("pipeline")
    levels = {name: logging.getLogger(name).level for name in ("", "pipeline", "httpx", "CSSUTILS", "apscheduler", "alembic")}
    before, found = root.handlers[:], Heard(io.StringIO(), io.StringIO(), Everything())
    logs.configure(verbose=True, format=logs.Format.JSON, stream=found.json)
    (documents,) = root.handlers
    logs.configure(verbose=True, stream=found.text)
    root.addHandler(documents)
    ours.addHandler(found.records)
    yield found
    ours.removeHandler(found.records)
    root.handlers[:] = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def quoting(server: Answerer, address: str) -> Answerer:
    """Refuses first, with the address and the key in its words; loses the next answer; then behaves."""
    calls: list[Request] = []

    def answerer(request: Request) -> tuple[int, Any]:
        if request.method == "GET":
            return server(request)
        calls.append(request)
        said: dict[str, Any] = {"statusCode": 429, "name": "rate_limit_exceeded", "__type": "TooManyRequestsException"}
        said["message"] = f"{address} too fast with {request.headers['authorization']}"
        if len(calls) == 1:
            return 429, said
        answer = server(request)
        return (502, {"message": f"no way to {address}"}) if len(calls) == 2 else answer

    return answerer


def calls_of(name: str, office: Office, amazon: Amazon) -> list[tuple[dict[str, str], bytes]]:
    """Signed news about an address, and forged news that quotes it."""
    now, address = office.clock(), f"{FATES[0]}1@example.org"
    if name == "resend":
        data = {"email_id": "r1", "to": [address], "bounce": {"message": f"no {address}", "type": "Permanent", "subType": "General"}}
        body = json.dumps({"type": "email.bounced", "created_at": now.isoformat(), "data": data}).encode()
        stamp = str(int(now.timestamp()))
        mark = base64.b64encode(hmac.digest(SIGNING.encode(), b"msg_1.%b.%b" % (stamp.encode(), body), "sha256")).decode()
        headers = {"svix-id": "msg_1", "svix-timestamp": stamp, "svix-signature": f"v1,{mark}"}
        return [(headers, body), (headers, body + b" "), (headers, b"{")]
    if name == "ses":
        bounced = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": address, "diagnosticCode": f"550 <{address}>"}]}
        mail = {"timestamp": now.isoformat(), "messageId": "m1", "tags": {}, "destination": [address]}
        bounced["timestamp"] = now.isoformat()
        news = json.dumps({"eventType": "Bounce", "mail": mail, "bounce": bounced})
        good = amazon.message(news, at=now)
        return [({}, json.dumps(good).encode()), ({}, json.dumps({**good, "Message": address}).encode()), ({}, address.encode())]
    event = {"event": "failed", "id": "e1", "timestamp": now.timestamp(), "recipient": address, "severity": "permanent", "reason": "bounce",
             "delivery-status": {"message": f"no {address}", "code": 550}}  # fmt: skip
    stamp_ = int(now.timestamp())
    good = signed(SIGNING, event, stamp_, "token1")
    return [
        ({}, json.dumps(good).encode()),
        ({}, json.dumps(signed("other", event, stamp_, "token2")).encode()),
        ({}, json.dumps(signed(SIGNING, {"event": "failed", "recipient": address}, stamp_, "token3")).encode()),
        ({}, b"address=" + address.encode()),
    ]


def provider_of(name: str, office: Office, amazon: Amazon, stack: ExitStack) -> tuple[Any, dict[str, Listening]]:
    """The provider over a server that fails, and what listens to it."""
    address = f"{FATES[3]}3@example.org"
    if name in ("sandbox", "mailgun"):
        faults = parse_faults("429=1x,drop-after=1x,5xx=1x,json=1x")
        server = start_in_thread(office.sender.settings.var / "other.db", faults=faults, now=office.clock, api_key=KEY)
        stack.callback(server.stop)
        settings = {"base_url": server.url, "api_key": KEY, "domain": "news.example.org"}
        return make_provider(name, settings, office.clock), {name: MailgunEvents(SIGNING)}
    if name == "resend":
        capture = stack.enter_context(capturing(quoting(ResendServer(KEY), address)))
        return make_provider(name, {"base_url": capture.url, "api_key": KEY}, office.clock), {name: ResendEvents(WHSEC)}
    if name == "ses":
        capture = stack.enter_context(capturing(quoting(SesServer("AKIDEXAMPLE", KEY, "eu-central-1"), address)))
        settings = {"base_url": capture.url, "access_key_id": "AKIDEXAMPLE", "secret_access_key": KEY, "region": "eu-central-1"}
        return make_provider(name, settings, office.clock), {name: SesEvents(TOPIC, amazon.fetch)}
    script = {"RCPT:2": f"550 5.1.1 <{address}> unknown", "RCPT:3": f"451 4.7.1 <{address}> greylisted", "dot:5": CUT}
    server_ = stack.enter_context(scripted(script, {"MAIL": f"421 {address} goodbye"}, {}))
    settings = {"host": "127.0.0.1", "port": str(server_.port), "security": "none", "domain": "news.example.org",
                "bounces": "bounce@news.example.org", "bounce_key": KEY * 2}  # fmt: skip
    return make_provider(name, settings, office.clock), {}


@pytest.mark.parametrize("name", ["sandbox", "mailgun", "resend", "ses", "smtp"])
def test_nobodys_address_and_no_key_is_in_any_line(name: str, open_office: Open, heard: Heard) -> None:
    office, amazon = open_office(), Amazon()
    with ExitStack() as stack:
        provider, listeners = provider_of(name, office, amazon, stack)
        office = replace(office, sender=replace(office.sender, provider=provider))
        for number in range(12):
            readers.add(office.sender, NEWSLETTER, f"{FATES[number % 4]}{number}@example.org", consent="a test")
        editions.approve(office.sender, ISSUE, approved_by="test")
        id = campaigns.schedule(office.sender, ISSUE, at=office.clock()).id
        campaigns.launch_due(office.sender)
        for _ in range(8):
            for key in delivery.ready(office.sender, 100):
                try:
                    delivery.deliver(office.sender, key)
                except BriefingError as error:
                    logging.getLogger("pipeline.test").error("%(why)s %(hint)s", {"why": error.message, "hint": error.hint})
            office.clock.pass_by(hours=1)
            doubts.reconcile(office.sender)
            delivery.sweep(office.sender)
        office.clock.now = NOW  # for which Amazon's certificate is made
        site = start_app(create_site(office.sender, listeners))
        answers = set()
        for headers, body in calls_of(name, office, amazon):
            answers.add(httpx.post(f"{site.url}/hooks/{name}", headers=headers, content=body).status_code)
        httpx.get(f"{site.url}/leave/{NEWSLETTER}/zaphod@example.org")
        httpx.post(f"{site.url}/leave/{NEWSLETTER}", data={"email": "zaphod3@example.org"})
        site.stop()
        assert answers == ({404} if name == "smtp" else {200, 401} if name in ("resend", "ses") else {200, 400, 401})
        feedback.apply_pending(office.sender)
        if provider.capabilities.suppressions:
            suppressions.fetch(office.sender)
        found = checkup.examine(lambda: office.sender, open_listeners=lambda _: listeners)
        campaigns.close_finished(office.sender)
        tally = office.status(id).tally
        assert tally.sent + tally.in_doubt > 5 and tally.waiting == 0
        provider.close()
    documents = [json.loads(line) for line in heard.json.getvalue().splitlines()]
    assert len(documents) == heard.text.getvalue().count("\n") > 3
    shown = heard.text.getvalue() + heard.json.getvalue() + "\n".join(f"{one.name}: {one.said}" for one in found if one.name != "names")
    for secret in ("zaphod", "@example", "%40", KEY, SIGNING, WHSEC[6:]):
        assert secret not in shown, secret
        assert not [text for text in heard.records.texts if secret in text], f"{secret} reached a record of ours"
    assert all({"at", "level", "logger", "event", "message"} <= one.keys() for one in documents)
    settled = [one for one in documents if one["event"] == "batch %(batch)s: %(outcome)s%(note)s"]
    assert settled and all(one["batch"] and one["outcome"] for one in settled)


def test_what_libraries_say_is_searched_for_addresses(heard: Heard) -> None:
    logging.getLogger("sqlalchemy.engine").warning("SELECT %s\n-- %s", "anna.maria@example.org", "/?to=anna%40example.org&x=1")
    try:
        raise ValueError("anna@example.org")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application for <anna@example.org>")
    logging.getLogger("httpx").info("GET https://x/?a=anna@example.org")
    for out in (heard.text, heard.json):
        lines = out.getvalue().splitlines()
        assert len(lines) == 2
        assert "anna" not in out.getvalue()
        assert "[address]" in lines[0]
    assert json.loads(lines[1])["exception"].startswith("ValueError at test_logs.py:")


LEVELS = ("debug", "info", "warning", "error", "exception")


def test_every_line_of_ours_names_its_fields() -> None:
    """A template with a bare ``%s`` would leave a machine to guess."""
    bare = []
    for path in Path(logs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
                continue
            if node.func.value.id in ("log", "_log") and node.func.attr in LEVELS:
                template = ast.literal_eval(node.args[0])
                if "%s" in template or "%d" in template:
                    bare.append(f"{path.name}:{node.lineno}")
    assert bare == []
