"""Threads that make calls: kept for the next call, left behind when a call hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.clock import since_boot
from pipeline.providers.http_call import HttpCaller, InDoubt, NotSent


class _Slow(BaseHTTPRequestHandler):
    release = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/hang":
            self.release.wait(10)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def caller() -> Iterator[HttpCaller]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    _Slow.release.clear()
    caller = HttpCaller(base_url=f"http://127.0.0.1:{server.server_address[1]}", timeout_s=0.5)
    yield caller
    _Slow.release.set()
    caller.close()
    server.shutdown()
    thread.join()
    server.server_close()


def _hands() -> set[int | None]:
    return {one.ident for one in threading.enumerate() if one.name == "provider-call"}


def test_calls_one_after_another_share_a_thread(caller: HttpCaller) -> None:
    before = _hands()
    for _ in range(5):
        assert caller.post("/", content=b"x", content_type="text/plain").body == "ok"
    assert len(_hands() - before) == 1


def test_a_call_that_hangs_is_given_up_and_does_not_hold_the_next(caller: HttpCaller) -> None:
    before = _hands()
    with pytest.raises(InDoubt, match=r"no complete answer within 0\.5 s|failed after the request had begun"):
        caller.post("/hang", content=b"x", content_type="text/plain")
    assert caller.post("/", content=b"x", content_type="text/plain").body == "ok"
    _Slow.release.set()
    for one in threading.enumerate():
        if one.name == "provider-call" and one.ident not in before:
            one.join(0.3)
    assert len(_hands() - before) <= 1


def test_a_call_whose_time_was_over_before_it_began_certainly_did_not_leave() -> None:
    caller = HttpCaller(base_url="http://127.0.0.1:9", timeout_s=5)
    with pytest.raises(NotSent, match="stood still"):
        caller.post("/", content=b"x", content_type="text/plain", leave_by=since_boot() - 1)
    caller.close()
