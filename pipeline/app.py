"""The composition root: settings in, stations out. The only place that picks adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import Engine

from pipeline import configuration
from pipeline.clock import Clock, system_clock
from pipeline.dispatch.base import Dispatcher
from pipeline.dispatch.local import LocalDispatcher
from pipeline.errors import ConfigurationError
from pipeline.flow.context import Desk, Sender, Station
from pipeline.providers.base import Listening, Provider
from pipeline.providers.registry import LISTENERS, make_provider
from pipeline.render.environment import open_templates
from pipeline.settings import Settings
from pipeline.store import schema
from pipeline.store.addresses import Vault
from pipeline.store.batches import BatchKey
from pipeline.store.engine import open_engine, reading, transaction
from pipeline.store.keyring import open_keyring
from pipeline.store.workers import DatabaseClock


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
        if engine.dialect.name == "postgresql" and clock is system_clock:
            # Several machines compare times there, so one clock counts.
            clock = DatabaseClock(clock)
            with reading(engine) as connection:
                clock.read(connection)
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
    try:
        dispatcher = make_dispatcher(settings, station.engine)
    except BaseException:
        station.close()
        raise
    return Sender(
        settings=settings, environment=station.environment, clock=station.clock, engine=station.engine, vault=station.vault,
        leave_key=station.leave_key, provider=provider, dispatcher=dispatcher, alarm_provider=alarm_provider,
    )  # fmt: skip


def _open_provider(settings: Settings, name: str, clock: Clock) -> Provider:
    table = dict(settings.newsroom.provider.table(name))
    for key in {"directory", "certificates"} & table.keys():
        table[key] = str(settings.root / table[key])
    return make_provider(name, table, clock)


def engine_of(settings: Settings) -> str:
    """What hands batches to workers: ``local`` or ``procrastinate``. Raises ConfigurationError when it cannot."""
    chosen, there = settings.newsroom.sending.engine, settings.database_url.startswith("postgresql")
    installed = find_spec("procrastinate") is not None
    if chosen is None:
        return "procrastinate" if there and installed else "local"
    if chosen == "procrastinate" and not there:
        raise ConfigurationError(
            "sending.engine: procrastinate works on PostgreSQL only", hint="Set database to a postgresql:// URL, or leave the engine out."
        )
    if chosen == "procrastinate" and not installed:
        raise ConfigurationError("sending.engine: Procrastinate is not installed", hint="Install it with: pip install 'briefing[cluster]'")
    return chosen


def make_dispatcher(settings: Settings, engine: Engine) -> Dispatcher[BatchKey]:
    """The engine that the settings choose; Procrastinate's tables are made if there are none. Raises ConfigurationError, DatabaseFault."""
    if engine_of(settings) == "local":
        return LocalDispatcher()
    from pipeline.dispatch import procrastinate

    with transaction(engine) as connection:
        procrastinate.require(connection)
    return procrastinate.ProcrastinateDispatcher(engine, pack=asdict, unpack=lambda ids: BatchKey(**ids))


def upgrade_engine(settings: Settings, engine: Engine) -> None:
    """Brings the tables of the engine to the installed version. Raises ConfigurationError, DatabaseFault."""
    if engine_of(settings) == "procrastinate":
        from pipeline.dispatch import procrastinate

        with transaction(engine) as connection:
            procrastinate.upgrade(connection)


def open_listeners(settings: Settings) -> dict[str, Listening]:
    """What reads webhooks, by provider: every one whose signing key is set, also one that sends no more."""
    tables = settings.newsroom.provider.model_dump(exclude={"name"})
    made = {name: maker(tables.get(name, {})) for name, maker in LISTENERS.items()}
    return {name: one for name, one in made.items() if one is not None}
