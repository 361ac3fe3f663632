"""Pictures: upright, small, without a trace of where and with what they were taken."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import pillow_heif
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from pipeline.render.pictures import MAX_WIDTH, make_renditions, prepare_picture
from tests.render.samples import drawn


def opened(data: bytes) -> Image.Image:
    """The prepared picture, read again."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def photo_with_secrets(orientation: int = 1) -> bytes:
    """A camera's JPEG: place, serial number, profile, comment; its top left quarter is red."""
    image = Image.new("RGB", (300, 200), "#2040c0")
    image.paste(Image.new("RGB", (150, 100), "#e01010"), (0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825).update({1: "N", 2: (50.0, 5.0, 0.0), 3: "E", 4: (14.0, 25.0, 0.0)})
    exif.get_ifd(0x8769)[0xA431] = "SERIAL-4711"
    out = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(out, "JPEG", exif=exif, icc_profile=profile, comment=b"taken at the safe house", quality=95)
    return out.getvalue()


def test_nothing_about_the_camera_or_the_place_survives() -> None:
    source = photo_with_secrets()
    assert b"SecretCamera" in source
    assert b"SERIAL-4711" in source
    picture = prepare_picture(source, "IMG 4711")
    for secret in (b"SecretCamera", b"SERIAL-4711", b"safe house", b"Exif", b"ICC_PROFILE"):
        assert secret not in picture.data
    image = opened(picture.data)
    assert not image.getexif()
    assert "icc_profile" not in image.info
    assert "comment" not in image.info


def test_what_the_file_told_is_named() -> None:
    picture = prepare_picture(photo_with_secrets(), "IMG 4711")
    assert picture.found_personal == {"gps", "camera", "words"}
    assert prepare_picture(drawn(format="JPEG"), "plain").found_personal == frozenset()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_every_format_gives_up_place_names_and_thumbnail(format: str) -> None:
    pillow_heif.register_heif_opener()  # so that Pillow writes it, too
    image = Image.new("RGB", (300, 200), "#2040c0")
    exif = Image.Exif()
    exif[0x013B] = "Somebody Real"
    exif.get_ifd(0x8825).update({1: "N", 2: (50.0, 5.0, 0.0)})
    small = io.BytesIO()
    image.resize((64, 48)).save(small, "JPEG")
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><dc:creator>Another Name</dc:creator><exif:GPSLatitude>50</exif:GPSLatitude></x:xmpmeta>"
    out = io.BytesIO()
    image.save(out, format, exif=exif, **({"xmp": xmp} if format != "TIFF" else {}))
    source = out.getvalue()
    assert b"Somebody Real" in source or format == "PNG"  # where the test looks below, it must have been
    picture = prepare_picture(source, "told")
    assert ({"names"} if format == "TIFF" else {"gps", "names"}) <= picture.found_personal  # Pillow writes no place into a TIFF
    for made in (picture.data, *(body for _, body in make_renditions(source, picture, {one.name for one in picture.renditions}))):
        for secret in (b"Somebody Real", b"Another Name", b"GPSLatitude", b"Exif\0\0"):
            assert secret not in made
        again = opened(made)
        assert not again.getexif()
        assert not {"xmp", "icc_profile", "exif", "comment", "photoshop"} & {name for name, value in again.info.items() if value}


def test_a_thumbnail_and_the_agencys_fields_go_too() -> None:
    def field(record: int, number: int, value: bytes) -> bytes:
        return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value

    iptc = field(2, 80, b"Byline Somebody") + field(2, 90, b"Secret Town")
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    segment = b"Photoshop 3.0\0" + resource
    small = io.BytesIO()
    Image.new("RGB", (64, 48), "#ff0000").save(small, "JPEG")
    exif = thumbnailed_exif(small.getvalue())
    plain = drawn(300, 200, format="JPEG")
    source = plain[:2]
    for marker, body in ((0xE1, exif), (0xED, segment)):
        source += struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    source += plain[2:]
    assert source.count(b"\xff\xd8\xff") == 2  # the picture and its thumbnail
    picture = prepare_picture(source, "agency")
    assert {"thumbnail", "names", "gps"} <= picture.found_personal
    assert picture.data.count(b"\xff\xd8\xff") == 1
    assert b"Secret Town" not in picture.data
    assert b"Byline" not in picture.data


def thumbnailed_exif(thumbnail: bytes) -> bytes:
    """An APP1 body whose second directory holds a thumbnail (Exif 3.0, 4.5.5)."""
    first = struct.pack("<HI", 0, 14)  # no entries; the next directory is at 14
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(thumbnail), 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + thumbnail


def test_text_chunks_of_a_png_go_too() -> None:
    meta = PngImagePlugin.PngInfo()
    meta.add_text("Author", "Somebody Real")
    meta.add_itxt("XML:com.adobe.xmp", "<x>GPSLatitude</x>")
    out = io.BytesIO()
    Image.new("RGB", (10, 10), "#123456").save(out, "PNG", pnginfo=meta)
    picture = prepare_picture(out.getvalue(), "chart")
    assert b"Somebody Real" not in picture.data
    assert b"GPSLatitude" not in picture.data
    assert picture.media_type == "image/png"


@pytest.mark.parametrize(
    ("orientation", "size", "corner"),
    [(1, (300, 200), (20, 20)), (3, (300, 200), (280, 180)), (6, (200, 300), (180, 20)), (8, (200, 300), (20, 280))],
)
def test_a_turned_photo_stands_upright(orientation: int, size: tuple[int, int], corner: tuple[int, int]) -> None:
    picture = prepare_picture(photo_with_secrets(orientation), "turned")
    assert (picture.width, picture.height) == size
    pixel = opened(picture.data).convert("RGB").getpixel(corner)
    assert isinstance(pixel, tuple)
    assert pixel[0] > 180
    assert pixel[2] < 90


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_wide_pictures_come_out_narrow_and_in_a_form_all_clients_show(format: str) -> None:
    picture = prepare_picture(drawn(2000, 1000, format=format), "wide")
    assert (picture.width, picture.height) == (MAX_WIDTH, 600)
    assert picture.media_type in ("image/jpeg", "image/png")
    assert opened(picture.data).size == (1200, 600)


def test_small_pictures_are_not_blown_up() -> None:
    assert prepare_picture(drawn(80, 40), "s").width == 80


def test_the_name_is_made_from_the_content_and_the_bytes_are_the_same_each_time() -> None:
    one, two = prepare_picture(drawn(), "Lower Mill, Ferry!"), prepare_picture(drawn(), "Lower Mill, Ferry!")
    assert one == two
    assert one.name == f"lower-mill-ferry-{hashlib.sha256(one.data).hexdigest()[:12]}.png"
    assert one.ref.sha256 == hashlib.sha256(one.data).hexdigest()
    assert prepare_picture(drawn(colour="#000000"), "x").name != prepare_picture(drawn(colour="#ffffff"), "x").name
    assert prepare_picture(drawn(), "فېرى").name.startswith("picture-")


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16", "CMYK"])
def test_every_way_of_storing_pixels_is_read(mode: str) -> None:
    image = Image.new("RGBA", (1400, 70), (200, 30, 30, 120))
    image = (
        Image.new("I;16", (1400, 70), 40000)
        if mode == "I;16"
        else image.convert("RGB").convert(mode)
        if mode == "CMYK"
        else image.convert(mode)
    )
    out = io.BytesIO()
    image.save(out, "TIFF" if mode == "CMYK" else "PNG")
    picture = prepare_picture(out.getvalue(), mode)
    assert (picture.width, picture.height) == (1200, 60)
    if mode == "I;16":  # 40000 of 65535 is a light grey, not white
        level = opened(picture.data).convert("L").getpixel((5, 5))
        assert isinstance(level, int)
        assert 150 <= level <= 160


def test_transparency_stays() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "WEBP", lossless=True)
    picture = prepare_picture(out.getvalue(), "logo")
    assert picture.media_type == "image/png"
    assert opened(picture.data).convert("RGBA").getpixel((3, 3)) == (0, 0, 0, 0)


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 pixels square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG.*export it as PNG"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG.*export it as PNG"),
        (b"%PDF-1.7", "no picture"),
        (b"GIF89a", "no picture|damaged"),
        (drawn(format="JPEG")[:900], "damaged"),
        (bomb(), "pixels|no picture"),
        (b"x" * 30_000_001, "MB"),
    ],
    ids=["empty", "svg", "svg-with-head", "pdf", "stub", "cut", "bomb", "heavy"],
)
def test_what_cannot_be_used_is_refused_in_plain_words(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        prepare_picture(data, "bad")


def test_large_but_honest_pictures_meet_our_own_limit_first() -> None:
    out = io.BytesIO()
    Image.new("1", (9000, 8000)).save(out, "PNG")
    with pytest.raises(ValueError, match="60 million pixels"):
        prepare_picture(out.getvalue(), "poster")
