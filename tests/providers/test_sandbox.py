"""The sandbox over real HTTP, asked by a client that shares nothing with the adapter."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from pipeline.clock import system_clock
from pipeline.core.message import Batch, Content, Recipient, Unknown
from pipeline.errors import ConfigurationError, UsageError
from pipeline.providers.base import Provider
from pipeline.providers.mailgun import Mailgun
from pipeline.providers.registry import make_provider
from pipeline.providers.sandbox.adapter import DoubtClass
from pipeline.providers.sandbox.faults import FAULTS, Dice, Often, parse_faults
from pipeline.providers.sandbox.intake import Rejected, read_call
from pipeline.providers.sandbox.run import RunningServer, start_in_thread
from pipeline.providers.sandbox.store import Call, KeyReused, SandboxStore

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
PATH = "/v3/news.example.org/messages"
FORM: dict[str, str | list[str]] = {
    "from": "Desk <desk@news.example.org>",
    "to": ["a@example.com", "b@example.com"],
    "subject": "For %recipient.name%",
    "html": "<p>Hello %recipient.name%, %recipient.unknown% and 100%</p>",
    "text": "Hello %recipient.name%",
    "recipient-variables": json.dumps({"a@example.com": {"name": "Anna"}, "b@example.com": {"name": "Борис"}}),
    "h:List-Unsubscribe": "<https://news.example.org/%recipient.name%>",
    "h:Message-Id": "<one@news.example.org>",
    "v:campaign": "7",
    "v:batch": "c7-b1",
    "v:who": "%recipient.name%",
    "o:tag": "7",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = start_in_thread(tmp_path_factory.mktemp("sandbox") / "sandbox.db", now=lambda: NOW)
    yield server
    server.stop()


@pytest.fixture
def client(sandbox: RunningServer) -> Iterator[httpx.Client]:
    """Over an empty inbox, whose numbers start at 1 again."""
    sandbox.store.clear()
    with httpx.Client(base_url=sandbox.url, auth=("api", "sandbox"), trust_env=False) as client:
        yield client


def test_what_a_mail_carries_is_shown_in_the_inbox(client: httpx.Client) -> None:
    id = "ferry-abc.png@news.example.org"
    html = f'<img src="cid:{id}" alt="A ferry">'
    files = {"inline": (id, b"\x89PNG picture", "image/png")}
    assert client.post(PATH, data=form(html=html), files=files).status_code == 200
    assert client.get("/mail/1/frame").text == f'<img src="/mail/1/inline/{id}" alt="A ferry">'
    shown = client.get(f"/mail/1/inline/{id}")
    assert (shown.status_code, shown.headers["content-type"], shown.content) == (200, "image/png", b"\x89PNG picture")
    assert client.get("/mail/1/inline/other@news.example.org").status_code == 404
    assert client.get("/mail/9/inline/" + id).status_code == 404
    assert client.get("/api/messages/1").json()["inline"] == [{"content_id": id, "media_type": "image/png", "size": 12}]
    assert f"Content-ID: <{id}>" in client.get("/mail/1/message.eml").text
    client.post("/api/clear")
    assert client.get(f"/mail/1/inline/{id}").status_code == 404


@pytest.mark.parametrize(
    ("field", "name", "media_type", "said"),
    [
        ("attachment", "a@b.example", "image/png", "does not know the parameter 'attachment'"),
        ("inline", "no-at.png", "image/png", "no Content-ID"),
        ("inline", "a@b.example", "text/html", "no picture"),
    ],
)
def test_other_files_are_refused_and_not_ignored(client: httpx.Client, field: str, name: str, media_type: str, said: str) -> None:
    answer = client.post(PATH, data=form(), files={field: (name, b"x", media_type)})
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert client.get("/api/stats").json()["mails"] == 0


def test_a_drawing_that_could_hold_a_script_is_not_shown(client: httpx.Client) -> None:
    client.post(PATH, data=form(), files={"inline": ("a.svg@b.example", b"<svg/>", "image/svg+xml")})
    assert client.get("/mail/1/inline/a.svg@b.example").status_code == 404


def form(**changes: str | list[str] | None) -> dict[str, str | list[str]]:
    named = {name.replace("__", ":"): value for name, value in changes.items()}
    return {name: value for name, value in (FORM | named).items() if value is not None}


def test_a_call_is_a_mail_for_each_with_their_own_words(client: httpx.Client) -> None:
    answer = client.post(PATH, data=form())
    assert (answer.status_code, answer.json()) == (200, {"id": "<one@news.example.org>", "message": "Queued. Thank you."})
    listing = client.get("/api/messages").json()
    assert listing["total"] == 2
    newest = client.get(f"/api/messages/{listing['items'][0]['id']}").json()
    assert newest["to"] == "b@example.com"
    assert newest["subject"] == "For Борис"
    assert newest["text"] == "Hello Борис"
    assert newest["html"] == "<p>Hello Борис, %recipient.unknown% and 100%</p>"
    assert newest["variables"]["who"] == "Борис"
    assert newest["received_at"] == "2026-11-25T06:00:00+00:00"


def test_multipart_and_urlencoded_are_the_same(client: httpx.Client) -> None:
    pairs = [(name, value) for name, values in form().items() for value in ([values] if isinstance(values, str) else values)]
    client.post(PATH, files=[(name, (None, value)) for name, value in pairs])
    client.post(PATH, data=form())
    items = client.get("/api/messages").json()["items"]
    assert [(i["to"], i["subject"]) for i in items[:2]] == [(i["to"], i["subject"]) for i in items[2:]]


def test_without_variables_all_see_all(client: httpx.Client) -> None:
    client.post(PATH, data=form(**{"recipient-variables": None}))
    mail = client.get("/api/messages/1").json()
    assert ["To", "a@example.com, b@example.com"] in mail["headers"]


@pytest.mark.parametrize("auth", [None, ("api", "wrong"), ("", "")])
def test_no_key_no_entry(client: httpx.Client, auth: tuple[str, str] | None) -> None:
    answer = httpx.post(f"{client.base_url}{PATH}", data=form(), auth=auth, trust_env=False)
    assert (answer.status_code, answer.text) == (401, "Forbidden")
    assert client.get("/api/stats").json()["mails"] == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"from": None}, "from parameter is missing"),
        ({"from": "nobody"}, "'from' parameter is not a valid address"),
        ({"to": None}, "to parameter is missing"),
        ({"to": ["a@example.com", "nobody"]}, "'to' parameter is not a valid address"),
        ({"html": None, "text": None}, "Need at least one of"),
        ({"to": [f"r{i}@example.com" for i in range(1001)]}, "max is 1000"),
        ({"recipient-variables": "[]"}, "recipient-variables"),
        ({"recipient-variables": "{"}, "recipient-variables"),
        ({"v:much": "x" * 17_000}, "16KB"),
        ({"h:Über": "x"}, "pure ASCII"),
        ({"cc": "c@example.com"}, "'cc'"),
        ({"template": "t"}, "'template'"),
    ],
)
def test_what_mailgun_refuses(client: httpx.Client, changes: dict[str, str | list[str] | None], says: str) -> None:
    answer = client.post(PATH, data=form(**changes))
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert client.get("/api/stats").json()["calls"] == 0


def test_a_list_of_mailboxes_in_one_field() -> None:
    fields = [("from", "d@example.org"), ("to", '"B, Anna" <a@example.com>, b@example.com'), ("text", "x")]
    call = read_call(fields, domain="x.example", fallback_id="made@x.example")
    assert [address for address, _ in call.recipients] == ["a@example.com", "b@example.com"]
    assert call.message_id == "made@x.example"


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data", "application/json", "text/plain"])
def test_nonsense_for_a_form_is_refused(client: httpx.Client, kind: str) -> None:
    assert client.post(PATH, content=b"nonsense", headers={"content-type": kind}).status_code == 400


def test_a_wrong_path_is_answered_as_mailgun_does(client: httpx.Client) -> None:
    answer = client.post("/v3/v3/news.example.org/messages", data=form())
    assert (answer.status_code, answer.text) == (200, "Mailgun Magnificent API")
    assert client.get("/no/such/page").status_code == 404


def test_events_by_message_id_and_recipient(client: httpx.Client) -> None:
    client.post(PATH, data=form())
    client.post(PATH, data=form(h__Message_Id=None, **{"h:Message-Id": "<two@news.example.org>"}))
    query = {"message-id": "one@news.example.org", "event": "accepted"}
    items = client.get("/v3/news.example.org/events", params=query).json()["items"]
    assert [item["recipient"] for item in items] == ["a@example.com", "b@example.com"]
    assert items[0]["event"] == "accepted"
    assert items[0]["tags"] == ["7"]
    assert items[0]["user-variables"] == {"campaign": "7", "batch": "c7-b1", "who": "Anna"}
    assert items[0]["message"]["headers"]["message-id"] == "one@news.example.org"
    one = client.get("/v3/news.example.org/events", params=query | {"recipient": "b@example.com"}).json()["items"]
    assert [item["recipient"] for item in one] == ["b@example.com"]
    delivered = client.get("/v3/news.example.org/events", params={"event": "delivered OR failed", "message-id": "one@news.example.org"})
    assert [item["event"] for item in delivered.json()["items"]] == ["delivered", "delivered"]
    assert client.get("/v3/news.example.org/events", params={"event": "complained"}).json()["items"] == []
    assert client.get("/v3/news.example.org/events", params={"begin": str(NOW.timestamp() + 1)}).json()["items"] == []
    assert client.get("/v3/news.example.org/events", params={"begin": "soon"}).status_code == 400
    assert client.get("/v3/other.example.org/events").json()["items"] == []
    assert httpx.get(f"{client.base_url}/v3/news.example.org/events", trust_env=False).status_code == 401


def test_events_page_by_page(client: httpx.Client) -> None:
    variables = json.dumps({f"r{i}@example.com": {"name": "x"} for i in range(7)})
    client.post(PATH, data=form(to=[f"r{i}@example.com" for i in range(7)], **{"recipient-variables": variables}))
    seen: list[str] = []
    page = client.get("/v3/news.example.org/events", params={"limit": 3, "event": "accepted"}).json()
    while page["items"]:
        seen += [item["recipient"] for item in page["items"]]
        page = client.get(page["paging"]["next"]).json()
    assert seen == [f"r{i}@example.com" for i in range(7)]
    assert client.get("/v3/news.example.org/events/nonsense").status_code == 400


def test_stats_count_duplicates_by_address_and_campaign(client: httpx.Client) -> None:
    client.post(PATH, data=form())
    client.post(PATH, data=form(to="A@Example.com", **{"recipient-variables": None}))
    client.post(PATH, data=form(to="a@example.com", **{"v:campaign": "8", "recipient-variables": None}))
    assert client.get("/api/stats").json() == {"mails": 4, "recipients": 2, "duplicates": 1, "calls": 3}


def test_search_takes_wildcards_literally(client: httpx.Client) -> None:
    client.post(PATH, data=form())
    totals = {text: client.get("/api/messages", params={"search": text}).json()["total"] for text in ("A@EX", "%", "_", "b@")}
    assert totals == {"A@EX": 1, "%": 0, "_": 0, "b@": 1}
    page = client.get("/api/messages", params={"limit": 1, "offset": 1}).json()
    assert page["total"] == 2
    assert [item["to"] for item in page["items"]] == ["a@example.com"]


def test_clear_is_not_for_other_sites_and_not_by_get(client: httpx.Client) -> None:
    client.post(PATH, data=form())
    assert client.get("/api/clear").status_code in (404, 405)
    assert client.post("/api/clear", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.get("/api/stats").json()["mails"] == 2
    assert client.post("/api/clear").status_code == 204
    assert client.get("/api/stats").json() == {"mails": 0, "recipients": 0, "duplicates": 0, "calls": 0}


def test_only_this_machines_names_are_answered(client: httpx.Client) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


# Pages


def test_the_pages_show_the_mail_and_run_nothing(client: httpx.Client) -> None:
    client.post(PATH, data=form(html="<script>alert(1)</script><p>Hi</p>", subject='<b>"Bold"</b>'))
    inbox = client.get("/")
    assert "&lt;b&gt;" in inbox.text
    assert "<b>" not in inbox.text
    assert "script-src" not in inbox.headers["content-security-policy"]
    assert "default-src 'none'" in inbox.headers["content-security-policy"]
    views = {"": "/mail/1/frame", "/text": "Hello Anna", "/headers": "https://news.example.org/Anna", "/source": "MIME-Version: 1.0"}
    for view, needle in views.items():
        page = client.get(f"/mail/1{view}")
        assert page.status_code == 200
        assert needle in page.text
        assert "<script" not in page.text
    frame = client.get("/mail/1/frame")
    assert "<script>" in frame.text
    assert frame.headers["content-security-policy"].startswith("sandbox allow-popups")
    assert "https:" not in frame.headers["content-security-policy"]
    assert client.get("/sandbox.css").headers["content-type"].startswith("text/css")


def test_search_and_pages_in_the_browser(client: httpx.Client) -> None:
    variables = json.dumps({f"r{i}@example.com": {"name": "x"} for i in range(120)})
    client.post(PATH, data=form(to=[f"r{i}@example.com" for i in range(120)], **{"recipient-variables": variables}))
    assert "Page 1 of 3" in client.get("/").text
    assert 'href="/?search=r1&amp;page=2"' not in client.get("/?search=r1").text  # 31 matches fit one page
    assert client.get("/?page=3").text.count('<a href="/mail/') == 20
    assert "There is no such page" in client.get("/?page=9").text
    assert client.get("/?page=x").status_code == 200
    assert "No address matches" in client.get("/?search=nobody").text
    assert client.get("/mail/9999").status_code == 404


def test_the_download_is_a_message(client: httpx.Client) -> None:
    client.post(PATH, data=form(**{"from": "Редакция <desk@news.example.org>", "html": None}))
    answer = client.get("/mail/2/message.eml")
    message = email.message_from_bytes(answer.content, policy=email.policy.default)
    assert answer.headers["content-type"] == "message/rfc822"
    assert "attachment" in answer.headers["content-disposition"]
    assert not message.defects
    assert message["To"] == "b@example.com"
    assert message["Subject"] == "For Борис"
    assert message["From"].addresses[0].display_name == "Редакция"


def test_a_mail_no_header_could_carry_is_shown_all_the_same(client: httpx.Client) -> None:
    words = json.dumps({"a@example.com": {"name": "two\r\nBcc: lines"}, "b@example.com": {"name": "x" * 3000}})
    changes = {"recipient-variables": words, "h:X-Long": "y" * 2000, "from": "%recipient.name% <d@example.org>"}
    assert client.post(PATH, data=form(**changes)).status_code == 200
    for number in (1, 2):
        for view in ("", "/headers", "/source"):
            assert client.get(f"/mail/{number}{view}").status_code == 200
        raw = client.get(f"/mail/{number}/message.eml").content
        assert b"\r\nBcc:" not in raw.partition(b"\r\n\r\n")[0]
        assert max(map(len, raw.split(b"\r\n"))) <= 998


# Faults


def test_a_spec_is_read() -> None:
    faults = parse_faults("latency=200ms, refuse=0.02,429=3x,401,seed=7")
    assert faults.latency_s == 0.2
    assert faults.seed == 7
    assert faults.often == {"refuse": Often(probability=0.02), "429": Often(count=3), "401": Often(probability=1.0)}
    assert parse_faults("latency=2s").latency_s == 2
    assert parse_faults("lag=2s").lag_s == 2
    assert parse_faults("").often == {}


@pytest.mark.parametrize(
    "spec", ["lag", "lag=2", "slow=2s", "429=2", "429=-1", "429=lots", "latency=5", "latency", "seed=x", "429,429", "5xx=nan"]
)
def test_a_bad_spec_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError):
        parse_faults(spec)


def test_an_unknown_fault_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="slow") as caught:
        parse_faults("slow=2s")
    assert all(name in caught.value.hint for name in [*FAULTS, "latency", "lag", "seed"])


def test_chance_is_an_argument() -> None:
    one, other = (Dice(parse_faults("429=0.3"), random.Random(5)) for _ in range(2))
    fates = [one.strikes("429") for _ in range(1000)]
    assert fates == [other.strikes("429") for _ in range(1000)]
    assert 250 < sum(fates) < 350
    counted = Dice(parse_faults("drop-after=2x"), random.Random(5))
    assert [counted.strikes("drop-after") for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(("fault", "stored"), [("drop-after", 2), ("drop-before", 0)])
def test_a_dropped_connection_is_really_dropped(tmp_path: Path, fault: str, stored: int) -> None:
    server = start_in_thread(tmp_path / "s.db", faults=parse_faults(fault))
    with pytest.raises(httpx.TransportError):
        httpx.post(server.url + PATH, data=form(), auth=("api", "sandbox"), trust_env=False)
    assert server.store.stats().mails == stored
    assert httpx.get(server.url + "/api/stats", trust_env=False).status_code == 200  # only the mail door has faults
    server.stop()


def test_latency(tmp_path: Path) -> None:
    server = start_in_thread(tmp_path / "s.db", faults=parse_faults("latency=150ms"))
    begun = time.monotonic()
    assert httpx.post(server.url + PATH, data=form(), auth=("api", "sandbox"), trust_env=False).status_code == 200
    assert time.monotonic() - begun >= 0.15
    server.stop()


AFTER = {"accept-then-timeout": httpx.ReadTimeout, "half": httpx.RemoteProtocolError, "drip": None, "json": json.JSONDecodeError}


@pytest.mark.parametrize("fault", AFTER)
def test_what_may_happen_to_the_answer_of_a_call_that_was_taken(tmp_path: Path, fault: str) -> None:
    server = start_in_thread(tmp_path / "s.db", faults=parse_faults(fault))

    def post() -> httpx.Response:
        return httpx.post(server.url + PATH, data=form(), auth=("api", "sandbox"), trust_env=False, timeout=1)

    if wrong := AFTER[fault]:
        with pytest.raises(wrong):
            post().json()
    else:
        begun = time.monotonic()
        assert post().json()["id"] == "<one@news.example.org>"  # no single byte takes as long as the timeout
        assert time.monotonic() - begun > 10
    assert server.store.stats().mails == 2
    server.stop()


@pytest.mark.parametrize("fault", ["accept-then-timeout", "half", "drip", "json"])
def test_the_adapter_cannot_tell_and_says_so_in_its_time(tmp_path: Path, fault: str) -> None:
    server = start_in_thread(tmp_path / "s.db", faults=parse_faults(fault))
    provider = adapter(server, timeout="0.7")
    begun = time.monotonic()
    assert [type(outcome) for outcome in provider.send(BATCH)] == [Unknown, Unknown]
    assert time.monotonic() - begun < 5
    assert server.store.stats().mails == 2
    provider.close()
    server.stop()


def test_a_search_that_lags(tmp_path: Path) -> None:
    moment = [NOW]
    server = start_in_thread(tmp_path / "s.db", faults=parse_faults("lag=5s"), now=lambda: moment[0])
    provider = adapter(server)
    assert isinstance(provider, Mailgun)
    provider.send(BATCH)
    assert list(provider.lookup(BATCH)) == [None, None]
    moment[0] += timedelta(seconds=4.9)
    assert list(provider.lookup(BATCH)) == [None, None]
    moment[0] += timedelta(seconds=0.1)
    assert list(provider.lookup(BATCH)) == ["c7-b1@news.example.org"] * 2
    provider.close()
    server.stop()


# Classes


BATCH = Batch(
    key="c7-b1", campaign="7",
    content=Content(
        from_name="Desk", from_address="desk@news.example.org", reply_to="", subject="A railway", html="<p>x</p>", text="x",
        list_id="list.example.org", list_name="List", language="en", archive_url="",
    ),
    recipients=tuple(Recipient(subscriber_id=i, address=f"r{i}@example.com", unsubscribe_url=f"https://x.example/{i}") for i in (1, 2)),
)  # fmt: skip


def adapter(server: RunningServer, **settings: str) -> Provider:
    return make_provider("sandbox", {"base_url": server.url, "domain": "news.example.org", **settings}, system_clock)


def test_a_key_gives_the_first_answer_again_and_stores_nothing(tmp_path: Path) -> None:
    moment = [NOW]
    server = start_in_thread(tmp_path / "s.db", now=lambda: moment[0], doubt_class=DoubtClass.KEY)

    def call(**changes: str | None) -> httpx.Response:
        headers = {"idempotency-key": "k"}
        return httpx.post(server.url + PATH, data=form(**changes), auth=("api", "sandbox"), trust_env=False, headers=headers)

    no_id: dict[str, str | None] = {"h:Message-Id": None}  # the sandbox makes one up, and must give the same again
    first, again = call(**no_id), call(**no_id)
    assert (again.status_code, again.json()) == (200, first.json())
    other = call(subject="Another", **no_id)
    assert (other.status_code, "Idempotency-Key" in other.json()["message"]) == (409, True)
    assert server.store.stats().calls == 1
    moment[0] += timedelta(hours=24, seconds=1)
    assert call(subject="Another", **no_id).status_code == 200
    assert server.store.stats().calls == 2
    server.stop()
    reopened = SandboxStore(tmp_path / "s.db")  # a key is kept as well as the mails are
    assert reopened.accept_once(made_call("x", []), moment[0], key="other", digest="d", window=timedelta(hours=1)) == "x"
    with pytest.raises(KeyReused):
        reopened.accept_once(made_call("y", []), moment[0], key="k", digest="d", window=timedelta(hours=1))
    reopened.close()


def test_one_key_from_many_threads_is_one_call(tmp_path: Path) -> None:
    store, answers = SandboxStore(tmp_path / "s.db"), list[str]()

    def send(number: int) -> None:
        call = made_call(f"id{number}", [("a@example.com", {})])
        answers.append(store.accept_once(call, NOW, key="k", digest="d", window=timedelta(days=1)))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert store.stats().mails == 1
    store.close()


@pytest.mark.parametrize("which", list(DoubtClass))
def test_each_class_does_what_its_capabilities_say(tmp_path: Path, which: DoubtClass) -> None:
    server = start_in_thread(tmp_path / "s.db", doubt_class=which)
    provider = adapter(server, **{"class": which})
    able = provider.capabilities
    assert (able.idempotency_window_s is not None, able.lookup) == (which is DoubtClass.KEY, which is DoubtClass.SEARCH)
    assert provider.send(BATCH) == provider.send(BATCH)
    assert server.store.stats().duplicates == (0 if which is DoubtClass.KEY else 2)
    events = httpx.get(f"{server.url}/v3/news.example.org/events", auth=("api", "sandbox"), trust_env=False)
    assert events.status_code == (200 if which is DoubtClass.SEARCH else 404)
    provider.close()
    server.stop()


def test_other_bytes_under_a_kept_key_are_a_doubt(tmp_path: Path) -> None:
    server = start_in_thread(tmp_path / "s.db", doubt_class=DoubtClass.KEY)
    provider = adapter(server, **{"class": "key"})
    provider.send(BATCH)
    other = dataclasses.replace(BATCH, content=dataclasses.replace(BATCH.content, subject="Another"))
    assert [type(outcome) for outcome in provider.send(other)] == [Unknown, Unknown]
    assert server.store.stats().calls == 1
    provider.close()
    server.stop()


@pytest.mark.parametrize(
    ("setting", "value"), [("class", "search "), ("class", "both"), ("timeout", "61"), ("timeout", "0"), ("timeout", "1s")]
)
def test_a_setting_that_is_none_is_named(setting: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"provider\.sandbox\.{setting}"):
        make_provider("sandbox", {"base_url": "http://127.0.0.1:1", setting: value}, system_clock)


# Running


def test_a_busy_port(tmp_path: Path, sandbox: RunningServer) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=str(port)):
        start_in_thread(tmp_path / "b.db", port=port)
    other = start_in_thread(tmp_path / "b.db", port=port, next_free=True)
    assert port < int(other.url.rpartition(":")[2]) <= port + 50
    other.stop()


def test_stop_frees_the_port_and_what_was_taken_stays(tmp_path: Path) -> None:
    server = start_in_thread(tmp_path / "s.db")
    httpx.post(server.url + PATH, data=form(), auth=("api", "sandbox"), trust_env=False)
    server.stop()
    again = start_in_thread(tmp_path / "s.db", port=int(server.url.rpartition(":")[2]))
    assert again.store.stats().mails == 2
    again.stop()


def made_call(message_id: str, recipients: Sequence[tuple[str, Mapping[str, str]]]) -> Call:
    return Call(
        message_id=message_id,
        domain="x",
        sender="",
        subject="",
        html="",
        text="",
        headers=[],
        variables={},
        tags=["t"],
        recipients=recipients,
    )


def test_the_store_from_many_threads(tmp_path: Path) -> None:
    store = SandboxStore(tmp_path / "s.db")

    def fill(number: int) -> None:
        recipients = [(f"r{number}-{i}@example.com", {"name": "x"}) for i in range(100)]
        call = made_call(str(number), recipients)
        for _ in range(3):
            store.accept(call, system_clock())
            store.mails(search="r1")

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = store.stats()
    store.close()
    assert (stats.mails, stats.recipients, stats.duplicates, stats.calls) == (1800, 600, 1200, 18)


def test_a_call_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = SandboxStore(tmp_path / "s.db")
    broken = made_call("x", [("a@example.com", {}), (None, {})])  # type: ignore[list-item]
    with pytest.raises(Exception, match="NOT NULL"):
        store.accept(broken, system_clock())
    assert store.stats().calls == 0
    store.close()


def test_the_registry_does_not_load_the_server() -> None:
    code = "import sys, pipeline.providers.registry; print(sorted({'starlette', 'uvicorn', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]", done.stderr


def test_rejected_is_not_shown_as_a_traceback() -> None:
    with pytest.raises(Rejected, match="from"):
        read_call([], domain="x", fallback_id="y@x")
