"""Pictures ready to publish: for the mail one file that every program shows, for the web page several.

The mail's file is made whenever a draft is looked at. The web's are only named then, since AVIF takes a second each: they
are made when an issue is approved (``flow.editions``), and by the preview for the one that a browser asks for.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import OrderedDict
from collections.abc import Container, Iterator
from dataclasses import replace
from threading import Lock

from PIL import Image

from pipeline.core.edition import Crop, Picture, Rendition
from pipeline.render.picture_source import LOSSLESS, Source, open_picture

MAX_WIDTH = 1200
"""Pixels. The mail's column is 536 CSS pixels wide; twice that and a little is sharp on every screen."""

WIDTHS = (480, 800)
"""Pixels of the web page's narrower files: a phone of 1.5 or 2 dots a CSS pixel, and a small laptop."""

PORTRAIT = Crop(1, 1, 50.0, 33.0)
"""An author's photo: square, around where faces are."""

PORTRAIT_WIDTH = 144
"""Pixels: twice what is drawn."""

MAIL_BYTES = 250_000
"""What one picture of a mail may weigh: half a second of a poor mobile connection (4 Mbit/s)."""

JPEG_QUALITIES = (84, 78, 72, 66, 60, 54, 48)
"""Tried in turn until a picture weighs no more than MAIL_BYTES; below the last one sees the blocks."""

AVIF_QUALITY, WEBP_QUALITY = 60, 78
RECIPE = "1"
"""Part of the names of the web's files: count up when what stands in them changes."""

_KEPT = 64
_lock = Lock()
_made: OrderedDict[str, bytes] = OrderedDict()
"""The web's files lately made, by name: who previews and then approves waits once."""

_prepared: OrderedDict[tuple[str, str, Crop | None, int], Picture] = OrderedDict()


def prepare_picture(data: bytes, stem: str, crop: Crop | None = None) -> Picture:
    """The publishable form of a picture file: JPEG or PNG, at most 1200 pixels wide, upright, sRGB, no metadata.

    Word shows no WebP and no client needs a camera's position, serial number or thumbnail, so only pixels pass. The same
    bytes in give the same bytes out. A JPEG is made poorer step by step until it weighs no more than MAIL_BYTES; what
    still weighs more is for the caller to say. Raises ValueError with a reason a writer understands.
    """
    return _remembered(data, stem, crop, MAX_WIDTH)


def prepare_portrait(data: bytes, stem: str) -> Picture:
    """An author's photo: square, at most 144 pixels wide, otherwise as ``prepare_picture``."""
    return _remembered(data, stem, PORTRAIT, PORTRAIT_WIDTH)


def make_renditions(data: bytes, picture: Picture, wanted: Container[str]) -> Iterator[tuple[Rendition, bytes]]:
    """The web page's files of a picture, of those whose names are ``wanted``; ``data`` is the source it was prepared from.

    The same source gives the same bytes with the same versions of Pillow and its encoders. Raises ValueError.
    """
    missing = [one for one in picture.renditions if one.name in wanted]
    if not missing:
        return
    source: Source | None = None
    for one in missing:
        with _lock:
            body = _made.get(one.name)
        if body is None:
            source = source or open_picture(data, width=MAX_WIDTH, crop=picture.crop)
            body = _web_bytes(_scaled(source.image, one.width), one.media_type, lossless=source.format in LOSSLESS)
            with _lock:
                _made[one.name] = body
                while len(_made) > _KEPT:
                    _made.popitem(last=False)
        yield one, body


def _remembered(data: bytes, stem: str, crop: Crop | None, width: int) -> Picture:
    """Prepares, or finds what was prepared of the same bytes; remembers by digest, since a source may be 30 MB."""
    digest = hashlib.sha256(data).hexdigest()
    key = digest, stem, crop, width
    with _lock:
        if key in _prepared:
            _prepared.move_to_end(key)
            return _prepared[key]
    picture = _prepare(data, digest, stem, crop, width)
    with _lock:
        _prepared[key] = picture
        while len(_prepared) > _KEPT:
            _prepared.popitem(last=False)
    return picture


def _prepare(data: bytes, digest: str, stem: str, crop: Crop | None, width: int) -> Picture:
    source = open_picture(data, width=width, crop=crop)
    image = _scaled(source.image, width)
    body, media_type, extension = _mail_bytes(image, lossless=source.format in LOSSLESS)
    stem = _safe_stem(stem)
    picture = Picture(
        name=f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}.{extension}", data=body, media_type=media_type,
        width=image.width, height=image.height, found_personal=source.personal, frames=source.frames, crop=crop,
    )  # fmt: skip
    return picture if width == PORTRAIT_WIDTH else replace(picture, renditions=_renditions(picture, stem, digest))


def _renditions(picture: Picture, stem: str, digest: str) -> tuple[Rendition, ...]:
    """The names of the web's files: by what they are made from, so that a page can be written before they are."""
    made_from = hashlib.sha256(f"{RECIPE} {digest} {picture.crop}".encode()).hexdigest()[:12]
    narrower = tuple(width for width in WIDTHS if width < picture.width)
    kinds = (("image/avif", "avif", (*narrower, picture.width)), ("image/webp", "webp", (*narrower, picture.width)),
             (picture.media_type, picture.name.rpartition(".")[2], narrower))  # fmt: skip
    return tuple(
        Rendition(name=f"{stem}-{made_from}-{width}.{extension}", media_type=media_type, width=width)
        for media_type, extension, widths in kinds
        for width in widths
    )


def _safe_stem(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60].strip("-") or "picture"


def _scaled(image: Image.Image, width: int) -> Image.Image:
    """The picture no wider than that; a palette picture gets a palette of the same size again."""
    if image.width <= width:
        return image.copy()
    size = (width, max(1, round(image.height * width / image.width)))
    if image.mode != "P":
        return image.resize(size, Image.Resampling.LANCZOS)
    full = image.convert("RGBA" if "transparency" in image.info else "RGB").resize(size, Image.Resampling.LANCZOS)
    return full if full.mode == "RGBA" else full.quantize(256)


def _mail_bytes(image: Image.Image, *, lossless: bool) -> tuple[bytes, str, str]:
    """The file, its media type and its extension. Nothing of ``image.info`` is handed to an encoder."""
    transparent = image.mode == "RGBA" or (image.mode == "P" and "transparency" in image.info)
    if transparent or lossless:
        body = _png(image)
        if len(body) > MAIL_BYTES and image.mode != "P":
            smaller = _png(image.quantize(256, method=Image.Quantize.FASTOCTREE if transparent else Image.Quantize.MEDIANCUT))
            body = min(body, smaller, key=len) if transparent or len(smaller) <= MAIL_BYTES else body
        if transparent or len(body) <= MAIL_BYTES:
            return body, "image/png", "png"
    body = b""
    for quality in JPEG_QUALITIES:
        body = _jpeg(image, quality)
        if len(body) <= MAIL_BYTES:
            break
    return body, "image/jpeg", "jpg"


def _web_bytes(image: Image.Image, media_type: str, *, lossless: bool) -> bytes:
    if media_type == "image/png":
        return _png(image)
    if media_type == "image/jpeg":
        return _jpeg(image, JPEG_QUALITIES[0])
    image = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if "transparency" in image.info else "RGB")
    image.info = {}
    out = io.BytesIO()
    if media_type == "image/webp":
        image.save(out, "WEBP", quality=WEBP_QUALITY, method=4, lossless=lossless)
    else:  # full colour where edges are sharp; one thread, so that the bytes never depend on the machine
        image.save(out, "AVIF", quality=AVIF_QUALITY, speed=6, subsampling="4:4:4" if lossless else "4:2:0", max_threads=1)
    return out.getvalue()


def _png(image: Image.Image) -> bytes:
    extra = {"transparency": image.info["transparency"]} if image.mode == "P" and "transparency" in image.info else {}
    image = image.copy()
    image.info = {}
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True, **extra)
    return out.getvalue()


def _jpeg(image: Image.Image, quality: int) -> bytes:
    image = image.copy() if image.mode in ("L", "RGB") else image.convert("RGB")
    image.info = {}
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, progressive=True, subsampling="4:2:0")
    return out.getvalue()
