"""The sandbox as a provider: it is spoken to exactly as Mailgun is, over HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from pipeline.clock import Clock
from pipeline.core.message import Batch, Outcome, Unknown
from pipeline.providers import mailgun_lists
from pipeline.providers.base import Asked, SendingNames
from pipeline.providers.http_call import Answer
from pipeline.providers.mailgun import Mailgun

DEFAULT_API_KEY = "sandbox"
"""Not a secret: the sandbox answers on this machine only."""

KEY_WINDOW_S = 86_400
"""How long the sandbox keeps a key: as long as the providers that keep one commonly do."""


class DoubtClass(StrEnum):
    """What a sandbox offers for a batch in doubt, so that a rehearsal can be one for any provider (docs/sending.md)."""

    KEY = "key"
    #: The header ``Idempotency-Key`` on the calls of Mailgun's interface, which Mailgun does not have; no search.
    SEARCH = "search"
    #: Mailgun's own search.
    NEITHER = "neither"


class Sandbox(Mailgun):
    """Mailgun under the name ``sandbox``, so that its errors point at the sandbox's settings."""

    def __init__(
        self,
        *,
        domain: str,
        base_url: str,
        now: Clock,
        api_key: str = DEFAULT_API_KEY,
        timeout_s: float = 60,
        doubt_class: DoubtClass = DoubtClass.SEARCH,
        settles_s: float = 1,
    ) -> None:
        """``settles_s``: what the sandbox has taken it shows at once; a second is for a request that is still being read."""
        super().__init__(api_key=api_key, domain=domain, base_url=base_url, now=now, timeout_s=timeout_s, name="sandbox")
        self._keyed = doubt_class is DoubtClass.KEY
        searched = doubt_class is DoubtClass.SEARCH
        self.capabilities = replace(
            self.capabilities,
            idempotency_window_s=KEY_WINDOW_S if self._keyed else None,
            lookup=searched,
            lookup_settles_s=math.ceil(settles_s) if searched else None,
        )

    def ask(self) -> Asked:
        """Its lists are there whatever its class."""
        return self._ask(mailgun_lists.first_page(self._domain, "bounces"), "answers")

    def names(self, from_domain: str) -> SendingNames | None:
        """Nothing leaves."""
        return None

    def _extra_headers(self, batch: Batch) -> Mapping[str, str]:
        return {"idempotency-key": batch.key} if self._keyed else {}

    def _outcomes(self, batch: Batch, answer: Answer) -> Sequence[Outcome]:
        if self._keyed and answer.status == 409:
            # Other bytes came under this key before: what became of those nobody has said here.
            return (Unknown("sandbox answered 409: another call had this key before"),) * len(batch.recipients)
        return super()._outcomes(batch, answer)
