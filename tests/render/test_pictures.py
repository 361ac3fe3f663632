"""Pictures: upright, small, without a trace of where and with what they were taken."""

from __future__ import annotations

import hashlib
import io
import random
import re
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections import OrderedDict
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from pipeline.core.edition import Crop
from pipeline.render import pictures
from pipeline.render.picture_source import crop_box
from pipeline.render.pictures import JPEG_QUALITIES, MAIL_BYTES, MAX_WIDTH, make_renditions, prepare_picture, prepare_portrait
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


def turned_heic(orientation: int) -> bytes:
    """A phone's file: its top left quarter is red, and it is to be turned."""
    pillow_heif.register_heif_opener()
    image = Image.new("RGB", (320, 240), "#2040c0")
    image.paste(Image.new("RGB", (160, 120), "#e01010"), (0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x0110] = "Phone 15"
    out = io.BytesIO()
    image.info["exif"] = exif.tobytes()  # from here the encoder takes the turn, and writes it as the box "irot"
    image.save(out, "HEIF")
    assert (b"irot" in out.getvalue()) is (orientation != 1)
    return out.getvalue()


@pytest.mark.parametrize(("orientation", "size", "corner"), [(1, (320, 240), (20, 20)), (6, (240, 320), (220, 20))])
def test_a_phones_heic_works_and_stands_upright(orientation: int, size: tuple[int, int], corner: tuple[int, int]) -> None:
    picture = prepare_picture(turned_heic(orientation), "IMG_0001")
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", *size)
    red, _, blue = pixel(picture.data, corner)
    assert red > 180
    assert blue < 90
    assert "camera" in picture.found_personal


def test_without_its_library_a_heic_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = turned_heic(1)
    monkeypatch.setattr("pipeline.render.picture_source._reads_heic", lambda: False)
    with pytest.raises(ValueError, match="pillow-heif; install it, or export JPEG"):
        prepare_picture(data, "refused")


def pixel(data: bytes, at: tuple[int, int]) -> tuple[int, int, int]:
    """One pixel of a file in RGB."""
    found = opened(data).convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    return found[0], found[1], found[2]


def noise(width: int, height: int, *, format: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    """A picture no encoder can make small."""
    chance = random.Random(7)
    image = Image.frombytes(mode, (width, height), chance.randbytes(width * height * len(mode)))
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def test_a_heavy_photo_is_made_poorer_until_it_fits() -> None:
    grain = Image.effect_noise((1200, 700), 26).convert("RGB")
    out = io.BytesIO()
    grain.save(out, "JPEG", quality=97)
    first = io.BytesIO()
    grain.save(first, "JPEG", quality=JPEG_QUALITIES[0], optimize=True, progressive=True)
    assert len(first.getvalue()) > MAIL_BYTES  # else this proves nothing
    picture = prepare_picture(out.getvalue(), "grain")
    assert len(picture.data) <= MAIL_BYTES
    assert picture.width == 1200


def test_a_photo_saved_as_png_becomes_a_jpeg_and_a_chart_stays_sharp() -> None:
    assert prepare_picture(noise(600, 500, format="PNG"), "photo").media_type == "image/jpeg"
    assert prepare_picture(drawn(1600, 900), "chart").media_type == "image/png"


def test_what_cannot_be_made_small_says_so_by_its_weight() -> None:
    picture = prepare_picture(noise(1200, 900, format="PNG", mode="RGBA"), "veil")
    assert picture.media_type == "image/png"
    assert len(picture.data) > MAIL_BYTES


def quarters(width: int, height: int) -> bytes:
    """Red, green, blue and white quarters, without loss."""
    image = Image.new("RGB", (width, height), "#ffffff")
    image.paste("#ff0000", (0, 0, width // 2, height // 2))
    image.paste("#00ff00", (width // 2, 0, width, height // 2))
    image.paste("#0000ff", (0, height // 2, width // 2, height))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("size", "focus", "middle"),
    [
        ((800, 800), (50, 0), (255, 0, 0)), ((800, 800), (50, 100), (0, 0, 255)),
        ((1600, 400), (100, 50), (0, 255, 0)), ((1600, 400), (0, 50), (255, 0, 0)),
    ],
)  # fmt: skip
def test_a_focus_cuts_to_sixteen_by_nine_around_it(size: tuple[int, int], focus: tuple[float, float], middle: tuple[int, int, int]) -> None:
    picture = prepare_picture(quarters(*size), "quarters", Crop(16, 9, *focus))
    assert abs(picture.width / picture.height - 16 / 9) < 0.01
    assert pixel(picture.data, (picture.width // 2 - 5, picture.height // 2 - 5)) == middle
    assert picture.name != prepare_picture(quarters(*size), "quarters").name


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([(16, 9), (1, 1)]), st.floats(0, 100), st.floats(0, 100))
def test_a_cut_never_leaves_the_picture(width: int, height: int, ratio: tuple[int, int], x: float, y: float) -> None:
    left, top, right, bottom = crop_box((width, height), Crop(*ratio, x, y))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == width or bottom - top == height  # the largest there is


def test_a_turned_photo_is_cut_as_it_stands() -> None:
    picture = prepare_picture(photo_with_secrets(6), "turned", Crop(16, 9, 50, 0))  # 200 x 300 upright, red at the top right
    assert (picture.width, picture.height) == (200, 112)
    red, _, blue = pixel(picture.data, (180, 20))
    assert red > 180
    assert blue < 90


@pytest.mark.parametrize("size", [(900, 600), (600, 900), (100, 90)])
def test_a_portrait_is_square_and_keeps_the_upper_part(size: tuple[int, int]) -> None:
    picture = prepare_portrait(quarters(*size), "mara")
    assert picture.width == picture.height == min(144, *size)
    assert picture.renditions == ()


def test_the_webs_files_are_named_before_they_are_made_and_made_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    source = drawn(2000, 1000, format="JPEG")
    picture = prepare_picture(source, "wide")
    names = {one.name for one in picture.renditions}
    made = {one.name: data for one, data in make_renditions(source, picture, names)}
    assert {one.width for one in picture.renditions} == {480, 800, 1200}
    for one in picture.renditions:
        image = opened(made[one.name])
        assert image.size == (one.width, one.width // 2)
        assert Image.MIME[image.format or ""] == one.media_type
        assert one.name.endswith(f"-{one.width}.{ {'image/avif': 'avif', 'image/webp': 'webp', 'image/jpeg': 'jpg'}[one.media_type] }")
    monkeypatch.setattr(pictures, "_made", OrderedDict())  # made again, not remembered
    assert {one.name: data for one, data in make_renditions(source, picture, names)} == made
    some = next(iter(names))
    assert [one.name for one, _ in make_renditions(source, picture, {some})] == [some]


@pytest.mark.parametrize(("width", "widths"), [(300, {300}), (480, {480}), (700, {480, 700}), (1000, {480, 800, 1000})])
def test_the_web_gets_no_picture_wider_than_its_source(width: int, widths: set[int]) -> None:
    source = drawn(width, 200, format="JPEG")
    picture = prepare_picture(source, "narrow")
    assert {one.width for one in picture.renditions} == widths
    for one, data in make_renditions(source, picture, {one.name for one in picture.renditions}):
        assert opened(data).width == one.width


def test_transparency_reaches_the_web() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (900, 300), (200, 0, 0, 0)).save(out, "PNG")
    picture = prepare_picture(out.getvalue(), "logo")
    for _, data in make_renditions(out.getvalue(), picture, {one.name for one in picture.renditions}):
        corner = opened(data).convert("RGBA").getpixel((2, 2))
        assert isinstance(corner, tuple)
        assert corner[3] == 0


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_what_moves_the_first_frame_is_shown(format: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("#ff0000", "#0000ff")]
    out = io.BytesIO()
    frames[0].save(out, format, save_all=True, append_images=frames[1:], duration=100)
    picture = prepare_picture(out.getvalue(), "film")
    assert picture.frames > 1
    red, _, blue = pixel(picture.data, (20, 15))
    assert red > 200
    assert blue < 60
    assert prepare_picture(drawn(40, 30, format=format), "still").frames == 1


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "#c02020").convert("CMYK").save(out, "JPEG", quality=95)
    picture = prepare_picture(out.getvalue(), "agency")
    red, green, blue = pixel(picture.data, (30, 20))
    assert red > 150
    assert green < 80
    assert blue < 80


def test_a_wrong_ending_does_not_matter() -> None:
    assert prepare_picture(drawn(60, 40, format="WEBP"), "really-a-webp.jpg").media_type == "image/jpeg"


def test_a_palette_with_one_transparent_colour_keeps_it() -> None:
    image = Image.new("P", (40, 30), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=0)
    picture = prepare_picture(out.getvalue(), "stamp")
    corner = opened(picture.data).convert("RGBA").getpixel((3, 3))
    assert isinstance(corner, tuple)
    assert corner[3] == 0


_HUNGRY = """
import re, sys
from PIL import Image
from pipeline.render.pictures import prepare_picture
def kilobytes(name):  # getrusage() would begin at the parent's peak
    return int(re.search(name + r":\\s*(\\d+) kB", open("/proc/self/status").read())[1])
data = open(sys.argv[1], "rb").read()
before = kilobytes("VmRSS")
picture = prepare_picture(data, "big")
print(picture.width, picture.height, (kilobytes("VmHWM") - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("format", "most_mb"), [("JPEG", 250), ("PNG", 450), ("WEBP", 900)])
def test_a_phones_forty_eight_million_pixels_fit_into_memory(format: str, most_mb: int, tmp_path: Path) -> None:
    path = tmp_path / "phone"
    path.write_bytes(drawn(8064, 6048, format=format))
    done = subprocess.run([sys.executable, "-c", _HUNGRY, str(path)], capture_output=True, text=True, timeout=120, check=True)
    width, height, grown_mb = map(int, done.stdout.split())
    assert (width, height) == (1200, 900)
    assert grown_mb < most_mb


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "HEIF"])
def test_a_spoilt_file_is_a_picture_or_a_sentence(format: str) -> None:
    pillow_heif.register_heif_opener()
    good, chance = drawn(64, 48, format=format), random.Random(format)
    for _ in range(150):
        spoilt = bytearray(good[: chance.randrange(8, len(good) + 1)] if chance.random() < 0.3 else good)
        for _ in range(chance.randrange(1, 6)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        try:
            prepare_picture(bytes(spoilt), "spoilt")
        except ValueError as error:
            assert re.search(r"damaged or cut short|no picture that can be read|million pixels", str(error))  # noqa: PT017


def test_a_bomb_costs_nothing() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"60000 x 60000|no picture"):
            prepare_picture(bomb(), "bomb")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


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
