"""After a pause has answered, the provider sees no request begin: a few tries here, twenty on each store in ``make crash``."""

from __future__ import annotations

import pytest

from tests.crash.__main__ import STORES, workers_of
from tests.crash.conftest import MakeRooms
from tests.crash.pausing import pauses
from tests.crash.processes import Brood


@pytest.mark.parametrize("store", STORES)
def test_nothing_begins_after_a_pause(store: str, make_rooms: MakeRooms, brood: Brood) -> None:
    done = pauses(store, make_rooms(store, readers=1500, size=5), brood, tries=4, workers=workers_of(store))
    assert done.sound, done.row()
    assert len(done.tries) == 4
