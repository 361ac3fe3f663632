"""The door for providers, over real HTTP: what is believed, what is kept, and what each fault is answered with."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from pipeline import app
from pipeline.flow import campaigns, delivery, editions, feedback, readers, suppressions
from pipeline.flow.context import Sender, Station
from pipeline.providers.mailgun_events import MailgunEvents
from pipeline.providers.registry import LISTENERS
from pipeline.providers.sandbox.hooks import Hooks, signed
from pipeline.providers.sandbox.run import start_in_thread
from pipeline.serving import start_app
from pipeline.store import tables
from pipeline.store.engine import reading
from pipeline.web.site import create_site
from tests.conftest import SetClock
from tests.flow.conftest import ISSUE, NEWSLETTER

KEY = "key-for-signing"


@dataclass
class HookDoor:
    """A site with one listener, and calls to it."""

    station: Station
    url: str
    clock: SetClock

    def call(self, number: int, event: str = "delivered", *, key: str = KEY, age_s: int = 0, token: str = "", **more: Any) -> bytes:
        data = {"event": event, "id": f"id{number}", "timestamp": self.clock().timestamp(), "recipient": "reader0@example.org", **more}
        return json.dumps(signed(key, data, int(self.clock().timestamp()) - age_s, token or f"token{number}")).encode()

    def post(self, body: bytes, path: str = "/hooks/mailgun") -> int:
        return httpx.post(self.url + path, content=body, trust_env=False, timeout=30).status_code

    def kept(self) -> int:
        with reading(self.station.engine) as connection:
            return connection.execute(select(func.count()).select_from(tables.event)).scalar_one()


@pytest.fixture
def hooks(station: Station, clock: SetClock) -> Iterator[HookDoor]:
    readers.add(station, NEWSLETTER, "reader0@example.org", consent="a test")
    running = start_app(create_site(station, {"mailgun": MailgunEvents(KEY)}))
    yield HookDoor(station, running.url, clock)
    running.stop()


def test_a_signed_event_is_kept_and_applied_later(hooks: HookDoor) -> None:
    assert hooks.post(hooks.call(1, "complained")) == 200
    assert suppressions.listed(hooks.station) == []
    feedback.apply_pending(hooks.station)
    assert [one.reason for one in suppressions.listed(hooks.station)] == ["complained"]


def test_resend_is_listened_to_at_a_door_of_its_own(station: Station, clock: SetClock) -> None:
    readers.add(station, NEWSLETTER, "reader0@example.org", consent="a test")
    secret = b"a secret of Resend's"
    listener = LISTENERS["resend"]({"signing_key": "whsec_" + base64.b64encode(secret).decode()})
    assert listener is not None
    data = {"email_id": "r1", "to": ["reader0@example.org"]}
    body = json.dumps({"type": "email.complained", "created_at": clock().isoformat(), "data": data}).encode()
    stamp = str(int(clock().timestamp()))
    mark = base64.b64encode(hmac.digest(secret, b"msg_1.%b.%b" % (stamp.encode(), body), "sha256")).decode()
    headers = {"svix-id": "msg_1", "svix-timestamp": stamp, "svix-signature": f"v1,{mark}"}
    running = start_app(create_site(station, {"resend": listener}))
    try:
        url = f"{running.url}/hooks/resend"
        answers = [
            httpx.post(url, content=body + more, headers=headers, trust_env=False, timeout=30).status_code for more in (b" ", b"", b"")
        ]
    finally:
        running.stop()
    assert answers == [401, 200, 200]
    feedback.apply_pending(station)
    assert [(one.reason, one.source) for one in suppressions.listed(station)] == [("complained", "resend")]


def test_what_is_forged_stale_or_replayed_is_refused_and_not_kept(hooks: HookDoor) -> None:
    assert hooks.post(hooks.call(1, key="another")) == 401
    assert hooks.post(hooks.call(2, age_s=10 * 3600)) == 401
    assert hooks.post(hooks.call(3, age_s=-600)) == 401
    assert hooks.kept() == 0
    assert hooks.post(hooks.call(4, token="once")) == 200
    assert hooks.post(hooks.call(4, token="once")) == 200
    assert hooks.post(hooks.call(5, "complained", token="once")) == 401
    assert hooks.kept() == 1


def test_what_cannot_be_read_is_refused_and_not_kept(hooks: HookDoor) -> None:
    assert hooks.post(b"not json") == 401
    assert hooks.post(b"[" * 200_000) == 401
    assert hooks.post(b"") == 401
    assert hooks.post(hooks.call(1, id="")) == 400
    assert hooks.post(hooks.call(2, timestamp="yesterday")) == 400
    assert hooks.post(json.dumps({**json.loads(hooks.call(3)), "event-data": 7}).encode()) == 400
    assert hooks.kept() == 0
    assert hooks.post(hooks.call(4, "opened")) == 200
    assert hooks.kept() == 0
    assert hooks.post(hooks.call(5, "of tomorrow")) == 200
    assert hooks.kept() == 1


def test_ten_megabytes_are_not_read(hooks: HookDoor) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(160):
            yield b" " * 65_536

    for content in (b" " * 10_000_000, endless()):
        try:
            answer = httpx.post(f"{hooks.url}/hooks/mailgun", content=content, trust_env=False, timeout=30)
            assert answer.status_code == 413
        except httpx.WriteError:  # the door was closed while we were still talking
            pass
    assert hooks.kept() == 0
    assert hooks.post(hooks.call(1)) == 200


def test_only_known_providers_are_listened_to_and_only_by_post(hooks: HookDoor) -> None:
    assert hooks.post(hooks.call(1), "/hooks/sandbox") == 404
    assert hooks.post(hooks.call(1), "/hooks/nobody") == 404
    assert hooks.post(hooks.call(1), "/hooks/") in (404, 405)
    assert httpx.get(f"{hooks.url}/hooks/mailgun", trust_env=False).status_code == 405
    assert httpx.get(f"{hooks.url}/healthz", trust_env=False).status_code == 200
    assert httpx.get(f"{hooks.url}/leave/{NEWSLETTER}", trust_env=False).status_code == 200


def test_a_database_that_is_away_asks_to_be_told_again(hooks: HookDoor) -> None:
    with hooks.station.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE event RENAME TO elsewhere")
    assert hooks.post(hooks.call(1)) == 503
    with hooks.station.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO event")
    assert hooks.post(hooks.call(1)) == 200


def test_no_address_is_logged(hooks: HookDoor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # A bench that ran before in this process has quietened it.
    caplog.set_level(logging.DEBUG, logger="pipeline")
    hooks.post(hooks.call(1, "failed", severity="permanent"))
    hooks.post(hooks.call(2, timestamp="reader0@example.org"))
    hooks.post(hooks.call(3, key="x"))
    hooks.post(hooks.call(4), "/hooks/reader0@example.org")
    feedback.apply_pending(hooks.station)
    assert "POST /hooks/mailgun 200" in caplog.text
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("pipeline"))
    assert "reader0" not in said


def test_it_answers_below_the_path_of_the_base_url(hooks: HookDoor) -> None:
    newsroom = hooks.station.settings.newsroom.model_copy(update={"base_url": "https://news.example.org/letters"})
    moved = replace(hooks.station, settings=replace(hooks.station.settings, newsroom=newsroom))
    running = start_app(create_site(moved, {"mailgun": MailgunEvents(KEY)}))
    try:
        there = replace(hooks, url=running.url)
        assert there.post(there.call(1), "/letters/hooks/mailgun") == 200
        assert there.post(there.call(2), "/hooks/mailgun") == 200
        assert httpx.get(f"{running.url}/letters/healthz", trust_env=False).status_code == 200
    finally:
        running.stop()


def test_only_providers_with_a_signing_key_are_listened_to(root: Any) -> None:
    assert app.open_listeners(app.load_settings(root, {})) == {}
    there = app.open_listeners(app.load_settings(root, {"BRIEFING_MAILGUN_SIGNING_KEY": KEY}))
    assert set(there) == {"mailgun"}


@pytest.fixture
def sender(root: Any, clock: SetClock) -> Iterator[Sender]:
    """A newsroom whose sandbox reports to its own door."""
    opened = app.open_sender(app.load_settings(root, {}), clock)
    site = start_app(create_site(opened, {"sandbox": MailgunEvents(KEY)}))
    inbox = start_in_thread(root / "var" / "sandbox.db", now=clock, hooks=Hooks(f"{site.url}/hooks/sandbox", KEY))
    opened.close()
    ready = app.open_sender(app.load_settings(root, {"BRIEFING_SANDBOX_BASE_URL": inbox.url}), clock)
    yield ready
    inbox.stop()
    site.stop()
    ready.close()


def test_the_whole_way_from_a_bounce_to_a_suppression_over_http(sender: Sender) -> None:
    names = ("bounce+a", "complain+b", "unsubscribe+c", "soft+d", "anna", "bounce")
    for name in names:
        readers.add(sender, NEWSLETTER, f"{name}@example.org", consent="a test")
    editions.approve(sender, ISSUE, approved_by="test")
    id = campaigns.schedule(sender, ISSUE, at=sender.clock()).id
    campaigns.launch_due(sender)
    for key in delivery.ready(sender, 10):
        delivery.deliver(sender, key)
    wanted = {"delivered": 4, "bounced": 1, "complained": 1, "unsubscribed": 1, "deferred": 1}
    until = time.monotonic() + 30
    while campaigns.news(sender, id) != wanted and time.monotonic() < until:
        time.sleep(0.1)
        feedback.apply_pending(sender)
    assert campaigns.news(sender, id) == wanted
    assert {(one.reason, one.addresses) for one in suppressions.listed(sender)} == {("bounced", 1), ("complained", 1)}
    assert campaigns.audience_size(sender, NEWSLETTER) == 3
    found = readers.find(sender, "bounce+a@example.org")
    assert found is not None and found.issues[0][2].news == "bounced"
