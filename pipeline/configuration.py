"""Reading the configuration: packaged TOML < newsroom TOML < environment < flags, each value with where it came from.

An unknown key, a wrong type or a secret in a shared file stops the start with file, line and what to do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline import newsroom
from pipeline.errors import ConfigurationError
from pipeline.settings import PROVIDER_KEYS, SECRETS, Author, Newsletter, NewsroomSettings, Origin, ProviderChoice, Settings, Style

M = TypeVar("M", bound=BaseModel)


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
                    line=line_of(path.read_text("utf-8"), name), hint=f"Set the environment variable {_variable(name)} instead.",
                )  # fmt: skip
            values[name] = (value, source)
    for name, value, variable in _from_environment(environ, _seeds(values)):
        values[name] = (value, f"environment {variable}")
    for name, value in (overrides or {}).items():
        values[name] = (value, "flag")
    settings = _checked(NewsroomSettings, _nest(values), own, {k: s for k, (_, s) in values.items()})
    _check_provider(settings.provider, values, own)
    _check_alarms(settings, own)
    newsletters = dict(_load_folder(root / "config" / "newsletters", Newsletter))
    authors = dict(_load_folder(root / "config" / "authors", Author))
    origins = tuple(
        Origin(name, "********" if name.rpartition(".")[2] in SECRETS else _masked_url(str(value)), source)
        for name, (value, source) in sorted(values.items())
    )
    return Settings(
        root=root, newsroom=settings, newsletters=newsletters, authors=authors, origins=origins, style=_load_style(root),
        known_words=_known_words(newsroom.packaged() / newsroom.WORDS) | _known_words(root / newsroom.WORDS),
    )  # fmt: skip


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


def _load_style(root: Path) -> Style:
    """The newsroom's style over the packaged one: rules and limits one by one, lists and the word list whole."""
    packaged, path = newsroom.packaged() / newsroom.STYLE, root / newsroom.STYLE
    base = _read_toml(packaged)
    if not path.is_file():
        return _checked(Style, base, packaged, {})
    own = _read_toml(path)
    rules = own.get("rules")
    for rule in rules if isinstance(rules, dict) else ():
        if rule not in base["rules"]:  # the packaged file lists them all; a test holds it against the copy desk
            close = get_close_matches(rule, base["rules"], 1)
            raise ConfigurationError(
                f"there is no rule {rule!r}", path=path, line=line_of(path.read_text("utf-8"), f"rules.{rule}"),
                hint=f"Did you mean {close[0]}?" if close else "The rules are listed in docs/reference/copy-desk.md.",
            )  # fmt: skip
    merged = {**base, **own}
    for table in ("rules", "limits", "lists", "sections", "spelling"):
        if isinstance(own.get(table), dict):
            merged[table] = {**base[table], **own[table]}
    return _checked(Style, merged, path, {})


def _known_words(path: Path) -> frozenset[str]:
    """A list of words, one a line; what follows ``#`` is a remark. A missing file is an empty list."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        return frozenset()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the file is not UTF-8 (byte {error.start})", path=path, hint="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", path=path) from None
    words = set()
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip()
        if len(word.split()) > 1:
            raise ConfigurationError(
                f"{word!r} is more than one word", path=path, line=number, hint="Write one word a line; a remark begins with #."
            )
        words.add(word.replace("’", "'"))
    return frozenset(words - {""})


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


def _seeds(values: Iterable[str]) -> set[str]:
    """The names of the seed mailboxes that the files speak of."""
    return {name.split(".")[2] for name in values if name.startswith("alarms.seeds.") and name.count(".") == 3}


def _from_environment(environ: Mapping[str, str], seeds: Iterable[str] = ()) -> Iterator[tuple[str, str, str]]:
    plain = {"BRIEFING_DATABASE": "database", "BRIEFING_PROVIDER": "provider.name", "BRIEFING_BASE_URL": "base_url",
             "BRIEFING_KEYS": "keys", "BRIEFING_TIME_ZONE": "time_zone"}  # fmt: skip
    known = {**plain, **{_variable(f"provider.{p}.{k}"): f"provider.{p}.{k}" for p, keys in PROVIDER_KEYS.items() for k in keys}}
    known |= {_variable(f"alarms.seeds.{seed}.password"): f"alarms.seeds.{seed}.password" for seed in seeds}
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
            line=line_of(path.read_text("utf-8"), "provider.name"), hint=f"Known providers: {', '.join(sorted(PROVIDER_KEYS))}.",
        )  # fmt: skip
    for name in values:
        parts = name.split(".")
        if parts[0] == "provider" and len(parts) == 3 and parts[2] not in PROVIDER_KEYS.get(parts[1], ()):
            raise ConfigurationError(
                f"unknown setting {name}", path=path, line=line_of(path.read_text("utf-8"), name),
                hint=f"{parts[1]} knows: {', '.join(PROVIDER_KEYS.get(parts[1], ()))}.",
            )  # fmt: skip


def _check_alarms(settings: NewsroomSettings, path: Path) -> None:
    named = settings.alarms.provider
    if named is not None and named not in PROVIDER_KEYS:
        raise ConfigurationError(
            f"alarms.provider is {named!r}, which is no provider", path=path, line=line_of(path.read_text("utf-8"), "alarms.provider"),
            hint=f"Known providers: {', '.join(sorted(PROVIDER_KEYS))}.",
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
    line = line_of(text, ".".join(part for part in found["loc"] if isinstance(part, str)))  # a list's items stand on the list's line
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
        if str(parent) not in model.model_fields:
            continue  # a name of the file's own, such as the language of [editions.ru]
        annotation = model.model_fields[str(parent)].annotation
        nested = next(
            (a for a in (annotation, *getattr(annotation, "__args__", ())) if isinstance(a, type) and issubclass(a, BaseModel)), None
        )
        if nested is None:
            return []
        model = nested
    return [key for key in model.model_fields if key != "id"]


def line_of(text: str, name: str) -> int | None:
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
