"""The doctor: what would keep tomorrow's send from leaving, said before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from pipeline.flow import campaigns, checkup
from pipeline.flow.checkup import Check
from pipeline.flow.context import Sender
from pipeline.providers.registry import LISTENERS
from pipeline.serving import start_app
from pipeline.settings import NEWS_KEYS
from pipeline.web.public import create_public
from tests.flow.conftest import Office

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
