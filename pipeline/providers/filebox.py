"""Writes every message as an .eml file into a folder, for rehearsals and for machines without a network."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.clock import Clock
from pipeline.core.message import Accepted, Batch, Outcome, Recipient, TryLater
from pipeline.core.mime import compose
from pipeline.errors import DiskFault
from pipeline.providers.base import Call, Capabilities, Provider
from pipeline.providers.guard import check_batch

CAPABILITIES = Capabilities(
    batch_size=1000,
    payload_limit=25_000_000,
    per_recipient_headers=True,
    # A repeat writes the same file names again, whenever it comes.
    idempotency_window_s=100 * 365 * 86_400,
    lookup=False,
    call_limit_s=60,
    lookup_settles_s=None,
    signed_webhooks=False,
    tracking_switch=True,
)

_RETRY_S = 60.0


class Filebox(Provider):
    """A provider adapter whose mailbox is a folder: ``<batch key>-<subscriber id>.eml``, each written whole or not at all."""

    name = "filebox"

    def __init__(self, *, directory: Path, domain: str, now: Clock) -> None:
        """``domain`` is the right side of the Message-IDs; ``now`` gives the Date of every message."""
        self.capabilities = CAPABILITIES
        self._directory = directory
        self._domain = domain
        self._now = now

    def __repr__(self) -> str:
        return f"Filebox(directory={str(self._directory)!r})"

    def compose(self, batch: Batch) -> Call:
        """The body is what all the files share; each is composed as it is written."""
        check_batch(batch, self.capabilities)
        shared = (batch.content.subject, batch.content.html, batch.content.text, *(one.address for one in batch.recipients))
        return Call(batch=batch, body="\0".join(shared).encode())

    def submit(self, call: Call) -> Sequence[Outcome]:
        """Writes the batch. A full or closed disk gives DiskFault when nothing was written yet, else TryLater for the rest."""
        batch = call.batch
        outcomes: list[Outcome] = []
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            for recipient in batch.recipients:
                outcomes.append(self._write(batch, recipient))
            self._flush_names()
        except OSError as error:
            fault = f"cannot write into {self._directory}: {error.strerror or type(error).__name__}"
            if not outcomes:
                hint = "Make room or correct the folder in provider.filebox.directory."
                raise DiskFault(fault, hint=hint) from None
            # An exception would lose which messages are already there.
            outcomes += [TryLater(_RETRY_S, fault)] * (len(batch.recipients) - len(outcomes))
        return tuple(outcomes)

    def close(self) -> None:
        """Nothing is held open."""

    def _write(self, batch: Batch, recipient: Recipient) -> Outcome:
        name = f"{batch.key}-{recipient.subscriber_id}"
        message_id = f"{name}@{self._domain}"
        message = compose(
            batch.content,
            to=recipient.address,
            unsubscribe_url=recipient.unsubscribe_url,
            message_id=message_id,
            date=self._now(),
        )
        _write_whole(self._directory, f"{name}.eml", message)
        return Accepted(message_id)

    def _flush_names(self) -> None:
        """Makes the new names as durable as the contents (fsync of a file does not cover its directory entry)."""
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_whole(directory: Path, name: str, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, directory / name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
