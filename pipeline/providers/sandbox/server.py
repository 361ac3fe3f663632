"""The sandbox as a web application: Mailgun's interface, a JSON one for tests, and pages for people."""

from __future__ import annotations

import random

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.clock import Clock
from pipeline.providers.sandbox import api, viewer
from pipeline.providers.sandbox.adapter import DEFAULT_API_KEY, DoubtClass
from pipeline.providers.sandbox.faults import Dice, Faults
from pipeline.providers.sandbox.store import SandboxStore

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def create_app(
    store: SandboxStore,
    faults: Faults,
    now: Clock,
    api_key: str = DEFAULT_API_KEY,
    *,
    doubt_class: DoubtClass = DoubtClass.SEARCH,
    hosts: tuple[str, ...] = LOOPBACK_NAMES,
) -> Starlette:
    """The application over a store. ``hosts`` are the names it answers to; ``("*",)`` for any.

    The inbox shows addresses and asks for no password, so a page elsewhere must not reach it under a name of its own
    (DNS rebinding).
    """
    dice = Dice(faults, random.Random(faults.seed))  # noqa: S311 - faults, not secrets
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    return Starlette(routes=[*viewer.routes(store), *api.routes(store, dice, now, api_key, doubt_class)], middleware=[guard])
