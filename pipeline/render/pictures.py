"""Pictures ready to publish: upright, without metadata, small enough for mail, named after their content."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from functools import lru_cache

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from pipeline.core.edition import Picture

MAX_WIDTH = 1200
"""Pixels. The mail's column is 536 CSS pixels wide; twice that and a little is sharp on every screen."""

MAX_BYTES = 30_000_000
MAX_PIXELS = 60_000_000
"""A picture that unpacks to more is refused before its pixels are read (decompression bomb)."""

JPEG_QUALITY = 84
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP")
_LOSSLESS = {"PNG", "GIF", "BMP"}


@lru_cache(maxsize=64)
def prepare_picture(data: bytes, stem: str) -> Picture:
    """The publishable form of a picture file: JPEG or PNG, at most 1200 pixels wide, upright, no metadata.

    Word shows no WebP and no client needs a camera's position, serial number or thumbnail, so only pixels pass. The same
    bytes in give the same bytes out. Raises ValueError with a reason a writer understands.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is {len(data) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below, by our own limit
            image, source = _opened(data)
        image = _narrowed(image)
        body, media_type, extension = _encoded(image, lossless=source in _LOSSLESS)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise ValueError("this is no picture that can be read; use JPEG or PNG") from None
    except (OSError, SyntaxError, EOFError, MemoryError) as error:
        raise ValueError(f"the picture is damaged or cut short ({error})") from None
    name = f"{_safe_stem(stem)}-{hashlib.sha256(body).hexdigest()[:12]}.{extension}"
    return Picture(name=name, data=body, media_type=media_type, width=image.width, height=image.height)


def _safe_stem(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60].strip("-") or "picture"


def _opened(data: bytes) -> tuple[Image.Image, str]:
    """The first frame, upright and in sRGB, and the format it came in."""
    image: Image.Image
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError(
                f"the picture is {opened.width} x {opened.height} pixels; at most {MAX_PIXELS // 1_000_000} million pixels are read"
            )
        source = opened.format or ""
        opened.load()
        profile = opened.info.get("icc_profile")
        image = ImageOps.exif_transpose(opened)
        image = _eight_bit(image)
        if isinstance(profile, bytes):
            image = _in_srgb(image, profile)
    return image, source


def _eight_bit(image: Image.Image) -> Image.Image:
    """One of L, RGB, RGBA or P, without loss of what a screen shows."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits a channel; convert() alone would clip to white
        return image.point(lambda value: value / 256).convert("L") if image.mode.startswith("I") else image.convert("L")
    if image.mode in ("LA", "PA", "La", "RGBa") or (image.mode != "P" and "transparency" in image.info):
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "RGBA", "P", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The colours the profile meant, as sRGB; the profile itself is dropped with the other metadata."""
    if image.mode not in ("RGB", "CMYK"):
        return image
    try:
        converted = ImageCms.profileToProfile(image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile is no reason to refuse a readable picture
    return converted if converted is not None else image


def _narrowed(image: Image.Image) -> Image.Image:
    """The picture no wider than MAX_WIDTH; a palette picture gets a palette of the same size again."""
    if image.mode == "CMYK":
        image = image.convert("RGB")
    if image.width <= MAX_WIDTH:
        return image
    size = (MAX_WIDTH, max(1, round(image.height * MAX_WIDTH / image.width)))
    if image.mode != "P":
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    full = image.convert("RGBA" if "transparency" in image.info else "RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return full if full.mode == "RGBA" else full.quantize(256)


def _encoded(image: Image.Image, *, lossless: bool) -> tuple[bytes, str, str]:
    """The file, its media type and its extension. Nothing of ``image.info`` is handed to the encoder."""
    transparency = image.info.get("transparency") if image.mode == "P" else None
    image.info = {}
    out = io.BytesIO()
    if lossless or image.mode == "RGBA" or transparency is not None:
        extra = {} if transparency is None else {"transparency": transparency}
        image.save(out, "PNG", optimize=True, **extra)
        return out.getvalue(), "image/png", "png"
    (image if image.mode in ("L", "RGB") else image.convert("RGB")).save(
        out, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True, subsampling="4:2:0"
    )
    return out.getvalue(), "image/jpeg", "jpg"
