"""Kinds of values in settings, each with what makes it right and what is said when it is not."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?")


def parse_duration(text: str) -> timedelta:
    """Reads ``2h``, ``90m``, ``1d 12h``, ``30s``. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not text.strip():
        raise ValueError(f"{text!r} is not a duration; write for instance 30m, 2h or 1d 12h")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _number_as_text(value: object) -> object:
    """Providers' settings are text, as the environment gives them; ``timeout = 10`` in TOML means the same."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time zone; write for instance Europe/Prague") from None
    return value


def _base_url(value: str) -> str:
    if not re.fullmatch(r"https://[^\s/?#]+(/[^\s?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^\s?#]*)?", value):
        raise ValueError(f"{value!r} must be an https:// address (http:// only for this machine), without ? or #")
    return value.rstrip("/")


def _place(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]", host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{value!r} must be an address and a port; write for instance 127.0.0.1:9108")
    return value


def _mirror(value: str) -> str:
    if not re.fullmatch(r"https://[^\s/?#@\"<>]+(/[^\s?#\"<>]*)?", value):
        raise ValueError(f"{value!r} must be an https:// address, without ? or #")
    return value


def _one_line(value: str) -> str:
    if any(ord(character) < 32 for character in value):
        raise ValueError("must be one line: it goes into a mail header")
    return value


def _mail_address(value: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+", value):
        raise ValueError(f"{value!r} is not a mail address")
    return value


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(f"{value!r} is not a colour; write six hexadecimal digits, for instance #8a1c2b")
    return value.lower()


Zone = Annotated[str, AfterValidator(_zone)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
OneLine = Annotated[str, AfterValidator(_one_line), Field(min_length=1)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Place = Annotated[str, AfterValidator(_place)]
Mirror = Annotated[str, AfterValidator(_mirror)]
Colour = Annotated[str, AfterValidator(_colour)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
ProviderTable = dict[str, Annotated[str, BeforeValidator(_number_as_text)]]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
