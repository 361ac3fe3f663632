"""Which providers there are, and what each needs. A new one is one line in PROVIDERS and one maker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.clock import Clock
from pipeline.errors import ConfigurationError
from pipeline.providers.base import Listening, Provider
from pipeline.providers.filebox import Filebox
from pipeline.providers.mailgun import Mailgun
from pipeline.providers.mailgun_events import MailgunEvents
from pipeline.providers.sandbox.adapter import DEFAULT_API_KEY, Sandbox

Settings = Mapping[str, str]
"""A provider's own settings by their last name: api_key, domain, base_url, directory. An empty one counts as missing."""

MAILGUN_URL = "https://api.mailgun.net"
NO_DOMAIN = "briefing.invalid"
"""The right side of Message-IDs that never leave this machine (RFC 2606)."""


def _mailgun(settings: Settings, now: Clock) -> Provider:
    api_key, domain = _required("mailgun", "api_key", settings), _required("mailgun", "domain", settings)
    return Mailgun(api_key=api_key, domain=domain, base_url=settings.get("base_url") or MAILGUN_URL, now=now)


def _sandbox(settings: Settings, now: Clock) -> Provider:
    return Sandbox(
        api_key=settings.get("api_key") or DEFAULT_API_KEY,
        domain=settings.get("domain") or NO_DOMAIN,
        base_url=_required("sandbox", "base_url", settings),
        now=now,
    )


def _filebox(settings: Settings, now: Clock) -> Provider:
    directory = Path(_required("filebox", "directory", settings))
    return Filebox(directory=directory, domain=settings.get("domain") or NO_DOMAIN, now=now)


PROVIDERS: dict[str, Callable[[Settings, Clock], Provider]] = {
    "filebox": _filebox,
    "mailgun": _mailgun,
    "sandbox": _sandbox,
}
"""Name -> maker. A maker raises ConfigurationError for a missing or unusable setting."""


LISTENERS: dict[str, Callable[[Settings], Listening | None]] = {
    "mailgun": lambda settings: MailgunEvents(settings["signing_key"]) if settings.get("signing_key") else None,
    "sandbox": lambda settings: MailgunEvents(settings["signing_key"]) if settings.get("signing_key") else None,
}
"""Name -> maker of what reads a provider's webhooks; None without the key that proves that they are its own."""


def make_provider(name: str, settings: Settings, now: Clock) -> Provider:
    """The provider of that name. ConfigurationError names what is unknown, missing or unusable."""
    if name not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise ConfigurationError(f"there is no provider {name!r}", hint=f"BRIEFING_PROVIDER is one of: {known}.")
    try:
        return PROVIDERS[name](settings, now)
    except ValueError as error:
        raise ConfigurationError(f"provider.{name}: {error}", hint=f"See docs/providers.md for the settings of {name}.") from None


def _required(provider: str, key: str, settings: Settings) -> str:
    value = settings.get(key, "")
    if not value:
        variable = f"BRIEFING_{provider.upper()}_{key.upper()}"
        raise ConfigurationError(
            f"provider.{provider}.{key} is missing", hint=f"Set it in config/newsroom.toml or as {variable} in the environment."
        )
    return value
