"""What every adapter checks before it hands anything over: a batch it cannot express is refused whole, before the call."""

from __future__ import annotations

import re

from pipeline.core.address import address_key, address_keys
from pipeline.core.headers import address_value, plain_addresses, plain_urls, url_value
from pipeline.core.message import Batch, Content
from pipeline.providers.base import Capabilities

_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,118}[A-Za-z0-9])?")


def check_without_pictures(content: Content) -> None:
    """For adapters that send no attachments. Raises ValueError when the mail is to carry its pictures."""
    if content.inline:
        raise ValueError('its pictures are inside the mail, and this adapter sends none; set pictures = "hosted" for the newsletter')


def check_batch(batch: Batch, capabilities: Capabilities) -> None:
    """Raises ValueError when the batch is too long, names an address twice, or holds a value no header can carry.

    Errors name subscriber ids, never addresses.
    """
    # The key becomes a Message-ID and a file name, so it is kept to what both allow everywhere.
    if not _KEY.fullmatch(batch.key) or ".." in batch.key:
        raise ValueError("the batch key is not a plain name (letters, digits, dot, underscore, hyphen)")
    if len(batch.recipients) > capabilities.batch_size:
        raise ValueError(f"the batch has {len(batch.recipients)} recipients; one call takes {capabilities.batch_size}")
    addresses = [recipient.address for recipient in batch.recipients]
    # Nearly all are plain; a batch that is not, or in which something is wrong, gets the whole examination.
    if not (plain_addresses(addresses) and plain_urls([recipient.unsubscribe_url for recipient in batch.recipients])):
        for recipient in batch.recipients:
            who = f"subscriber {recipient.subscriber_id}"
            address_value(f"the address of {who}", recipient.address)
            url_value(f"the unsubscribe URL of {who}", recipient.unsubscribe_url)
    if len({recipient.subscriber_id for recipient in batch.recipients}) != len(batch.recipients):
        raise ValueError("a subscriber is in the batch twice")
    if len(set(address_keys(addresses))) == len(addresses):
        return
    seen: dict[str, int] = {}
    for recipient in batch.recipients:
        first = seen.setdefault(address_key(recipient.address), recipient.subscriber_id)
        if first != recipient.subscriber_id:
            raise ValueError(f"subscribers {first} and {recipient.subscriber_id} have one address; a call takes it once")
