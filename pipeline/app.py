"""The composition root: settings in, stations out. The only place that picks adapters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline import configuration
from pipeline.clock import Clock, system_clock
from pipeline.flow.context import Desk, Sender, Station
from pipeline.providers.base import Listening, Provider
from pipeline.providers.registry import LISTENERS, make_provider
from pipeline.render.environment import open_templates
from pipeline.settings import Settings
from pipeline.store import schema
from pipeline.store.addresses import Vault
from pipeline.store.engine import open_engine
from pipeline.store.keyring import open_keyring


def load_settings(root: Path, environ: Mapping[str, str], overrides: Mapping[str, str] | None = None) -> Settings:
    """The configuration of the newsroom at ``root``. Raises ConfigurationError."""
    return configuration.load(root, environ, overrides)


def open_desk(settings: Settings, clock: Clock = system_clock) -> Desk:
    """Enough to draft, check, render and preview; touches no database."""
    return Desk(settings=settings, environment=open_templates(settings.root), clock=clock)


def open_station(settings: Settings, clock: Clock = system_clock) -> Station:
    """Opens the database (creating an empty one) and the keys. Raises ConfigurationError, DatabaseFault, DiskFault."""
    engine = open_engine(settings.database_url)
    try:
        schema.require_current(engine, clock())
        keys = open_keyring(settings.keys, engine)
    except BaseException:
        engine.dispose()
        raise
    return Station(
        settings=settings,
        environment=open_templates(settings.root),
        clock=clock,
        engine=engine,
        vault=Vault(keys.index),
        leave_key=keys.leave,
    )


def open_sender(settings: Settings, clock: Clock = system_clock) -> Sender:
    """A station with the configured provider. Raises ConfigurationError besides."""
    chosen, named = settings.newsroom.provider.name, settings.newsroom.alarms.provider
    provider = _open_provider(settings, chosen, clock)
    alarm_provider = _open_provider(settings, named, clock) if named and named != chosen else None
    station = open_station(settings, clock)
    return Sender(
        settings=settings, environment=station.environment, clock=clock, engine=station.engine, vault=station.vault,
        leave_key=station.leave_key, provider=provider, alarm_provider=alarm_provider,
    )  # fmt: skip


def _open_provider(settings: Settings, name: str, clock: Clock) -> Provider:
    table = dict(settings.newsroom.provider.table(name))
    for key in {"directory", "certificates"} & table.keys():
        table[key] = str(settings.root / table[key])
    return make_provider(name, table, clock)


def open_listeners(settings: Settings) -> dict[str, Listening]:
    """What reads webhooks, by provider: every one whose signing key is set, also one that sends no more."""
    tables = settings.newsroom.provider.model_dump(exclude={"name"})
    made = {name: maker(tables.get(name, {})) for name, maker in LISTENERS.items()}
    return {name: one for name, one in made.items() if one is not None}
