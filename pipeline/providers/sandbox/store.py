"""What the sandbox has taken: a call's content once, and a row a mail. SQLite in one file, made for a million mails."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.core.message import InlinePicture

_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, message_id TEXT NOT NULL, domain TEXT NOT NULL, received_at REAL NOT NULL, sender TEXT NOT NULL,
    to_all TEXT NOT NULL, subject TEXT NOT NULL, html TEXT, text TEXT, headers TEXT NOT NULL, variables TEXT NOT NULL,
    tags TEXT NOT NULL, campaign TEXT NOT NULL, batch TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_message_id ON calls (message_id);
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY, call_id INTEGER NOT NULL REFERENCES calls (id), address TEXT NOT NULL COLLATE NOCASE,
    campaign TEXT NOT NULL, variables TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS mails_address ON mails (address, campaign);
CREATE INDEX IF NOT EXISTS mails_call ON mails (call_id);
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, digest TEXT NOT NULL, message_id TEXT NOT NULL, received_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    call_id INTEGER NOT NULL REFERENCES calls (id), content_id TEXT NOT NULL, media_type TEXT NOT NULL, digest TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS files_call ON files (call_id);
CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY, begun_at REAL NOT NULL, faults TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS blobs (digest TEXT PRIMARY KEY, data BLOB NOT NULL);
"""
_VARIABLE = re.compile(r"%recipient\.([^%\s]+)%")
_COLUMNS = (
    "mails.id, mails.address, mails.campaign, mails.variables AS own, calls.message_id, calls.domain, calls.received_at, calls.sender,"
    " calls.to_all, calls.subject, calls.headers, calls.variables, calls.tags, calls.batch"
)
_FROM = "FROM mails JOIN calls ON calls.id = mails.call_id"
_WHOLE = f"SELECT {_COLUMNS}, calls.html, calls.text {_FROM}"
_BRIEF = f"SELECT {_COLUMNS}, NULL AS html, NULL AS text {_FROM}"
_ADD_CALL = (
    "INSERT INTO calls (message_id, domain, received_at, sender, to_all, subject, html, text, headers, variables, tags, campaign, batch)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_ADD_FILE = "INSERT INTO files (call_id, content_id, media_type, digest) VALUES (?,?,?,?)"
_FILES = (
    "SELECT content_id, media_type, data FROM files JOIN blobs USING (digest)"
    " WHERE call_id = (SELECT call_id FROM mails WHERE id = ?) ORDER BY files.rowid"
)
_ADD_MAIL = "INSERT INTO mails (call_id, address, campaign, variables) VALUES (?,?,?,?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One accepted call, before anything personal is put in place. ``to_all`` is set when every reader sees every address."""

    message_id: str
    domain: str
    sender: str
    subject: str
    html: str | None
    text: str | None
    headers: Sequence[tuple[str, str]]
    variables: Mapping[str, str]
    tags: Sequence[str]
    recipients: Sequence[tuple[str, Mapping[str, str]]]
    inline: Sequence[InlinePicture] = ()
    to_all: str = ""

    def __repr__(self) -> str:
        return f"Call(message_id={self.message_id!r}, recipients={len(self.recipients)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One delivered mail as its reader gets it."""

    id: int
    address: str
    sender: str
    to: str
    subject: str
    html: str | None
    text: str | None
    headers: Sequence[tuple[str, str]]
    variables: Mapping[str, str]
    tags: Sequence[str]
    message_id: str
    domain: str
    campaign: str
    batch: str
    received_at: datetime
    inline: Sequence[InlinePicture] = ()
    #: Empty in lists, as the bodies are.

    def __repr__(self) -> str:
        return f"Mail(id={self.id}, message_id={self.message_id!r})"


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts. ``duplicates`` is how many mails are beyond the first for the same address and campaign."""

    mails: int
    recipients: int
    duplicates: int
    calls: int


class KeyReused(Exception):
    """Another call came under an idempotency key that is still kept."""


class SandboxStore:
    """Keeps what was taken. Safe from several threads: one connection writes, one reads, each behind its lock."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer, self._reader = _connect(path), _connect(path)
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
        self._writer.executescript(_TABLES).close()

    def begin(self, begun_at: datetime) -> int:
        """Notes that a request to send came in, whatever becomes of it; gives its number."""
        with self._write_lock, self._writer:
            return int(self._writer.execute("INSERT INTO requests (begun_at) VALUES (?)", (begun_at.timestamp(),)).lastrowid or 0)

    def struck(self, request: int, fault: str) -> None:
        """Notes that a fault was played on a request."""
        with self._write_lock, self._writer:
            self._writer.execute("UPDATE requests SET faults = trim(faults || ' ' || ?) WHERE id = ?", (fault, request))

    def requests(self) -> Sequence[tuple[datetime, tuple[str, ...]]]:
        """When each request to send came in, and the faults that were played on it, in the order they came."""
        with self._read_lock:
            rows = self._reader.execute("SELECT begun_at, faults FROM requests ORDER BY id").fetchall()
        return [(datetime.fromtimestamp(row["begun_at"], UTC), tuple(row["faults"].split())) for row in rows]

    def accept(self, call: Call, received_at: datetime) -> None:
        """Stores a call with all its mails in one transaction: durable when this returns, as far as a crashed process goes."""
        with self._write_lock, self._writer:
            self._add(call, received_at)

    def accept_once(self, call: Call, received_at: datetime, *, key: str, digest: str, window: timedelta) -> str:
        """``accept`` under an idempotency key, in the same transaction; gives the message id of the first call under it.

        A repeat within the window stores nothing. Raises KeyReused when its digest is another.
        """
        with self._write_lock, self._writer:
            self._writer.execute("DELETE FROM keys WHERE received_at < ?", ((received_at - window).timestamp(),))
            first = self._writer.execute("SELECT digest, message_id FROM keys WHERE key = ?", (key,)).fetchone()
            if first is None:
                row = (key, digest, call.message_id, received_at.timestamp())
                self._writer.execute("INSERT INTO keys (key, digest, message_id, received_at) VALUES (?,?,?,?)", row)
                self._add(call, received_at)
                return call.message_id
        if first["digest"] != digest:
            raise KeyReused
        return str(first["message_id"])

    def _add(self, call: Call, received_at: datetime) -> None:
        campaign = call.variables.get("campaign") or (call.tags[0] if call.tags else "")
        batch = call.variables.get("batch", "")
        content = (call.message_id, call.domain, received_at.timestamp(), call.sender, call.to_all, call.subject, call.html, call.text)
        extras = (json.dumps([*call.headers]), json.dumps(dict(call.variables)), json.dumps([*call.tags]), campaign, batch)
        call_id = self._writer.execute(_ADD_CALL, (*content, *extras)).lastrowid
        rows = ((call_id, address, campaign, json.dumps(dict(own), ensure_ascii=False)) for address, own in call.recipients)
        self._writer.executemany(_ADD_MAIL, rows)
        for one in call.inline:  # every batch of a mailing brings the same pictures
            digest = hashlib.sha256(one.data).hexdigest()
            self._writer.execute("INSERT OR IGNORE INTO blobs (digest, data) VALUES (?,?)", (digest, one.data))
            self._writer.execute(_ADD_FILE, (call_id, one.content_id, one.media_type, digest))

    def mails(self, *, search: str = "", limit: int = 50, offset: int = 0) -> tuple[int, Sequence[Mail]]:
        """How many mails match, and one page of them, newest first and without bodies. ``search`` is part of an address."""
        where, values = _address_filter(search)
        with self._read_lock:
            total = self._reader.execute(f"SELECT COUNT(*) FROM mails {where}", values).fetchone()[0]  # noqa: S608
            # The page is found on the narrow table alone; joining first would walk every call.
            page = f"SELECT id FROM mails {where} ORDER BY id DESC LIMIT ? OFFSET ?"  # noqa: S608
            query = f"{_BRIEF} WHERE mails.id IN ({page}) ORDER BY mails.id DESC"
            rows = self._reader.execute(query, (*values, limit, offset)).fetchall()
        return int(total), [_mail(row) for row in rows]

    def mail(self, mail_id: int) -> Mail | None:
        """One mail, or None."""
        with self._read_lock:
            row = self._reader.execute(f"{_WHOLE} WHERE mails.id = ?", (mail_id,)).fetchone()
            files = [] if row is None else self._reader.execute(_FILES, (mail_id,)).fetchall()
        return None if row is None else replace(_mail(row), inline=[_inline(one) for one in files])

    def accepted(
        self, *, domain: str, message_id: str, recipient: str, after: int, until: datetime, limit: int, tag: str = ""
    ) -> Sequence[Mail]:
        """Mails of a domain, without bodies, in the order they came, from the one after ``after`` to those taken at ``until``.

        Empty filters match everything.
        """
        wheres: list[str] = ["calls.domain = ?", "mails.id > ?", "calls.received_at <= ?"]
        values: list[object] = [domain, after, until.timestamp()]
        if message_id:
            wheres.append("calls.message_id = ?")
            values.append(message_id)
        if recipient:
            wheres.append("mails.address = ?")
            values.append(recipient)
        if tag:
            wheres.append("EXISTS (SELECT 1 FROM json_each(calls.tags) WHERE value = ?)")
            values.append(tag)
        query = f"{_BRIEF} WHERE {' AND '.join(wheres)} ORDER BY mails.id LIMIT ?"
        with self._read_lock:
            rows = self._reader.execute(query, (*values, limit)).fetchall()
        return [_mail(row) for row in rows]

    def after(self, mail_id: int, limit: int) -> Sequence[Mail]:
        """Mails of any domain, without bodies, in the order they came, from the one after ``mail_id``."""
        query = f"{_BRIEF} WHERE mails.id > ? ORDER BY mails.id LIMIT ?"
        with self._read_lock:
            rows = self._reader.execute(query, (mail_id, limit)).fetchall()
        return [_mail(row) for row in rows]

    def fated(self, *, domain: str, fate: str, after: str, limit: int) -> Sequence[tuple[str, datetime]]:
        """Addresses of a domain's mail whose local part begins with a fate and a plus sign, and when their first mail came.

        In the order of the addresses, from the one after ``after``.
        """
        where, (pattern,) = _address_filter(f"{fate}+")
        query = (
            f"SELECT mails.address, MIN(calls.received_at) AS at {_FROM} {where}"
            " AND mails.address > ? AND calls.domain = ? GROUP BY mails.address ORDER BY mails.address LIMIT ?"
        )
        with self._read_lock:
            rows = self._reader.execute(query, (pattern.removeprefix("%"), after, domain, limit)).fetchall()
        return [(row["address"], datetime.fromtimestamp(row["at"], UTC)) for row in rows]

    def newest(self) -> int:
        """The number of the newest mail; 0 when there is none."""
        with self._read_lock:
            return int(self._reader.execute("SELECT COALESCE(MAX(id), 0) FROM mails").fetchone()[0])

    def stats(self) -> Stats:
        """The counts over everything stored."""
        with self._read_lock:
            # DISTINCT in a subquery walks the index; COUNT(DISTINCT ...) would sort.
            counted = "mails", "(SELECT DISTINCT address FROM mails)", "(SELECT DISTINCT address, campaign FROM mails)", "calls"
            mails, recipients, pairs, calls = (self._reader.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0] for what in counted)  # noqa: S608
        return Stats(mails, recipients, mails - pairs, calls)

    def clear(self) -> None:
        """Empties the inbox."""
        with self._write_lock, self._writer:
            self._writer.execute("DELETE FROM mails")
            self._writer.execute("DELETE FROM files")
            self._writer.execute("DELETE FROM blobs")
            self._writer.execute("DELETE FROM calls")
            self._writer.execute("DELETE FROM keys")
            self._writer.execute("DELETE FROM requests")

    def close(self) -> None:
        """Closes the file."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    # Safe against a killed process; only a power cut can lose the last calls, which is enough for a rehearsal.
    connection.execute("PRAGMA synchronous = NORMAL")
    # Addresses come in no order, so their index is written all over: room to keep it, and checkpoints less often (pages of 4 KB).
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA wal_autocheckpoint = 16000")
    return connection


def _address_filter(search: str) -> tuple[str, tuple[str, ...]]:
    if not search:
        return "", ()
    escaped = re.sub(r"([\\%_])", r"\\\1", search)
    return "WHERE address LIKE ? ESCAPE '\\'", (f"%{escaped}%",)


def _inline(row: sqlite3.Row) -> InlinePicture:
    """A picture as it came; who saves it gets the part of its Content-ID that names a file, as at Mailgun."""
    id = row["content_id"]
    return InlinePicture(content_id=id, name=id.partition("@")[0], media_type=row["media_type"], data=bytes(row["data"]))


def _mail(row: sqlite3.Row) -> Mail:
    """Puts the recipient's variables in place; one the call did not give stays as it was written, as at Mailgun."""
    own: dict[str, str] = json.loads(row["own"])

    def personal(template: str) -> str:
        return _VARIABLE.sub(lambda found: str(own.get(found[1], found[0])), template)

    return Mail(
        id=row["id"],
        address=row["address"],
        sender=personal(row["sender"]),
        to=row["to_all"] or row["address"],
        subject=personal(row["subject"]),
        html=None if row["html"] is None else personal(row["html"]),
        text=None if row["text"] is None else personal(row["text"]),
        headers=[(name, personal(value)) for name, value in json.loads(row["headers"])],
        variables={name: personal(value) for name, value in json.loads(row["variables"]).items()},
        tags=json.loads(row["tags"]),
        message_id=row["message_id"],
        domain=row["domain"],
        campaign=row["campaign"],
        batch=row["batch"],
        received_at=datetime.fromtimestamp(row["received_at"], UTC),
    )
