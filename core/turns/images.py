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
from core.store.database import Connection, Database

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
            await self._keep(workspace, file, prepared.sha256, part)
            done.append(StoredAttachment(file.id, file.message, file.file, "ready", prepared.sha256, None))
        return done

    async def load(self, workspace: int, files: Sequence[StoredAttachment]) -> dict[int, ImagePart]:
        """The images of ready files, by attachment."""

        def look(connection: Connection) -> dict[int, ImagePart]:
            kept = {file.id: blobs.get(connection, workspace, file.sha256) for file in files if file.sha256 is not None}
            return {number: image for number, image in kept.items() if image is not None}

        return await self._database.read(look)

    async def _keep(self, workspace: int, file: StoredAttachment, sha256: str, image: ImagePart) -> None:
        def keep(connection: Connection) -> None:
            blobs.put(connection, workspace, sha256, image, self._clock.now())
            conversations.settle_attachment(connection, file.id, sha256=sha256)

        await self._database.write(keep)

    async def _refuse(self, file: StoredAttachment, error: AttachmentError) -> StoredAttachment:
        _log.info("attachment.refused", attachment=file.id, kind=error.kind)
        await self._database.write(
            lambda connection: conversations.settle_attachment(connection, file.id, refusal=error.kind)
        )
        return StoredAttachment(file.id, file.message, file.file, "refused", None, error.kind)


def notices(files: Sequence[StoredAttachment]) -> tuple[Notice, ...]:
    """One sentence for each file that could not be read."""
    return tuple(
        Notice(f"attachment_{file.refusal}", {"name": " ".join(file.file.name.split())[:80]})
        for file in files
        if file.refusal is not None
    )
