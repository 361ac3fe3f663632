"""Serves the archive's files: no listing, nothing outside the folder, nothing hidden."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from os import stat_result
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response

TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8",
    ".minisig": "text/plain; charset=utf-8", ".xml": "application/xml; charset=utf-8", ".atom": "application/atom+xml; charset=utf-8",
    ".json": "application/json; charset=utf-8", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".avif": "image/avif", ".gif": "image/gif", ".svg": "image/svg+xml; charset=utf-8", ".ico": "image/x-icon",
}  # fmt: skip
"""Written out: what ``mimetypes`` says depends on the machine."""

FOREVER = "public, max-age=31536000, immutable"
AWHILE = "public, max-age=60"
"""A correction should be seen within a minute."""

_HASHED_SHEET = re.compile(r"[a-z-]+-[0-9a-f]{12}\.css")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be served."""

    file: Path
    stat: stat_result


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was asked for without its closing slash."""

    name: str


def find(root: Path, path: str) -> Found | Folder | None:
    """What a path (without its leading slash) names in the archive."""
    *folders, last = path.split("/")
    parts = [*folders, last] if last else folders
    if any(not _sound(part, first=position == 0) for position, part in enumerate(parts)):
        return None
    try:
        top = root.resolve()
        file = top.joinpath(*parts).resolve()
        if not file.is_relative_to(top):  # a symbolic link that leads out
            return None
        if file.is_dir():
            if last:
                return Folder(last)
            file /= "index.html"
        elif not last:
            return None
        status = file.stat()
    except (OSError, ValueError):  # missing, name too long, a character no file name has
        return None
    return Found(file, status) if stat.S_ISREG(status.st_mode) else None


def _sound(part: str, *, first: bool) -> bool:
    """Whether a path's part may name something public; of what is hidden, only /.well-known/ (RFC 8615)."""
    return bool(part) and (not part.startswith(".") or (first and part == ".well-known")) and "\\" not in part and "\0" not in part


def answer(found: Found | Folder, path: str, request: Headers) -> Response:
    """The answer to a request for what was found, 304 where the reader has it already."""
    if isinstance(found, Folder):
        return Response(status_code=301, headers={"Location": f"./{quote(found.name)}/", "Cache-Control": AWHILE})
    headers = {
        # Weak, since the same file is also sent compressed (RFC 9110, 8.8.3.3).
        "ETag": f'W/"{found.stat.st_mtime_ns:x}-{found.stat.st_size:x}"',
        "Last-Modified": formatdate(found.stat.st_mtime, usegmt=True),
        "Cache-Control": FOREVER if path.startswith("media/") or _HASHED_SHEET.fullmatch(path) else AWHILE,
    }
    if _not_modified(headers, request):
        return Response(status_code=304, headers=headers)
    return FileResponse(found.file, headers=headers, media_type=media_type(found.file), stat_result=found.stat)


def media_type(file: Path) -> str:
    """The media type of an archive's file; feeds are Atom (RFC 4287), whatever their ending."""
    return TYPES[".atom"] if file.name == "feed.xml" else TYPES.get(file.suffix.lower(), "application/octet-stream")


def _not_modified(headers: dict[str, str], request: Headers) -> bool:
    """RFC 9110, 13.2.2: If-None-Match decides where it is present, else If-Modified-Since."""
    if (tags := request.get("if-none-match")) is not None:
        wanted = headers["ETag"].removeprefix("W/")
        return any(tag.strip().removeprefix("W/") in (wanted, "*") for tag in tags.split(","))
    try:
        since = parsedate_to_datetime(request["if-modified-since"])
        return parsedate_to_datetime(headers["Last-Modified"]) <= since
    except (KeyError, ValueError, TypeError):
        return False
