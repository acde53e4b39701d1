"""Draws the pages of PDFs: a program of its own, so that a file that breaks it takes nothing else along.

`documents.py` starts it as `python -I pdf_pages.py`: no environment, no modules of ours. It says `READY` once, then
answers each request on its input by one answer on its output until the input ends.

Request: `REQUEST` (bytes of the file, most pages, pixels of the longest side, seconds), then the file.
Answer: `ANSWER` (bytes of the head), the head as JSON, then the images that it announces, one after the other.
"""

from __future__ import annotations

import io
import json
import math
import os
import signal
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

READY = b"ready\n"
REQUEST = struct.Struct(">IHHd")
ANSWER = struct.Struct(">I")
_MEMORY = 512 * 1024 * 1024  # bytes of address space; ordinary documents take 70 million
_FILES = 64
_POINTS_PER_INCH = 72
_SHARPEST = 300  # dots per inch: a small page is not blown up beyond that
_JPEG_QUALITY = 85
_BEGIN_NO_PAGE_AFTER = 0.5  # of the time: so a slow document is read in part rather than not at all
_SPARE = 5.0  # seconds by which this process outlives its time, should nobody be left to end it


def main() -> None:
    """Serves until its input ends."""
    import pypdfium2  # noqa: F401 - all that is needed is there before anything hostile comes
    from PIL import JpegImagePlugin, PngImagePlugin  # noqa: F401

    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    _confine()
    answers.write(READY)
    answers.flush()
    while head := requests.read(REQUEST.size):
        size, most, side, seconds = REQUEST.unpack(head)
        # Python needs no turn for this one: it ends the process also in the midst of PDFium.
        signal.alarm(math.ceil(seconds + _SPARE))
        _answer(answers, *drawn(requests.read(size), most, side, time.monotonic() + seconds * _BEGIN_NO_PAGE_AFTER))
        signal.alarm(0)


def _confine() -> None:
    """Gives up what drawing does not need: memory without end, writing files, and signals that mean the parent."""
    import resource

    for meant_for_the_parent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(meant_for_the_parent, signal.SIG_IGN)
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_NOFILE: _FILES}
    if sys.platform == "linux":  # macOS refuses this one
        limits[resource.RLIMIT_AS] = _MEMORY
    for limit, most in limits.items():
        hard = resource.getrlimit(limit)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (least, least))


def drawn(data: bytes, most: int, side: int, until: float) -> tuple[dict[str, object], list[bytes]]:
    """The head of an answer and its images: of the first pages, of one at least, none of them begun after `until`."""
    from pypdfium2 import PdfDocument, PdfiumError, raw

    try:
        document = PdfDocument(data)
    except PdfiumError as error:
        sealed = error.err_code in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}
        return {"refusal": "encrypted" if sealed else "corrupt"}, []
    try:
        document.init_forms()  # else what people filled into a form is not drawn
        pages = len(document)
        heads: list[dict[str, object]] = []
        images: list[bytes] = []
        for number in range(min(pages, most)):
            if images and time.monotonic() > until:
                break
            image, mime, size = _encoded(_page(document[number], side))
            heads.append({"mime": mime, "width": size[0], "height": size[1], "size": len(image)})
            images.append(image)
    except (PdfiumError, ValueError, ArithmeticError, MemoryError):  # a page that is none, sizes that are none
        return {"refusal": "corrupt"}, []
    finally:
        document.close()
    return ({"pages": pages, "images": heads}, images) if images else ({"refusal": "corrupt"}, [])


def _page(page: Any, side: int) -> Image:
    """The page on white, its longest side `side` pixels unless that would be sharper than print."""
    scale = min((side - 0.01) / max(page.get_size()), _SHARPEST / _POINTS_PER_INCH)  # PDFium rounds up
    image: Image = page.render(scale=scale).to_pil()
    page.close()
    red, green, blue = image.split() if image.mode == "RGB" else (image, image, image)
    return red if red.tobytes() == green.tobytes() == blue.tobytes() else image


def _encoded(image: Image) -> tuple[bytes, str, tuple[int, int]]:
    """PNG or JPEG, whichever is smaller."""
    png, jpeg = io.BytesIO(), io.BytesIO()
    image.save(png, "PNG")
    image.save(jpeg, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    if png.tell() <= jpeg.tell():
        return png.getvalue(), "image/png", image.size
    return jpeg.getvalue(), "image/jpeg", image.size


def _answer(answers: BinaryIO, head: dict[str, object], images: list[bytes]) -> None:
    text = json.dumps(head).encode()
    answers.write(ANSWER.pack(len(text)) + text)
    answers.writelines(images)
    answers.flush()


if __name__ == "__main__":
    main()
