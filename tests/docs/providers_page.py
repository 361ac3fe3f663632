"""The table of docs/providers.md, from what the adapters say of themselves. ``python -m tests.docs.providers_page`` writes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from pipeline.providers.base import Capabilities
from pipeline.providers.registry import LISTENERS, PROVIDERS, make_provider

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "providers.md"
BEGIN, END = '<!-- capabilities: written by "make providers-table" -->\n', "<!-- end -->"

#: Enough to open each of them; none is asked for anything.
SETTINGS = {
    "api_key": "k", "domain": "news.example.org", "base_url": "http://127.0.0.1:9", "directory": "var/never-made", "access_key_id": "A",
    "secret_access_key": "s", "region": "eu-central-1", "host": "127.0.0.1", "security": "none", "bounces": "bounce@news.example.org",
    "bounce_key": "k" * 32, "imap_host": "127.0.0.1", "imap_username": "u", "imap_password": "p",
}  # fmt: skip


def capabilities() -> dict[str, Capabilities]:
    """What each provider can do when everything that can be set is set."""
    found = {}
    for name in PROVIDERS:
        provider = make_provider(name, SETTINGS, lambda: datetime(2026, 11, 25, tzinfo=UTC))
        found[name] = provider.capabilities
        provider.close()
    return found


def table() -> str:
    """The lines of the table."""
    rows = [
        "| provider | readers a call | MB a call | own way out each | in doubt, settled | tracking off | webhooks | asked for events |"
        " its suppressions |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, able in capabilities().items():
        cells = (
            f"[`{name}`](providers/{name}.md)", str(able.batch_size), f"{able.payload_limit / 1e6:g}", _yes(able.per_recipient_headers),
            _doubt(able), "on every message" if able.tracking_switch else "at the provider, for the domain",
            "signed" if able.signed_webhooks and name in LISTENERS else "none",
            "by time" if able.polling else "by mailbox" if able.mailbox else "no", "read" if able.suppressions else "none",
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _doubt(able: Capabilities) -> str:
    if able.lookup:
        return f"by search, after {able.lookup_settles_s} s"
    if able.idempotency_window_s is None:
        return "by a person"
    days = able.idempotency_window_s / 86_400
    return "by repeating, always" if days > 365 else f"by repeating, within {days * 24:g} h"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def written(page: str) -> str:
    """The page with the table as it should be."""
    return re.sub(f"(?s){re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: BEGIN + table() + END, page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
