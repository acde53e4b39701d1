"""Reading a file from the network without ever holding more of it than allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from core.errors import AttachmentError


async def read_capped(chunks: AsyncIterator[bytes], limit: int, name: str) -> bytes:
    """All bytes of `chunks`, at most `limit` of them. Raises AttachmentError `too_large` as soon as there are more."""
    data = bytearray()
    async for chunk in chunks:
        if len(data) + len(chunk) > limit:
            raise AttachmentError("too_large", name)
        data += chunk
    return bytes(data)
