"""A backup: one archive with one consistent copy of the database; and what must be true after one was put back.

The archive is a tar file with three members: the manifest, a MAC of it, and the database. The MAC is made with a key derived from
the newsroom's own, so a restore notices an archive that somebody changed, and keys that do not belong to it.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from sqlalchemy import Engine

from pipeline import __version__
from pipeline.clock import Clock
from pipeline.errors import DatabaseFault, DiskFault, Refusal
from pipeline.files import HINT, is_held, only_one
from pipeline.settings import Settings
from pipeline.store import campaigns, copies, doubts, schema
from pipeline.store.engine import open_engine, reading, transaction
from pipeline.store.keyring import Keyring, open_keyring, read_keyring

FORMAT = "briefing backup 1"
MANIFEST, MAC, DATABASE = "manifest.json", "manifest.mac", "briefing.db"
_PIECE = 1024 * 1024
_SMALL = 64 * 1024
_ISSUE = re.compile(r"<loc>[^<]*/([a-z0-9-]+/\d{4}-\d\d-\d\d-[^/<]+)/</loc>")
_WORKS = "another worker already runs on this database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What an archive says of itself."""

    instance: str
    schema: str
    taken_at: datetime
    size: int
    #: Of the database, in octets.
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did."""

    taken_at: datetime
    before: str
    #: The instance's name in the backup.
    instance: str
    #: Its name from now on.
    held: tuple[int, ...]
    batches_in_doubt: int
    kept: Path | None
    #: Where the database lies that was there before.
    unknown: tuple[str, ...]
    #: Issues whose page stands in the archive, of which the restored database knows no send.


def database_file(settings: Settings) -> Path:
    """The SQLite file. Raises Refusal on PostgreSQL, whose own tools copy it better than we could."""
    engine = open_engine(settings.database_url)
    try:
        if engine.dialect.name != "sqlite":
            raise Refusal(
                "this newsroom's database is on PostgreSQL, which has tools of its own for that",
                hint="Use pg_dump and pg_restore; after a restore, before any worker starts: briefing db restored --taken TIME",
            )
        if not engine.url.database or engine.url.database == ":memory:":
            raise Refusal("this database is in memory only")
        return Path(engine.url.database)
    finally:
        engine.dispose()


def backup(settings: Settings, target: Path, clock: Clock) -> Backup:
    """Writes an archive whole or not at all, readable by its owner only. Raises Refusal, DatabaseFault, DiskFault.

    Any version's database can be copied: a backup comes before an upgrade.
    """
    source = database_file(settings)
    if not source.exists():
        raise Refusal(f"there is no database yet at {source}", hint="There is nothing to keep.")
    if target.exists():
        raise Refusal(f"{target} exists already", hint="Choose another name: a backup never replaces another.")
    with _disk(target), _workplace(target) as place:
        database = place / DATABASE
        _private(database)
        taken_at = clock()
        copies.copy(source, database)
        copies.check(database)
        found, keys = _manifest(settings, database, taken_at)
        archive = place / "archive.tar"
        _private(archive)
        with archive.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                manifest = json.dumps({**_document(found), "program": __version__}, indent=2).encode()
                for name, data in ((MANIFEST, manifest), (MAC, _mac(keys, manifest).encode())):
                    tar.addfile(_member(name, len(data), taken_at), io.BytesIO(data))
                with database.open("rb") as data_file:
                    tar.addfile(_member(DATABASE, found.size, taken_at), data_file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(archive, target)  # fails where a rename would replace
        except FileExistsError:
            raise Refusal(f"{target} exists already", hint="Choose another name: a backup never replaces another.") from None
        _sync(target.parent)
    return found


def restore(settings: Settings, archive: Path, clock: Clock, *, provider: str, force: bool = False) -> Restored:
    """Puts a backup in the database's place, as a new life of it (docs/sending.md, After a restore).

    Everything is verified before anything is touched. Raises Refusal when the archive is not whole or not this newsroom's, when
    the database is in use, or exists and ``force`` is not given; ConfigurationError, DatabaseFault, DiskFault.
    """
    place = database_file(settings)
    keys = read_keyring(settings.keys)
    if place.exists() and not force:
        raise Refusal(f"there is a database already at {place}", hint="With --force it is kept aside, and the backup takes its place.")
    with _disk(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with only_one(Path(f"{place}.worker"), _WORKS), _workplace(place) as workplace:
            fresh = workplace / DATABASE
            _private(fresh)
            found = _unpack(archive, keys, fresh)
            copies.check(fresh)
            engine = open_engine(f"sqlite:///{fresh}")
            try:
                done = _new_life(engine, found, clock, provider)
                unknown = _unknown(settings, engine)
            finally:
                engine.dispose()
            copies.settle_down(fresh)
            kept = _set_aside(place, clock()) if place.exists() else None
            fresh.replace(place)
            _sync(place.parent)
    return Restored(
        taken_at=found.taken_at, before=found.instance, instance=done[0], held=done[1], batches_in_doubt=done[2], kept=kept, unknown=unknown
    )


def mark_restored(engine: Engine, taken_at: datetime, clock: Clock, *, provider: str) -> tuple[str, tuple[int, ...], int]:
    """Begins a new life of a database that other tools have put back: its name, the campaigns held, the batches in doubt.

    Raises Refusal when the time is not one of the past.
    """
    now = clock()
    if taken_at > now:
        raise Refusal("the backup cannot have been taken in the future", hint="Give the time at which pg_dump was started.")
    name = secrets.token_hex(4)
    with transaction(engine) as connection:
        held = campaigns.begin_life(connection, name=name, taken_at=taken_at, now=now)
        doubtful = doubts.restore(connection, taken_at, now, provider)
    return name, tuple(held), doubtful


def _new_life(engine: Engine, found: Backup, clock: Clock, provider: str) -> tuple[str, tuple[int, ...], int]:
    revision = schema.revision(engine)
    if revision is None or not schema.is_known(revision):
        raise DatabaseFault(f"the backup is of a newer version ({revision}) than this program", hint="Install the newer Briefing.")
    with reading(engine) as connection:
        inside = campaigns.instance_name(connection)
    if (inside, revision) != (found.instance, found.schema):
        raise Refusal("the backup's manifest does not describe its database", hint="Take another backup.")
    schema.upgrade(engine, clock())
    return mark_restored(engine, found.taken_at, clock, provider=provider)


def _manifest(settings: Settings, database: Path, taken_at: datetime) -> tuple[Backup, Keyring]:
    engine = open_engine(f"sqlite:///{database}")
    try:
        revision = schema.revision(engine)
        if revision is None:
            raise Refusal("the database is empty", hint="There is nothing to keep.")
        with reading(engine) as connection:
            instance = campaigns.instance_name(connection)
        keys = open_keyring(settings.keys, engine)
    finally:
        engine.dispose()
    copies.settle_down(database)
    size, digest = database.stat().st_size, hashlib.sha256()
    with database.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return Backup(instance=instance, schema=revision, taken_at=taken_at, size=size, sha256=digest.hexdigest()), keys


def _document(backup: Backup) -> dict[str, object]:
    files = {DATABASE: {"size": backup.size, "sha256": backup.sha256}}
    return {
        "format": FORMAT, "instance": backup.instance, "schema": backup.schema, "taken_at": backup.taken_at.isoformat(), "files": files,
    }  # fmt: skip


def _mac(keys: Keyring, manifest: bytes) -> str:
    """The key of the address index: the readers of the backup can only be found with the very same."""
    return hmac.new(hmac.digest(keys.index, b"\0backup", "sha256"), manifest, "sha256").hexdigest()


def _unpack(archive: Path, keys: Keyring, target: Path) -> Backup:
    """Verifies an archive while it writes its database to ``target``. Nothing is taken by a name that the archive chose."""
    damaged = Refusal(f"{archive} is not a whole backup: nothing was changed", hint="It was cut short, or is no backup. Take another.")
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            manifest, mac = _small(tar, MANIFEST), _small(tar, MAC)
            if not hmac.compare_digest(_mac(keys, manifest), mac.decode("ascii").strip()):
                raise Refusal(
                    f"{archive} was not made with this newsroom's keys, or was changed: nothing was changed here",
                    hint="Put back the keys that belong to it first. They are not in the backup.",
                )
            found = _read_manifest(manifest)
            member, content = _next(tar, DATABASE)
            digest = hashlib.sha256()
            with target.open("wb") as out:
                while piece := content.read(_PIECE):
                    digest.update(piece)
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            if member.size != found.size or digest.hexdigest() != found.sha256:
                raise damaged
            return found
    except FileNotFoundError:
        raise Refusal(f"there is no backup at {archive}", hint="Check the name.") from None
    except (tarfile.TarError, EOFError, ValueError, LookupError, TypeError):
        raise damaged from None


def _read_manifest(manifest: bytes) -> Backup:
    document = json.loads(manifest)
    if document["format"] != FORMAT:
        raise ValueError("another format")
    file = document["files"][DATABASE]
    return Backup(
        instance=str(document["instance"]), schema=str(document["schema"]), taken_at=datetime.fromisoformat(document["taken_at"]),
        size=int(file["size"]), sha256=str(file["sha256"]),
    )  # fmt: skip


def _next(tar: tarfile.TarFile, name: str) -> tuple[tarfile.TarInfo, IO[bytes]]:
    member = tar.next()
    content = tar.extractfile(member) if member is not None and member.isreg() and member.name == name else None
    if member is None or content is None:
        raise ValueError(f"no {name}")
    return member, content


def _small(tar: tarfile.TarFile, name: str) -> bytes:
    member, content = _next(tar, name)
    if member.size > _SMALL:
        raise ValueError(f"{name} is too large")
    return content.read()


def _member(name: str, size: int, at: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(at.timestamp())
    return member


def _set_aside(place: Path, now: datetime) -> Path:
    """Gives the database that is there another name, without a moment at which there is none. Raises Refusal when it is in use."""
    copies.settle_down(place)
    kept = place.with_name(f"{place.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    for beside in ("-wal", "-shm"):  # only a damaged one still has them, and they must not meet the new file
        with suppress(FileNotFoundError):
            Path(f"{place}{beside}").rename(f"{kept}{beside}")
    os.link(place, kept)
    return kept


def _unknown(settings: Settings, engine: Engine) -> tuple[str, ...]:
    with reading(engine) as connection:
        known = {one.issue_id for one in campaigns.published(connection)}
    try:
        sitemap = (settings.var / "archive" / "sitemap.xml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    stand = set(_ISSUE.findall(sitemap))
    return tuple(sorted(stand - known))


@contextmanager
def _workplace(beside: Path) -> Iterator[Path]:
    """A folder of our own on the same disk; what a killed one left is removed first, since it holds readers' addresses."""
    pattern = f".{beside.name}.*.unfinished"
    for old in beside.parent.glob(pattern):
        if not is_held(old / "lock"):
            shutil.rmtree(old, ignore_errors=True)
    place = beside.parent / f".{beside.name}.{os.getpid()}.unfinished"
    place.mkdir(mode=0o700)
    try:
        with only_one(place / "lock", "another backup is being written here"):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _private(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFault(f"cannot write {path}: {error.strerror}", hint=HINT) from None
