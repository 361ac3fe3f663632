"""Tells open pages that a file of the newsroom was saved."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from watchfiles import awatch

GATHER_MS = 200
QUIET_MS = 20
"""A save is several events; they are taken together once it was quiet this long."""

LOOK_AGAIN_MS = 2_000
"""How often to see whether a folder that was missing has appeared."""

_log = logging.getLogger("pipeline.web.preview")


class Watch:
    """Watches folders until closed; ``ticket`` and ``after`` wait for the next change."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self.alive = True

    @property
    def closed(self) -> bool:
        """Whether streams should end."""
        return self._stop.is_set()

    def close(self) -> None:
        """Ends the watching and wakes everybody who waits. To be called in the server's loop."""
        self._stop.set()
        self._ring()

    def ticket(self) -> asyncio.Event:
        """Something that is set at the next change from now on."""
        return self._changed

    async def after(self, ticket: asyncio.Event, seconds: float) -> None:
        """Returns at the change a ticket stands for, or after a while."""
        try:
            await asyncio.wait_for(ticket.wait(), seconds)
        except TimeoutError:
            return

    async def run(self) -> None:
        """Watches. When the system refuses (too many watches), open pages are left to look by themselves."""
        try:
            while not self.closed:
                await self._round()
        except (OSError, RuntimeError) as error:
            self.alive = False
            _log.warning("cannot watch the newsroom's files (%(why)s); looking every second instead", {"why": str(error)})

    async def _round(self) -> None:
        """Watches the folders there are now, until others have come or gone."""
        present = self._present()
        if not present:
            await asyncio.sleep(LOOK_AGAIN_MS / 1000)
            return
        async for changes in awatch(
            *present, step=QUIET_MS, debounce=GATHER_MS, stop_event=self._stop, rust_timeout=LOOK_AGAIN_MS, yield_on_timeout=True
        ):
            if changes:
                self._ring()
            if self._present() != present:
                self._ring()
                return

    def _present(self) -> tuple[Path, ...]:
        return tuple(folder for folder in self._folders if folder.is_dir())

    def _ring(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
