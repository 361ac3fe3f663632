"""The sandbox as a provider: it is spoken to exactly as Mailgun is, over HTTP."""

from __future__ import annotations

from dataclasses import replace

from pipeline.clock import Clock
from pipeline.providers.mailgun import Mailgun

DEFAULT_API_KEY = "sandbox"
"""Not a secret: the sandbox answers on this machine only."""


class Sandbox(Mailgun):
    """Mailgun under the name ``sandbox``, so that its errors point at the sandbox's settings."""

    def __init__(self, *, domain: str, base_url: str, now: Clock, api_key: str = DEFAULT_API_KEY, timeout_s: float = 60) -> None:
        super().__init__(api_key=api_key, domain=domain, base_url=base_url, now=now, timeout_s=timeout_s, name="sandbox")
        # What the sandbox has taken it shows at once; a second is for a request that is still being read.
        self.capabilities = replace(self.capabilities, lookup_settles_s=1)
