"""Configuration: packaged TOML < newsroom TOML < environment < flags. Strangers' text enters here, so pydantic does.

Every value remembers where it came from; an unknown key or a wrong type stops the start with file and line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline import newsroom
from pipeline.errors import ConfigurationError

PROVIDER_KEYS: dict[str, tuple[str, ...]] = {
    "sandbox": ("base_url", "domain", "api_key"),
    "mailgun": ("base_url", "domain", "api_key"),
    "filebox": ("directory", "domain"),
}
"""Which settings each provider knows; environment names are ``BRIEFING_<PROVIDER>_<SETTING>``."""

SECRETS = frozenset({"api_key"})
"""Settings that are read from the environment (or a file it names with ``_FILE``) only, and shown masked."""

M = TypeVar("M", bound=BaseModel)

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
Colour = Annotated[str, AfterValidator(_colour)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


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


class Brand(_Model):
    """The newsletter's accent colour on a light and on a dark ground."""

    accent: Colour = "#8a1c2b"
    accent_dark: Colour = "#f0919e"


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


class ProviderChoice(_Model):
    """Which provider sends, and every provider's settings as flat tables."""

    name: str = "sandbox"
    sandbox: dict[str, str] = {}
    mailgun: dict[str, str] = {}
    filebox: dict[str, str] = {}

    def table(self) -> dict[str, str]:
        """The chosen provider's settings."""
        table: dict[str, str] = getattr(self, self.name)
        return table


class NewsroomSettings(_Model):
    """``config/newsroom.toml``."""

    name: OneLine
    base_url: BaseUrl
    time_zone: Zone
    database: str = "sqlite:///var/briefing.db"
    keys: str = "keys"
    provider: ProviderChoice = ProviderChoice()


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

    def zone(self, newsletter: Newsletter) -> str:
        """The newsletter's time zone, else the newsroom's."""
        return newsletter.time_zone or self.newsroom.time_zone


def load(root: Path, environ: Mapping[str, str], overrides: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks the whole configuration of the newsroom at ``root``. Raises ConfigurationError."""
    values: dict[str, tuple[object, str]] = {}
    own = root / newsroom.MARK
    for path in (newsroom.packaged() / newsroom.MARK, own):
        for name, value in _flatten(_read_toml(path)):
            source = "packaged default" if path != own else str(newsroom.MARK)
            if name.rpartition(".")[2] in SECRETS:
                raise ConfigurationError(
                    f"{name} is a secret and may not stand in a file that is shared", path=path,
                    line=_line_of(path.read_text("utf-8"), name), hint=f"Set the environment variable {_variable(name)} instead.",
                )  # fmt: skip
            values[name] = (value, source)
    for name, value, variable in _from_environment(environ):
        values[name] = (value, f"environment {variable}")
    for name, value in (overrides or {}).items():
        values[name] = (value, "flag")
    settings = _checked(NewsroomSettings, _nest(values), own, {k: s for k, (_, s) in values.items()})
    _check_provider(settings.provider, values, own)
    newsletters = dict(_load_folder(root / "config" / "newsletters", Newsletter))
    authors = dict(_load_folder(root / "config" / "authors", Author))
    origins = tuple(
        Origin(name, "********" if name.rpartition(".")[2] in SECRETS else _masked_url(str(value)), source)
        for name, (value, source) in sorted(values.items())
    )
    return Settings(root=root, newsroom=settings, newsletters=newsletters, authors=authors, origins=origins)


def _masked_url(value: str) -> str:
    """A URL without the password it may carry."""
    return re.sub(r"(://[^:/@\s]+):[^@/\s]+@", r"\1:********@", value)


def _load_folder(folder: Path, model: type[M]) -> Iterator[tuple[str, M]]:
    for path in sorted(folder.glob("*.toml")):
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", path.stem):
            raise ConfigurationError(
                "the file's name is an id: lower-case letters, digits and hyphens only", path=path, hint="Rename the file."
            )
        yield path.stem, _checked(model, {**_read_toml(path), "id": path.stem}, path, {})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError("the file is missing", path=path, hint="Lay a newsroom with: briefing init DIR") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the file is not UTF-8 (byte {error.start})", path=path, hint="Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        raise ConfigurationError(
            f"this is not TOML: {error}", path=path, line=int(found[1]) if found else None,
            hint='Values are written as  key = "text"; tables as  [table].',
        ) from None  # fmt: skip
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", path=path) from None


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _nest(values: Mapping[str, tuple[object, str]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, (value, _) in values.items():
        *parents, key = name.split(".")
        table = out
        for parent in parents:
            child = table.setdefault(parent, {})
            table = child if isinstance(child, dict) else table.setdefault(parent + "?", {})
        table[key] = value
    return out


def _variable(name: str) -> str:
    """The environment variable of a dotted setting name."""
    return "BRIEFING_" + name.removeprefix("provider.").replace(".", "_").upper()


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    plain = {"BRIEFING_DATABASE": "database", "BRIEFING_PROVIDER": "provider.name", "BRIEFING_BASE_URL": "base_url",
             "BRIEFING_KEYS": "keys", "BRIEFING_TIME_ZONE": "time_zone"}  # fmt: skip
    known = {**plain, **{_variable(f"provider.{p}.{k}"): f"provider.{p}.{k}" for p, keys in PROVIDER_KEYS.items() for k in keys}}
    for variable, name in known.items():
        if environ.get(variable):
            yield name, environ[variable], variable
        elif environ.get(variable + "_FILE"):
            file = Path(environ[variable + "_FILE"])
            try:
                yield name, file.read_text("utf-8").strip(), variable + "_FILE"
            except OSError as error:
                raise ConfigurationError(f"{variable}_FILE cannot be read: {error.strerror}", path=file) from None
    for variable in sorted(environ):
        base = variable.removesuffix("_FILE")
        if variable.startswith("BRIEFING_") and base not in known and variable != "BRIEFING_NEWSROOM":
            raise ConfigurationError(
                f"unknown environment variable {variable}", hint="Known: " + ", ".join(sorted([*known, "BRIEFING_NEWSROOM"])) + "."
            )


def _check_provider(provider: ProviderChoice, values: Mapping[str, tuple[object, str]], path: Path) -> None:
    if provider.name not in PROVIDER_KEYS:
        raise ConfigurationError(
            f"provider.name is {provider.name!r}, which is no provider", path=path,
            line=_line_of(path.read_text("utf-8"), "provider.name"), hint=f"Known providers: {', '.join(sorted(PROVIDER_KEYS))}.",
        )  # fmt: skip
    for name in values:
        parts = name.split(".")
        if parts[0] == "provider" and len(parts) == 3 and parts[2] not in PROVIDER_KEYS.get(parts[1], ()):
            raise ConfigurationError(
                f"unknown setting {name}", path=path, line=_line_of(path.read_text("utf-8"), name),
                hint=f"{parts[1]} knows: {', '.join(PROVIDER_KEYS.get(parts[1], ()))}.",
            )  # fmt: skip


def _checked(model: type[M], data: Mapping[str, Any], path: Path, sources: Mapping[str, str]) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        text = path.read_text("utf-8")
        lines = [_finding(found, text, path, model, sources) for found in error.errors(include_url=False, include_input=False)]
        message, line, hint, where = lines[0]
        rest = "".join(f"\n{other_where}: {other}" for other, _, _, other_where in lines[1:])
        if where.startswith("environment"):
            raise ConfigurationError(f"{where}: {message}{rest}", hint=hint) from None
        raise ConfigurationError(message + rest, path=path, line=line, hint=hint) from None


def _finding(
    found: Mapping[str, Any], text: str, path: Path, model: type[BaseModel], sources: Mapping[str, str]
) -> tuple[str, int | None, str, str]:
    name = ".".join(str(part) for part in found["loc"])
    line = _line_of(text, name)
    where = sources.get(name, "")
    where = where if where.startswith("environment") else f"{path}:{line}" if line else str(path)
    match found["type"]:
        case "extra_forbidden":
            known = ", ".join(sorted(_known_keys(model, found["loc"][:-1])))
            return f"unknown setting {name}", line, f"Known settings here: {known}.", where
        case "missing":
            return f"the setting {name} is missing", None, f"Add  {name.rpartition('.')[2]} = ...  to {path.name}.", where
        case _:
            message = str(found["msg"]).removeprefix("Value error, ")
            return f"{name}: {message[:1].lower()}{message[1:]}", line, "See docs/reference/settings.md.", where


def _known_keys(model: type[BaseModel], parents: Iterable[object]) -> list[str]:
    for parent in parents:
        annotation = model.model_fields[str(parent)].annotation
        nested = next(
            (a for a in (annotation, *getattr(annotation, "__args__", ())) if isinstance(a, type) and issubclass(a, BaseModel)), None
        )
        if nested is None:
            return []
        model = nested
    return [key for key in model.model_fields if key != "id"]


def _line_of(text: str, name: str) -> int | None:
    """The 1-based line on which a dotted setting stands; tomllib keeps no positions."""
    *table, key = name.split(".")
    current: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            current = [part.strip().strip("\"'") for part in header[1].split(".")]
        elif (current == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line)) or (
            re.match(rf"\s*{re.escape('.'.join([*table, key]))}\s*=", line) and not current
        ):
            return number
    return None
