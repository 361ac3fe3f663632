"""The sandbox's webhooks: tells an address, as Mailgun does, what becomes of each mail."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.clock import Clock
from pipeline.providers.sandbox.events import events_of
from pipeline.providers.sandbox.store import SandboxStore

PAUSES_S = (0.2, 1.0, 5.0)
"""Between the tries of one event. Mailgun goes on for eight hours; a rehearsal does not."""

_LOOK_S = 0.1
_PAGE = 200
_log = logging.getLogger("pipeline.sandbox.hooks")


@dataclass(frozen=True, slots=True, repr=False)
class Hooks:
    """Where events go, and the key that signs them."""

    url: str
    signing_key: str


def signed(key: str, event: Mapping[str, Any], timestamp: int, token: str) -> dict[str, Any]:
    """One call's document: the event, and the signature of time and token."""
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"signature": {"timestamp": str(timestamp), "token": token, "signature": signature}, "event-data": event}


class HookSender:
    """Sends the events of every mail that is stored from now on, one after another, in a thread of its own."""

    def __init__(self, store: SandboxStore, hooks: Hooks, now: Clock) -> None:
        self._store, self._hooks, self._now = store, hooks, now
        self._last = store.newest()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-hooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what it has not sent is not sent."""
        self._stop.set()
        self._thread.join(15)

    def _run(self) -> None:
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not self._stop.is_set():
                mails = self._store.after(self._last, _PAGE)
                for mail in mails:
                    for event in events_of(mail)[1:]:  # not "accepted": the answer to the call has said so
                        self._send(client, event)
                    self._last = mail.id
                if not mails:
                    self._last = min(self._last, self._store.newest())  # the inbox may have been emptied
                    self._stop.wait(_LOOK_S)

    def _send(self, client: httpx.Client, event: Mapping[str, Any]) -> None:
        status = ""
        for pause_s in (*PAUSES_S, None):
            if self._stop.is_set():
                return
            call = signed(self._hooks.signing_key, event, int(self._now().timestamp()), secrets.token_hex(25))
            try:
                status = str(client.post(self._hooks.url, json=call).status_code)
            except httpx.HTTPError as error:
                status = type(error).__name__
            if status in ("200", "406"):
                return
            if pause_s is not None:
                self._stop.wait(pause_s)
        _log.warning("the event %(event_id)s was not taken (%(status)s)", {"event_id": event["id"], "status": status})
