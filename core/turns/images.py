"""The images of a conversation, the pages of its documents among them: fetched once, checked, kept, shown."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from core.chat import ImagePart
from core.errors import AttachmentError
from core.media import images, kinds
from core.media.documents import DocumentDesk, PreparedDocument
from core.media.images import PreparedImage
from core.messages import Notice, WorkspaceKey
from core.ports import ChatPlatform, Clock
from core.store import blobs, conversations, documents
from core.store.conversations import StoredAttachment
from core.store.database import Connection, Database

_log = structlog.get_logger()
PER_MESSAGE = 10  # files that one message may bring; Slack allows ten, Discord ten


class Images:
    """Turns announced files into images that a model can be shown, or into a plain sentence."""

    def __init__(self, database: Database, clock: Clock, *, documents: DocumentDesk | None = None) -> None:
        self._database = database
        self._clock = clock
        self._desk = images.ImageDesk()
        self._documents = documents or DocumentDesk()

    async def aclose(self) -> None:
        """Ends the process that draws documents."""
        await self._documents.aclose()

    async def prepare(
        self, platform: ChatPlatform, workspace: int, key: WorkspaceKey, files: Sequence[StoredAttachment]
    ) -> list[StoredAttachment]:
        """Reads every pending file of one message; returns all of them as they now are. Raises StoreUnavailable."""
        done: list[StoredAttachment] = []
        sent = 0
        for file in files:
            sent += file.page is None or file.page.number == 1
            if file.state != "pending":
                done.append(file)
                continue
            try:
                if sent > PER_MESSAGE:
                    raise AttachmentError("too_many", file.file.name)
                done += await self._read(platform, workspace, key, file)
            except AttachmentError as error:
                done.append(await self._refuse(file, error))
        return done

    async def load(self, workspace: int, files: Sequence[StoredAttachment]) -> dict[int, ImagePart]:
        """The images of ready files, by attachment."""

        def look(connection: Connection) -> dict[int, ImagePart]:
            kept = {file.id: blobs.get(connection, workspace, file.sha256) for file in files if file.sha256 is not None}
            return {number: image for number, image in kept.items() if image is not None}

        return await self._database.read(look)

    async def _read(
        self, platform: ChatPlatform, workspace: int, key: WorkspaceKey, file: StoredAttachment
    ) -> list[StoredAttachment]:
        """What is shown of a file: itself, or its pages. Raises AttachmentError."""
        if file.file.size > images.MAX_BYTES:
            raise AttachmentError("too_large", file.file.name)
        data = await platform.download(key, file.file, images.MAX_BYTES)
        if kinds.is_document(data):
            return await self._keep_pages(workspace, file, await self._documents.prepare(data, file.file.name))
        prepared = await self._desk.prepare(data, file.file.name, file.file.mime)
        await self._keep(workspace, file, prepared)
        return [StoredAttachment(file.id, file.message, file.file, "ready", prepared.sha256, None)]

    async def _keep(self, workspace: int, file: StoredAttachment, image: PreparedImage) -> None:
        def keep(connection: Connection) -> None:
            self._put(connection, workspace, image)
            conversations.settle_attachment(connection, file.id, sha256=image.sha256)

        await self._database.write(keep)

    async def _keep_pages(
        self, workspace: int, file: StoredAttachment, document: PreparedDocument
    ) -> list[StoredAttachment]:
        pages = [(image.sha256, image.mime, len(image.data)) for image in document.images]

        def keep(connection: Connection) -> list[StoredAttachment]:
            for image in document.images:
                self._put(connection, workspace, image)
            documents.keep(connection, workspace, file.id, document.pages, pages)
            there = conversations.attachments(connection, workspace, [file.message])
            return [page for page in there if page.page is not None and page.page.document == file.id]

        return await self._database.write(keep)

    def _put(self, connection: Connection, workspace: int, image: PreparedImage) -> None:
        part = ImagePart(image.data, image.mime, image.width, image.height)
        blobs.put(connection, workspace, image.sha256, part, self._clock.now())

    async def _refuse(self, file: StoredAttachment, error: AttachmentError) -> StoredAttachment:
        _log.info("attachment.refused", attachment=file.id, kind=error.kind)
        await self._database.write(
            lambda connection: conversations.settle_attachment(connection, file.id, refusal=error.kind)
        )
        return StoredAttachment(file.id, file.message, file.file, "refused", None, error.kind)


def reading(files: Sequence[StoredAttachment]) -> tuple[str, int]:
    """The status while files are read, by what the pending ones say they are: its name, and how many it speaks of."""
    claims = [kinds.claims_document(file.file.name, file.file.mime) for file in files if file.state == "pending"]
    return ("reading_documents", sum(claims)) if any(claims) else ("reading_images", len(claims))


def notices(files: Sequence[StoredAttachment]) -> tuple[Notice, ...]:
    """One sentence for each file that could not be read, or not to its end."""
    told = []
    for file in files:
        page = file.page
        if file.refusal is not None:
            told.append(Notice(f"attachment_{file.refusal}", {"name": _name(file.file.name)}))
        elif page is not None and page.number == 1 and page.read < page.pages:
            told.append(Notice("document_cut", {"name": _name(page.name), "read": page.read, "pages": page.pages}))
    return tuple(told)


def _name(name: str) -> str:
    return " ".join(name.split())[:80]
