"""PDFs made ready for a vision model: their first pages drawn as images, by a process that a hostile file may break."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from core.errors import AttachmentError
from core.media import kinds
from core.media.images import MAX_BYTES, SHOWN_SIDE, PreparedImage
from core.media.pdf_pages import ANSWER, READY, REQUEST

_log = structlog.get_logger()
_PROGRAM = Path(__file__).with_name("pdf_pages.py")
MAX_PAGES = 8  # as many images as one request may bring
_IDLE = 60.0  # seconds without a document after which the process ends
_WITHIN = 20.0  # seconds for one document, then the process is killed
_LARGEST_HEAD = 64 * 1024
_LARGEST_IMAGE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """`pages`: how many the document has; `images`: the first of them as the model is shown them."""

    pages: int
    images: tuple[PreparedImage, ...]


class DocumentDesk:
    """Draws documents, one at a time, in a process that begins with the first and ends when there are none for a while.

    `idle` and `within` in seconds: how long the process waits for a document, how long it may take for one. `program`:
    what the process runs.
    """

    def __init__(self, *, idle: float = _IDLE, within: float = _WITHIN, program: Path = _PROGRAM) -> None:
        self._seat = asyncio.Lock()
        self._idle = idle
        self._within = within
        self._program = program
        self._process: _Process | None = None
        self._end_later: asyncio.TimerHandle | None = None

    @property
    def process_id(self) -> int | None:
        """The process that draws, while there is one."""
        return self._process.id if self._process is not None and self._process.lives else None

    async def prepare(self, data: bytes, name: str) -> PreparedDocument:
        """The document as the model is shown it. Raises AttachmentError with the kind of what is wrong."""
        if len(data) > MAX_BYTES:
            raise AttachmentError("too_large", name)
        async with self._seat:
            self._rest()
            process = self._begun()
            try:
                answer = await self._asked(process, data)
            except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
                _log.warning("document.broke_its_process", error=type(error).__name__)
                raise AttachmentError("corrupt", name) from error
            finally:
                self._end_later = asyncio.get_running_loop().call_later(self._idle, self._end)
        if isinstance(answer, str):
            raise AttachmentError(answer, name)
        return answer

    async def aclose(self) -> None:
        """Ends the process, after the document under way."""
        async with self._seat:
            self._rest()
            await asyncio.to_thread(self._end)

    def _begun(self) -> _Process:
        process = self._process
        if process is None or not process.lives:
            self._end()
            process = self._process = _Process(self._program)
        return process

    async def _asked(self, process: _Process, data: bytes) -> PreparedDocument | str:
        """The document, or why there is none. A process that did not answer well is gone afterwards."""
        work = asyncio.create_task(asyncio.to_thread(process.ask, data, self._within))
        try:
            async with asyncio.timeout(self._within):
                answer = await asyncio.shield(work)
        except BaseException:
            process.kill()  # which is what a thread that still reads waits for
            await asyncio.wait([work])
            if work.done() and not work.cancelled():
                work.exception()  # what follows from the kill is no news
            self._end()
            raise
        return answer

    def _rest(self) -> None:
        if self._end_later is not None:
            self._end_later.cancel()
            self._end_later = None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


class _Head(msgspec.Struct, frozen=True):
    """What an answer says before its images."""

    refusal: str | None = None
    pages: int = 0
    images: tuple[_ImageHead, ...] = ()


class _ImageHead(msgspec.Struct, frozen=True):
    mime: str
    width: int
    height: int
    size: int


class _Process:
    """The running `pdf_pages.py`. Its calls wait; `kill` may come from another thread.

    It gets none of our environment, where the keys are, and none of the signals that are meant for us. Whatever becomes
    of the desk, it does not outlive it: at the end of its input it ends by itself.
    """

    def __init__(self, program: Path) -> None:
        self._running = subprocess.Popen(  # noqa: S603 - our own program by our own interpreter
            [sys.executable, "-I", "-B", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
        assert self._running.stdin is not None  # noqa: S101 - asked for
        assert self._running.stdout is not None  # noqa: S101
        self._requests, self._answers = self._running.stdin, self._running.stdout
        self._ready = False
        self.end = weakref.finalize(self, _end, self._running)

    @property
    def id(self) -> int:
        return self._running.pid

    @property
    def lives(self) -> bool:
        return self._running.poll() is None

    def kill(self) -> None:
        self._running.kill()

    def ask(self, data: bytes, seconds: float) -> PreparedDocument | str:
        """The document, or why there is none. Raises OSError, EOFError, msgspec.DecodeError: it is broken now.

        RuntimeError: it never began, which is no fault of the document.
        """
        if not self._ready and self._answers.read(len(READY)) != READY:
            raise RuntimeError("the process that draws documents did not start")
        self._ready = True
        self._requests.write(REQUEST.pack(len(data), MAX_PAGES, SHOWN_SIDE, seconds))
        self._requests.write(data)
        self._requests.flush()
        (size,) = ANSWER.unpack(self._read(ANSWER.size, _LARGEST_HEAD))
        head = msgspec.json.decode(self._read(size, _LARGEST_HEAD), type=_Head)
        if head.refusal is not None:
            return "encrypted" if head.refusal == "encrypted" else "corrupt"
        if not 0 < len(head.images) <= min(MAX_PAGES, head.pages):
            raise EOFError
        return PreparedDocument(head.pages, tuple(self._image(image) for image in head.images))

    def _image(self, head: _ImageHead) -> PreparedImage:
        data = self._read(head.size, _LARGEST_IMAGE)
        if kinds.mime_of(data) != head.mime or not (0 < head.width <= SHOWN_SIDE and 0 < head.height <= SHOWN_SIDE):
            raise EOFError
        return PreparedImage(data, head.mime, head.width, head.height, hashlib.sha256(data).hexdigest())

    def _read(self, size: int, most: int) -> bytes:
        data = self._answers.read(size) if 0 < size <= most else b""
        if len(data) != size or not data:
            raise EOFError
        return data


def _end(running: subprocess.Popen[bytes]) -> None:
    """Kills and reaps a process; it holds nothing that would want saving."""
    with ExitStack() as last:
        for pipe in (running.stdin, running.stdout):
            if pipe is not None:
                last.callback(pipe.close)
        running.kill()
        running.wait()
