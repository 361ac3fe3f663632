"""The archive over a real server: which files go out, how, and which never do; and what is around every answer."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pipeline.flow.context import Station
from pipeline.serving import start_app
from pipeline.web.public import create_public
from tests.web.conftest import NEWSLETTER


@pytest.fixture
def archive(station: Station) -> Path:
    """A small archive, with a secret beside it and ways that should not lead there."""
    top = station.settings.var / "archive"
    for name, text in {
        "index.html": "<!DOCTYPE html><title>front</title>" + "words " * 400,
        "letter/index.html": "<!DOCTYPE html><title>letter</title>",
        "letter/feed.xml": "<feed xmlns='http://www.w3.org/2005/Atom'/>",
        "letter/bare/note.txt": "note",
        "media/map-0123456789ab.png": "not a real picture",
        "style-0123456789ab.css": "body{}",
        ".git/config": "secret",
        ".well-known/security.txt": "Contact: mailto:a@example.org",
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text, "utf-8")
    (top.parent / "archive-secret.txt").write_text("secret", "utf-8")
    (top / "way-out").symlink_to(top.parent)
    return top


PAGE, FOREVER = "public, max-age=60", "public, max-age=31536000, immutable"
SERVED = {
    "/": ("text/html; charset=utf-8", PAGE),
    "/index.html": ("text/html; charset=utf-8", PAGE),
    "/letter/": ("text/html; charset=utf-8", PAGE),
    "/letter/feed.xml": ("application/atom+xml; charset=utf-8", PAGE),
    "/media/map-0123456789ab.png": ("image/png", FOREVER),
    "/style-0123456789ab.css": ("text/css; charset=utf-8", FOREVER),
    "/.well-known/security.txt": ("text/plain; charset=utf-8", PAGE),
}


def test_files_go_out_with_type_and_validators(client: httpx.Client, archive: Path) -> None:
    for path, (media_type, cache) in SERVED.items():
        full, head = client.get(path), client.head(path)
        assert full.status_code == head.status_code == 200, path
        assert full.headers["content-type"] == head.headers["content-type"] == media_type
        assert full.headers["cache-control"] == cache
        assert head.content == b""
        again = client.get(path, headers={"If-None-Match": full.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        since = {"If-Modified-Since": full.headers["last-modified"]}
        assert client.get(path, headers=since).status_code == 304
        assert client.get(path, headers=since | {"If-None-Match": '"other"'}).status_code == 200
        assert client.get(path, headers={"If-Modified-Since": "nonsense"}).status_code == 200
        assert client.post(path).status_code == 405


def test_a_correction_shows_at_once(client: httpx.Client, archive: Path) -> None:
    before = client.get("/letter/").headers["etag"]
    (archive / "letter/index.html").write_text("<!DOCTYPE html><title>corrected</title>", "utf-8")
    after = client.get("/letter/", headers={"If-None-Match": before})
    assert "corrected" in after.text


def test_a_folder_without_its_slash_leads_to_it(client: httpx.Client, archive: Path) -> None:
    answer = client.get("/letter")
    assert (answer.status_code, answer.headers["location"]) == (301, "./letter/")
    assert client.get("/letter", follow_redirects=True).text == client.get("/letter/").text


def test_text_is_compressed_for_who_wants_it(client: httpx.Client, archive: Path) -> None:
    with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(b"".join(answer.iter_raw())) == (archive / "index.html").read_bytes()
    assert "content-encoding" not in client.get("/", headers={"Accept-Encoding": "identity"}).headers


WAYS_OUT = (
    "/../archive-secret.txt", "/..%2Farchive-secret.txt", "/%2e%2e/archive-secret.txt", "/letter/..%2f..%2farchive-secret.txt",
    "/..%5Carchive-secret.txt", "/%2Fetc%2Fpasswd", "//etc/passwd", "/way-out/archive-secret.txt", "/way-out/briefing.db", "/way-out",
    "/.git/config", "/.git/", "/letter/.well-known/x", "/letter/bare/", "/letter/bare/note.txt/", "/letter/feed.xml/",
    "/index.html%00.txt", "/" + "a" * 5000, "/nothing", "/letter//index.html", "/%F0%9F%92%A9", "/%ff%fe",
)  # fmt: skip


def test_nothing_but_the_archive_is_served(public: str, archive: Path) -> None:
    """Raw paths, since a well-behaved client would tidy them up."""
    with httpx.Client(trust_env=False) as client:
        for path in WAYS_OUT:
            request = client.build_request("GET", public)
            request.url = httpx.URL(public).copy_with(raw_path=path.encode())
            answer = client.send(request)
            assert answer.status_code == 404, path
            assert "secret" not in answer.text, path
            assert "There is no such page" in answer.text, path


def test_the_site_stands_before_anything_is_published(client: httpx.Client) -> None:
    front = client.get("/")
    assert front.status_code == 404
    assert "Nothing has been published yet" in front.text
    sheets = [part.split('"')[0] for part in front.text.split('rel="stylesheet" href="')[1:]]
    assert len(sheets) == 2
    for sheet in sheets:
        answer = client.get(sheet)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_our_trouble(client: httpx.Client, archive: Path) -> None:
    (archive / "letter/index.html").chmod(0)
    assert client.get("/letter/").status_code == 500


# --- around everything -------------------------------------------------------


def test_guards_are_on_every_answer(client: httpx.Client, archive: Path, token: str) -> None:
    answers = [
        client.get("/"), client.get("/nothing"), client.get("/healthz"), client.get(f"/leave/{NEWSLETTER}"), client.get("/letter"),
        client.get(f"/leave/{NEWSLETTER}/{token}"), client.get("/media/map-0123456789ab.png"), client.delete("/"),
        client.get("/favicon.ico"),
        client.get("/", headers={"If-None-Match": client.get("/").headers["etag"]}),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 404, 200, 200, 301, 200, 200, 405, 204, 304]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert not {"server", "set-cookie", "x-powered-by"} & set(answer.headers)


def test_no_hsts_without_https(station: Station, root: Path) -> None:
    plain = station.settings.newsroom.model_copy(update={"base_url": "http://127.0.0.1:8000/below"})
    running = start_app(create_public(replace(station, settings=replace(station.settings, newsroom=plain))))
    try:
        below = httpx.get(f"{running.url}/below/leave/{NEWSLETTER}")
        assert below.status_code == 200, "the path of base_url may be kept by the proxy"
        assert "strict-transport-security" not in below.headers
        assert f'href="/below/{NEWSLETTER}/"' in below.text
        assert httpx.get(f"{running.url}/leave/{NEWSLETTER}").content == below.content
    finally:
        running.stop()


def test_it_says_that_it_is_alive(client: httpx.Client) -> None:
    assert client.get("/healthz").text == "ok\n"
