"""Log lines: one event a line, to stderr, for people or (``json``) for machines. Never an address, never a secret.

Whoever logs gives a template and its fields by name: ``log.info("batch %(batch)s: %(outcome)s", {"batch": ..., "outcome": ...})``.
Nothing that is logged may hold an address; what libraries say may, so every line is searched for one before it leaves.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_LOOKS_LIKE_ADDRESS = re.compile(r"[^\s'\"<>(),;:\[\]{}]+(?:@|%40)[^\s'\"<>(),;:\[\]{}]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class Format(StrEnum):
    """What a line looks like."""

    TEXT = "text"
    JSON = "json"


def configure(*, verbose: bool = False, format: Format = Format.TEXT, stream: TextIO | None = None) -> None:
    """Sends the pipeline's log to stderr; libraries are heard from WARNING up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Document() if format is Format.JSON else _Line())
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


class _Line(logging.Formatter):
    """Time, level, logger, and the sentence."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_at(record)} {record.levelname.lower()} {record.name}: {_clean(record.getMessage())}"


class _Document(logging.Formatter):
    """One JSON object: ``at``, ``level``, ``logger``, ``message``, and each named field of the event under its name.

    ``event`` is the template, by which lines of one kind are told; ``exception`` names the class and the line of a fault of ours.
    """

    def format(self, record: logging.LogRecord) -> str:
        out: dict[str, object] = {"at": _at(record), "level": record.levelname.lower(), "logger": record.name}
        out |= {"event": _clean(str(record.msg)), "message": _clean(record.getMessage())}
        if isinstance(record.args, Mapping):
            out |= {name: value if isinstance(value, int | float) else _clean(str(value)) for name, value in record.args.items()}
        if record.exc_info and record.exc_info[0] is not None:
            out["exception"] = record.exc_info[0].__name__ + _where(record)
        return json.dumps(out, ensure_ascii=False)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clean(text: str) -> str:
    """On one line and without what looks like an address, plain or escaped in a URL."""
    return _LOOKS_LIKE_ADDRESS.sub("[address]", _CONTROL.sub(" ", text)).strip()


def _where(record: logging.LogRecord) -> str:
    traceback = record.exc_info[2] if record.exc_info else None
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f" at {traceback.tb_frame.f_code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}" if traceback is not None else ""
