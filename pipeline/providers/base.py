"""What every mail provider adapter offers. Adding one: one module, one line in registry.py, one docs page, one
instance of the contract suite in tests/contract/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.core.message import Batch, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do; the pipeline asks here instead of knowing names."""

    batch_size: int
    #: Recipients one call takes at most.
    payload_limit: int
    #: Bytes of one request or message at most.
    per_recipient_headers: bool
    #: A different ``List-Unsubscribe`` for each recipient inside one call.
    idempotency_window_s: int | None
    #: Seconds for which a repeated key returns the first answer; None: a repeat is a second mailing.
    lookup: bool
    #: A batch can be searched for by our own key.
    signed_webhooks: bool
    tracking_switch: bool
    #: Opens and clicks can be switched off on every message.


class Provider(Protocol):
    """A mail provider. Calls are synchronous and safe from several threads."""

    name: str
    capabilities: Capabilities

    def send(self, batch: Batch) -> Sequence[Outcome]:
        """Hands over one batch; one Outcome a recipient, in the batch's order.

        Whatever the provider or the network does becomes an Outcome. Exceptions say that certainly nobody was mailed and
        that no other batch would fare better: CredentialsRefused on 401 or 403; ProviderFault when what answers is not
        this provider; DiskFault when a local one cannot write; ValueError, before any byte leaves, when the batch asks
        for what the provider cannot express.
        """
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...
