"""Runs the sandbox: blocking for the command line, in a thread for the demonstration and the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.clock import Clock, system_clock
from pipeline.providers.sandbox.adapter import DEFAULT_API_KEY, DoubtClass
from pipeline.providers.sandbox.faults import Faults
from pipeline.providers.sandbox.hooks import Hooks, HookSender
from pipeline.providers.sandbox.server import LOOPBACK_NAMES, create_app
from pipeline.providers.sandbox.store import SandboxStore
from pipeline.serving import LOOPBACK, serve_app, start_app


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
    doubt_class: DoubtClass = DoubtClass.SEARCH,
    next_free: bool = False,
    hooks: Hooks | None = None,
) -> RunningServer:
    """Starts a sandbox and returns once it answers. Port 0 takes any free one; ``next_free`` moves on from a busy one.

    With ``hooks``, it tells of what becomes of its mail.

    UsageError when the port is taken, OutsideFault when the server does not come up within 15 s.
    """
    store = SandboxStore(store_path)
    application = _application(store, host, faults or Faults(), now, api_key, doubt_class)
    try:
        running = start_app(application, host, port, next_free=next_free, name="sandbox", http=_DroppableConnection, stopped=store.close)
    except BaseException:
        store.close()
        raise
    teller = HookSender(store, hooks, now) if hooks else None

    def stop() -> None:
        if teller is not None:
            teller.stop()
        running.stop()

    return RunningServer(running.url, store, stop)


def serve(
    store_path: Path,
    host: str = LOOPBACK,
    port: int = 0,
    faults: Faults | None = None,
    *,
    now: Clock = system_clock,
    api_key: str = DEFAULT_API_KEY,
    doubt_class: DoubtClass = DoubtClass.SEARCH,
    next_free: bool = False,
    hooks: Hooks | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Runs a sandbox in this thread until it is interrupted; ``ready`` is told its URL once the port is taken."""
    store = SandboxStore(store_path)
    teller = HookSender(store, hooks, now) if hooks else None
    try:
        application = _application(store, host, faults or Faults(), now, api_key, doubt_class)
        serve_app(application, host, port, next_free=next_free, name="sandbox", http=_DroppableConnection, ready=ready)
    finally:
        if teller is not None:
            teller.stop()
        store.close()


def _application(store: SandboxStore, host: str, faults: Faults, now: Clock, api_key: str, doubt_class: DoubtClass) -> Starlette:
    # Bound to this machine it answers to this machine's names only; who binds it elsewhere has chosen to show it.
    names = LOOPBACK_NAMES if host in (LOOPBACK, "localhost", "::1") else ("*",)
    return create_app(store, faults, now, api_key, doubt_class=doubt_class, hosts=names)
