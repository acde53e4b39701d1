"""What the page asks for, read from JSON or a form with files, within limits."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import BodyPartReader, web

from bots.playground.world import Upload
from core.errors import WrongUse

WORDS_MAX: Final = 4 * 1024 * 1024  # bytes of JSON: several hundred thousand characters
FILES_MAX: Final = 25 * 1024 * 1024  # bytes of all files of one request
FILE_COUNT_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that a person did. `files` are by form field, several to a field."""

    fields: Mapping[str, Any]
    files: tuple[tuple[str, Upload], ...] = field(default=())

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text field. Raises WrongUse where it is missing or no text."""
        value = self.fields.get(name, default)
        if not isinstance(value, str):
            raise WrongUse(f"“{name}” is missing." if value is None else f"“{name}” must be text.")
        return value

    def maybe(self, name: str) -> str | None:
        """A text field that may be missing or null."""
        return None if self.fields.get(name) is None else self.text(name)

    def options(self) -> dict[str, Any]:
        """The options of a command by name."""
        options = self.fields.get("options") or {}
        if not isinstance(options, dict):
            raise WrongUse("“options” must be an object.")
        return options


async def read(request: web.Request) -> Request:
    """Reads a request's body. Raises WrongUse where it is no JSON object or over a limit."""
    kind = request.content_type
    if kind == "application/json":
        return Request(_object(await _bytes(request.content.iter_chunked(65536), WORDS_MAX, "This text is too long.")))
    if kind != "multipart/form-data":
        raise WrongUse("Send JSON, or a form with files.")
    fields: Mapping[str, Any] | None = None
    files: list[tuple[str, Upload]] = []
    room = FILES_MAX
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise WrongUse("This form makes no sense.")
            if part.name == "body":
                fields = _object(await _bytes(_chunks(part), WORDS_MAX, "This text is too long."))
                continue
            if len(files) == FILE_COUNT_MAX:
                raise WrongUse(f"At most {FILE_COUNT_MAX} files at a time.")
            data = await _bytes(_chunks(part), room, "Files of at most 25 MB together can be uploaded.")
            room -= len(data)
            mime = part.headers.get("Content-Type", "application/octet-stream")
            files.append((part.name or "file", Upload(part.filename or "file", mime, data)))
    except (AssertionError, ValueError) as fault:  # what aiohttp's reader raises on a broken form
        raise WrongUse("This form makes no sense.") from fault
    if fields is None:
        raise WrongUse("“body” is missing.")
    return Request(fields, tuple(files))


async def _bytes(chunks: AsyncIterable[bytes], limit: int, too_long: str) -> bytes:
    """All chunks as one. Raises WrongUse as soon as they are more than `limit` bytes."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise WrongUse(too_long)
    return bytes(data)


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(65536):
        yield chunk


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as fault:
        raise WrongUse("This is not a JSON object.") from fault
    return value
