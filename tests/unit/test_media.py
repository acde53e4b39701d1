from __future__ import annotations

import asyncio
import hashlib
import io
import random
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
from PIL import Image, ImageDraw, features

from core.errors import AttachmentError
from core.media.download import read_capped
from core.media.images import MAX_BYTES, SHOWN_SIDE, ImageDesk, PreparedImage, prepare
from core.media.kinds import check

Colour = tuple[int, ...]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.frombytes(mode, (width, height), random.Random(1).randbytes(width * height * len(mode)))


def opened(image: PreparedImage) -> Image.Image:
    picture = Image.open(io.BytesIO(image.data))
    picture.load()
    assert picture.size == (image.width, image.height)
    assert Image.MIME[str(picture.format)] == image.mime
    return picture


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header promises that size and whose pixels never come."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def webp_header(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_header(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + bytes(9) + b"\x02\x00;"


def kind_of(data: bytes, name: str = "picture.png", mime: str = "image/png") -> str:
    with pytest.raises(AttachmentError) as raised:
        prepare(data, name, mime)
    assert raised.value.name == name
    return raised.value.kind


@pytest.mark.parametrize(
    ("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")]
)
def test_an_image_is_known_by_its_own_bytes_whatever_it_is_called(kind: str, mime: str) -> None:
    data = saved(Image.new("RGB", (3, 2), "red"), kind)
    assert check(data, "notes.txt", "text/plain") == mime
    assert (prepare(data, "notes.txt", "text/plain").width, prepare(data, "x", "").height) == (3, 2)


@pytest.mark.parametrize(
    ("data", "name", "mime", "kind"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "photo.png", "image/png", "disguised"),
        (b"<html><svg></svg></html>", "photo.png", "image/png", "disguised"),
        (b"%PDF-1.7 and so on", "photo.JPG", "application/octet-stream", "disguised"),
        (b"MZ\x90\x00 a programme", "a.webp", "image/webp; charset=binary", "disguised"),
        (b"%PDF-1.7 and so on", "paper.pdf", "application/pdf", "not_an_image"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "IMG_1.HEIC", "image/heic", "not_an_image"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "IMG_1.jpg", "image/jpeg", "not_an_image"),
        (b'<?xml version="1.0"?><svg></svg>', "a.svg", "image/svg+xml", "not_an_image"),
        (b"II*\x00 a tiff, you see", "scan.png", "image/png", "not_an_image"),
        (b"", "empty.png", "image/png", "corrupt"),
        (b"\x89PNG", "cut.png", "image/png", "corrupt"),
        (b"", "empty.bin", "", "not_an_image"),
    ],
)
def test_what_is_no_readable_image_has_a_kind_of_its_own(data: bytes, name: str, mime: str, kind: str) -> None:
    assert kind_of(data, name, mime) == kind


def test_twenty_megabytes_are_refused_before_they_are_looked_at() -> None:
    assert kind_of(b"\x89PNG\r\n\x1a\n" + bytes(20_000_000)) == "too_large"
    assert kind_of(bytes(MAX_BYTES + 1)) == "too_large"


@pytest.mark.parametrize(
    "data",
    [
        png_header(60_000, 60_000),
        png_header(9_000, 9_000),
        png_header(10_001, 1),
        webp_header(16_000, 16_000),
        gif_header(65_000, 65_000),
    ],
)
def test_a_decompression_bomb_is_refused_by_its_header(data: bytes) -> None:
    assert kind_of(data) == "too_many_pixels"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_image_that_moves_is_refused(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert kind_of(data) == "animated"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_truncated_image_is_corrupt(kind: str) -> None:
    data = saved(noise(64, 64), kind)
    for share in (0.02, 0.3, 0.6, 0.9):
        assert kind_of(data[: max(13, int(len(data) * share))]) == "corrupt"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_bytes_end_in_an_image_or_a_plain_error(kind: str) -> None:
    whole, chance = saved(noise(40, 30), kind), random.Random(7)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(len(data) if chance.random() < 0.5 else 60)] = chance.randrange(256)
        try:
            prepare(bytes(data), "x.png", "image/png")
        except AttachmentError:
            continue


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(orientation: int) -> None:
    upright = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(upright).rectangle((0, 0, 99, 99), fill="red")
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what undoes each turn
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = opened(prepare(saved(stored, "JPEG", exif=exif, quality=95), "photo.jpg", "image/jpeg")).convert("RGB")
    assert shown.size == (400, 200)
    assert is_near(shown.getpixel((50, 50)), (255, 0, 0))
    assert is_near(shown.getpixel((350, 150)), (255, 255, 255))


def is_near(pixel: object, colour: Colour) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 24 for a, b in zip(pixel, colour, strict=True))


def test_a_large_photograph_is_shrunk_and_keeps_its_shape() -> None:
    image = prepare(saved(noise(4000, 2000), "JPEG"), "photo.jpg", "image/jpeg")
    assert (image.width, image.height, image.mime) == (SHOWN_SIDE, SHOWN_SIDE // 2, "image/jpeg")
    assert len(image.data) < MAX_BYTES
    opened(image)


def test_one_pixel_is_an_image() -> None:
    image = prepare(saved(Image.new("RGB", (1, 1), "red"), "PNG"), "dot.png", "image/png")
    assert (image.width, image.height) == (1, 1)


def test_a_thin_line_keeps_at_least_one_pixel() -> None:
    image = prepare(saved(Image.new("RGB", (9000, 1), "red"), "PNG"), "line.png", "image/png")
    assert (image.width, image.height) == (SHOWN_SIDE, 1)


def test_sixteen_bits_a_pixel_become_eight_without_turning_white() -> None:
    grey = Image.frombytes("I;16", (2, 1), struct.pack("<HH", 0x2000, 0xE000))
    shown = opened(prepare(saved(grey, "PNG"), "scan.png", "image/png")).convert("L")
    assert abs(int(str(shown.getpixel((0, 0)))) - 0x20) <= 1
    assert abs(int(str(shown.getpixel((1, 0)))) - 0xE0) <= 1


def test_print_colours_become_screen_colours() -> None:
    data = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")
    shown = opened(prepare(data, "print.jpg", "image/jpeg")).convert("RGB")
    assert is_near(shown.getpixel((8, 8)), (255, 0, 0))


def test_a_palette_with_a_transparent_colour_stays_transparent() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 1)
    shown = opened(prepare(saved(image, "PNG", transparency=0), "icon.png", "image/png")).convert("RGBA")
    assert shown.getpixel((0, 0)) == (0, 0, 255, 255)
    assert shown.getpixel((1, 1))[3] == 0


def test_a_drawing_of_few_colours_stays_exact_and_noise_becomes_small() -> None:
    drawing = prepare(saved(Image.new("RGB", (300, 300), "navy"), "PNG"), "a.png", "image/png")
    assert drawing.mime == "image/png"
    assert opened(drawing).convert("RGB").getpixel((5, 5)) == (0, 0, 128)
    assert prepare(saved(noise(300, 300), "PNG"), "a.png", "image/png").mime == "image/jpeg"


def test_a_large_see_through_image_is_laid_on_white_paper() -> None:
    image = prepare(saved(noise(900, 900, "RGBA"), "PNG"), "a.png", "image/png")
    assert (image.mime, opened(image).mode) == ("image/jpeg", "RGB")


def test_metadata_does_not_travel() -> None:
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    secret = b"secret profile"
    data = saved(noise(30, 30), "JPEG", exif=exif, comment="secret comment", icc_profile=secret)
    assert b"secret" in data
    assert b"secret" not in prepare(data, "photo.jpg", "image/jpeg").data
    png = saved(Image.new("RGB", (30, 30), "red"), "PNG", exif=exif, icc_profile=secret)
    assert b"secret" not in prepare(png, "photo.png", "image/png").data
    assert b"iCCP" not in prepare(png, "photo.png", "image/png").data


def test_the_hash_is_of_what_is_stored_and_the_same_image_has_the_same() -> None:
    data = saved(noise(30, 30), "JPEG")
    image = prepare(data, "a.jpg", "image/jpeg")
    assert image.sha256 == hashlib.sha256(image.data).hexdigest()
    assert prepare(data, "b.jpg", "image/jpeg") == image


def test_webp_is_built_into_this_pillow() -> None:
    assert features.check("webp")


async def test_images_are_decoded_beside_the_loop() -> None:
    data, desk, turns = saved(noise(600, 600), "PNG"), ImageDesk(at_once=2), 0
    decoding = asyncio.gather(*(desk.prepare(data, f"{n}.png", "image/png") for n in range(6)))
    while not decoding.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert len({image.sha256 for image in await decoding}) == 1
    assert turns > 20
    with pytest.raises(AttachmentError):
        await desk.prepare(b"", "x.png", "image/png")


async def test_one_bad_image_leaves_its_seat_to_the_next() -> None:
    desk = ImageDesk(at_once=1)
    good = saved(Image.new("RGB", (3, 3)), "PNG")
    outcomes = await asyncio.gather(
        *(desk.prepare(data, "x.png", "image/png") for data in (b"", good, b"<html>", good)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [AttachmentError, PreparedImage] * 2


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


async def test_a_download_is_read_whole_up_to_its_cap() -> None:
    assert await read_capped(pieces(3, 0, 4), 7, "a.png") == b"x" * 7


async def test_a_download_stops_as_soon_as_it_is_too_large() -> None:
    source = pieces(5, 5, 5, 5)
    with pytest.raises(AttachmentError) as raised:
        await read_capped(source, 9, "a.png")
    assert (raised.value.kind, raised.value.name) == ("too_large", "a.png")
    assert len([chunk async for chunk in source]) == 2
