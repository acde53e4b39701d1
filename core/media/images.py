"""Images made ready for a vision model: checked, decoded under a pixel limit, upright, small, without metadata.

Pillow is imported when the first image comes: it costs memory and start time that a text bot need not pay.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import AttachmentError
from core.media.kinds import check

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MAX_BYTES = 10 * 1024 * 1024  # what the model API takes of one image; more is not read
MAX_SIDE = 10_000  # pixels, the model API's own limit
MAX_PIXELS = 50_000_000
SHOWN_SIDE = 1540  # pixels; models shrink what is larger, so more would only cost
_FEW_COLOURS = 256
_LARGEST_PNG = 1024 * 1024
_JPEG_QUALITY = 85
_BROKEN = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, EOFError, struct.error, MemoryError)


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """What is stored and shown to the model: PNG or JPEG, `width` and `height` in pixels, `sha256` of `data` in hex."""

    data: bytes
    mime: str
    width: int
    height: int
    sha256: str


class ImageDesk:
    """Prepares images beside the event loop, a few at a time: each may take a few hundred megabytes for a moment."""

    def __init__(self, at_once: int = 2) -> None:
        self._seats = asyncio.Semaphore(at_once)

    async def prepare(self, data: bytes, name: str, declared_mime: str) -> PreparedImage:
        """`prepare` in a thread."""
        async with self._seats:
            return await asyncio.to_thread(prepare, data, name, declared_mime)


def prepare(data: bytes, name: str, declared_mime: str) -> PreparedImage:
    """The image as the model is shown it. Raises AttachmentError with the kind of what is wrong."""
    if len(data) > MAX_BYTES:
        raise AttachmentError("too_large", name)
    mime = check(data, name, declared_mime)
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    try:
        if mime == "image/webp":
            _check_size(_webp_size(data), name)
        with _opened(data, mime) as source:
            _check_size(source.size, name)
            if mime != "image/jpeg" and getattr(source, "n_frames", 1) > 1:
                raise AttachmentError("animated", name)
            encoded, mime, size = _encoded(_upright(source))
    except (DecompressionBombError, DecompressionBombWarning) as error:  # a GIF's frames, beyond what its header said
        raise AttachmentError("too_many_pixels", name) from error
    except _BROKEN as error:
        raise AttachmentError("corrupt", name) from error
    return PreparedImage(encoded, mime, *size, hashlib.sha256(encoded).hexdigest())


def _opened(data: bytes, mime: str) -> ImageFile:
    """The decoder of exactly that format, asked directly: `Image.open` tries others and warns by its own limit."""
    from PIL import GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    decoders: dict[str, type[ImageFile]] = {
        "image/png": PngImagePlugin.PngImageFile,
        "image/jpeg": JpegImagePlugin.JpegImageFile,
        "image/webp": WebPImagePlugin.WebPImageFile,
        "image/gif": GifImagePlugin.GifImageFile,
    }
    return decoders[mime](io.BytesIO(data))


def _check_size(size: tuple[int, int], name: str) -> None:
    if max(size) > MAX_SIDE or size[0] * size[1] > MAX_PIXELS:
        raise AttachmentError("too_many_pixels", name)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height by the header alone: Pillow's decoder takes memory for all pixels as it opens the file."""
    kind, start = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(start[4:7], "little"), 1 + int.from_bytes(start[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(start[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(start[6:8], "little") & 0x3FFF, int.from_bytes(start[8:10], "little") & 0x3FFF


def _upright(source: ImageFile) -> Image:
    """Decoded, at most `SHOWN_SIDE` a side, turned as its EXIF says, in mode L, RGB or RGBA."""
    from PIL import Image, ImageOps

    source.draft(source.mode, (SHOWN_SIDE, SHOWN_SIDE))
    turn = source.getexif().get(0x0112, 1)
    image = _plain(source)
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.LANCZOS)
    if turn not in range(2, 9):
        return image
    exif = Image.Exif()
    exif[0x0112] = turn
    image.info = {"exif": exif.tobytes()}
    return ImageOps.exif_transpose(image)


def _plain(source: Image) -> Image:
    source.load()
    if source.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in source.info:
        image = source.convert("RGBA")
        opaque = image.getchannel("A").getextrema() == (255, 255)
        return image.convert("RGB") if opaque else image
    if source.mode.startswith("I"):
        return source.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return source.convert("L" if source.mode in ("1", "L", "F") else "RGB")


def _encoded(image: Image) -> tuple[bytes, str, tuple[int, int]]:
    from PIL import Image

    image.info = {}
    if image.mode == "RGBA" or image.getcolors(_FEW_COLOURS) is not None:
        png = _saved(image, "PNG")
        if len(png) <= _LARGEST_PNG:
            return png, "image/png", image.size
    if image.mode == "RGBA":
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        image = paper
    return _saved(image, "JPEG"), "image/jpeg", image.size


def _saved(image: Image, kind: str) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, quality=_JPEG_QUALITY, optimize=True)
    return target.getvalue()
