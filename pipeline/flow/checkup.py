"""What ``doctor`` looks at: whether tomorrow's 06:00 would find all it needs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from sqlalchemy import text

from pipeline.core.campaign import CampaignState
from pipeline.core.token import NOBODY, seal_leave_token
from pipeline.errors import BriefingError
from pipeline.files import is_held
from pipeline.flow import alarms, campaigns, drafts, sending_names
from pipeline.flow.context import Sender, Station
from pipeline.providers.base import Listening
from pipeline.settings import AT_HOME, NEWS_KEYS, Settings
from pipeline.store import workers
from pipeline.store.engine import reading
from pipeline.store.workers import DatabaseClock

MIN_FREE_BYTES = 500 * 1024 * 1024

LEDGER_BYTES = 17
"""What a campaign adds to the database for each reader, measured with a million of them."""

MAX_SKEW_S = 5.0
"""How far this machine's clock may be from the database server's. Workers go by the latter, certificates and webhooks by the former."""

MAX_PROVIDER_SKEW_S = 60.0
"""How far this machine's clock and the provider's may be apart. Signatures bear five minutes; a minute says that nobody sets it."""

_NOT_REAL = re.compile(r"(^|[@./])([a-z0-9-]+\.)*(example\.(org|com|net)|(example|invalid|test|localhost))(?=$|[/:])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    said: str


def examine(
    open_sender: Callable[[], Sender],
    *,
    network: bool = False,
    open_listeners: Callable[[Settings], Mapping[str, Listening]] = lambda _: {},
    lookup: sending_names.Lookup | None = None,
) -> list[Check]:
    """All checks in order; a newsroom that cannot be opened ends the list.

    Nobody is asked but the database and the provider. With ``network`` also our own public site, as readers and providers reach it,
    and the DNS (``lookup``, or the system's name servers).
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
    checks += [provider, *(_asked(sender) if provider.ok else ()), *_news(sender), _names(sender), _disk(sender)]
    checks += [_alarms(sender), _held(sender)]
    if network:
        checks += [_public(sender), *_way_out(sender), *_hooks(sender, open_listeners), *_dns(sender, lookup)]
    return checks


def worker_lock(sender: Station) -> Path | None:
    """The file whose lock a worker on a SQLite database holds; None on PostgreSQL, where several may run."""
    url = sender.engine.url
    return Path(f"{url.database}.worker") if url.get_backend_name() == "sqlite" and url.database else None


def _worker(sender: Sender) -> Check:
    lock = worker_lock(sender)
    if lock is None:
        with reading(sender.engine) as connection:
            alive = workers.count(connection)
        return Check(
            name="worker", ok=alive > 0, said=f"{alive} run" if alive else "none runs: nothing that is due will start (briefing worker)"
        )
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
        return Check(name=f"provider {name}", ok=True, said=table.get("host") or "it has no base_url, the usual one is asked")
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
        own = sender.clock.own if isinstance(sender.clock, DatabaseClock) else sender.clock
        apart = abs((there - own()).total_seconds())
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


def _asked(sender: Sender) -> list[Check]:
    """A question that changes nothing, and fails when the credentials do; its answer tells the time as well."""
    name = sender.provider.name
    before = sender.clock()
    try:
        asked = sender.provider.ask()
    except BriefingError as error:
        return [Check(name="credentials", ok=False, said=f"{error.message} {error.hint}".strip())]
    found = [Check(name="credentials", ok=True, said=f"{name} {asked.said}")]
    if asked.date is None or name in AT_HOME:
        return found
    middle = before + (sender.clock() - before) / 2
    # The header is cut to whole seconds.
    apart = max(abs((asked.date - middle).total_seconds()) - 1, 0.0)
    said = f"{apart:.0f} s apart from {name}'s"
    ok = apart <= MAX_PROVIDER_SKEW_S
    return [*found, Check(name="clock of the provider", ok=ok, said=said if ok else f"{said}: set this machine's by NTP")]


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


def _way_out(sender: Sender) -> list[Check]:
    """The page behind ``List-Unsubscribe`` of each newsletter, by a link that belongs to nobody. GET changes nothing there."""
    base, found = sender.settings.newsroom.base_url, []
    for id in sorted(sender.settings.newsletters):
        name, url = f"way out of {id}", f"{base}/leave/{id}"
        token = seal_leave_token(sender.leave_key, NOBODY, id, sender.clock())
        try:
            answer = httpx.get(f"{url}/{token}", timeout=10, follow_redirects=False)
        except httpx.HTTPError as error:
            found.append(Check(name=name, ok=False, said=f"{url}/... cannot be reached: {type(error).__name__}"))
            continue
        there = answer.status_code == 200 and "<form" in answer.text
        said = f"{url}/... shows the page for leaving"
        if not there:
            said = f"{url}/... answers {answer.status_code}, which is not our page: its readers cannot leave with one click"
        secret = base.startswith("https://") or sender.provider.name in AT_HOME
        found.append(Check(name=name, ok=there and secret, said=said if secret else f"{said}, but not over https"))
    return found


def _hooks(sender: Sender, open_listeners: Callable[[Settings], Mapping[str, Listening]]) -> list[Check]:
    """A signed call that says nothing must be taken at our own door, and one signed with another key refused."""
    try:
        listeners = open_listeners(sender.settings)
    except BriefingError as error:
        return [Check(name="webhooks at the site", ok=False, said=f"{error.message} {error.hint}".strip())]
    found = []
    for name, listener in sorted(listeners.items()):
        url = f"{sender.settings.newsroom.base_url}/hooks/{name}"
        said, ok = [], True
        for what, wanted, call in (
            ("a signed call", 200, listener.sample(sender.clock())),
            ("a forged one", 401, listener.sample(sender.clock(), forged=True)),
        ):
            if call is None:
                continue
            try:
                status = httpx.post(url, headers=dict(call[0]), content=call[1], timeout=10, follow_redirects=False).status_code
            except httpx.HTTPError as error:
                said, ok = [f"cannot be reached: {type(error).__name__}"], False
                break
            said.append(f"{what} is answered {status}" + ("" if status == wanted else f", and should be {wanted}"))
            ok &= status == wanted
        found.append(Check(name=f"webhooks of {name} at the site", ok=ok, said=f"{url}: {', '.join(said)}"))
    return found


def _dns(sender: Sender, lookup: sending_names.Lookup | None) -> list[Check]:
    """SPF, DKIM and DMARC of every domain that newsletters come from."""
    found = []
    for domain in sorted({one.from_address.rpartition("@")[2].lower() for one in sender.settings.newsletters.values()}):
        names = sender.provider.names(domain)
        if names is None:
            continue
        lookup = lookup or sending_names.txt_lookup()
        found += [Check(name=one.what, ok=one.ok, said=one.said) for one in sending_names.examine(domain, names, lookup)]
    return found


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
