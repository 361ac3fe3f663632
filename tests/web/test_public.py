"""The public site over a real server: leaving, files, headers, and what it must never do."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import httpx
import pytest

from pipeline import app
from pipeline.errors import DatabaseFault
from pipeline.flow import readers
from pipeline.flow.context import Station
from pipeline.serving import start_app
from pipeline.web.public import create_public
from pipeline.web.public.floodgate import Floodgate, Rate, network_of
from pipeline.web.public.pages import Pages
from tests.conftest import SetClock
from tests.web.conftest import ADDRESS, NEWSLETTER, OTHER, Watched, states

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


STAYED = {NEWSLETTER: "confirmed", OTHER: "confirmed"}
LEFT = {NEWSLETTER: "unsubscribed", OTHER: "confirmed"}


# --- leaving by the link of a mail -------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_only_a_post_changes_anything(client: httpx.Client, station: Station, token: str, method: str) -> None:
    for _ in range(2):
        answer = client.request(method, f"/leave/{NEWSLETTER}/{token}")
    assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert states(station) == STAYED
    if answer.status_code == 405:
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_the_page_of_a_link_has_one_button_and_names_nobody(client: httpx.Client, token: str) -> None:
    page = client.get(f"/leave/{NEWSLETTER}/{token}").text
    assert page.count("<button") == 1
    assert ADDRESS not in page
    assert "Second Letter" not in page
    assert token not in page
    assert "<script" not in page


@pytest.mark.parametrize("multipart", [False, True])
def test_one_click_leaves_without_cookie_or_redirect(client: httpx.Client, station: Station, token: str, multipart: bool) -> None:
    """RFC 8058, 3.1 and 3.2; doing it twice is as good as once."""
    path = f"/leave/{NEWSLETTER}/{token}"
    for _ in range(2):
        if multipart:
            answer = client.post(path, files={"List-Unsubscribe": (None, "One-Click")})
        else:
            answer = client.post(path, data=ONE_CLICK)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "You have left" in answer.text
        assert states(station) == LEFT


def test_a_post_without_the_pair_changes_nothing(client: httpx.Client, station: Station, token: str) -> None:
    for content in ({}, {"List-Unsubscribe": "no"}, {"x": "y"}):
        answer = client.post(f"/leave/{NEWSLETTER}/{token}", data=content)
        assert answer.status_code == 400
        assert "Nothing has been changed" in answer.text
    assert states(station) == STAYED


def _spoiled(token: str) -> dict[str, str]:
    swapped = ("A" if token[-2] != "A" else "B") + token[-1]
    return {
        "truncated": token[:-3], "last-cut": token[:-1], "forged": token[:-2] + swapped, "padded": token + "=", "long": token * 30,
        "empty-ish": "%20", "slashes": "a/b/c", "not-base64": "%F0%9F%92%A9", "control": "%00%0A",
    }  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_link_is_explained_kindly(client: httpx.Client, station: Station, token: str, method: str) -> None:
    for kind, spoiled in _spoiled(token).items():
        answer = client.request(method, f"/leave/{NEWSLETTER}/{spoiled}", data=ONE_CLICK if method == "POST" else None)
        assert answer.status_code == 404, kind
        assert "This link does not work any more" in answer.text, kind
        assert f"leave/{NEWSLETTER}" in answer.text, kind
    assert states(station) == STAYED


def test_a_token_is_good_for_its_newsletter_only(client: httpx.Client, station: Station, token: str) -> None:
    assert client.get(f"/leave/{OTHER}/{token}").status_code == 404
    assert client.post(f"/leave/{OTHER}/{token}", data=ONE_CLICK).status_code == 404
    assert states(station) == STAYED


def test_a_token_expires(client: httpx.Client, station: Station, token: str, clock: SetClock) -> None:
    clock.pass_by(days=399)
    assert client.get(f"/leave/{NEWSLETTER}/{token}").status_code == 200
    clock.pass_by(days=3)
    assert client.get(f"/leave/{NEWSLETTER}/{token}").status_code == 404
    assert client.post(f"/leave/{NEWSLETTER}/{token}", data=ONE_CLICK).status_code == 404
    assert states(station) == STAYED


# --- leaving by a typed address ----------------------------------------------


def test_a_typed_address_leaves_at_once(client: httpx.Client, station: Station, token: str) -> None:
    assert client.get(f"/leave/{NEWSLETTER}").status_code == 200
    assert client.head(f"/leave/{NEWSLETTER}").status_code == 200
    assert states(station) == STAYED
    assert client.post(f"/leave/{NEWSLETTER}", data={"address": f" {ADDRESS.upper()} "}).status_code == 200
    assert states(station) == LEFT


def test_the_answer_is_the_same_for_everybody(client: httpx.Client, token: str) -> None:
    """OWASP ASVS 6.3.8: neither bytes nor time may tell who is on the list."""
    answers = [
        client.post(f"/leave/{NEWSLETTER}", data={"address": address})
        for address in (ADDRESS, ADDRESS, "stranger@example.org", "no address", "", "x" * 5000, "a@b\0c.org", "\U0001f4a9@example.org")
    ] + [client.post(f"/leave/{NEWSLETTER}"), client.post(f"/leave/{NEWSLETTER}", data={"unknown": "field"})]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    volatile = {"date"}
    assert len({tuple(sorted((k, v) for k, v in answer.headers.items() if k not in volatile)) for answer in answers}) == 1
    assert min(answer.elapsed.total_seconds() for answer in answers) >= 0.25


def test_an_unknown_newsletter_is_not_found(client: httpx.Client, token: str) -> None:
    for path in ("/leave/nothing", f"/leave/nothing/{token}", "/leave", "/leave/"):
        assert client.get(path).status_code == 404
    assert client.post("/leave/nothing", data={"address": ADDRESS}).status_code == 404


def test_a_flood_is_slowed_and_says_that_nothing_happened(station: Station, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.web.public.app.Floodgate", lambda now: Floodgate(now, one_network=Rate(burst=3, per_second=0.0)))
    running = start_app(create_public(station))
    try:
        posts = [httpx.post(f"{running.url}/leave/{NEWSLETTER}", data={"address": f"r{n}@example.org"}) for n in range(3)]
        flooded = httpx.post(f"{running.url}/leave/{NEWSLETTER}", data={"address": ADDRESS})
        assert [answer.status_code for answer in posts] == [200, 200, 200]
        assert flooded.status_code == 429
        assert flooded.headers["retry-after"] == "60"
        assert "nothing has been changed" in flooded.text
        assert states(station) == STAYED
        assert httpx.post(f"{running.url}/leave/{NEWSLETTER}/{token}", data=ONE_CLICK).status_code == 200, "a link is never held up"
    finally:
        running.stop()


def test_buckets_fill_again_by_network() -> None:
    now = [0.0]
    gate = Floodgate(lambda: now[0], everybody=Rate(burst=5, per_second=1.0), one_network=Rate(burst=2, per_second=0.5))
    assert [gate.admits("192.0.2.1"), gate.admits("192.0.2.99"), gate.admits("192.0.2.1")] == [True, True, False]
    assert [gate.admits("198.51.100.1"), gate.admits("2001:db8::1"), gate.admits("2001:db9::1")] == [True, True, True]
    assert not gate.admits("203.0.113.1"), "everybody together has had five"
    now[0] = 2.0
    assert gate.admits("192.0.2.1")
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.200") == "192.0.2.0/24"
    assert network_of("2001:db8:1:ff::1") == network_of("2001:db8:1::9")
    assert network_of(None) == network_of("testclient") == "unknown"


@pytest.mark.parametrize("path", [f"/leave/{NEWSLETTER}", f"/leave/{NEWSLETTER}/anything"])
def test_a_huge_body_is_refused(client: httpx.Client, path: str) -> None:
    assert (
        client.post(path, content=b"address=" + b"x" * 20_000, headers={"Content-Type": "application/x-www-form-urlencoded"}).status_code
        == 413
    )


def test_a_broken_form_gets_a_page(client: httpx.Client) -> None:
    answer = client.post(f"/leave/{NEWSLETTER}", content=b"--x\r\nnonsense", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in (200, 400)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    file = client.post(f"/leave/{NEWSLETTER}", files={"address": ("a.txt", b"reader@example.org")})
    assert file.status_code in (200, 400)


def test_a_failing_database_is_not_taken_for_done(
    client: httpx.Client, station: Station, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise DatabaseFault("the database is locked by another program")

    monkeypatch.setattr(readers, "leave_by_address", fails)
    answer = client.post(f"/leave/{NEWSLETTER}", data={"address": ADDRESS})
    assert answer.status_code == 503
    assert "nothing has been changed" in answer.text
    assert ADDRESS not in caplog.text


def test_our_own_mistakes_show_and_log_no_secret(
    client: httpx.Client, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_station: object, _newsletter: str, secret: str) -> None:
        raise ValueError(f"cannot handle {secret}")

    monkeypatch.setattr(readers, "leave_by_token", breaks)
    answer = client.post(f"/leave/{NEWSLETTER}/{token}", data=ONE_CLICK)
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert token not in answer.text + caplog.text
    assert "ValueError at" in caplog.text
    assert "content-security-policy" in answer.headers


def test_the_log_holds_no_token_and_no_address(client: httpx.Client, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipeline.web")
    for path in (
        f"/leave/{NEWSLETTER}/{token}",
        f"/leave/none/{token}",
        f"/x/{token}",
        f"/leave/{ADDRESS}",
        f"/?a={ADDRESS}",
        f"/%0A{token}",
    ):
        client.get(path)
    client.post(f"/leave/{NEWSLETTER}/{token}", data=ONE_CLICK)
    client.put(f"/leave/{NEWSLETTER}/{token}")
    client.post(f"/leave/{NEWSLETTER}", data={"address": ADDRESS})
    lines = [record.getMessage() for record in caplog.records if record.name == "pipeline.web.access"]
    assert len(lines) == 9
    assert lines[0].startswith(f"GET /leave/{NEWSLETTER}/... 200 ")
    assert not [line for line in lines if token in line or "@" in line or "\n" in line]


def test_a_newsrooms_own_template_at_fault_still_answers(root: Path, client: httpx.Client, station: Station, token: str) -> None:
    (root / "templates/web").mkdir(parents=True, exist_ok=True)
    (root / "templates/web/leave_done.html").write_text("{{ nothing.here }}", "utf-8")
    answer = client.post(f"/leave/{NEWSLETTER}/{token}", data=ONE_CLICK)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert states(station) == LEFT


@pytest.mark.parametrize(
    ("language", "said", "direction"),
    [("ru", "Отписаться", "ltr"), ("ug", "مۇشتەرىلىكنى بىكار قىلىش", "rtl"), ("fa", "لغو اشتراک", "rtl"), ("zh-Hans", "退订", "ltr")],
)
def test_leaving_speaks_the_newsletters_language(root: Path, token: str, language: str, said: str, direction: str) -> None:
    path = root / "config" / "newsletters" / f"{NEWSLETTER}.toml"
    path.write_text(path.read_text("utf-8").replace('language = "en"', f'language = "{language}"'), "utf-8")
    pages = Pages(app.open_desk(app.load_settings(root, {})))
    newsletter = app.load_settings(root, {}).newsletter(NEWSLETTER)
    made = [pages.leave(newsletter, by_link=False), pages.leave(newsletter, by_link=True, notice="nothing_changed")]
    assert all(f"<button>{said}</button>" in bytes(page.body).decode() for page in made)
    made += [pages.left(newsletter, by_link=True), pages.left(newsletter, by_link=False)]
    made.append(pages.trouble(404, "bad_link", newsletter=newsletter))
    for page in made:
        text = bytes(page.body).decode()
        assert f'<html lang="{language}" dir="{direction}">' in text
        assert not re.search(r">Unsubscribe|Read on|Write to us|The feed", text.partition("<body")[2])
    assert '<html lang="en"' in bytes(pages.trouble(404, "no_page").body).decode(), "the newsletters share no language"


# --- in a browser ------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 1280])
def test_leaving_in_a_browser(tab: Watched, public: str, station: Station, token: str, width: int) -> None:
    page = tab.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{public}/leave/{NEWSLETTER}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("E-mail address").fill("stranger@example.org")
    page.get_by_role("button", name="Unsubscribe").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Done"
    page.goto(f"{public}/leave/{NEWSLETTER}/{token}")
    assert states(station) == STAYED
    assert page.locator("button").bounding_box()["height"] >= 44  # type: ignore[index]
    page.get_by_role("button").click()
    assert page.get_by_role("heading", level=1).inner_text() == "You have left Eurasia Briefing"
    assert states(station) == LEFT
    tab.assert_quiet(public)


def test_leaving_needs_no_script(tab: Watched, public: str, station: Station, token: str) -> None:
    assert tab.page.context.browser is not None
    context = tab.page.context.browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{public}/leave/{NEWSLETTER}/{token}")
        page.get_by_role("button").click()
        page.wait_for_selector("text=You have left")
    finally:
        context.close()
    assert states(station) == LEFT
