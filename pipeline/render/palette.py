"""Colours: paper, ink and the newsletter's accent, the accent nudged until text in it can be read (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

NEEDED = 4.5
"""The ratio that WCAG AA asks for text of our sizes."""

CONTRAST = 4.6
"""The ratio that we set text in: with room for rounding."""


def _channels(colour: str) -> tuple[int, int, int]:
    value = int(colour.lstrip("#"), 16)
    return value >> 16, value >> 8 & 255, value & 255


def mix(colour: str, other: str, share: float) -> str:
    """``share`` (0 to 1) of ``colour`` in ``other``, as ``#rrggbb``."""
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in zip(_channels(colour), _channels(other), strict=True))


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two ``#rrggbb`` colours: 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    linear = [part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def readable(colour: str, ground: str, towards: str) -> str:
    """``colour``, moved towards another one by as little as makes it readable on ``ground``."""
    for step in range(21):
        candidate = mix(towards, colour, step / 20)
        if contrast(candidate, ground) >= CONTRAST:
            return candidate
    return towards


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of one scheme, each ``#rrggbb``."""

    page: str
    #: Around the column.
    paper: str
    #: The column.
    tint: str
    #: Panels: a shade darker than the paper, with a breath of the accent.
    ink: str
    muted: str
    #: Captions, dates, small print.
    line: str
    #: Hairlines.
    accent: str
    bar: str
    #: The accent as the brand gave it: for shapes that carry no text.


@dataclass(frozen=True, slots=True, kw_only=True)
class Faint:
    """An accent in which text could not be read."""

    setting: str
    #: ``accent`` or ``accent_dark``.
    colour: str
    contrast: float
    #: Against the ground where it is weakest.
    shown: str
    #: What text is set in instead.


def faint(accent: str, accent_dark: str) -> tuple[Faint, ...]:
    """Those of a newsletter's accents that text is not set in, because it could not be read on the grounds of mail and page."""
    out = []
    for setting, colour, palette in (("accent", accent, light(accent)), ("accent_dark", accent_dark, dark(accent_dark))):
        least = min(contrast(colour, ground) for ground in (palette.page, palette.paper, palette.tint))
        if least < NEEDED:
            out.append(Faint(setting=setting, colour=colour, contrast=least, shown=palette.accent))
    return tuple(out)


def light(accent: str) -> Palette:
    """Warm paper, near-black ink; never pure white or black, which Gmail's own dark mode turns over."""
    paper = "#fffdf9"
    page, tint = "#efeae1", mix(accent, "#f6f1e7", 0.03)
    return Palette(
        page=page, paper=paper, tint=tint, ink="#211d1a", muted="#5f5851", line="#ddd5c8",
        accent=readable(accent, page, "#000000"), bar=accent,
    )  # fmt: skip


def dark(accent: str) -> Palette:
    """The same room at night."""
    paper = "#1e1b19"
    tint = mix(accent, "#282420", 0.04)
    return Palette(
        page="#131110", paper=paper, tint=tint, ink="#ece7e0", muted="#b3aaa0", line="#403a35",
        accent=readable(accent, tint, "#ffffff"), bar=accent,
    )  # fmt: skip
