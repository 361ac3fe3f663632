"""Every setting there is, with its type and its default. Strangers' text enters here, so pydantic checks it.

How the values are read, and where each came from: ``configuration``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.errors import ConfigurationError
from pipeline.values import (
    BaseUrl,
    Colour,
    Duration,
    Language,
    MailAddress,
    Mirror,
    OneLine,
    Place,
    ProviderTable,
    Zone,
)
from pipeline.values import parse_duration as parse_duration

PROVIDER_KEYS: dict[str, tuple[str, ...]] = {
    "sandbox": ("base_url", "domain", "api_key", "signing_key", "timeout", "class", "settles"),
    "mailgun": ("base_url", "domain", "api_key", "signing_key", "timeout"),
    "filebox": ("directory", "domain"),
    "resend": ("base_url", "api_key", "signing_key"),
    "ses": ("region", "base_url", "configuration_set", "topic_arn", "access_key_id", "secret_access_key"),
    "smtp": (
        "host",
        "port",
        "security",
        "domain",
        "helo",
        "certificates",
        "timeout",
        "username",
        "password",
        "bounces",
        "bounce_key",
        "dkim_domain",
        "dkim_selector",
        "dkim_key",
        "imap_host",
        "imap_port",
        "imap_security",
        "imap_username",
        "imap_password",
    ),
}
"""Which settings each provider knows; environment names are ``BRIEFING_<PROVIDER>_<SETTING>``."""

AT_HOME = frozenset({"filebox", "sandbox"})
"""Providers that deliver nothing: whoever sends with another means it."""

NEWS_KEYS = {"mailgun": "signing_key", "sandbox": "signing_key", "resend": "signing_key", "ses": "topic_arn"}
"""Which setting of a provider lets its webhooks in."""

SECRETS = frozenset({"api_key", "signing_key", "access_key_id", "secret_access_key", "username", "password", "bounce_key", "dkim_key",
                     "imap_username", "imap_password"})  # fmt: skip
"""Settings that are read from the environment (or a file it names with ``_FILE``) only, and shown masked."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cadence(_Model):
    """When issues usually come out: the days in words, the local time."""

    days: str
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Lateness(_Model):
    """What to do with a send whose time passed while nothing was running."""

    not_after: Duration = timedelta(hours=2)
    if_late: Literal["hold", "send", "drop"] = "hold"
    stale_after: Duration = timedelta(hours=6)
    #: A campaign that was begun and then left alone for longer waits for an editor.
    over: Duration = timedelta()
    #: Its batches are spread over so long; 0: as fast as they may leave.


class Brand(_Model):
    """The newsletter's accent colour on a light and on a dark ground."""

    accent: Colour = "#8a1c2b"
    accent_dark: Colour = "#f0919e"


class Wording(_Model):
    """A newsletter's texts in another language, for its issues in that language."""

    tagline: str = ""
    about: str = ""


SectionKindName = Literal[
    "plain", "expert-corner", "more-stories", "briefs", "watch", "read-more", "podcast", "sign-off", "note", "correction"
]


class Newsletter(_Model):
    """``config/newsletters/<id>.toml``: what a reader subscribes to."""

    id: str = ""
    #: Taken from the file's name.
    name: OneLine
    tagline: str
    from_name: OneLine
    from_address: MailAddress
    reply_to: MailAddress
    list_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")]
    postal_address: Annotated[str, Field(min_length=1)]
    language: Language
    default_author: str
    about: str
    time_zone: Zone | None = None
    cadence: Cadence | None = None
    schedule: Lateness = Lateness()
    brand: Brand = Brand()
    sections: dict[str, SectionKindName] = {}
    legal_notice: dict[str, str] = {}
    needs_legal_notice: bool = False
    mirrors: tuple[Mirror, ...] = ()
    pictures: Literal["hosted", "embedded"] = "hosted"
    #: Whether mails show their pictures from the archive or carry them.
    editions: dict[str, Wording] = {}


RuleState = Literal["off", "note", "warning", "error"]


class Limits(_Model):
    """``[limits]`` of ``config/style.toml``: from where on the copy desk says something."""

    subject_characters: Annotated[int, Field(ge=0)] = 8
    subject_emoji: Annotated[int, Field(ge=0)] = 1
    sentence_words: Annotated[int, Field(ge=5)] = 50
    paragraph_words: Annotated[int, Field(ge=10)] = 180
    links: Annotated[int, Field(ge=1)] = 60
    repeated_words: Annotated[int, Field(ge=5)] = 25
    picture_kb: Annotated[int, Field(ge=10)] = 250
    mail_links: Annotated[int, Field(ge=1)] = 200


class StyleLists(_Model):
    """``[lists]``: words and phrases, in any language."""

    vague_links: tuple[str, ...] = ()
    spam: tuple[str, ...] = ()


class StyleSections(_Model):
    """``[sections]``: which kinds every issue has."""

    always: tuple[SectionKindName, ...] = ()


class Spelling(_Model):
    """``[spelling]``: where the dictionaries are, and which words are looked up in them."""

    names: bool = False
    folders: tuple[str, ...] = ("config/dictionaries", "/usr/share/hunspell")
    dictionaries: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]] = {}


class Style(_Model):
    """``config/style.toml``: what the copy desk of this newsroom says, and how it spells."""

    rules: dict[str, RuleState] = {}
    limits: Limits = Limits()
    lists: StyleLists = StyleLists()
    sections: StyleSections = StyleSections()
    spelling: Spelling = Spelling()
    units: dict[str, str] = {}
    words: dict[str, str] = {}


class AuthorWording(_Model):
    """An author in another language, for issues in that language; what is left out stays as it is in the author's own."""

    name: str = ""
    role: str = ""
    bio: str = ""
    links: dict[str, BaseUrl] = {}


class Author(_Model):
    """``config/authors/<id>.toml``: a byline and its card."""

    id: str = ""
    name: OneLine
    role: str = ""
    bio: str = ""
    photo: str | None = None
    #: A picture's file name, beside the TOML file.
    email: MailAddress | None = None
    links: dict[str, BaseUrl] = {}
    editions: dict[str, AuthorWording] = {}


class Warming(_Model):
    """``[sending.warmup]``: a new sending domain's first days."""

    start: date
    readers_per_day: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class Sending(_Model):
    """``[sending]``: how fast mail may leave this newsroom, over all workers."""

    calls_per_second: Annotated[float, Field(gt=0)] | None = None
    readers_per_second: Annotated[float, Field(gt=0)] | None = None
    readers_per_day: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    #: Fewer readers a call than the provider takes.
    domains: dict[str, Annotated[int, Field(ge=1)]] = {}
    #: Readers a minute at one mail domain.
    warmup: Warming | None = None
    engine: Literal["local", "procrastinate"] | None = None
    #: What hands batches to workers; None: Procrastinate where it is installed and the database is PostgreSQL.
    doubts_before_hold: Annotated[int, Field(ge=1)] = 5
    #: So many calls of one campaign in doubt, one after another, hold it.
    later_before_hold: Duration = timedelta(hours=6)
    #: After so long of nothing but "later" a campaign is held.


class ProviderChoice(_Model):
    """Which provider sends, and every provider's settings as flat tables."""

    name: str = "sandbox"
    sandbox: ProviderTable = {}
    mailgun: ProviderTable = {}
    filebox: ProviderTable = {}
    resend: ProviderTable = {}
    ses: ProviderTable = {}
    smtp: ProviderTable = {}

    def table(self, name: str | None = None) -> dict[str, str]:
        """The settings of the chosen provider, or of another."""
        table: dict[str, str] = getattr(self, name or self.name)
        return table


class SoftBounces(_Model):
    """When an address is suppressed whose mail is given up on again and again, though never refused for good."""

    issues: Annotated[int, Field(ge=1)] = 5
    within: Duration = timedelta(days=60)


class Metrics(_Model):
    """``[metrics]``: where the worker tells machines that watch how it is."""

    listen: Place | None = None

    def place(self) -> tuple[str, int] | None:
        """Address and port, or None: nowhere."""
        host, _, port = (self.listen or "").rpartition(":")
        return (host.strip("[]"), int(port)) if host else None


class Seed(_Model):
    """``[alarms.seeds.<name>]``: a mailbox of the newsroom's own that is on the list of readers, and is looked into."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(gt=0, lt=65536)] | None = None
    user: Annotated[str, Field(min_length=1)]
    password: str = Field(default="", repr=False)
    security: Literal["tls", "none"] = "tls"
    folder: OneLine = "INBOX"
    newsletters: tuple[str, ...] = ()
    #: Which ones it reads; empty: all.

    @model_validator(mode="after")
    def _not_in_the_open(self) -> Seed:
        if self.security == "none" and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError('security = "none" is for a server on this machine only')
        return self


class Alarms(_Model):
    """``[alarms]``: whom of the newsroom to tell, and by what, when something needs a person."""

    to: tuple[MailAddress, ...] = ()
    provider: str | None = None
    #: The newsroom's own when left out; another one still mails when that one refuses us.
    from_address: MailAddress | None = None
    after: Duration = timedelta(minutes=15)
    #: So long after its time an issue must have started, and have reached every seed mailbox.
    seeds: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")], Seed] = {}


class NewsroomSettings(_Model):
    """``config/newsroom.toml``."""

    name: OneLine
    base_url: BaseUrl
    time_zone: Zone
    database: str = "sqlite:///var/briefing.db"
    keys: str = "keys"
    staff: tuple[MailAddress, ...] = ()
    #: Who may get test mail.
    provider: ProviderChoice = ProviderChoice()
    soft_bounces: SoftBounces = SoftBounces()
    poll_events: bool = False
    #: Ask the provider for its events every five minutes, where it can be asked.
    events_kept: Duration = timedelta(days=400)
    #: How long an event that was applied is kept.
    sending: Sending = Sending()
    metrics: Metrics = Metrics()
    alarms: Alarms = Alarms()


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting as in force: its dotted name, its value (masked if secret) and where it came from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the newsroom's configuration says, checked."""

    root: Path
    newsroom: NewsroomSettings
    newsletters: Mapping[str, Newsletter]
    authors: Mapping[str, Author]
    origins: tuple[Origin, ...]
    style: Style = field(default_factory=Style)
    known_words: frozenset[str] = frozenset()
    #: Words that are right though no dictionary has them.

    @property
    def var(self) -> Path:
        """Where the program writes."""
        return self.root / "var"

    @property
    def keys(self) -> Path:
        """The directory of keys; never inside ``var``."""
        return self.root / self.newsroom.keys

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL, a relative SQLite path taken from the newsroom's directory."""
        url = self.newsroom.database
        if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
            return f"sqlite:///{self.root / url.removeprefix('sqlite:///')}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    def newsletter(self, id: str) -> Newsletter:
        """The newsletter of that id. Raises ConfigurationError that names the known ones."""
        if id not in self.newsletters:
            known = ", ".join(sorted(self.newsletters)) or "none yet"
            raise ConfigurationError(f"there is no newsletter {id!r}", path="config/newsletters", hint=f"Known newsletters: {known}.")
        return self.newsletters[id]

    def policy(self, newsletter: str) -> Lateness:
        """The newsletter's ``[schedule]``; the defaults for one whose file is gone."""
        there = self.newsletters.get(newsletter)
        return there.schedule if there else Lateness()

    def zone(self, newsletter: Newsletter) -> str:
        """The newsletter's time zone, else the newsroom's."""
        return newsletter.time_zone or self.newsroom.time_zone
