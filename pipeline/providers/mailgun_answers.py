"""Reads the sentences in Mailgun's answers: whom they name, how long to wait; and takes the addresses out of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipeline.core.address import address_key
from pipeline.core.address import without_addresses as without_addresses
from pipeline.core.message import Recipient

DEFAULT_WAIT_S = 60.0
"""When a throttled answer does not say how long."""

_LONGEST_WAIT_S = 86_400.0
_ADDRESS = re.compile(r"[^\s'\"<>(),;:\[\]{}]+@[^\s'\"<>(),;:\[\]{}]+")
_SECONDS = re.compile(r"try again (?:after|in) (\d+(?:\.\d+)?)\s*s", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,12}")
_DATE = re.compile(r"try again after ([^\"}]+)", re.IGNORECASE)


def recipients_named(message: str, recipients: Sequence[Recipient]) -> frozenset[int]:
    """The ids of the subscribers whose addresses the message quotes."""
    quoted = {address_key(found.rstrip(".")) for found in _ADDRESS.findall(message)}
    return frozenset(r.subscriber_id for r in recipients if address_key(r.address) in quoted)


def wait_seconds(retry_after: str, body: str, now: datetime) -> float:
    """How long to wait, from the sentence, else from Retry-After (RFC 9110 section 10.2.3), else 60; between 1 s and a day."""
    wait = DEFAULT_WAIT_S
    if said := _SECONDS.search(body):
        wait = float(said[1])
    elif (dated := _DATE.search(body)) and (when := _instant(dated[1])):
        wait = (when - now).total_seconds()
    elif _DIGITS.fullmatch(retry_after.strip()):
        wait = float(retry_after)
    elif when := _instant(retry_after):
        wait = (when - now).total_seconds()
    return min(max(wait, 1.0), _LONGEST_WAIT_S)


def _instant(text: str) -> datetime | None:
    """An RFC 5322 or ISO 8601 date, UTC where it names no zone."""
    text = text.strip().rstrip(".")
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            instant = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return None
