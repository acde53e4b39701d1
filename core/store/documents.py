"""A document of a message as the images of its pages, which are attachments of the same message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, update

from core.store import tables
from core.store.database import Connection

_attachment = tables.Attachment.__table__  # type: ignore[attr-defined]
READ = "document"  # the state of a document whose pages stand beside it
_PAGE = re.compile(r"(\d+)#page=(\d+)")  # the platform id of a page; no platform names a file of its own like this
_COUNTS = re.compile(r"application/pdf; pages=(\d+); read=(\d+)")  # the type of a document that was read
_NAME_LENGTH = 45  # of a document's name in those of its pages: the page must not be cut off where a name is shown


@dataclass(frozen=True, slots=True)
class Page:
    """Which page an image shows, from 1, of the document of that number and name; of its `pages` the first `read`."""

    document: int
    name: str
    number: int
    pages: int
    read: int


def keep(
    connection: Connection, workspace: int, document: int, pages: int, images: Sequence[tuple[str, str, int]]
) -> None:
    """Puts a document's first pages beside it, once: where an earlier attempt did, nothing is done.

    `pages`: how many it has; `images`: of each page read its sha256, MIME type and size in bytes.
    """
    read = update(_attachment).where(_attachment.c.id == document, _attachment.c.state == "pending")
    read = read.values(state=READ, mime=f"application/pdf; pages={pages}; read={len(images)}")
    found = connection.execute(read.returning(_attachment.c.message_id, _attachment.c.name)).first()
    if found is None:
        return
    name = " ".join(found.name.split())[:_NAME_LENGTH]
    rows = [
        {
            "workspace_id": workspace,
            "message_id": found.message_id,
            "platform_id": f"{document}#page={number}",
            "name": f"{name}, page {number}",
            "mime": mime,
            "size": size,
            "url": "",
            "state": "ready",
            "sha256": sha256,
        }
        for number, (sha256, mime, size) in enumerate(images, 1)
    ]
    connection.execute(insert(_attachment), rows)


def pages(attachments: Sequence[Row[Any]]) -> dict[int, Page]:
    """Those of the attachments, by number, that are pages of a document among them."""
    counts = {row.id: (row.name, _COUNTS.fullmatch(row.mime)) for row in attachments if row.state == READ}
    found: dict[int, Page] = {}
    for row in attachments:
        page = _PAGE.fullmatch(row.platform_id)
        name, count = counts.get(int(page[1]), ("", None)) if page else ("", None)
        if page is not None and count is not None:
            found[row.id] = Page(int(page[1]), name, int(page[2]), int(count[1]), int(count[2]))
    return found
