"""Which providers there are, and what each needs. A new one is one line in PROVIDERS and one maker."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.clock import Clock
from pipeline.errors import ConfigurationError
from pipeline.providers.base import Listening, Provider
from pipeline.providers.bounce_mailbox import BounceMailbox
from pipeline.providers.bounces import Bounces
from pipeline.providers.dkim import Signer
from pipeline.providers.filebox import Filebox
from pipeline.providers.imap import ImapMailbox, is_loopback
from pipeline.providers.mailgun import Mailgun
from pipeline.providers.mailgun_events import MailgunEvents
from pipeline.providers.resend import Resend
from pipeline.providers.resend_events import ResendEvents
from pipeline.providers.sandbox.adapter import DEFAULT_API_KEY, DoubtClass, Sandbox
from pipeline.providers.ses import Ses
from pipeline.providers.ses_events import SesEvents
from pipeline.providers.smtp import Smtp

Settings = Mapping[str, str]
"""A provider's own settings by their last name: api_key, domain, base_url, directory. An empty one counts as missing."""

LONGEST_CALL_S = 60.0
"""No call lasts longer: the ledger's lease of a call (``flow.delivery.CALL_LEASE``) counts on it."""

MAILGUN_URL = "https://api.mailgun.net"
RESEND_URL = "https://api.resend.com"
IMAP_PORTS = {"tls": 993, "none": 143}
NO_DOMAIN = "briefing.invalid"
"""The right side of Message-IDs that never leave this machine (RFC 2606)."""


def _mailgun(settings: Settings, now: Clock) -> Provider:
    api_key, domain = _required("mailgun", "api_key", settings), _required("mailgun", "domain", settings)
    base_url, timeout_s = settings.get("base_url") or MAILGUN_URL, _timeout("mailgun", settings)
    return Mailgun(api_key=api_key, domain=domain, base_url=base_url, now=now, timeout_s=timeout_s)


def _sandbox(settings: Settings, now: Clock) -> Provider:
    return Sandbox(
        api_key=settings.get("api_key") or DEFAULT_API_KEY,
        domain=settings.get("domain") or NO_DOMAIN,
        base_url=_required("sandbox", "base_url", settings),
        now=now,
        timeout_s=_timeout("sandbox", settings),
        doubt_class=doubt_class_of(settings),
        settles_s=_seconds("sandbox", "settles", settings, 1.0, at_most=86_400.0),
    )


def _filebox(settings: Settings, now: Clock) -> Provider:
    directory = Path(_required("filebox", "directory", settings))
    return Filebox(directory=directory, domain=settings.get("domain") or NO_DOMAIN, now=now)


def _resend(settings: Settings, now: Clock) -> Provider:
    return Resend(
        api_key=_required("resend", "api_key", settings),
        base_url=settings.get("base_url") or RESEND_URL,
        now=now,
    )


def _ses(settings: Settings, now: Clock) -> Provider:
    return Ses(
        access_key_id=_required("ses", "access_key_id", settings),
        secret_access_key=_required("ses", "secret_access_key", settings),
        region=_required("ses", "region", settings),
        base_url=settings.get("base_url", ""),
        configuration_set=settings.get("configuration_set", ""),
        now=now,
    )


def _smtp(settings: Settings, now: Clock) -> Provider:
    port, domain = _port("port", settings), _required("smtp", "domain", settings)
    bounces = signer = None
    if address := settings.get("bounces"):
        bounces = Bounces(address, _required("smtp", "bounce_key", settings))
    mailbox = _bounce_mailbox(settings, bounces, now)
    if key := settings.get("dkim_key"):
        selector = _required("smtp", "dkim_selector", settings)
        signer = Signer(domain=settings.get("dkim_domain") or domain, selector=selector, private_key=key)
    return Smtp(
        host=_required("smtp", "host", settings),
        domain=domain,
        now=now,
        security=settings.get("security") or "starttls",
        port=port,
        helo=settings.get("helo", ""),
        username=settings.get("username", ""),
        password=settings.get("password", ""),
        certificates=Path(settings["certificates"]) if settings.get("certificates") else None,
        bounces=bounces,
        signer=signer,
        mailbox=mailbox,
        timeout_s=_timeout("smtp", settings),
    )


def _bounce_mailbox(settings: Settings, bounces: Bounces | None, now: Clock) -> BounceMailbox | None:
    """Where the return addresses are read, when ``imap_host`` says so. ConfigurationError, ValueError."""
    host, security = settings.get("imap_host", ""), settings.get("imap_security") or "tls"
    if not host:
        return None
    if bounces is None:
        hint = "Name the mailbox's address as provider.smtp.bounces, so that each message's return address tells whose it was."
        raise ConfigurationError("provider.smtp.imap_host is set, but bounces is not", hint=hint)
    if security not in IMAP_PORTS:
        raise ValueError(f"imap_security is {security!r}, and must be one of: {', '.join(IMAP_PORTS)}")
    if security == "none" and not is_loopback(host):
        raise ValueError('imap_security = "none" is for a mailbox on this machine; elsewhere it is tls')
    user, password = _required("smtp", "imap_username", settings), _required("smtp", "imap_password", settings)
    port = _port("imap_port", settings) or IMAP_PORTS[security]
    trusted = Path(settings["certificates"]) if settings.get("certificates") else None
    return BounceMailbox(lambda: ImapMailbox(host, port, user, password, security == "tls", certificates=trusted), bounces, now)


PROVIDERS: dict[str, Callable[[Settings, Clock], Provider]] = {
    "filebox": _filebox,
    "mailgun": _mailgun,
    "resend": _resend,
    "sandbox": _sandbox,
    "ses": _ses,
    "smtp": _smtp,
}
"""Name -> maker. A maker raises ConfigurationError for a missing or unusable setting."""


LISTENERS: dict[str, Callable[[Settings], Listening | None]] = {
    "mailgun": lambda settings: MailgunEvents(settings["signing_key"]) if settings.get("signing_key") else None,
    "sandbox": lambda settings: MailgunEvents(settings["signing_key"]) if settings.get("signing_key") else None,
    "resend": lambda settings: ResendEvents(settings["signing_key"]) if settings.get("signing_key") else None,
    "ses": lambda settings: SesEvents(settings["topic_arn"]) if settings.get("topic_arn") else None,
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
        raise ConfigurationError(f"provider.{name}: {error}", hint=f"Its settings: docs/providers.md and the page of {name}.") from None


def doubt_class_of(settings: Settings) -> DoubtClass:
    """What ``provider.sandbox.class`` says. ConfigurationError names the three."""
    value = settings.get("class") or DoubtClass.SEARCH
    try:
        return DoubtClass(value)
    except ValueError:
        known = ", ".join(DoubtClass)
        raise ConfigurationError(f"provider.sandbox.class is {value!r}, which it does not know", hint=f"It is one of: {known}.") from None


def _port(key: str, settings: Settings) -> int | None:
    value = settings.get(key, "")
    if value and not (value.isdecimal() and 0 < int(value) < 65536):
        raise ConfigurationError(f"provider.smtp.{key} is {value!r}, which is no port", hint="Leave it out, or write for instance 587.")
    return int(value) if value else None


def _timeout(provider: str, settings: Settings) -> float:
    return _seconds(provider, "timeout", settings, LONGEST_CALL_S, at_most=LONGEST_CALL_S)


def _seconds(provider: str, key: str, settings: Settings, default: float, *, at_most: float) -> float:
    value = settings.get(key) or str(default)
    if not re.fullmatch(r"\d+(\.\d+)?", value) or not 0 < float(value) <= at_most:
        hint = f"Write seconds, more than 0 and at most {at_most:g}, for instance 10 or 0.5."
        raise ConfigurationError(f"provider.{provider}.{key} is {value!r}, which is not such a time", hint=hint)
    return float(value)


def _required(provider: str, key: str, settings: Settings) -> str:
    value = settings.get(key, "")
    if not value:
        variable = f"BRIEFING_{provider.upper()}_{key.upper()}"
        raise ConfigurationError(
            f"provider.{provider}.{key} is missing", hint=f"Set it in config/newsroom.toml or as {variable} in the environment."
        )
    return value
