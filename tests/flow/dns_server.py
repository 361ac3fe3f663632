"""A name server of the test's own: UDP on a free port of this machine, messages by dnspython."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Zone = Mapping[str, Sequence[str] | str]
"""Name -> its TXT records; a text instead of a list is an alias, or ``SERVFAIL``, or ``SILENT``."""


@contextmanager
def name_server(zone: Zone) -> Iterator[tuple[str, int]]:
    """Answers until the end of the block; gives address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    wire, peer = sock.recvfrom(4096)
                except TimeoutError:
                    continue
                answer = _answer(dns.message.from_wire(wire), zone)
                if answer is not None:
                    sock.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            host, port = sock.getsockname()
            yield host, port
        finally:
            stop.set()
            thread.join(5)


def _answer(query: dns.message.Message, zone: Zone) -> dns.message.Message | None:
    (question,) = query.question
    name = question.name.to_text(omit_final_dot=True).lower()
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.RA
    records = zone.get(name)
    while isinstance(records, str):
        if records == "SILENT":
            return None
        if records == "SERVFAIL":
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        answer.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", records + "."))
        name, records = records, zone.get(records)
    if records is None:
        answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
    for record in records:
        # Long ones are cut into strings of 255 octets, as every real key is.
        pieces = " ".join(f'"{record[at : at + 255]}"' for at in range(0, len(record), 255))
        answer.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "TXT", pieces))
    return answer
