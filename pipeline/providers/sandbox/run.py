"""Runs the sandbox: blocking for the command line, in a thread for the demonstration and the tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.clock import Clock, system_clock
from pipeline.errors import OutsideFault, UsageError
from pipeline.providers.sandbox.adapter import DEFAULT_API_KEY
from pipeline.providers.sandbox.faults import Faults
from pipeline.providers.sandbox.server import LOOPBACK_NAMES, create_app
from pipeline.providers.sandbox.store import SandboxStore

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 50

_START_S = 15.0
_STOP_S = 10.0


class _DroppableConnection(H11Protocol):
    """Gives the application the means to hang up, which ASGI has no word for and the faults need."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def with_hang_up(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})["briefing.hang_up"] = transport.abort
            await inner(scope, receive, send)

        self.app = with_hang_up


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A sandbox that answers at ``url`` until ``stop`` is called; ``store`` may be read meanwhile."""

    url: str
    store: SandboxStore
    stop: Callable[[], None]


def start_in_thread(
    store_path: Path,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    faults: Faults | None = None,
    now: Clock = system_clock,
    api_key: str = DEFAULT_API_KEY,
    next_free: bool = False,
) -> RunningServer:
    """Starts a sandbox and returns once it answers. Port 0 takes any free one; ``next_free`` moves on from a busy one.

    UsageError when the port is taken, OutsideFault when the server does not come up within 15 s.
    """
    listener = _listen(host, port, next_free=next_free)
    store = SandboxStore(store_path)
    server = _server(store, host, faults or Faults(), now, api_key)
    # uvicorn leaves the signal handlers alone when it is not in the main thread.
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(_STOP_S)
        listener.close()
        store.close()

    deadline = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            stop()
            raise OutsideFault("the sandbox did not start")
        time.sleep(0.005)
    return RunningServer(_url(host, listener), store, stop)


def serve(
    store_path: Path,
    host: str = LOOPBACK,
    port: int = 0,
    faults: Faults | None = None,
    *,
    now: Clock = system_clock,
    api_key: str = DEFAULT_API_KEY,
    next_free: bool = False,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Runs a sandbox in this thread until it is interrupted; ``ready`` is told its URL once the port is taken."""
    with contextlib.closing(_listen(host, port, next_free=next_free)) as listener:
        store = SandboxStore(store_path)
        try:
            ready(_url(host, listener))
            _server(store, host, faults or Faults(), now, api_key).run([listener])
        finally:
            store.close()


def _server(store: SandboxStore, host: str, faults: Faults, now: Clock, api_key: str) -> uvicorn.Server:
    # Bound to this machine it answers to this machine's names only; who binds it elsewhere has chosen to show it.
    names = LOOPBACK_NAMES if host in (LOOPBACK, "localhost", "::1") else ("*",)
    config = uvicorn.Config(
        create_app(store, faults, now, api_key, hosts=names),
        http=_DroppableConnection,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,  # the query of a search is an address
        timeout_keep_alive=75,  # longer than any client of ours keeps an idle connection
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    return uvicorn.Server(config)


def _listen(host: str, port: int, *, next_free: bool) -> socket.socket:
    """A listening socket, so that a busy port is known before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, port + (PORTS_TRIED if next_free and port else 1)):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(128)
        except (OSError, OverflowError) as error:
            listener.close()
            reason = getattr(error, "strerror", None) or "not a port"
            continue
        return listener
    raise UsageError(f"the sandbox cannot listen on {host} port {port}: {reason}", hint="Give another port, or 0 for any free one.")


def _url(host: str, listener: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"
