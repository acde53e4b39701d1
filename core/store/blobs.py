"""Images as the model is shown them, by workspace and hash."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select

from core.chat import ImagePart
from core.store import tables
from core.store.database import Connection

_blob = tables.Blob.__table__  # type: ignore[attr-defined]


def put(connection: Connection, workspace: int, sha256: str, image: ImagePart, now: datetime) -> None:
    """Keeps an image; the same one twice is kept once."""
    known = select(_blob.c.sha256).where(_blob.c.workspace_id == workspace, _blob.c.sha256 == sha256)
    if connection.execute(known).first() is None:
        row = {"mime": image.mime, "width": image.width, "height": image.height, "data": image.data}
        connection.execute(insert(_blob).values(workspace_id=workspace, sha256=sha256, created_at=now, **row))


def get(connection: Connection, workspace: int, sha256: str) -> ImagePart | None:
    """The image, or None when it is no longer kept."""
    query = select(_blob).where(_blob.c.workspace_id == workspace, _blob.c.sha256 == sha256)
    row = connection.execute(query).first()
    return ImagePart(row.data, row.mime, row.width, row.height) if row else None
