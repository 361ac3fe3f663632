"""Long-running commands: serve, web, worker, sandbox."""

from __future__ import annotations

import secrets
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from pipeline import app
from pipeline.cli.door import door, err, out
from pipeline.errors import UsageError
from pipeline.flow.context import Sender
from pipeline.providers.registry import doubt_class_of
from pipeline.providers.sandbox.adapter import DEFAULT_API_KEY, DoubtClass
from pipeline.providers.sandbox.faults import parse_faults
from pipeline.settings import Settings

# Servers and worker are loaded inside the commands that run them: every other command starts twice as fast without them.

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int | None, typer.Option(help="The port to listen on; default: base_url's if that is on this machine, else 8000.")]
FaultSpec = Annotated[str, typer.Option("--faults", metavar="SPEC", help="Faults to play, e.g. latency=200ms,429=0.1,drop-after=1x.")]
Class = Annotated[
    DoubtClass | None,
    typer.Option("--class", help="What it offers for a batch in doubt; default: provider.sandbox.class, else search."),
]
HooksUrl = Annotated[str, typer.Option("--hooks", metavar="URL", help="Where to report what becomes of the mail, as Mailgun does.")]

DEFAULT_PORT = 8000


def register(cli: typer.Typer) -> None:
    """Adds this file's commands."""
    for command in (serve, web, worker, sandbox):
        cli.command(command.__name__)(command)


def serve(context: typer.Context, host: Host = "127.0.0.1", port: Port = None, faults: FaultSpec = "") -> None:
    """Run everything in one process: worker, archive, and the sandbox if it is the provider. Ctrl-C stops it."""
    from pipeline.providers.registry import LISTENERS
    from pipeline.serving import LOOPBACK, start_app
    from pipeline.web.site import create_site

    sender = door(context).sender()
    with ExitStack() as stack:
        listeners = app.open_listeners(sender.settings)
        rehearsal = sender.provider.name == "sandbox"
        # A rehearsal has its own key for as long as it runs, so that nobody else's news is believed.
        key = sender.settings.newsroom.provider.sandbox.get("signing_key") or secrets.token_hex(16)
        if rehearsal and (listener := LISTENERS["sandbox"]({"signing_key": key})):
            listeners["sandbox"] = listener
        running = start_app(create_site(sender, listeners), host, port or _port_of(sender.settings), next_free=True, name="archive")
        stack.callback(running.stop)
        if rehearsal:
            hooks = f"http://{LOOPBACK}:{urlsplit(running.url).port}/hooks/sandbox" if host in (LOOPBACK, "0.0.0.0") else ""  # noqa: S104
            start_own_sandbox(sender.settings, faults, stack, hooks=hooks, signing_key=key)
        out.print(f"Archive: {running.url}/", markup=False)
        if running.url != sender.settings.newsroom.base_url:
            err.print(f"Links in mails point to {sender.settings.newsroom.base_url} (base_url in config/newsroom.toml).", markup=False)
        out.print("Ctrl-C stops everything.")
        run_worker(sender)


def web(context: typer.Context, host: Host = "127.0.0.1", port: Port = None) -> None:
    """Serve the archive and the pages on which readers leave. Ctrl-C stops it."""
    from pipeline.serving import serve_app
    from pipeline.web.site import create_site

    station = door(context).station()
    site = create_site(station, app.open_listeners(station.settings))
    ready = lambda url: out.print(f"Archive: {url}/   (Ctrl-C stops it)", markup=False)  # noqa: E731
    serve_app(site, host, port or _port_of(station.settings), name="archive", ready=ready)


def worker(context: typer.Context) -> None:
    """Run the worker: it starts what is due, sends it, and keeps the ledger. SIGTERM stops it gracefully."""
    run_worker(door(context).sender())


def sandbox(context: typer.Context, faults: FaultSpec = "", doubt_class: Class = None, hooks: HooksUrl = "") -> None:
    """Run the sandbox: a local provider that accepts mail, delivers nothing, and shows it in the browser."""
    from pipeline.providers.sandbox.hooks import Hooks
    from pipeline.providers.sandbox.run import serve as serve_sandbox

    settings = door(context).settings()
    host, port = _sandbox_place(settings)
    table = settings.newsroom.provider.sandbox
    spec, key = parse_faults(faults), table.get("signing_key", "")
    if hooks and not key:
        raise UsageError("--hooks needs a signing key", hint="Set BRIEFING_SANDBOX_SIGNING_KEY, here and where the hooks are listened to.")
    ready = lambda url: out.print(f"Sandbox inbox: {url}/   (Ctrl-C stops it)", markup=False)  # noqa: E731
    told = Hooks(hooks, key) if hooks else None
    serve_sandbox(
        sandbox_store(settings), host, port, spec,
        api_key=table.get("api_key", DEFAULT_API_KEY), doubt_class=doubt_class or doubt_class_of(table), hooks=told, ready=ready,
    )  # fmt: skip


def _port_of(settings: Settings) -> int:
    """Where links in mails of this newsroom lead, if they lead to this machine."""
    parts = urlsplit(settings.newsroom.base_url)
    return parts.port if parts.scheme == "http" and parts.port else DEFAULT_PORT


def sandbox_store(settings: Settings) -> Path:
    """Where the sandbox keeps what it accepts."""
    return settings.var / "sandbox.db"


def start_own_sandbox(settings: Settings, faults: str, stack: ExitStack, *, hooks: str = "", signing_key: str = "") -> None:
    """Starts the sandbox that the configuration names, unless it is on another machine or already answers.

    With ``hooks``, it sends its events there; one that was running already does as it was told.
    """
    host, port = _sandbox_place(settings)
    table = settings.newsroom.provider.sandbox
    try:
        httpx.get(table["base_url"], timeout=2)
        out.print(f"Sandbox inbox: {table['base_url']}/ (was running already)", markup=False)
    except httpx.HTTPError:
        from pipeline.providers.sandbox.hooks import Hooks
        from pipeline.providers.sandbox.run import start_in_thread as start_sandbox

        spec, told = parse_faults(faults), Hooks(hooks, signing_key) if hooks else None
        running = start_sandbox(
            sandbox_store(settings), host=host, port=port, faults=spec,
            api_key=table.get("api_key", DEFAULT_API_KEY), doubt_class=doubt_class_of(table), hooks=told,
        )  # fmt: skip
        stack.callback(running.stop)
        out.print(f"Sandbox inbox: {running.url}/", markup=False)


def _sandbox_place(settings: Settings) -> tuple[str, int]:
    url = settings.newsroom.provider.sandbox.get("base_url", "")
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1") or parts.port is None:
        raise UsageError(
            f"provider.sandbox.base_url is {url!r}: the sandbox runs on this machine only", hint="Write for instance http://127.0.0.1:8025."
        )
    return parts.hostname, parts.port


def run_worker(sender: Sender) -> None:
    """Runs a worker in this thread until SIGINT or SIGTERM; what is in hand is finished first."""
    from pipeline.worker import Worker

    one = Worker(sender)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: one.stop())
    with ExitStack() as stack:
        if place := sender.settings.newsroom.metrics.place():
            from pipeline.serving import start_app
            from pipeline.web.vitals import create_vitals

            running = start_app(create_vitals(sender, one.trouble), *place, name="metrics")
            stack.callback(running.stop)
            err.print(f"Metrics: {running.url}/metrics", markup=False)
        one.run()
