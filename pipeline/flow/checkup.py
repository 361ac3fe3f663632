"""What ``doctor`` looks at: whether tomorrow's 06:00 would find all it needs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import httpx
from sqlalchemy import text

from pipeline.core.campaign import CampaignState
from pipeline.errors import BriefingError
from pipeline.files import is_held
from pipeline.flow import alarms, campaigns, drafts
from pipeline.flow.context import Sender, Station
from pipeline.providers.base import Searchable
from pipeline.settings import AT_HOME, NEWS_KEYS
from pipeline.store.engine import reading

MIN_FREE_BYTES = 500 * 1024 * 1024

LEDGER_BYTES = 17
"""What a campaign adds to the database for each reader, measured with a million of them."""

MAX_SKEW_S = 5.0
"""How far this machine's clock and the database server's may be apart: leases and due times are compared across workers."""

_NOT_REAL = re.compile(r"(^|[@./])([a-z0-9-]+\.)*(example\.(org|com|net)|(example|invalid|test|localhost))(?=$|[/:])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    said: str


def examine(open_sender: Callable[[], Sender], *, network: bool = False) -> list[Check]:
    """All checks in order; a newsroom that cannot be opened ends the list. ``network``: also whether readers reach the public site.

    Besides that, nobody is asked but the database and the provider.
    """
    try:
        sender = open_sender()
    except BriefingError as error:
        return [Check(name="newsroom", ok=False, said=f"{error.message} {error.hint}".strip())]
    settings = sender.settings
    checks = [Check(name="configuration", ok=True, said=f"{settings.root}, {len(settings.origins)} settings")]
    names = ", ".join(sorted(settings.newsletters))
    checks.append(Check(name="newsletters", ok=bool(names), said=names or "none: add config/newsletters/<id>.toml"))
    for newsletter in settings.newsletters.values():
        known = newsletter.default_author in settings.authors
        said = newsletter.default_author if known else f"{newsletter.default_author}: add config/authors/{newsletter.default_author}.toml"
        checks.append(Check(name=f"default author of {newsletter.id}", ok=known, said=said))
    checks += [_database(sender), _clock(sender), _keys(sender), _worker(sender)]
    provider = _provider(sender)
    checks += [
        provider,
        *(_search(sender) if provider.ok else ()),
        *_news(sender),
        _names(sender),
        _disk(sender),
        _alarms(sender),
        _held(sender),
    ]
    return [*checks, _public(sender)] if network else checks


def worker_lock(sender: Station) -> Path | None:
    """The file whose lock a worker on a SQLite database holds; None on PostgreSQL, where several may run."""
    url = sender.engine.url
    return Path(f"{url.database}.worker") if url.get_backend_name() == "sqlite" and url.database else None


def _worker(sender: Sender) -> Check:
    lock = worker_lock(sender)
    if lock is None:
        return Check(name="worker", ok=True, said="cannot be seen from here on PostgreSQL")
    running = is_held(lock)
    return Check(name="worker", ok=running, said="runs" if running else "none runs: nothing that is due will start (briefing serve)")


def _database(sender: Sender) -> Check:
    try:
        with reading(sender.engine) as connection:
            connection.execute(text("SELECT 1 FROM instance")).one()
    except BriefingError as error:
        return Check(name="database", ok=False, said=error.message)
    return Check(name="database", ok=True, said=f"{sender.engine.dialect.name}, schema is current")


def _provider(sender: Sender) -> Check:
    name, table = sender.provider.name, sender.settings.newsroom.provider.table()
    url = table.get("base_url")
    if url is None:
        said = (
            f"{table['host']} is not asked; the first mail connects to it"
            if table.get("host")
            else "it has no base_url, so nothing was tried"
        )
        return Check(name=f"provider {name}", ok=True, said=said)
    try:
        httpx.get(url, timeout=5, follow_redirects=False)
    except httpx.HTTPError as error:
        hint = " (briefing serve or briefing sandbox starts it)" if name == "sandbox" else ""
        return Check(name=f"provider {name}", ok=False, said=f"{url} cannot be reached: {type(error).__name__}{hint}")
    return Check(name=f"provider {name}", ok=True, said=f"{url} answers")


def _clock(sender: Sender) -> Check:
    if sender.engine.dialect.name == "sqlite":
        return Check(name="clock", ok=True, said="the database has none of its own")
    with reading(sender.engine) as connection:
        there: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        apart = abs((there - sender.clock()).total_seconds())
    said = f"{apart:.1f} s apart from the database server's"
    return Check(name="clock", ok=apart <= MAX_SKEW_S, said=said if apart <= MAX_SKEW_S else f"{said}: set both by NTP")


def _keys(sender: Sender) -> Check:
    """That the files are private was seen when they were read; here, where they lie."""
    keys, var = sender.settings.keys.resolve(), sender.settings.var.resolve()
    if keys.stat().st_mode & 0o022:
        return Check(name="keys", ok=False, said=f"others can change what is in {keys}: chmod 700 {keys}")
    if keys.is_relative_to(var):
        return Check(name="keys", ok=False, said=f"{keys} lies beside the data that they protect: move it out of {var}")
    return Check(name="keys", ok=True, said=f"{keys}, readable by their owner only")


def _search(sender: Sender) -> list[Check]:
    """A search for what is not there: it changes nothing, and fails when the credentials do."""
    if not sender.provider.capabilities.lookup:
        return []
    try:
        cast(Searchable, sender.provider).mailed("briefing-doctor")
    except BriefingError as error:
        return [Check(name="credentials", ok=False, said=f"{error.message} {error.hint}".strip())]
    return [Check(name="credentials", ok=True, said=f"{sender.provider.name} answers a search")]


def _news(sender: Sender) -> list[Check]:
    """A word, no fault: one can do without news, or ask for it."""
    name = sender.provider.name
    if name not in NEWS_KEYS or name in AT_HOME:
        return []
    there = bool(sender.settings.newsroom.provider.table().get(NEWS_KEYS[name]))
    without = "so its events are only asked for" if sender.settings.newsroom.poll_events else "so no bounce is heard of"
    said = "its key is set" if there else f"no key is set, {without}"
    return [Check(name="webhooks", ok=True, said=said)]


def _names(sender: Sender) -> Check:
    """Names that belong to nobody (RFC 2606, RFC 6761) where mail would really leave."""
    settings = sender.settings
    table = settings.newsroom.provider.table()
    given = {"base_url": settings.newsroom.base_url, f"provider.{sender.provider.name}.domain": table.get("domain", "")}
    for one in settings.newsletters.values():
        given |= {f"{one.id}: {name}": getattr(one, name) for name in ("from_address", "reply_to", "list_id")}
    samples = [f"{name} is {value}" for name, value in given.items() if _NOT_REAL.search(value.lower())]
    if sender.provider.name in AT_HOME:
        return Check(name="names", ok=True, said=f"{len(samples)} are samples; {sender.provider.name} delivers nothing")
    return Check(name="names", ok=not samples, said="; ".join(samples) or "none is a sample")


def _disk(sender: Sender) -> Check:
    sender.settings.var.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(sender.settings.var).free
    largest = max((campaigns.audience_size(sender, id) for id in sender.settings.newsletters), default=0)
    needed = max(MIN_FREE_BYTES, 2 * LEDGER_BYTES * largest)
    said = f"{free // 1024**2} MB free beside the database, {needed // 1024**2} MB wanted"
    return Check(name="disk", ok=free >= needed, said=said)


def _public(sender: Sender) -> Check:
    """The pages for leaving must be there for every reader: their sign of life is asked for under ``base_url``."""
    url = f"{sender.settings.newsroom.base_url}/healthz"
    try:
        answer = httpx.get(url, timeout=10, follow_redirects=False)
    except httpx.HTTPError as error:
        return Check(name="public site", ok=False, said=f"{url} cannot be reached: {type(error).__name__}")
    alive = answer.status_code == 200 and answer.text.strip() == "ok"
    said = f"{url} answers" if alive else f"{url} answers {answer.status_code}, which is not briefing web"
    return Check(name="public site", ok=alive, said=said)


def _alarms(sender: Sender) -> Check:
    """A word, no fault: one can look at ``status`` instead."""
    wanted, lasting = sender.settings.newsroom.alarms, len(alarms.lasting(sender))
    by = (sender.alarm_provider or sender.provider).name
    whom = f"mailed by {by} to {len(wanted.to)} of the newsroom" if wanted.to else "mailed to nobody: [alarms] names no people"
    return Check(name="alarms", ok=True, said=f"{whom}; {len(wanted.seeds)} seed mailboxes; {lasting} alarms last")


def _held(sender: Sender) -> Check:
    held = [one.campaign for one in campaigns.listed(sender) if one.campaign.state is CampaignState.HELD]
    doubt = [one.campaign for one in campaigns.listed(sender) if one.tally.in_doubt]
    said = [f"campaign {one.id} is held: {one.reason}" for one in held] + [f"campaign {one.id} has readers in doubt" for one in doubt]
    return Check(name="campaigns", ok=not said, said="; ".join(said) or f"none waits for a person; {len(drafts.listed(sender))} drafts")
