"""The images of a conversation: fetched once, checked, kept, shown."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from core.chat import ImagePart
from core.errors import AttachmentError
from core.media import images
from core.messages import Notice, WorkspaceKey
from core.ports import ChatPlatform, Clock
from core.store import blobs, conversations
from core.store.conversations import StoredAttachment
from core.store.database import Database

_log = structlog.get_logger()
PER_MESSAGE = 10  # images that one message may bring; Slack allows ten files, Discord ten


class Images:
    """Turns announced files into images that a model can be shown, or into a plain sentence."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._desk = images.ImageDesk()

    async def prepare(
        self, platform: ChatPlatform, workspace: int, key: WorkspaceKey, files: Sequence[StoredAttachment]
    ) -> list[StoredAttachment]:
        """Reads every pending file of one message; returns all of them as they now are. Raises StoreUnavailable."""
        done: list[StoredAttachment] = []
        for index, file in enumerate(files):
            if file.state != "pending":
                done.append(file)
                continue
            try:
                if index >= PER_MESSAGE:
                    raise AttachmentError("too_many", file.file.name)
                if file.file.size > images.MAX_BYTES:
                    raise AttachmentError("too_large", file.file.name)
                data = await platform.download(key, file.file, images.MAX_BYTES)
                prepared = await self._desk.prepare(data, file.file.name, file.file.mime)
            except AttachmentError as error:
                done.append(await self._refuse(file, error))
                continue
            part = ImagePart(prepared.data, prepared.mime, prepared.width, prepared.height)
            async with self._database.write() as connection:
                await blobs.put(connection, workspace, prepared.sha256, part, self._clock.now())
                await conversations.settle_attachment(connection, file.id, sha256=prepared.sha256)
            done.append(StoredAttachment(file.id, file.message, file.file, "ready", prepared.sha256, None))
        return done

    async def load(self, workspace: int, files: Sequence[StoredAttachment]) -> dict[int, ImagePart]:
        """The images of ready files, by attachment."""
        found: dict[int, ImagePart] = {}
        async with self._database.read() as connection:
            for file in files:
                if file.sha256 is not None:
                    image = await blobs.get(connection, workspace, file.sha256)
                    if image is not None:
                        found[file.id] = image
        return found

    async def _refuse(self, file: StoredAttachment, error: AttachmentError) -> StoredAttachment:
        _log.info("attachment.refused", attachment=file.id, kind=error.kind)
        async with self._database.write() as connection:
            await conversations.settle_attachment(connection, file.id, refusal=error.kind)
        return StoredAttachment(file.id, file.message, file.file, "refused", None, error.kind)


def notices(files: Sequence[StoredAttachment]) -> tuple[Notice, ...]:
    """One sentence for each file that could not be read."""
    return tuple(
        Notice(f"attachment_{file.refusal}", {"name": " ".join(file.file.name.split())[:80]})
        for file in files
        if file.refusal is not None
    )
