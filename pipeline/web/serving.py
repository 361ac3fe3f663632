"""Starts the doors for browsers: how each application is run and stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.flow.context import Desk, Station
from pipeline.serving import LOOPBACK, RunningServer, serve_app, start_app
from pipeline.web.preview import create_preview
from pipeline.web.public import create_public

PUBLIC_PORT = 8000
PREVIEW_PORT = 8010

Ready = Callable[[str], None]
"""Told the URL once the port is taken, before the first request can be answered."""


def serve_public(
    station: Station, host: str = LOOPBACK, port: int = PUBLIC_PORT, *, next_free: bool = False, ready: Ready = lambda url: None
) -> None:
    """Serves the archive and the pages for leaving until interrupted. Raises UsageError when the port is taken, TemplateFault."""
    serve_app(create_public(station), host, port, next_free=next_free, name="public site", ready=ready)


def start_public(station: Station, host: str = LOOPBACK, port: int = 0, *, next_free: bool = False) -> RunningServer:
    """The same in a thread, for the demonstration and for ``serve``. Raises UsageError, TemplateFault, OutsideFault."""
    return start_app(create_public(station), host, port, next_free=next_free, name="public site")


def serve_preview(
    root: Path, load: Callable[[], Desk], reference: str | None = None, *, port: int = PREVIEW_PORT, next_free: bool = True,
    ready: Ready = lambda url: None,
) -> None:  # fmt: skip
    """Serves the live preview on this machine only, until interrupted. Raises UsageError when no port is free."""
    app = create_preview(root, load, reference)
    serve_app(app, LOOPBACK, port, next_free=next_free, name="preview", ready=ready, stopping=app.state.close)


def start_preview(
    root: Path, load: Callable[[], Desk], reference: str | None = None, *, port: int = 0, next_free: bool = False
) -> RunningServer:
    """The same in a thread. Raises UsageError, OutsideFault."""
    app = create_preview(root, load, reference)
    return start_app(app, LOOPBACK, port, next_free=next_free, name="preview", stopping=app.state.close)
