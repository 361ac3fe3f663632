"""What ``briefing serve`` and ``briefing web`` listen with: the public site, and beside it the door for providers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.routing import Mount

from pipeline.flow.context import Station
from pipeline.providers.base import Listening
from pipeline.web.hooks import create_hooks
from pipeline.web.public import create_public


def create_site(station: Station, listeners: Mapping[str, Listening]) -> Starlette:
    """Both as one application; the hooks answer below the path of ``base_url`` as well as at the top."""
    hooks, base = create_hooks(station, listeners), urlsplit(station.settings.newsroom.base_url).path
    mounts = [Mount(f"{base}/hooks", hooks)] if base else []
    return Starlette(routes=[*mounts, Mount("/hooks", hooks), Mount("", create_public(station))])
