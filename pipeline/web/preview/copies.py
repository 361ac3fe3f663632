"""Copies of a mail as some programs show it: without pictures, mirrored, cut off. The mail itself stays as it is."""

from __future__ import annotations

import email.policy
import re
from dataclasses import dataclass
from email.message import Message
from html import escape, unescape
from html.parser import HTMLParser

CLIPPED_AT = 102 * 1024
"""Octets of the encoded HTML part beyond which Gmail hides the rest behind a link: folklore, but backed by tests."""

_IMAGE = re.compile(r"""<img\b(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w-]+)=(?:"([^"]*)"|'([^']*)')""")
_STYLE = re.compile(r"<style\b[^>]*>.*?(?:</style>|\Z)", re.DOTALL | re.IGNORECASE)
_STYLED = re.compile(r"""(?:(?<=\sstyle=")[^"]*|(?<=\sstyle=')[^']*)""")
_DIRECTION = re.compile(r'\b(dir|align)="(ltr|rtl|left|right)"')
_SIDE = re.compile(r"(?<![a-z])(left|right)(?![a-z])")
_FOUR = re.compile(r"(?<![\w-])((?:padding|margin)\s*:)\s*([^;}!]+)")
_OTHER = {"left": "right", "right": "left", "ltr": "rtl", "rtl": "ltr"}
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})


def pictures_off(html: str) -> str:
    """Each picture as the frame with its alternative text that mail programs draw until pictures are asked for."""

    def frame(match: re.Match[str]) -> str:
        given = {name.lower(): unescape(one or other) for name, one, other in _ATTRIBUTE.findall(match[0])}
        width, height = given.get("width", "24"), given.get("height", "24")
        box = f"display:inline-block;box-sizing:border-box;width:100%;max-width:{width}px;aspect-ratio:{width}/{height};overflow:hidden"
        look = "padding:6px 8px;border:1px solid #b6b6b6;font:14px/1.4 Arial,sans-serif;vertical-align:top"
        id = f' id="{escape(given["id"])}"' if "id" in given else ""
        alt = escape(given.get("alt", ""))
        return f'<span role="img"{id} aria-label="{alt}" class="pictures-off" style="{box};{look}">{alt}</span>'

    return _IMAGE.sub(frame, html)


def mirrored(html: str) -> str:
    """The mail from right to left: directions, sides and four-sided spaces change places; the words stay."""

    def style(match: re.Match[str]) -> str:
        return _FOUR.sub(_turned, _SIDE.sub(lambda side: _OTHER[side[0]], match[0]))

    turned = _DIRECTION.sub(lambda found: f'{found[1]}="{_OTHER[found[2]]}"', html)
    return _STYLED.sub(style, _STYLE.sub(style, turned))


def _turned(match: re.Match[str]) -> str:
    """``top right bottom left`` with right and left changed; shorter forms are the same on both sides."""
    sides = match[2].split()
    return f"{match[1]}{sides[0]} {sides[3]} {sides[2]} {sides[1]}" if len(sides) == 4 else match[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a mail: what it is, how it is encoded, and its sizes in octets."""

    kind: str
    encoding: str
    decoded: int
    encoded: int


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail as it goes out: its bytes, taken apart for the eye."""

    raw: bytes

    @property
    def headers(self) -> str:
        """The header block, as it is sent."""
        return self.raw.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n", "\n")

    def _leaves(self) -> list[Message]:
        # compat32 keeps payloads as they were written; newer policies may decode them.
        message = email.message_from_bytes(self.raw, policy=email.policy.compat32)
        return [one for one in message.walk() if not one.is_multipart()]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every part that is not itself made of parts."""
        return tuple(
            Part(
                kind=one.get_content_type(), encoding=str(one.get("Content-Transfer-Encoding", "7bit")),
                decoded=len(_decoded(one)), encoded=len(_encoded(one)),
            )
            for one in self._leaves()
        )  # fmt: skip

    @property
    def html_size(self) -> int:
        """Octets of the encoded HTML part: what counts for the clip."""
        return next((one.encoded for one in self.parts if one.kind == "text/html"), 0)

    def clipped(self) -> str:
        """The HTML as far as Gmail shows it."""
        part = next(one for one in self._leaves() if one.get_content_type() == "text/html")
        part.set_payload(re.sub(r"=[0-9A-F]?$", "", _encoded(part)[:CLIPPED_AT].decode("ascii")))  # not in the middle of an =E2
        return _ended(_decoded(part).decode("utf-8", "ignore").replace("\r\n", "\n"))


def _encoded(part: Message) -> bytes:
    """The payload as it stands in the message, with the line ends it has there."""
    return str(part.get_payload()).replace("\r\n", "\n").replace("\n", "\r\n").encode("ascii", "replace")


def _decoded(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _ended(html: str) -> str:
    """A mail that breaks off, without its style blocks, its open elements closed, and Gmail's note below."""
    html = _STYLE.sub("", html)
    if html.rfind("<") > html.rfind(">"):
        html = html[: html.rfind("<")]
    scan = _Open()
    scan.feed(html)
    closing = "".join(f"</{tag}>" for tag in reversed(scan.open) if tag not in ("html", "body"))
    note = (
        '<div id="clipped" style="margin:16px;padding:12px 0;border-top:1px solid #c4c4c4;font:14px/1.5 Arial,sans-serif;color:#202124">'
        '[Message clipped]&nbsp; <span style="color:#15c;text-decoration:underline">View entire message</span></div>'
    )
    return f"{html}{closing}{note}"


class _Open(HTMLParser):
    """The elements that are open where a mail breaks off."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens, unless it has no end."""
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closes the nearest of its name, and what is inside."""
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]
