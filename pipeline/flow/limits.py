"""How fast a campaign may leave: rates, daily quotas, warm-up and mail domains, counted in the database for all workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection

from pipeline.core.pace import Rate, Warmup, room_now, taken, wait_for
from pipeline.flow.context import Sender
from pipeline.store import paces

PATIENCE = timedelta(seconds=5)
"""A batch that may leave within this time waits in its worker's hands; otherwise it goes back into the ledger until then."""

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """When a batch may leave; ``not_before`` is set when that is too far off to wait in hand, and nothing was counted."""

    start: datetime
    not_before: datetime | None = None
    why: str = ""


def batch_size(sender: Sender) -> int:
    """Readers a call: the provider's limit or the newsroom's, whichever is less; and never more than a day's quota."""
    wanted = sender.settings.newsroom.sending
    sizes = [sender.provider.capabilities.batch_size, wanted.batch_size, wanted.readers_per_day]
    if wanted.warmup is not None:
        sizes.append(min(wanted.warmup.readers_per_day))
    return min(size for size in sizes if size is not None)


def admit(connection: Connection, sender: Sender, readers: int) -> Admitted:
    """Asks for room for one call to so many readers, and counts it when it may leave soon."""
    now, account = sender.clock(), sender.provider.name
    rates = _rates(sender)
    tats = {name: paces.hold(connection, name)[0] for name in rates}
    amounts = {name: 1 if name.endswith("/calls") else readers for name in rates}
    wait = max((wait_for(rate, tats[name], now, amounts[name]) for name, rate in rates.items()), default=timedelta())
    # Also without a rate of our own, a provider that said "later" said it to all workers.
    told = paces.peek(connection, f"{account}/later")
    wait = max(wait, told - now if told else timedelta(), timedelta())
    if wait > PATIENCE:
        return Admitted(start=now + wait, not_before=now + wait, why="the rate limit is used up")
    start = now + wait
    quota = _quota(sender, start)
    if quota is not None:
        day = f"{account}/day/{start:%Y-%m-%d}"
        _, used = paces.hold(connection, day)
        if used + readers > quota:
            tomorrow = datetime.combine(start.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
            return Admitted(start=tomorrow, not_before=tomorrow, why=f"the limit of {quota} readers for {start:%Y-%m-%d} (UTC) is used up")
        paces.add(connection, day, readers)
    for name, rate in rates.items():
        paces.set_tat(connection, name, taken(rate, tats[name], start, amounts[name]))
    return Admitted(start=start)


def crowded(connection: Connection, sender: Sender, addresses: Mapping[int, str]) -> tuple[tuple[int, ...], datetime]:
    """Readers who must wait because their mail domain takes only so many a minute, and until when; the others are counted."""
    limits, now = sender.settings.newsroom.sending.domains, sender.clock()
    waiting: list[int] = []
    until = now
    if not limits:
        return (), now
    there: dict[str, list[int]] = {}
    for id, address in addresses.items():
        domain = address.rpartition("@")[2].lower()
        if domain in limits:
            there.setdefault(domain, []).append(id)
    for domain, ids in sorted(there.items()):
        rate = Rate(count=limits[domain], per=MINUTE, burst=limits[domain])
        name = f"{sender.provider.name}/domain/{domain}"
        tat, _ = paces.hold(connection, name)
        room = room_now(rate, tat, now)
        if room:
            paces.set_tat(connection, name, taken(rate, tat, now, min(room, len(ids))))
        if ids[room:]:
            waiting += ids[room:]
            until = max(until, now + MINUTE)
    return tuple(sorted(waiting)), until


def back_off(connection: Connection, sender: Sender, until: datetime) -> None:
    """The provider said "later": no worker calls it before."""
    paces.back_off(connection, f"{sender.provider.name}/later", until)


def _rates(sender: Sender) -> dict[str, Rate]:
    wanted, account, second = sender.settings.newsroom.sending, sender.provider.name, timedelta(seconds=1)
    rates = {}
    if wanted.calls_per_second is not None:
        rates[f"{account}/calls"] = Rate(count=wanted.calls_per_second, per=second, burst=max(1.0, wanted.calls_per_second))
    if wanted.readers_per_second is not None:
        rates[f"{account}/readers"] = Rate(count=wanted.readers_per_second, per=second, burst=wanted.readers_per_second)
    return rates


def _quota(sender: Sender, at: datetime) -> int | None:
    wanted = sender.settings.newsroom.sending
    quotas = [wanted.readers_per_day]
    if wanted.warmup is not None:
        quotas.append(Warmup(start=wanted.warmup.start, per_day=wanted.warmup.readers_per_day).limit_on(at.astimezone(UTC).date()))
    return min((one for one in quotas if one is not None), default=None)
