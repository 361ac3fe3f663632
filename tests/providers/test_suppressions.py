"""Lists of addresses that a provider does not mail: what is asked, and what each entry means here.

The sandbox speaks Mailgun's lists, held against Mailgun's document; SES is asked by botocore beside us; Resend's answers are held
against its document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import boto3
import httpx
import jsonschema  # type: ignore[import-untyped,unused-ignore]
import pytest
import yaml
from botocore.config import Config

from pipeline.core.feedback import Bar
from pipeline.core.message import Batch
from pipeline.errors import BriefingError, CredentialsRefused, ProviderFault
from pipeline.providers.base import PlaceForgotten, Provider, Suppressed
from pipeline.providers.mailgun import Mailgun
from pipeline.providers.mailgun_lists import LISTS, list_of
from pipeline.providers.registry import PROVIDERS, make_provider
from pipeline.providers.sandbox.adapter import DEFAULT_API_KEY
from pipeline.providers.sandbox.run import RunningServer, start_in_thread
from tests.providers.capture import ResendServer, SesServer, capturing
from tests.providers.test_resend import batch

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
DOMAIN = "news.example.org"
AT = "2023-10-06 23:47:56.678+00"
Shared = Callable[[str], Path]


def everything(provider: Any) -> list[Suppressed]:
    """All pages, by their places."""
    found, place, seen = [], "", set()
    while True:
        page = provider.suppressed(place)
        found += page.entries
        if not page.following:
            return found
        assert page.following not in seen
        seen.add(page.following)
        place = page.following


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = start_in_thread(tmp_path_factory.mktemp("sandbox") / "sandbox.db", now=lambda: NOW)
    yield server
    server.stop()


@pytest.fixture
def mailgun(sandbox: RunningServer) -> Iterator[Mailgun]:
    made = Mailgun(api_key=DEFAULT_API_KEY, domain=DOMAIN, base_url=sandbox.url, now=lambda: NOW)
    sandbox.store.clear()
    given = batch(250)
    fates = ("bounce+", "complain+", "unsubscribe+", "soft+", "")
    readers = [
        type(one)(subscriber_id=one.subscriber_id, address=f"{fates[number % 5]}r{number}@example.org", unsubscribe_url=one.unsubscribe_url)
        for number, one in enumerate(given.recipients)
    ]
    made.send(Batch(key=given.key, campaign=given.campaign, content=given.content, recipients=tuple(readers)))
    yield made
    made.close()


def test_mailguns_three_lists_are_read_page_by_page(mailgun: Mailgun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.providers.mailgun_lists.PAGE", 20)
    found = everything(mailgun)
    assert {(one.address.partition("+")[0], one.bar) for one in found} == {
        ("bounce", Bar.BOUNCED),
        ("complain", Bar.COMPLAINED),
        ("unsubscribe", Bar.UNSUBSCRIBED),
    }
    assert len({one.address for one in found}) == len(found) == 150
    assert {one.since for one in found} == {NOW}
    assert "@" not in repr(found)


def test_the_sandboxes_lists_are_mailguns_and_so_are_the_questions(mailgun: Mailgun, sandbox: RunningServer, shared: Shared) -> None:
    document = yaml.safe_load(shared("providers/openapi/mailgun-3.0.0.yaml").read_text("utf-8"))
    for name in LISTS:
        operation = document["paths"][f"/v3/{{domain_name}}/{name}"]["get"]
        answer = httpx.get(f"{sandbox.url}/v3/{DOMAIN}/{name}?limit=3", auth=("api", DEFAULT_API_KEY))
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        items = answer.json()["items"]
        assert len(items) == 3
        # The document types the time as an object, which its own example is not; so the time is held against the example.
        example = operation["responses"]["200"]["content"]["application/json"]["examples"]["Example"]["value"]["items"][0]
        assert items[0].keys() == example.keys()
        assert re.sub(r"[A-Z][a-z]{2}|\d", "x", items[0]["created_at"]) == re.sub(r"[A-Z][a-z]{2}|\d", "x", example["created_at"])
        timeless = {**answer.json(), "items": [{**one, "created_at": {}} for one in items]}
        jsonschema.Draft202012Validator({**document, **schema}).validate(timeless)
        following = answer.json()["paging"]["next"]
        assert {key for key, _ in parse_qsl(following.partition("?")[2])} <= {one["name"] for one in operation["parameters"]} | {"address"}


def test_what_is_no_page_of_this_domains_lists_is_not_asked_for(mailgun: Mailgun) -> None:
    for place in ("/v3/other.example/bounces", f"/v3/{DOMAIN}/messages", "https://elsewhere.example/v3/x", "nonsense"):
        assert list_of(DOMAIN, place) is None
        with pytest.raises(PlaceForgotten):
            mailgun.suppressed(place)


def test_an_unsubscription_from_one_tag_is_about_other_mail() -> None:
    items = [
        {"address": "a@example.org", "tags": ["*"], "created_at": "Thu, 11 Dec 2025 01:49:40 UTC"},
        {"address": "b@example.org", "tags": ["weekly"], "created_at": "Thu, 11 Dec 2025 01:49:40 UTC"},
        {"address": "c@example.org", "created_at": "Thu, 11 Dec 2025 01:49:40 UTC"},
        {"address": "d@example.org", "created_at": "yesterday"},
    ]
    with capturing(
        lambda _: (200, {"items": items, "paging": {"next": "https://api.mailgun.net/v3/news.example.org/unsubscribes?x=1"}})
    ) as capture:
        provider = Mailgun(api_key="k", domain=DOMAIN, base_url=capture.url, now=lambda: NOW)
        page = provider.suppressed(f"/v3/{DOMAIN}/unsubscribes?limit=100")
        provider.close()
    assert [one.address[0] for one in page.entries] == ["a", "c"]
    assert page.entries[0].since == datetime(2025, 12, 11, 1, 49, 40, tzinfo=UTC)
    assert (page.passed_over, page.following) == (2, f"/v3/{DOMAIN}/unsubscribes?x=1")


@pytest.fixture
def resend() -> Iterator[tuple[Any, ResendServer]]:
    server = ResendServer("re_s3cret")
    origins = ("bounce", "complaint", "manual")
    server.suppressions = [
        {
            "id": f"id-{n}",
            "email": f"r{n}@example.org",
            "origin": origins[n % 3],
            "source_id": None,
            "created_at": AT,
        }
        for n in range(230)
    ]
    with capturing(server) as capture:
        made = make_provider("resend", {"api_key": "re_s3cret", "base_url": capture.url}, lambda: NOW)
        yield made, server
        made.close()


def test_resends_list_is_read_page_by_page(resend: tuple[Any, ResendServer], shared: Shared) -> None:
    provider, server = resend
    document = yaml.safe_load(shared("providers/openapi/resend-1.5.0.yaml").read_text("utf-8"))
    schema = {**document, "$ref": "#/components/schemas/ListSuppressionsResponseSuccess"}
    items = [{**one, "source_id": "x"} for one in server.suppressions]  # "nullable" is a word of OpenAPI's, not of JSON Schema's
    jsonschema.Draft202012Validator(schema).validate({"object": "list", "has_more": False, "data": items})
    found = everything(provider)
    assert len(found) == 230
    assert {one.bar for one in found} == {Bar.BOUNCED, Bar.COMPLAINED, Bar.MANUAL}
    assert found[0].since == datetime(2023, 10, 6, 23, 47, 56, 678000, tzinfo=UTC)
    with pytest.raises(PlaceForgotten):
        provider.suppressed("id-gone")


def test_a_key_of_resends_that_may_only_send_is_a_key_but_reads_no_list(resend: tuple[Any, ResendServer]) -> None:
    provider, server = resend
    server.domains = [{"id": "d", "name": DOMAIN, "status": "verified", "created_at": "2026-01-01", "region": "eu-west-1"}]
    assert f"{DOMAIN} is verified" in provider.ask().said
    server.may_only_send = True
    assert "may only send" in provider.ask().said
    with pytest.raises(CredentialsRefused) as refused:
        provider.suppressed("")
    assert "full access" in refused.value.hint


@pytest.fixture
def ses() -> Iterator[tuple[Any, SesServer, str]]:
    server = SesServer("AKIDEXAMPLE", "s3cret", "eu-central-1")
    server.suppressed = [
        {"EmailAddress": f"r{n}@example.org", "Reason": ("BOUNCE", "COMPLAINT")[n % 2], "LastUpdateTime": 1764000000.5 + n}
        for n in range(230)
    ]
    server.account = {"SendingEnabled": True, "ProductionAccessEnabled": True, "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0}}
    settings = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s3cret", "region": "eu-central-1"}
    with capturing(server) as capture:
        made = make_provider("ses", {**settings, "base_url": capture.url}, lambda: NOW)
        yield made, server, capture.url
        made.close()


def test_what_ses_shows_us_it_shows_botocore(ses: tuple[Any, SesServer, str]) -> None:
    provider, _, url = ses
    client = boto3.client(
        "sesv2", endpoint_url=url, region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="s3cret",
        config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    theirs: list[Any] = []
    token: dict[str, str] = {}
    while True:  # its own signature of a query with a token is made again by the server, as ours is
        page = client.list_suppressed_destinations(PageSize=100, **token)
        theirs += page["SuppressedDestinationSummaries"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    bars = {"BOUNCE": Bar.BOUNCED, "COMPLAINT": Bar.COMPLAINED}
    ours = everything(provider)
    assert [(one.address, one.bar) for one in ours] == [(one["EmailAddress"], bars[one["Reason"]]) for one in theirs]
    assert all(abs(one.since - other["LastUpdateTime"]) < timedelta(seconds=1) for one, other in zip(ours, theirs, strict=True))
    assert client.get_account()["SendQuota"]["MaxSendRate"] == 14
    assert "50000 readers a day, 14 a second" in provider.ask().said


def test_a_user_of_ses_who_may_only_send_has_a_key_but_reads_no_list(ses: tuple[Any, SesServer, str]) -> None:
    provider, server, url = ses
    server.denied = True
    assert "may not read the account" in provider.ask().said
    with pytest.raises(CredentialsRefused) as refused:
        provider.suppressed("")
    assert "ses:ListSuppressedDestinations" in refused.value.hint
    server.denied = False
    with pytest.raises(PlaceForgotten):
        provider.suppressed("+9999/=")
    settings = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "other", "region": "eu-central-1", "base_url": url}
    stranger: Any = make_provider("ses", settings, lambda: NOW)
    for call in (stranger.ask, lambda: stranger.suppressed("")):
        with pytest.raises(CredentialsRefused):
            call()
    stranger.close()
    server.account["SendingEnabled"] = False
    with pytest.raises(ProviderFault, match="paused"):
        provider.ask()


@pytest.mark.parametrize(("status", "answer"), [(500, {}), (200, []), (200, {"data": [{}], "has_more": True, "items": 3}), (404, {})])
@pytest.mark.parametrize("name", ["mailgun", "resend", "ses"])
def test_nonsense_is_an_error_and_no_traceback(name: str, status: int, answer: Any) -> None:
    keys = {"api_key": "k", "domain": DOMAIN, "access_key_id": "A", "secret_access_key": "s", "region": "eu-central-1"}
    with capturing(lambda _: (status, answer)) as capture:
        provider: Any = make_provider(name, {**keys, "base_url": capture.url}, lambda: NOW)
        with pytest.raises(BriefingError):
            provider.suppressed("")
        with pytest.raises(BriefingError):
            provider.ask()
        provider.close()


def test_who_says_that_it_has_a_list_has_one(tmp_path: Path) -> None:
    keys = {
        "api_key": "k", "domain": DOMAIN, "access_key_id": "A", "secret_access_key": "s", "region": "eu-central-1", "host": "127.0.0.1",
        "security": "none", "base_url": "http://127.0.0.1:9", "directory": str(tmp_path / "box"),
    }  # fmt: skip
    able = {}
    for name in PROVIDERS:
        provider: Provider = make_provider(name, keys, lambda: NOW)
        able[name] = provider.capabilities.suppressions
        assert able[name] == hasattr(provider, "suppressed")
        provider.close()
    assert able == {"filebox": False, "mailgun": True, "resend": True, "sandbox": True, "ses": True, "smtp": False}
