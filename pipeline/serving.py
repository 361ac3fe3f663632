"""Runs a web application: blocking for the command line, in a thread for demonstrations and tests.

At the bottom of the house, since doors for browsers and the providers' sandbox both need it and may not see each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn

from pipeline.errors import OutsideFault, UsageError

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 50
"""How far ``next_free`` looks beyond a busy port."""

_START_S = 15.0
_STOP_S = 10.0
_DRAIN_S = 3

App = Callable[..., Any]
"""An ASGI application. One that streams without end has a ``state.close`` that ends its streams (see ``_Server``)."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """An application that answers at ``url`` until ``stop`` is called; stopping twice is fine."""

    url: str
    stop: Callable[[], None]


def _nothing() -> None:
    """The hook of who has none."""


def serve_app(
    app: App,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    next_free: bool = False,
    name: str = "server",
    http: type[asyncio.Protocol] | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serves in this thread until it is interrupted (Ctrl+C returns; SIGTERM raises SystemExit(0) after a graceful stop).

    ``ready`` is told the URL once the port is taken. Raises UsageError when it cannot be taken.
    """
    with contextlib.closing(listen(host, port, next_free=next_free, name=name)) as listener:
        ready(url_of(host, listener))
        # What uvicorn raises once more is what stood here before it: without this a stop that went well would not exit 0.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn stops gracefully, then raises the signal once more
            _Server(app, http).run([listener])


def start_app(
    app: App,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    next_free: bool = False,
    name: str = "server",
    http: type[asyncio.Protocol] | None = None,
    stopped: Callable[[], None] = _nothing,
) -> RunningServer:
    """Serves in a thread and returns once it answers; ``stopped`` is called after the last connection is closed.

    Port 0 takes any free one, ``next_free`` moves on from a busy one. Raises UsageError when the port is taken,
    OutsideFault when the server does not come up.
    """
    listener = listen(host, port, next_free=next_free, name=name)
    server = _Server(app, http)
    # uvicorn leaves the signal handlers alone when it is not in the main thread.
    thread = threading.Thread(target=server.run, args=([listener],), name=name, daemon=True)
    thread.start()
    once = threading.Lock()

    def stop() -> None:
        server.should_exit = True
        thread.join(_STOP_S)
        listener.close()
        if once.acquire(blocking=False):
            stopped()

    deadline = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            stop()
            raise OutsideFault(f"the {name} did not start")
        time.sleep(0.005)
    return RunningServer(url_of(host, listener), stop)


def listen(host: str, port: int, *, next_free: bool, name: str = "server") -> socket.socket:
    """A listening socket, so that a busy port is known before anything else is started. Raises UsageError."""
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
    raise UsageError(f"the {name} cannot listen on {host} port {port}: {reason}", hint="Give another port, or 0 for any free one.")


def url_of(host: str, listener: socket.socket) -> str:
    """Where a listening socket is reached."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


class _Server(uvicorn.Server):
    """A server that tells the application when it begins to stop, by calling its ``state.close`` in the server's loop.

    ASGI's lifespan tells so only after all connections are closed, and a page that listens for news never closes its own.
    """

    def __init__(self, app: App, http: type[asyncio.Protocol] | None) -> None:
        super().__init__(_config(app, http))
        self._close: Callable[[], None] = getattr(getattr(app, "state", None), "close", _nothing)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._close()
        await super().shutdown(sockets)


def _config(app: App, http: type[asyncio.Protocol] | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http or "h11",
        ws="none",
        lifespan="auto",
        log_config=None,  # the pipeline's own logging holds
        log_level="warning",
        access_log=False,  # paths and queries may hold tokens and addresses
        timeout_keep_alive=75,  # longer than any client of ours keeps an idle connection
        timeout_graceful_shutdown=_DRAIN_S,
        server_header=False,
    )
