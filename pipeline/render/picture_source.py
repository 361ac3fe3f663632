"""Any picture file an editor may drop beside a draft -> its pixels, within bounds of time and memory.

Nothing but pixels leaves this module, and a list of what else the file told. Limits come before decoding: by the file's
size, then by the size its header claims.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from PIL import ExifTags, Image, ImageCms, ImageFile, IptcImagePlugin, UnidentifiedImageError

from pipeline.core.edition import Crop

MAX_BYTES = 30_000_000
MAX_PIXELS = 60_000_000
"""Phones take 48 or 50 million pixels; a picture that unpacks to more than this is refused before its pixels are read."""

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")
"""As Pillow calls them; HEIF comes to them where its library is installed."""

LOSSLESS = frozenset({"PNG", "GIF", "BMP"})
"""Formats of charts, maps and logos, whose edges JPEG would smear."""

_SPARE = 2
"""How many times wider than wanted a picture stays before the last, careful scaling."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""Exif 3.0, tag 0x0112: what puts each orientation upright."""

_HEIC = re.compile(rb"....ftyp(?:hei[cxms]|hev[cmsx]|mif1|msf1)", re.DOTALL)
_SVG = re.compile(rb"<(?:\?xml|!--|!DOCTYPE\s+svg|svg)", re.IGNORECASE)


class _TooLarge(ValueError):
    """Our own limit, in a writer's words; any other ValueError is a decoder's."""


@dataclass(frozen=True, slots=True)
class Source:
    """An upright picture in 8 bits a channel and sRGB, and what its file said."""

    image: Image.Image
    #: L, RGB, RGBA, or P where the source was a palette and not much wider than was asked for.
    format: str
    personal: frozenset[str]
    #: As ``core.edition.Picture.found_personal``.
    frames: int


def open_picture(data: bytes, *, width: int, crop: Crop | None = None) -> Source:
    """The first frame of a picture file, cut, and not much wider than ``width`` pixels. Raises ValueError in a writer's words."""
    if not data:
        raise ValueError("the file is empty; copy it from the camera or the agency again")
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES / 1e6:.0f} MB, which is the most that is read; save it smaller")
    if _SVG.match(data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")):
        raise ValueError("this is an SVG drawing, which no mail program shows and which may hold scripts; export it as PNG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a bomb is refused below, by our own limit; odd tags are not a writer's concern
            return _opened(data, width, crop)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        if _HEIC.match(data[:12]) and not _reads_heic():
            raise ValueError("this is a HEIC picture, which needs the library pillow-heif; install it, or export JPEG") from None
        raise ValueError("this is no picture that can be read; use JPEG, PNG, WebP or HEIC") from None
    except _TooLarge:
        raise
    except Exception as error:  # noqa: BLE001 - decoders of ten formats raise whatever they meet in a spoilt file
        raise ValueError(f"the picture is damaged or cut short ({error}); fetch the file again") from None


@cache
def _reads_heic() -> bool:
    """Whether HEIC can be read. Its decoder comes in a library that a distributor may leave out (decision 14)."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return True


def crop_box(size: tuple[int, int], crop: Crop) -> tuple[int, int, int, int]:
    """The largest part of a picture with the crop's ratio, its middle as near to the focus as the edges allow."""
    width, height = size
    wide = min(width, round(height * crop.width / crop.height))
    high = min(height, round(width * crop.height / crop.width))
    left = min(max(round(width * crop.x / 100 - wide / 2), 0), width - wide)
    top = min(max(round(height * crop.y / 100 - high / 2), 0), height - high)
    return left, top, left + max(wide, 1), top + max(high, 1)


def _opened(data: bytes, width: int, crop: Crop | None) -> Source:
    with Image.open(io.BytesIO(data), formats=(*FORMATS, "HEIF") if _reads_heic() else FORMATS) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise _TooLarge(
                f"the picture is {opened.width} x {opened.height} pixels; at most {MAX_PIXELS // 1_000_000} million pixels are read,"
                " so save it smaller"
            )
        # The second picture in a phone's JPEG or HEIC is a depth map, no film; and counting frames would read all of them.
        frames = 2 if opened.format in ("GIF", "PNG", "WEBP", "AVIF") and getattr(opened, "is_animated", False) else 1
        turn = _orientation(opened)
        upright = (opened.height, opened.width) if turn in (5, 6, 7, 8) else opened.size
        across = upright[0] if crop is None else crop_box(upright, crop)[2] - crop_box(upright, crop)[0]
        spare = max(1, across // (width * _SPARE))
        # libjpeg gives a half, a quarter or an eighth of the size at a fraction of the work.
        opened.draft(None, (max(1, opened.width // spare), max(1, opened.height // spare)))
        opened.load()
        personal = _personal(opened)
        profile = opened.info.get("icc_profile")
        image = _eight_bit(opened)
        if (spare := max(1, spare * image.width // (upright[1] if turn in (5, 6, 7, 8) else upright[0]))) > 1:
            image = (image if image.mode != "P" else _true_colour(image)).reduce(spare)
        if isinstance(profile, bytes):
            image = _in_srgb(image, profile)
        if image.mode == "CMYK":
            image = image.convert("RGB")
        if turn in _TURNS:
            image = image.transpose(_TURNS[turn])
        if crop is not None:
            image = image.crop(crop_box(image.size, crop))
        if image is opened:  # what is returned must outlive the file
            image = opened.copy()
    return Source(image, opened.format or "", personal, frames)


def _orientation(opened: Image.Image) -> int:
    """Exif's orientation, 1 to 8; HEIF's own turns are made by its reader, which sets this to 1."""
    try:
        return int(opened.getexif().get(ExifTags.Base.Orientation, 1))
    except (ValueError, TypeError, SyntaxError, OSError):
        return 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """One of L, RGB, RGBA, CMYK or P, without loss of what a screen shows."""
    if image.mode.startswith("I"):  # 16 bits a channel; convert() alone would clip to white
        return image.point(lambda value: value / 256).convert("L")
    if image.mode in ("LA", "PA", "La", "RGBa") or (image.mode != "P" and "transparency" in image.info):
        return image.convert("RGBA")
    if image.mode in ("1", "F"):
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "RGBA", "P", "CMYK") else image.convert("RGB")


def _true_colour(image: Image.Image) -> Image.Image:
    return image.convert("RGBA" if "transparency" in image.info else "RGB")


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The colours the profile meant, as sRGB; the profile itself is dropped with the other metadata."""
    if image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        converted = ImageCms.profileToProfile(image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile is no reason to refuse a readable picture
    return converted if converted is not None else image


# --- what else the file told ----------------------------------------------------------------------------------------------

_EXIF = {
    "camera": {0x010F, 0x0110, 0x927C, 0xA431, 0xA433, 0xA434, 0xA435, 0xA420, 0xC62F},
    "names": {0x013B, 0x8298, 0x9C9D, 0xA430, 0xA437, 0xA438, 0xA439},
    "time": {0x0132, 0x9003, 0x9004},
    "words": {0x010E, 0x9286, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F},
}
"""Exif 3.0 and Windows' tags: make, model, maker's note, serial numbers; artist, copyright, owner; times; descriptions."""

_IPTC = {"names": {80, 85, 110, 115, 116, 118, 122}, "gps": {90, 92, 95, 100, 101}, "time": {55, 60}, "words": {5, 25, 40, 105, 120}}
"""IPTC IIM 4.2, record 2."""

_XMP = {
    "gps": rb"GPSL|photoshop:(?:City|State|Country)|Iptc4xmp\w+:Location|LocationCreated|LocationShown",
    "camera": rb"tiff:(?:Make|Model)|SerialNumber|aux:Lens",
    "names": rb"dc:creator|photoshop:(?:Credit|AuthorsPosition|CaptionWriter)|PersonInImage|mwg-rs:Name|dc:rights|CreatorContactInfo",
    "time": rb"photoshop:DateCreated|xmp:(?:Create|Modify)Date|exif:DateTimeOriginal",
    "words": rb"dc:(?:description|title|subject)|photoshop:(?:Headline|Instructions)|UserComment",
}

_TEXT = {"names": ("author", "artist", "creator", "copyright"), "time": ("time", "date"), "camera": ("make", "model", "camera")}
"""Words in the names of PNG's text chunks (PNG 3, 11.3.3); any other text is ``words``."""


def _personal(opened: ImageFile.ImageFile) -> frozenset[str]:
    """What the file told beside its pixels. Broken metadata tells nothing, and is dropped all the same."""
    found: set[str] = set()
    for part in (_in_exif, _in_iptc, _in_xmp, _in_texts):
        with contextlib.suppress(Exception):
            found.update(part(opened))
    return frozenset(found)


def _in_exif(opened: Image.Image) -> Iterator[str]:
    exif = opened.getexif()
    if exif.get_ifd(ExifTags.IFD.GPSInfo):
        yield "gps"
    tags = {tag for tag, value in (*exif.items(), *exif.get_ifd(ExifTags.IFD.Exif).items()) if str(value).strip(" \0")}
    yield from (kind for kind, known in _EXIF.items() if tags & known)
    if exif.get_ifd(ExifTags.IFD.IFD1):
        yield "thumbnail"


def _in_iptc(opened: ImageFile.ImageFile) -> Iterator[str]:
    told = {number for record, number in IptcImagePlugin.getiptcinfo(opened) or {} if record == 2}
    yield from (kind for kind, known in _IPTC.items() if told & known)


def _in_xmp(opened: Image.Image) -> Iterator[str]:
    packet = opened.info.get("xmp") or opened.info.get("XML:com.adobe.xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else bytes(packet)
    yield from (kind for kind, pattern in _XMP.items() if re.search(pattern, packet))


def _in_texts(opened: Image.Image) -> Iterator[str]:
    texts = dict(getattr(opened, "text", {}))
    if comment := opened.info.get("comment"):
        texts["comment"] = comment
    for name in texts:
        if name != "XML:com.adobe.xmp":
            yield next((kind for kind, words in _TEXT.items() if any(word in name.lower() for word in words)), "words")
