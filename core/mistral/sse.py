"""Server-sent events from bytes that come in pieces of any size."""

from __future__ import annotations

LINE_LIMIT = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Collects bytes into the data of whole events. Lines end with LF, CR or CRLF, also across pieces.

    Comments and fields other than `data` are dropped; an `event: error` comes out as `{"error": its data}`. A line, or
    the lines of one event, longer than `limit` bytes end it: `too_long` is set and nothing more comes.
    """

    __slots__ = ("_after_cr", "_data", "_data_size", "_error_event", "_idle", "_limit", "_pending", "_size", "too_long")

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self.too_long = False
        self._limit = limit
        self._pending: list[bytes] = []  # pieces of a line whose end has not come
        self._size = 0  # bytes in them
        self._data: list[bytes] = []  # data lines of an event whose end has not come
        self._data_size = 0
        self._error_event = False
        self._after_cr = False
        self._idle = True  # nothing of the above is under way

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of each event that `piece` completes."""
        # Whole events of one line each, as servers send them: one split does it.
        if self._idle and piece.startswith(b"data: ") and piece.endswith(b"\n\n") and len(piece) <= self._limit:
            events = piece[6:-2].split(b"\n\ndata: ")
            if piece.count(b"\n") == 2 * len(events) and b"\r" not in piece:
                return events
        events = []
        if not self.too_long:
            self._feed(piece, events)
            self._idle = not (self._pending or self._data or self._error_event or self._after_cr or self.too_long)
        return events

    def _feed(self, piece: bytes, events: list[bytes]) -> None:
        # CR and LF of one line end may come in two pieces.
        if self._after_cr and piece:
            self._after_cr = False
            if piece.startswith(b"\n"):
                piece = piece[1:]
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._pending and b"\n" in piece:
            self._pending.append(piece)
            piece = b"".join(self._pending)
            self._pending.clear()
            self._size = 0
        *lines, rest = piece.split(b"\n")
        for line in lines:
            if len(line) > self._limit:
                self.too_long = True
            elif line:
                self._field(line)
            else:
                self._dispatch(events)
            if self.too_long:
                return
        if rest:
            self._pending.append(rest)
            self._size += len(rest)
            self.too_long = self._size > self._limit

    def _dispatch(self, events: list[bytes]) -> None:
        data = self._data
        if data:
            event = data[0] if len(data) == 1 else b"\n".join(data)
            events.append(b'{"error":%b}' % event if self._error_event else event)
            data.clear()
            self._data_size = 0
        self._error_event = False

    def _field(self, line: bytes) -> None:
        name, _, value = line.removeprefix(_BOM).partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_size += len(line)
            self._data.append(value)
            self.too_long = self._data_size > self._limit
        elif name == b"event" and value == b"error":
            self._error_event = True
