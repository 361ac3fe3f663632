"""The doctor: what would keep tomorrow's send from leaving, said before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import Engine, func, select

from pipeline.flow import campaigns, checkup
from pipeline.flow.checkup import Check
from pipeline.flow.context import Sender
from pipeline.providers.base import Listening
from pipeline.providers.http_call import Answer
from pipeline.providers.mailgun import Mailgun
from pipeline.providers.registry import LISTENERS, make_provider
from pipeline.serving import start_app
from pipeline.settings import NEWS_KEYS
from pipeline.store.engine import reading
from pipeline.store.tables import event
from pipeline.web.public import create_public
from pipeline.web.site import create_site
from tests.flow.conftest import NEWSLETTER, Office
from tests.providers.smtp_servers import scripted

Open = Callable[..., Office]


def look(sender: Sender, *, network: bool = False) -> dict[str, Check]:
    """The checks by name."""
    return {one.name: one for one in checkup.examine(lambda: sender, network=network)}


def under(sender: Sender, **newsroom: object) -> Sender:
    """The same with other settings."""
    return replace(sender, settings=replace(sender.settings, newsroom=sender.settings.newsroom.model_copy(update=newsroom)))


def test_a_practice_newsroom_is_well(open_office: Open) -> None:
    found = look(open_office().sender)
    assert {name for name, one in found.items() if not one.ok} == {"worker"}
    assert "delivers nothing" in found["names"].said
    assert found["credentials"].ok
    assert "public site" not in found, "nobody asked for it"


def test_refused_credentials_are_seen(open_office: Open) -> None:
    found = look(open_office(BRIEFING_SANDBOX_API_KEY="wrong").sender)
    assert not found["credentials"].ok
    assert "wrong" not in found["credentials"].said


def test_sample_names_are_a_fault_where_mail_would_leave(open_office: Open) -> None:
    sender = open_office().sender
    other = replace(sender, provider=sender.provider)
    other.provider.name = "mailgun"
    names = look(other)["names"]
    assert not names.ok
    assert "base_url is https://briefing.example.org" in names.said
    assert "from_address" in names.said


@pytest.mark.parametrize(
    ("name", "sample"),
    [("https://briefing.example.org", True), ("desk@example.com", True), ("news.example", True), ("https://a.test/x", True),
     ("https://example.org.evil.net", False), ("https://newsroom.org", False), ("desk@myexample.org", False), ("latest.org", False)],
)  # fmt: skip
def test_which_names_are_samples(name: str, sample: bool) -> None:
    assert bool(checkup._NOT_REAL.search(name)) is sample


def test_every_provider_that_sends_news_has_a_key_for_it() -> None:
    assert set(NEWS_KEYS) == set(LISTENERS)
    for name in NEWS_KEYS:
        assert LISTENERS[name]({}) is None


def test_keys_that_others_can_change_or_that_lie_with_the_data(open_office: Open) -> None:
    sender = open_office().sender
    keys = sender.settings.keys
    keys.chmod(0o777)
    assert not look(sender)["keys"].ok
    keys.chmod(0o700)
    assert look(sender)["keys"].ok
    (sender.settings.var / "keys").mkdir(mode=0o700)
    assert "move it out" in look(under(sender, keys="var/keys"))["keys"].said


def test_the_disk_must_hold_the_largest_campaign(open_office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    office = open_office()
    monkeypatch.setattr(campaigns, "audience_size", lambda *_: 10**15)
    assert not look(office.sender)["disk"].ok


def test_the_public_site_is_asked_for_only_with_network(open_office: Open) -> None:
    sender = open_office().sender
    site = start_app(create_public(sender))
    here = under(sender, base_url=site.url)
    assert look(here, network=True)["public site"].ok
    site.stop()
    assert not look(here, network=True)["public site"].ok


def test_a_clock_that_is_off_is_seen_on_postgresql(open_office: Open, engine: Engine) -> None:
    sender = replace(open_office().sender, engine=engine)
    if engine.dialect.name == "sqlite":
        assert checkup._clock(sender).ok
        return
    from pipeline.clock import system_clock

    assert checkup._clock(replace(sender, clock=system_clock)).ok
    off = checkup._clock(replace(sender, clock=lambda: system_clock() + timedelta(minutes=2)))
    assert not off.ok
    assert "NTP" in off.said


def test_the_way_out_is_asked_for_with_a_link_of_nobodys(open_office: Open) -> None:
    sender = open_office().sender
    site = start_app(create_public(sender))
    found = look(under(sender, base_url=site.url), network=True)
    assert found["way out of eurasia-briefing"].ok
    assert "leave/eurasia-briefing" in found["way out of eurasia-briefing"].said
    token_of_another = replace(sender, leave_key=b"another key" * 3)
    assert not look(under(token_of_another, base_url=site.url), network=True)["way out of eurasia-briefing"].ok
    site.stop()
    assert not look(under(sender, base_url=site.url), network=True)["way out of eurasia-briefing"].ok


RESEND_KEY = "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQ="
TOPIC = "arn:aws:sns:eu-central-1:123456789012:briefing"


def test_the_door_for_providers_takes_a_signed_call_and_refuses_a_forged_one(open_office: Open) -> None:
    sender = open_office().sender
    listeners = {
        "mailgun": LISTENERS["mailgun"]({"signing_key": "k1"}),
        "resend": LISTENERS["resend"]({"signing_key": RESEND_KEY}),
        "ses": LISTENERS["ses"]({"topic_arn": TOPIC}),
    }
    there = {name: one for name, one in listeners.items() if one is not None}
    site = start_app(create_site(sender, there))
    here = under(sender, base_url=site.url)

    def looked(listening: Mapping[str, Listening]) -> dict[str, Check]:
        return {one.name: one for one in checkup.examine(lambda: here, network=True, open_listeners=lambda _: listening)}

    found = looked(there)
    assert "a signed call is answered 200, a forged one is answered 401" in found["webhooks of mailgun at the site"].said
    assert "a signed call is answered 200, a forged one is answered 401" in found["webhooks of resend at the site"].said
    assert found["webhooks of ses at the site"].said.endswith(": a forged one is answered 401")
    assert all(found[f"webhooks of {name} at the site"].ok for name in there)
    with reading(sender.engine) as connection:
        assert connection.execute(select(func.count()).select_from(event)).scalar() == 0, "a sample says nothing"
    other = LISTENERS["mailgun"]({"signing_key": "k2"})
    assert other is not None
    wrong = looked({"mailgun": other})["webhooks of mailgun at the site"]
    assert not wrong.ok and "answered 401, and should be 200" in wrong.said
    site.stop()
    assert not looked(there)["webhooks of ses at the site"].ok


def test_the_dns_is_asked_for_every_sending_domain(open_office: Open) -> None:
    sender = open_office().sender
    asked: list[str] = []

    def lookup(name: str) -> list[str]:
        asked.append(name)
        return []

    checkup.examine(lambda: sender, network=True, lookup=lookup)
    assert asked == [], "the sandbox sends nothing that a receiver could look up"
    mailgun = make_provider("mailgun", {"api_key": "k", "domain": "mg.example.org", "base_url": "http://127.0.0.1:9"}, sender.clock)
    found = {one.name: one for one in checkup.examine(lambda: replace(sender, provider=mailgun), network=True, lookup=lookup)}
    domain = sender.settings.newsletters[NEWSLETTER].from_address.rpartition("@")[2]
    assert not found[f"SPF of {domain}"].ok and not found[f"DMARC of {domain}"].ok
    assert "mg.example.org" in asked and f"_dmarc.{domain}" in asked
    asked.clear()
    checkup.examine(lambda: replace(sender, provider=mailgun), lookup=lookup)
    assert asked == [], "not without --network"


@pytest.mark.parametrize(("behind_s", "ok"), [(0, True), (40, True), (300, False)])
def test_a_clock_that_is_off_from_the_providers(open_office: Open, behind_s: int, ok: bool) -> None:
    office = open_office()
    date = format_datetime(office.clock() + timedelta(seconds=behind_s), usegmt=True)

    class Dated(Mailgun):
        def _get(self, path: str) -> Answer:
            return Answer(200, "application/json", "", '{"items": [], "paging": {}}', {"date": date})

    provider = Dated(api_key="k", domain="mg.example.org", base_url=office.inbox.url, now=office.clock)
    found = look(replace(office.sender, provider=provider))["clock of the provider"]
    assert found.ok is ok
    assert ("NTP" in found.said) is not ok


def test_an_smtp_server_is_asked_without_a_mail(open_office: Open) -> None:
    office = open_office()
    with scripted({}, {"connect": "554 no"}) as server:
        settings = {"host": "127.0.0.1", "port": str(server.port), "security": "none", "domain": "news.example.org"}
        sender = replace(office.sender, provider=make_provider("smtp", settings, office.clock))
        assert "takes the connection" in look(sender)["credentials"].said
        assert not look(sender)["credentials"].ok
        assert server.taken == []
