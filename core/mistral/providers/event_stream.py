"""AWS's binary event stream: frames with checksums, from bytes that come in pieces of any size."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import msgspec

_PRELUDE = struct.Struct(">III")  # length of the whole, length of its headers, checksum of these eight bytes
_CHECKSUM = struct.Struct(">I")
_LONGEST_HEADERS = 128 * 1024
_LONGEST_PAYLOAD = 24 * 1024 * 1024
_LONGEST = _PRELUDE.size + _LONGEST_HEADERS + _LONGEST_PAYLOAD + _CHECKSUM.size
# Bytes of a header's value by its type; None: two bytes say how many.
_SIZES: dict[int, int | None] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: None, 7: None, 8: 8, 9: 16}
_TEXT = 7


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `headers`: those that are text, such as `:event-type`."""

    headers: dict[str, str]
    payload: bytes

    @property
    def failure(self) -> str | None:
        """The service's name of what went wrong, if this frame says so."""
        kind = self.headers.get(":message-type")
        if kind == "exception":
            return self.headers.get(":exception-type", "exception")
        return self.headers.get(":error-code", "error") if kind == "error" else None


class FrameReader:
    """Collects bytes into frames. A frame that is broken sets `corrupt`, and nothing more comes."""

    __slots__ = ("_pending", "corrupt")

    def __init__(self) -> None:
        self.corrupt = False
        self._pending = bytearray()

    @property
    def in_a_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._pending)

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that `piece` completes."""
        frames: list[Frame] = []
        if self.corrupt:
            return frames
        self._pending += piece
        try:
            while (frame := self._next()) is not None:
                frames.append(frame)
        except _Broken:
            self.corrupt = True
            self._pending.clear()
        return frames

    def _next(self) -> Frame | None:
        if len(self._pending) < _PRELUDE.size:
            return None
        total, header_size, checksum = _PRELUDE.unpack_from(self._pending)
        if zlib.crc32(self._pending[: _PRELUDE.size - _CHECKSUM.size]) != checksum:
            raise _Broken
        payload_at = _PRELUDE.size + header_size
        if header_size > _LONGEST_HEADERS or not payload_at + _CHECKSUM.size <= total <= _LONGEST:
            raise _Broken
        if len(self._pending) < total:
            return None
        message = bytes(self._pending[:total])
        del self._pending[:total]
        end = total - _CHECKSUM.size
        if zlib.crc32(message[:end]) != _CHECKSUM.unpack_from(message, end)[0]:
            raise _Broken
        return Frame(_headers(message[_PRELUDE.size : payload_at]), message[payload_at:end])


class FrameUnwrapper:
    """Frames to server-sent events; `_event` says what one frame's payload is in them.

    A failure that a frame tells, and a frame that is broken, end the stream with an `error` event.
    """

    __slots__ = ("_failed", "_frames", "_whole")

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._failed = False
        self._whole = False  # the answer said why it ended

    def feed(self, piece: bytes) -> bytes:
        events = bytearray()
        for frame in self._frames.feed(piece):
            if self._failed:
                break
            if (failure := frame.failure) is not None:
                events += self._fail(failure)
                continue
            try:
                events += self._event(frame)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError, msgspec.MsgspecError):
                events += self._fail("unreadable_event")
        if self._frames.corrupt and not self._failed:
            events += self._fail("corrupt_event_stream")
        return bytes(events)

    def end(self) -> bytes:
        if self._failed or self._frames.in_a_frame or not self._whole:
            return b""  # the parser sees that there is no end mark
        return b"data: [DONE]\n\n"

    def _event(self, frame: Frame) -> bytes:
        raise NotImplementedError

    def _fail(self, code: str) -> bytes:
        self._failed = True
        return b"data: " + msgspec.json.encode({"error": {"code": code}}) + b"\n\n"


class _Broken(Exception):
    """The bytes are no frame."""


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name = data[at + 1 : name_end].decode()
            kind = data[name_end]
            at = name_end + 1
            size = _SIZES[kind]
            if size is None:
                size = int.from_bytes(data[at : at + 2], "big")
                at += 2
            value = data[at : at + size]
            at += size
            if at > len(data):
                raise _Broken
            if kind == _TEXT:
                found[name] = value.decode()
    except (IndexError, KeyError, UnicodeDecodeError) as exc:
        raise _Broken from exc
    return found
