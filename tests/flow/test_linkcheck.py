"""Dead links, asked for at a real server on this machine: politely, once, remembered, and never of a private network by mistake."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipeline import app
from pipeline.cli import main
from pipeline.copydesk.evidence import Answer, Verdict
from pipeline.flow import linkcheck, rendering
from pipeline.flow.linkcheck import LinkCheck, user_agent
from pipeline.flow.polite import Asker, is_public
from tests.conftest import SetClock

ISSUE = "eurasia-briefing/2021-08-18-after-kabul"


class Server(ThreadingHTTPServer):
    """Answers by path, and remembers what it was asked, and when."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.times: list[float] = []
        self.agents: set[str] = set()
        self.hosts: set[str] = set()
        self.at_once = 0
        self.most_at_once = 0
        self.sent = 0
        self.guard = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.answer("HEAD")

    def do_GET(self) -> None:
        self.answer("GET")

    def answer(self, method: str) -> None:
        server, path = self.server, self.path
        with server.guard:
            server.asked.append((method, path))
            server.times.append(time.monotonic())
            server.agents.add(self.headers["User-Agent"])
            server.hosts.add(self.headers["Host"])
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
            count = server.asked.count((method, path))
        time.sleep(0.02)
        with server.guard:
            server.at_once -= 1
        self.reply(method, path, count)

    def reply(self, method: str, path: str, count: int) -> None:
        headers: dict[str, str] = {}
        match unquote(path).strip("/").split("/"):
            case ["status", code]:
                status = int(code)
            case ["headless"]:
                status = 405 if method == "HEAD" else 200
            case ["liar"]:
                status = 404 if method == "HEAD" else 200
            case ["busy", seconds]:
                status, headers = (503, {"Retry-After": seconds}) if count == 1 else (200, {})
            case ["hop", *rest]:
                status, headers = 302, {"Location": "/" + "/".join(rest)}
            case ["loop"]:
                status, headers = 302, {"Location": "/loop"}
            case ["inside"]:
                status, headers = 302, {"Location": "http://10.1.2.3/secret"}
            case ["script"]:
                status, headers = 302, {"Location": "javascript:alert(1)"}
            case ["slow"]:
                time.sleep(3)
                status = 200
            case ["nonsense"]:
                self.wfile.write(b"this is no HTTP\r\n\r\n")
                return
            case ["endless"]:
                status = 200 if method == "GET" else 403
            case _:
                status = 200
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if path == "/endless" and method == "GET":
            try:
                while self.server.sent < 200_000_000:
                    self.wfile.write(b"x" * 65536)
                    self.server.sent += 65536
            except OSError:
                return

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def here(address: str) -> bool:
    """The test's own permission: this machine, and nothing else."""
    return address == "127.0.0.1"


@pytest.fixture
def asker(clock: SetClock) -> Iterator[Asker]:
    opened = Asker(user_agent="test", clock=clock, permitted=here, pause_s=0.0, timeout_s=1.0, longest_wait_s=1.0)
    yield opened
    opened.close()


@pytest.fixture
def check(tmp_path: Path, asker: Asker, clock: SetClock) -> LinkCheck:
    return LinkCheck(tmp_path / "links.json", asker, clock, secure=False)


@pytest.mark.parametrize(
    ("path", "verdict", "asked"),
    [
        ("ok", Verdict.ALIVE, ["HEAD"]),
        ("status/404", Verdict.DEAD, ["HEAD", "GET"]),
        ("status/410", Verdict.DEAD, ["HEAD", "GET"]),
        ("status/403", Verdict.UNSURE, ["HEAD", "GET"]),
        ("status/500", Verdict.UNSURE, ["HEAD", "GET"]),
        ("status/429", Verdict.UNSURE, ["HEAD"]),
        ("headless", Verdict.ALIVE, ["HEAD", "GET"]),
        ("liar", Verdict.ALIVE, ["HEAD", "GET"]),
        ("busy/0", Verdict.ALIVE, ["HEAD", "HEAD"]),
        ("busy/90", Verdict.UNSURE, ["HEAD"]),
        ("busy/Wed, 18 Aug 2021 04:29:00 GMT", Verdict.ALIVE, ["HEAD", "HEAD"]),
        ("busy/Wed, 18 Aug 2021 05:30:00 GMT", Verdict.UNSURE, ["HEAD"]),
        ("hop/hop/ok", Verdict.ALIVE, ["HEAD", "HEAD", "HEAD"]),
        ("hop/status/404", Verdict.DEAD, ["HEAD", "HEAD", "GET"]),
        ("loop", Verdict.UNSURE, ["HEAD"] * 6),
        ("inside", Verdict.UNSURE, ["HEAD"]),
        ("script", Verdict.UNSURE, ["HEAD"]),
        ("slow", Verdict.UNSURE, ["HEAD"]),
        ("nonsense", Verdict.UNSURE, ["HEAD"]),
    ],
)
def test_what_a_server_says_and_what_it_was_asked(server: Server, asker: Asker, path: str, verdict: Verdict, asked: list[str]) -> None:
    answer = asker.ask(f"{server.url}/{path}")
    assert answer.verdict is verdict, answer
    assert [method for method, _ in server.asked] == asked
    assert answer.said or verdict is Verdict.ALIVE


def test_of_a_long_answer_only_the_head_is_read(server: Server, asker: Asker) -> None:
    assert asker.ask(f"{server.url}/endless").verdict is Verdict.ALIVE
    time.sleep(0.1)
    assert server.sent < 20_000_000  # what fits into the buffers between us


def test_nobody_at_home_is_no_dead_link(asker: Asker) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert asker.ask(f"http://127.0.0.1:{port}/") == Answer(Verdict.UNSURE, "leads to a server that does not answer")


def test_a_host_that_does_not_exist_is_dead(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert asker.ask("https://no-such-host.example/").verdict is Verdict.DEAD


def test_a_name_that_leads_inside_is_not_connected_to(server: Server, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker(user_agent="test", clock=clock, pause_s=0.0)
    port = server.server_address[1]
    assert asker.ask(f"{server.url}/ok") == Answer(Verdict.UNSURE, "leads into a private network")
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("93.184.215.14", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert asker.ask(f"http://harmless.example:{port}/ok") == Answer(Verdict.UNSURE, "leads into a private network")
    asker.close()
    assert server.asked == []


def test_the_name_is_looked_up_once_for_each_question(server: Server, asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    port = server.server_address[1]
    looked_up: list[object] = []
    real = socket.getaddrinfo

    def counting(host: object, *rest: object, **more: object) -> object:
        looked_up.append(host)
        return real("127.0.0.1", *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", counting)
    assert asker.ask(f"http://name.example:{port}/ok").verdict is Verdict.ALIVE
    assert server.hosts == {f"name.example:{port}"}
    assert [host for host in looked_up if host in ("name.example", b"name.example")] == ["name.example"]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1"],
)  # fmt: skip
def test_private_addresses_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


def test_a_host_is_asked_one_at_a_time_with_a_pause(server: Server, tmp_path: Path, clock: SetClock) -> None:
    asker = Asker(user_agent="test", clock=clock, permitted=here, pause_s=0.15)
    check = LinkCheck(tmp_path / "links.json", asker, clock, secure=False)
    ticks: list[int] = []
    check.ask([f"{server.url}/{number}" for number in range(4)], ticks.append)
    asker.close()
    assert server.most_at_once == 1
    assert all(later - earlier > 0.13 for earlier, later in zip(server.times, server.times[1:], strict=False))
    assert ticks == [0, 1, 2, 3, 4]


def test_answers_are_kept_good_and_bad_and_grow_old(server: Server, check: LinkCheck, clock: SetClock) -> None:
    ok, gone, odd = (f"{server.url}/{path}" for path in ("ok", "status/404", "status/403"))
    first = check.ask([ok, f"{ok}#part", gone, odd, "mailto:desk@example.org", "https://["])
    assert {url: answer.verdict.value for url, answer in first.items()} == {ok: "alive", f"{ok}#part": "alive", gone: "dead", odd: "unsure"}
    asked = len(server.asked)
    assert check.ask([ok, gone, odd]) == {url: first[url] for url in (ok, gone, odd)}
    assert len(server.asked) == asked
    for hours, path in ((2, "/status/403"), (23, "/status/404"), (24 * 6, "/ok")):
        clock.pass_by(hours=hours)
        server.asked.clear()
        check.ask([ok, gone, odd])
        assert path in {asked_for for _, asked_for in server.asked}
    assert server.asked.count(("HEAD", "/ok")) == 1


@pytest.mark.parametrize("broken", ["", "[]", '{"a": 1}', '{"a": ["x", "y", "z"]}', "\x00"])
def test_a_broken_memory_is_an_empty_one(server: Server, check: LinkCheck, tmp_path: Path, broken: str) -> None:
    (tmp_path / "links.json").write_text(broken, "utf-8")
    assert check.ask([f"{server.url}/ok"])[f"{server.url}/ok"].verdict is Verdict.ALIVE
    assert list(json.loads((tmp_path / "links.json").read_text("utf-8"))) == [f"{server.url}/ok"]


def test_a_run_ends_in_time(server: Server, tmp_path: Path, clock: SetClock) -> None:
    asker = Asker(user_agent="test", clock=clock, permitted=here, pause_s=0.0, timeout_s=10.0)
    check = LinkCheck(tmp_path / "links.json", asker, clock, secure=False, longest_run_s=0.3)
    begun = time.monotonic()
    answers = check.ask([f"{server.url}/slow"])
    assert time.monotonic() - begun < 2.5
    assert [answer.said for answer in answers.values()] == ["was not asked for in this run"]
    asker.close()


def test_thousands_of_links_are_asked_for_in_several_runs(check: LinkCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(url: str) -> Answer:
        asked.append(url)
        return Answer(Verdict.ALIVE)

    monkeypatch.setattr(check, "_asker", type("Fast", (), {"ask": staticmethod(ask)}))
    links = [f"http://host{number % 50}.example/{number}" for number in range(1200)]
    for expected in (500, 1000, 1200):
        check.ask(links)
        assert len(asked) == expected


def test_who_asks_says_so_and_how_to_complain(root: Path) -> None:
    said = user_agent(app.load_settings(root, {}))
    assert said.startswith("briefing/") and "+http" in said and "@" in said and "\n" not in said


@pytest.fixture
def at_server(server: Server, root: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A newsroom whose link check may ask this machine, and a draft with a dead link, an odd and a good one."""

    def opened(desk: object) -> LinkCheck:
        asker = Asker(user_agent="test", clock=clock, permitted=here, pause_s=0.0)
        return LinkCheck(root / "var" / "links.json", asker, clock, secure=False)

    monkeypatch.setattr(linkcheck, "open_check", opened)
    path = root / "issues" / ISSUE / "index.md"
    links = "\n\n".join(f"See [this page]({server.url}/{name})." for name in ("status/404", "status/403", "ok"))
    path.write_text(
        "---\ntitle: The bridge\npreheader: What else is inside.\n---\n\n" + links + "\n\n## Until Next Time\n\nBye.\n", "utf-8"
    )
    style = root / "config" / "style.toml"
    style.write_text('[rules]\nlink-private = "off"\nlink-http = "off"\nlink-vague = "off"\n', "utf-8")
    return path


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], root: Path, *arguments: str) -> tuple[str, str]:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["briefing", "check", ISSUE, *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        main.run()
    assert end.value.code in (0, None)
    said = capfd.readouterr()
    return said.out, said.err


def test_the_command_asks_only_when_told_to(
    at_server: Path, server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said, _ = run(monkeypatch, capfd, root)
    assert server.asked == [] and "link-dead" not in said
    said, progress = run(monkeypatch, capfd, root, "--links")
    assert f"issues/{ISSUE}/index.md:6:17: warning: the link is dead (the server says 404): {server.url}/status/404 [link-dead]" in said
    assert f"index.md:8:17: note: the link cannot be judged (the server says 403): {server.url}/status/403 [link-unsure]" in said
    assert said.rstrip().endswith("0 errors, 1 warning, 1 note")
    assert "Links: 3 of 3" in progress
    asked = len(server.asked)
    said, _ = run(monkeypatch, capfd, root, "--links", "--format", "github")
    assert "::notice file=" in said and "title=link-unsure" in said
    assert len(server.asked) == asked


def test_the_answers_reach_the_findings(at_server: Path, server: Server, root: Path) -> None:
    desk = app.open_desk(app.load_settings(root, {}))
    answers = {f"{server.url}/ok": Answer(Verdict.DEAD, "is dead")}
    assert [one.rule for one in rendering.examine(desk, ISSUE, answers)[1]] == ["link-dead"]
    assert rendering.examine(replace(desk, clock=lambda: datetime(2021, 1, 1, tzinfo=UTC)), ISSUE)[1] == ()
