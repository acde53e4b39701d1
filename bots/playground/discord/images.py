"""The size of a picture from its first bytes, as Discord tells it with an attachment."""

from __future__ import annotations

import struct


def size_of(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG or a GIF by its header; None for anything else. Decodes nothing."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    return None
