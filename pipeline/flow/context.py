"""What every station is handed: the newsroom, its database, its keys, its provider, and what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jinja2 import Environment
from sqlalchemy import Engine

from pipeline.clock import Clock, since_boot, system_clock
from pipeline.core.message import Content
from pipeline.dispatch.base import Dispatcher
from pipeline.providers.base import Provider
from pipeline.providers.call_times import CallTimes
from pipeline.settings import Settings
from pipeline.store.addresses import Vault
from pipeline.store.batches import BatchKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A newsroom without its readers: enough to draft, check, render and preview."""

    settings: Settings
    environment: Environment
    clock: Clock = system_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Station(Desk):
    """A newsroom with its database: enough for everything but calling the provider."""

    engine: Engine
    vault: Vault = field(repr=False)
    leave_key: bytes = field(repr=False)
    monotonic: Callable[[], float] = since_boot
    sleep: Callable[[float], None] = time.sleep

    def close(self) -> None:
        """Lets go of the database."""
        self.engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender(Station):
    """A newsroom that can mail."""

    provider: Provider
    dispatcher: Dispatcher[BatchKey]
    worker: str | None = None
    #: The id under which this process beats, where several workers may run; None for a command.
    contents: dict[int, Content] = field(default_factory=dict, repr=False, compare=False)
    #: By edition: what ``flow.delivery`` read last.
    call_times: CallTimes = field(default_factory=CallTimes)
    alarm_provider: Provider | None = None
    #: What mails alarms, where it is another one.

    def close(self) -> None:
        """Lets go of the provider's connections and the database."""
        self.provider.close()
        if self.alarm_provider is not None:
            self.alarm_provider.close()
        self.engine.dispose()
