"""A mail provider that takes everything and keeps nothing, for ``briefing bench send``: a program of its own, standard library only.

``python sink.py PROVIDER LATENCY_MS`` prints its port, answers until its standard input is closed, then prints what it was given as
JSON: ``{"calls": 0, "recipients": 0, "cpu_seconds": 0.0}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

MARKS = {"mailgun": b'name="to"\r\n', "resend": b'"to":', "ses": b'"Destination":'}
"""What stands in a call's body once for each recipient."""


def _answer(provider: str, recipients: int) -> bytes:
    if provider == "resend":
        document: object = {"data": [{"id": f"sink-{number}"} for number in range(recipients)]}
    elif provider == "ses":
        document = {"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": f"sink-{number}"} for number in range(recipients)]}
    else:
        document = {"id": "<sink@briefing.invalid>", "message": "Queued. Thank you."}
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Counts:
    """What has come so far."""

    calls = 0
    recipients = 0


class _Connection(asyncio.Protocol):
    """HTTP/1.1 as far as a client that sends ``Content-Length`` and waits for each answer needs it."""

    def __init__(self, provider: str, latency_s: float, counts: Counts) -> None:
        self._provider, self._latency_s, self._counts = provider, latency_s, counts
        self._pieces: list[bytes] = []
        self._missing = -1
        #: Octets of the body still to come; -1 while the head is read.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        if self._missing < 0:
            head, end, rest = b"".join(self._pieces).partition(b"\r\n\r\n")
            if not end:
                return
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self._pieces, self._missing, data = [rest], int(length.partition(b":")[2]), rest
        self._missing -= len(data)
        if self._missing == 0:
            self._answered(b"".join(self._pieces))
            self._pieces, self._missing = [], -1

    def _answered(self, body: bytes) -> None:
        recipients = body.count(MARKS[self._provider])
        self._counts.calls += 1
        self._counts.recipients += recipients
        answer = _answer(self._provider, recipients)
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def _serve(provider: str, latency_s: float) -> Counts:
    loop, counts, over = asyncio.get_running_loop(), Counts(), asyncio.Event()
    server = await loop.create_server(lambda: _Connection(provider, latency_s, counts), "127.0.0.1", 0)
    loop.add_reader(sys.stdin, over.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    server.close()
    return counts


if __name__ == "__main__":
    given = asyncio.run(_serve(sys.argv[1], float(sys.argv[2]) / 1000))
    print(json.dumps({"calls": given.calls, "recipients": given.recipients, "cpu_seconds": round(time.process_time(), 3)}))
