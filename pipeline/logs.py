"""Log lines: one event a line, key=value, to stderr. Never an address, never a secret."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{at} {record.levelname.lower()} {record.name}: {record.getMessage()}"


def configure(*, verbose: bool = False) -> None:
    """Sends the pipeline's log to stderr; libraries are heard from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("pipeline").setLevel(logging.DEBUG if verbose else logging.INFO)
    # httpx logs full URLs at INFO, and premailer's cssutils every CSS 3 property.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("CSSUTILS").setLevel(logging.CRITICAL)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # Procrastinate tells of every job, and psycopg's pool of every connection that it tries anew.
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
