"""PDFs drawn in a process of their own: what is shown of them, and what hostile ones cannot do."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import random
import signal
import sys
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from core.errors import AttachmentError
from core.media.documents import MAX_PAGES, DocumentDesk, PreparedDocument
from core.media.images import MAX_BYTES, SHOWN_SIDE
from core.media.kinds import claims_document, is_document
from core.media.pdf_pages import drawn

RED = b"1 0 0 rg 0 0 2000 2000 re f"
A4 = "0 0 595 842"


def pdf(
    contents: Sequence[bytes] = (RED,), *, box: str = A4, resources: str = "", more: Sequence[bytes] = (), end: str = ""
) -> bytes:
    """A PDF by hand: a page for each of `contents`; `more` objects are numbered from 3 on; `end` is put in its trailer.

    No table of objects: every reader looks for them by itself, as it does in a damaged file.
    """
    first = 3 + len(more)
    numbers = [first + 2 * index for index in range(len(contents))]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>".encode(),
        *more,
    ]
    for number, content in zip(numbers, contents, strict=True):
        page = f"/Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents {number + 1} 0 R /Resources << {resources} >>"
        objects += [f"<< {page} >>".encode(), stream(content)]
    body = b"%PDF-1.7\n"
    for number, thing in enumerate(objects, 1):
        body += b"%d 0 obj\n%s\nendobj\n" % (number, thing)
    return body + f"trailer\n<< /Root 1 0 R /Size {len(objects) + 1} {end} >>\n%%EOF\n".encode()


def stream(data: bytes, entries: str = "") -> bytes:
    return f"<< /Length {len(data)} {entries} >>\nstream\n".encode() + data + b"\nendstream"


def shade(number: int) -> bytes:
    """A page of a grey of its own."""
    return b"%.4f g 0 0 2000 2000 re f" % (number / 40)


def slow() -> bytes:
    """A page that is drawn for hours: forms that draw forms, ten times each."""
    forms = [
        stream(b"/F Do " * 10, f"/Type /XObject /Subtype /Form /BBox [{A4}] /Resources << /XObject << /F {n} 0 R >> >>")
        for n in range(4, 12)
    ]
    dots = stream(b"0 0 595 842 re f " * 500, f"/Type /XObject /Subtype /Form /BBox [{A4}]")
    return pdf([b"/F Do " * 10], resources="/XObject << /F 3 0 R >>", more=[*forms, dots])


def sealed() -> bytes:
    lock = "<< /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <" + "00" * 32 + "> /U <" + "11" * 32 + "> >>"
    return pdf(end=f"/Encrypt {lock} /ID [<00> <00>]")


def bomb() -> bytes:
    """30,000 × 30,000 pixels of an image, 2.7 GB of them, in a few kilobytes."""
    pixels = zlib.compress(b"\x81\x00" * (30_000 * 30_000 * 3 // 128 // 8))  # runs of 128 zeros; the rest is missing
    entries = "/Type /XObject /Subtype /Image /Width 30000 /Height 30000 /ColorSpace /DeviceRGB /BitsPerComponent 8"
    image = stream(pixels, f"{entries} /Filter [/FlateDecode /RunLengthDecode]")
    return pdf([b"595 0 0 842 0 0 cm /I Do"], resources="/XObject << /I 3 0 R >>", more=[image])


def flood() -> bytes:
    """A page whose drawing orders are 900 MB of blanks, in a few kilobytes."""
    orders = zlib.compress(b"\x81 " * (900_000_000 // 128))
    return pdf().replace(stream(RED), stream(orders, "/Filter [/FlateDecode /RunLengthDecode]"))


def printed(pages: int, dots: int = 75) -> bytes:
    """A document as a scanner makes it, of so many dots per inch."""
    paper = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(paper)
    for line in range(20):
        draw.text((40, 40 + 30 * line), "La bise souffle du nord-est.", fill="black")
    target = io.BytesIO()
    paper.save(target, "PDF", save_all=True, append_images=[paper] * (pages - 1), resolution=dots)
    return target.getvalue()


def pixel(document: PreparedDocument, page: int = 0) -> int | tuple[int, ...] | float | None:
    return Image.open(io.BytesIO(document.images[page].data)).getpixel((50, 50))


async def kind_of(desk: DocumentDesk, data: bytes) -> str:
    """ "read", or the kind of what is wrong."""
    try:
        document = await desk.prepare(data, "contract.pdf")
    except AttachmentError as error:
        return error.kind if error.name == "contract.pdf" else f"{error.kind} of {error.name}"
    assert 1 <= len(document.images) <= MAX_PAGES
    assert all(max(image.width, image.height) <= SHOWN_SIDE for image in document.images)
    return "read"


@pytest.fixture
async def desk() -> AsyncIterator[DocumentDesk]:
    desk = DocumentDesk()
    yield desk
    await desk.aclose()
    assert desk.process_id is None


async def test_a_page_is_drawn_as_large_as_models_look_at_it(desk: DocumentDesk) -> None:
    document = await desk.prepare(pdf(), "contract.pdf")
    [image] = document.images
    assert (document.pages, image.width, image.height) == (1, 1089, SHOWN_SIDE)
    assert Image.open(io.BytesIO(image.data)).size == (1089, SHOWN_SIDE)
    assert pixel(document) == (255, 0, 0)


async def test_of_many_pages_the_first_eight_are_drawn_in_their_order(desk: DocumentDesk) -> None:
    document = await desk.prepare(pdf([shade(number) for number in range(31)]), "long.pdf")
    greys = [pixel(document, page) for page in range(len(document.images))]
    assert document.pages == 31
    assert greys == [round(255 * number / 40) for number in range(8)]


async def test_what_a_scanner_or_a_program_writes_is_read(desk: DocumentDesk) -> None:
    document = await desk.prepare(printed(3), "scan.pdf")
    assert (document.pages, len(document.images)) == (3, 3)
    assert len({image.sha256 for image in document.images}) == 1
    assert all(len(image.data) < 300_000 for image in document.images)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (sealed(), "encrypted"),
        (pdf([]), "corrupt"),
        (printed(2)[:600], "corrupt"),
        (b"%PDF-1.7", "corrupt"),
        (b"<!DOCTYPE html><title>%PDF-1.7</title>" + b"<p>Sign in</p>" * 100, "corrupt"),
        (pdf(box="0 0 0 0"), "read"),  # a page without a size counts as one of letter paper
        (pdf(box="0 0 nan inf"), "read"),
        (b"x" * (MAX_BYTES + 1), "too_large"),
    ],
)
async def test_what_cannot_be_drawn_has_a_kind_of_its_own(desk: DocumentDesk, data: bytes, kind: str) -> None:
    assert await kind_of(desk, data) == kind


@pytest.mark.parametrize("box", ["0 0 14400 14400", "0 0 1000000000 1000000000", "0 0 1 14400", "0 0 0.001 0.001"])
async def test_a_page_of_any_size_stays_within_what_models_look_at(desk: DocumentDesk, box: str) -> None:
    assert await kind_of(desk, pdf(box=box)) in {"read", "corrupt"}
    assert await kind_of(desk, pdf()) == "read"


async def test_a_small_page_is_not_blown_up_beyond_print(desk: DocumentDesk) -> None:
    document = await desk.prepare(pdf(box="0 0 72 36"), "card.pdf")
    assert (document.images[0].width, document.images[0].height) == (300, 150)


@pytest.mark.parametrize("data", [bomb(), flood()], ids=["pixels", "orders"])
async def test_a_bomb_ends_at_the_latest_with_its_process_and_the_next_one_is_read(
    desk: DocumentDesk, data: bytes
) -> None:
    assert len(data) < MAX_BYTES
    assert await kind_of(desk, data) in {"read", "corrupt"}
    assert await kind_of(desk, pdf()) == "read"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_the_process_may_take_half_a_gigabyte_and_write_no_file(desk: DocumentDesk) -> None:
    assert await kind_of(desk, pdf()) == "read"
    lines = Path(f"/proc/{desk.process_id}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert limits["Max address space"] == [str(512 * 1024 * 1024)] * 2
    assert limits["Max file size"] == ["0", "0"]
    assert limits["Max core file size"] == ["0", "0"]


async def test_a_document_that_takes_too_long_is_given_up_and_the_next_one_is_read() -> None:
    desk = DocumentDesk(within=2.5)
    assert await kind_of(desk, pdf()) == "read"
    process = desk.process_id
    began = time.monotonic()
    assert await kind_of(desk, slow()) == "corrupt"
    assert time.monotonic() - began < 60  # given up, not waited for
    assert _gone(process)
    assert await kind_of(desk, pdf()) == "read"
    await desk.aclose()


async def test_somebody_who_no_longer_waits_ends_the_drawing() -> None:
    desk = DocumentDesk()
    assert await kind_of(desk, pdf()) == "read"
    process = desk.process_id
    reading = asyncio.create_task(desk.prepare(slow(), "slow.pdf"))
    waiting = asyncio.create_task(desk.prepare(pdf(), "next.pdf"))
    await asyncio.sleep(0.1)
    reading.cancel()
    assert (await waiting).pages == 1
    assert reading.cancelled()
    assert _gone(process)
    await desk.aclose()


async def test_a_crash_is_a_damaged_file_and_the_next_one_is_read(desk: DocumentDesk) -> None:
    assert await kind_of(desk, pdf()) == "read"
    reading = asyncio.create_task(kind_of(desk, slow()))
    await asyncio.sleep(0.1)
    assert desk.process_id is not None
    os.kill(desk.process_id, signal.SIGSEGV)
    assert await reading == "corrupt"
    assert await kind_of(desk, pdf()) == "read"


async def test_a_process_that_died_between_two_documents_is_no_fault_of_the_second(desk: DocumentDesk) -> None:
    assert await kind_of(desk, pdf()) == "read"
    process = desk.process_id
    assert process is not None
    os.kill(process, signal.SIGKILL)
    while desk.process_id == process:
        await asyncio.sleep(0.01)
    assert await kind_of(desk, pdf()) == "read"


async def test_signals_that_mean_the_service_leave_the_document_alone(desk: DocumentDesk) -> None:
    assert await kind_of(desk, pdf()) == "read"
    process = desk.process_id
    assert process is not None
    os.kill(process, signal.SIGTERM)
    os.kill(process, signal.SIGINT)
    assert await kind_of(desk, pdf()) == "read"
    assert desk.process_id == process


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_the_process_has_none_of_our_keys(desk: DocumentDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "a-secret")
    assert await kind_of(desk, pdf()) == "read"
    assert Path(f"/proc/{desk.process_id}/environ").read_bytes() == b""


async def test_without_documents_the_process_ends_by_itself() -> None:
    desk = DocumentDesk(idle=0.05)
    assert desk.process_id is None
    assert await kind_of(desk, pdf()) == "read"
    process = desk.process_id
    async with asyncio.timeout(5):
        while desk.process_id is not None:
            await asyncio.sleep(0.01)
    assert _gone(process)
    assert await kind_of(desk, pdf()) == "read"
    await desk.aclose()


def test_a_desk_that_is_forgotten_leaves_no_process() -> None:
    async def forgetful() -> int | None:
        desk = DocumentDesk()
        assert await kind_of(desk, pdf()) == "read"
        return desk.process_id

    process = asyncio.run(forgetful())
    gc.collect()
    assert _gone(process)


async def test_documents_at_once_are_read_one_after_the_other(desk: DocumentDesk) -> None:
    kinds = await asyncio.gather(*(kind_of(desk, data) for data in (pdf(), b"%PDF-", sealed(), printed(1))))
    assert kinds == ["read", "corrupt", "encrypted", "read"]


@pytest.mark.parametrize(
    "says",
    [
        'b"\\0\\0\\0\\x02{}"',
        'b"\\0\\0\\0\\x02[]"',
        'b"\\xff\\xff\\xff\\xff{}"',
        'head({"pages": 9, "images": []})',
        'head({"pages": 1, "images": [{"mime": "image/png", "width": 9, "height": 9, "size": 5}]}) + b"hello"',
        'head({"refusal": "../../sentence"})',
    ],
)
async def test_a_process_that_was_taken_over_is_not_believed(tmp_path: Path, says: str) -> None:
    program = tmp_path / "hostile.py"
    program.write_text(
        "import json, sys\n"
        "def head(says): return len(json.dumps(says)).to_bytes(4, 'big') + json.dumps(says).encode()\n"
        f"sys.stdout.buffer.write(b'ready\\n' + {says})\nsys.stdout.flush()\n"
    )
    desk = DocumentDesk(program=program)
    assert await kind_of(desk, pdf()) == "corrupt"
    await desk.aclose()


async def test_a_process_that_cannot_start_is_no_fault_of_the_document(tmp_path: Path) -> None:
    desk = DocumentDesk(program=tmp_path / "none.py")
    with pytest.raises(RuntimeError, match="did not start"):
        await desk.prepare(pdf(), "contract.pdf")
    assert desk.process_id is None
    await desk.aclose()


async def test_no_mutant_breaks_the_desk() -> None:
    desk = DocumentDesk(within=5)
    chance = random.Random(1307)
    whole = [printed(2, dots=600), pdf([shade(number) for number in range(4)], box="0 0 40 40"), sealed()]
    kinds = [await kind_of(desk, _mutant(chance.choice(whole), chance)) for _ in range(200)]
    assert set(kinds) <= {"read", "corrupt", "encrypted"}
    assert kinds.count("read") > 20
    assert kinds.count("corrupt") > 5
    assert await kind_of(desk, pdf()) == "read"
    await desk.aclose()


def test_no_page_is_begun_after_the_time_but_the_first() -> None:
    head, images = drawn(pdf([shade(1)] * 3), MAX_PAGES, 100, time.monotonic() - 1)
    assert (head["pages"], len(images)) == (3, 1)
    head, images = drawn(pdf([shade(1)] * 3), MAX_PAGES, 100, time.monotonic() + 60)
    assert (head["pages"], len(images)) == (3, 3)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (pdf(), True),
        (b"\xef\xbb\xbf\n" + pdf(), True),
        (b" " * 1024 + pdf(), False),
        (b"\x89PNG\r\n\x1a\n %PDF-1.7", False),
        (b"", False),
    ],
)
def test_a_document_is_known_by_its_mark_and_not_by_its_name(data: bytes, *, found: bool) -> None:
    assert is_document(data) is found


def test_a_file_says_by_name_or_type_that_it_is_a_document() -> None:
    assert claims_document("Contract.PDF", "")
    assert claims_document("contract", "application/pdf; charset=binary")
    assert not claims_document("pdf.png", "image/png")


def _mutant(data: bytes, chance: random.Random) -> bytes:
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 30)):
        at = chance.randrange(len(mutant))
        match chance.randrange(4):
            case 0:
                mutant[at] = chance.randrange(256)
            case 1:
                del mutant[at : at + chance.randint(1, 40)]
            case 2:
                mutant[at:at] = mutant[at : at + chance.randint(1, 40)]
            case _:
                mutant[at : at + 1] = str(chance.choice([-1, 0, 2**31, 10**12])).encode()
    return b"%PDF-1.7\n" + bytes(mutant)


def _gone(process: int | None) -> bool:
    assert process is not None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
