"""What ``doctor`` looks at: whether tomorrow's 06:00 would find all it needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import text

from pipeline.core.campaign import CampaignState
from pipeline.errors import BriefingError
from pipeline.files import is_held
from pipeline.flow import campaigns, drafts
from pipeline.flow.context import Sender, Station
from pipeline.store.engine import reading

MIN_FREE_BYTES = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    said: str


def examine(open_sender: Callable[[], Sender]) -> list[Check]:
    """All checks in order; a newsroom that cannot be opened ends the list."""
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
    checks += [_database(sender), _worker(sender), _provider(sender), _disk(sender), _held(sender)]
    return checks


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


def _disk(sender: Sender) -> Check:
    sender.settings.var.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(sender.settings.var).free
    return Check(name="disk", ok=free >= MIN_FREE_BYTES, said=f"{free // 1024**2} MB free beside the database")


def _held(sender: Sender) -> Check:
    held = [one.campaign for one in campaigns.listed(sender) if one.campaign.state is CampaignState.HELD]
    doubt = [one.campaign for one in campaigns.listed(sender) if one.tally.in_doubt]
    said = [f"campaign {one.id} is held: {one.reason}" for one in held] + [f"campaign {one.id} has readers in doubt" for one in doubt]
    return Check(name="campaigns", ok=not said, said="; ".join(said) or f"none waits for a person; {len(drafts.listed(sender))} drafts")
