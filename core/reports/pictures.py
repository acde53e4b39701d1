"""Pictures of reports, drawn by a process of their own that ends when there are none to draw for a while."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from core.reports.chart import LENGTH, READY
from core.reports.report import Report
from core.settings import Settings

_PROGRAM = Path(__file__).with_name("chart.py")
_IDLE = 30.0  # seconds without a picture after which the process ends
_WITHIN = 10.0  # seconds for one picture, the start of the process included
_LARGEST = 4 * 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_log = structlog.get_logger()


class Pictures:
    """Draws one at a time. `idle` and `within` in seconds. `program`: what the process runs; None: nothing is drawn."""

    def __init__(self, *, idle: float = _IDLE, within: float = _WITHIN, program: Path | None = _PROGRAM) -> None:
        self._seat = asyncio.Lock()
        self._idle = idle
        self._within = within
        self._program = program
        self._process: Process | None = None
        self._end_later: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """The process that draws, while there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def draw(self, report: Report) -> bytes | None:
        """A PNG of the report's last thirty days; None where that failed or took too long: it goes without one."""
        if self._program is None or not report.days:
            return None
        try:
            async with asyncio.timeout(self._within), self._seat:
                self._rest()
                try:
                    return await self._drawn(self._program, report)
                except BaseException:
                    await self._end()  # what it would answer next is the answer to this
                    raise
                finally:
                    self._end_later = asyncio.get_running_loop().call_later(self._idle, self._end_soon)
        except (OSError, EOFError, TimeoutError) as error:
            _log.warning("report.no_picture", error=type(error).__name__)
            return None

    async def aclose(self) -> None:
        """Ends the process, after the picture under way."""
        async with self._seat:
            self._rest()
            await self._end()
        if self._ending is not None:
            await self._ending

    async def _drawn(self, program: Path, report: Report) -> bytes:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await _begun(program)
        assert process.stdin is not None  # noqa: S101 - asked for
        assert process.stdout is not None  # noqa: S101
        request = msgspec.json.encode(report)
        process.stdin.write(LENGTH.pack(len(request)) + request)
        await process.stdin.drain()
        (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        picture = await process.stdout.readexactly(size) if size <= _LARGEST else b""
        if not picture.startswith(_PNG):
            raise EOFError
        return picture

    def _end_soon(self) -> None:
        self._end_later = None
        if not self._seat.locked():
            self._ending = asyncio.create_task(self._end())

    def _rest(self) -> None:
        if self._end_later is not None:
            self._end_later.cancel()
            self._end_later = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):  # it has ended by itself
            process.kill()
        await process.wait()


def pictures_of(settings: Settings) -> Pictures:
    """What draws, as the settings say."""
    return Pictures() if settings.report_pictures else Pictures(program=None)


async def _begun(program: Path) -> Process:
    """The running program. It gets none of our environment, where the keys are, and no signals meant for us."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-B",
        str(program),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
        limit=_LARGEST,
    )
    assert process.stdout is not None  # noqa: S101 - asked for
    try:
        if await process.stdout.readexactly(len(READY)) != READY:
            raise EOFError
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process
