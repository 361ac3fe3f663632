"""Wall time to instant, lateness, and the words in which a cadence is written. Pure: the present is an argument."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Fit(StrEnum):
    """How a wall time stands in its zone."""

    ONCE = "once"
    GAP = "gap"
    #: The clocks jump over it: it does not exist.
    OVERLAP = "overlap"
    #: The clocks are set back over it: it exists twice.


@dataclass(frozen=True, slots=True, kw_only=True)
class WallTime:
    """A local date and time as a person said it, and the instants (aware UTC) it can mean."""

    wall: datetime
    #: Naive.
    zone: str
    fit: Fit
    first: datetime
    #: The instant; the earlier one of an overlap; for a gap, the wall time with the offset from before the jump.
    second: datetime
    #: The later instant of an overlap, else the same as ``first``.


def resolve(wall: datetime, zone: str) -> WallTime:
    """What a naive wall time means in an IANA zone (PEP 495: fold 0 and 1, checked by a round trip)."""
    if wall.tzinfo is not None:
        raise ValueError("a wall time has no offset of its own")
    info = ZoneInfo(zone)
    first = wall.replace(tzinfo=info, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=info, fold=1).astimezone(UTC)
    if first == second:
        fit = Fit.ONCE
    elif first.astimezone(info).replace(tzinfo=None) == wall:
        fit = Fit.OVERLAP
    else:
        fit = Fit.GAP
        second = first
    return WallTime(wall=wall, zone=zone, fit=fit, first=first, second=second)


def resolve_again(wall: datetime, zone: str, fold: int) -> datetime:
    """The instant of a wall time that was resolved before; ``fold`` 1: of two, the later one was meant (PEP 495)."""
    found = resolve(wall, zone)
    return found.second if fold else found.first


STEP = timedelta(minutes=1)
"""A spread campaign has a batch for each such step of its time, if it has readers enough."""


def readers_a_step(readers: int, over: timedelta) -> int:
    """How many readers a batch has when a campaign is spread over a time, so that some leave at every step. At least one."""
    return max(1, math.ceil(readers / max(1, over // STEP)))


def parse_when(text: str, now: datetime, zone: str) -> datetime | WallTime:
    """Reads ``2026-12-02 07:00`` (wall time), ``07:00`` (the next one), ``now``, ``in 3h``, or an instant with its offset.

    Gives a WallTime for local times and an aware UTC instant for the others. Raises ValueError.
    """
    text = text.strip()
    if text == "now":
        return now
    if match := re.fullmatch(r"in (\d+) ?(s|m|h|d)", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
        return now + timedelta(**{unit: int(match[1])})
    if re.fullmatch(r"\d{1,2}:\d{2}", text):
        hour, minute = (int(part) for part in text.split(":"))
        local = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        wall = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return resolve(wall if wall > local else wall + timedelta(days=1), zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'{text!r} is not a time; write for instance "2026-12-02 07:00", "07:00", "in 3h" or "now"') from None
    if len(text) <= 10:
        raise ValueError(f'{text!r} has no time of day; write for instance "{text} 07:00"')
    return resolve(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


class Lateness(StrEnum):
    """What is to be done with a due send."""

    ON_TIME = "on time"
    HOLD = "hold"
    SEND = "send"
    DROP = "drop"


def judge_lateness(due: datetime, now: datetime, not_after: timedelta, if_late: str) -> Lateness:
    """Whether a send that is due at ``due`` may start ``now``: within ``not_after`` it starts, later the policy says."""
    return Lateness.ON_TIME if now - due <= not_after else Lateness(if_late)


_DAYS = {"monday": "mon", "tuesday": "tue", "wednesday": "wed", "thursday": "thu", "friday": "fri", "saturday": "sat", "sunday": "sun"}
_ORDINALS = {"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th", "last": "last"}


@dataclass(frozen=True, slots=True)
class CadenceDays:
    """The days of a cadence as cron fields (APScheduler's dialect): exactly one is set, the other is ``*``."""

    day: str
    day_of_week: str


def parse_cadence(text: str) -> CadenceDays:
    """Reads ``first and third Wednesday``, ``every Monday and Thursday``, ``weekdays``, ``daily``. Raises ValueError."""
    words = re.findall(r"[a-z]+", text.lower().removesuffix("s of the month").removesuffix(" of the month"))
    words = [word for word in words if word not in ("and", "every", "the", "each", "on")]
    named = [word.removesuffix("s") if word.removesuffix("s") in _DAYS else word for word in words]
    if named in (["daily"], ["day"]):
        return CadenceDays("*", "*")
    if named in (["weekdays"], ["weekday"]):
        return CadenceDays("*", "mon-fri")
    ordinals = [word for word in named if word in _ORDINALS]
    days = [word for word in named if word in _DAYS]
    if not days or len(ordinals) + len(days) != len(named) or named[: len(ordinals)] != ordinals:
        raise ValueError(
            f'{text!r} is not a cadence; write for instance "first and third Wednesday", "every Monday and Thursday", "weekdays" or "daily"'
        )
    if ordinals:
        return CadenceDays(",".join(f"{_ORDINALS[o]} {_DAYS[d]}" for d in days for o in ordinals), "*")
    return CadenceDays("*", ",".join(_DAYS[day] for day in days))
