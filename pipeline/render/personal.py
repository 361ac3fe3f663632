"""What a picture's file says of people: read from EXIF, XMP, IPTC and PNG text, never written."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache

from PIL import ExifTags, Image, IptcImagePlugin

from pipeline.render.pictures import FORMATS

_NAMES = (ExifTags.Base.Artist, ExifTags.Base.Copyright, ExifTags.Base.XPAuthor)
_CAMERA = (ExifTags.Base.CameraOwnerName, ExifTags.Base.BodySerialNumber, ExifTags.Base.LensSerialNumber)
_XMP = {
    "gps": (b"exif:GPSL", b"GPSLatitude"),
    "camera": (b"aux:SerialNumber", b"aux:OwnerName", b"exifEX:BodySerialNumber", b"exifEX:CameraOwnerName"),
    "names": (b"dc:creator", b"dc:rights", b"photoshop:CaptionWriter"),
}
_IPTC_NAMES = ((2, 80), (2, 116), (2, 122))
"""By-line, copyright notice, writer (IPTC IIM 4.2, record 2)."""


@lru_cache(maxsize=64)
def personal_data(data: bytes) -> frozenset[str]:
    """Which kinds of personal data a picture's file holds: ``gps``, ``camera`` (owner, serial numbers), ``names``.

    A file that cannot be read has none: what is wrong with it is said elsewhere.
    """
    found = set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken metadata is the usual case, and no reason to speak
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                exif = image.getexif()
                details = exif.get_ifd(ExifTags.IFD.Exif)
                if any(exif.get_ifd(ExifTags.IFD.GPSInfo).get(tag) for tag in (ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLongitude)):
                    found.add("gps")
                if any(exif.get(tag) or details.get(tag) for tag in _CAMERA):
                    found.add("camera")
                if any(exif.get(tag) for tag in _NAMES) or any(image.info.get(key) for key in ("Author", "Artist", "Copyright")):
                    found.add("names")
                packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
                packet = packet.encode() if isinstance(packet, str) else packet
                found |= {kind for kind, marks in _XMP.items() if any(mark in packet for mark in marks)}
                iptc = IptcImagePlugin.getiptcinfo(image) or {}
                if any(iptc.get(tag) for tag in _IPTC_NAMES):
                    found.add("names")
    except Exception:  # noqa: BLE001 - a metadata block may be broken in every way there is, and Pillow raises as many kinds
        return frozenset(found)
    return frozenset(found)
