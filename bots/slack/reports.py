"""Reports in Slack: Block Kit with the picture, which is uploaded first; tables as files for one person."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import aiohttp
import structlog

from bots import report_words
from bots.slack.api import Json
from bots.slack.blocks import escaped
from bots.slack.report_blocks import blocks
from bots.slack.workspace import SlackWorkspace
from bots.writer import RateLimited
from core.errors import PlatformError, PlatformUnavailable
from core.messages import Action
from core.reports.report import Report

PICTURE = "usage.png"
_NOT_READY = "invalid_blocks"  # what Slack says of a picture that it has not looked at yet; nothing was posted then
_READY_AFTER = (1.0, 2.0)  # seconds
_UPLOAD = aiohttp.ClientTimeout(total=10)
_log = structlog.get_logger()


async def post(
    workspace: SlackWorkspace, message: Json, report: Report, actions: Sequence[Action], picture: bytes | None
) -> Json:
    """Posts a report as `message` says where; without the picture if Slack does not take that. Raises PlatformError."""
    said = message | {"text": escaped(report_words.text(report))}
    file = await _uploaded(workspace, picture) if picture is not None else None
    for wait in _READY_AFTER if file is not None else ():
        try:
            return await _called(workspace, said | {"blocks": blocks(report, actions, file)})
        except PlatformError as error:
            if error.code != _NOT_READY:
                raise
        await asyncio.sleep(wait)
    return await _called(workspace, said | {"blocks": blocks(report, actions)})


async def give_file(workspace: SlackWorkspace, person: str, name: str, data: bytes) -> None:
    """Sends a file to somebody's direct messages. Raises PlatformError."""
    try:
        opened = await workspace.api.call("conversations.open", {"users": person})
        await _upload(workspace, name, data, channel=str(opened["channel"]["id"]))
    except RateLimited as limited:
        raise PlatformUnavailable("files: Slack asks to wait", code="ratelimited") from limited


async def _uploaded(workspace: SlackWorkspace, picture: bytes) -> str | None:
    try:
        return await _upload(workspace, PICTURE, picture)
    except (PlatformError, RateLimited) as error:
        _log.warning("report.picture_not_uploaded", error=getattr(error, "code", None) or type(error).__name__)
        return None


async def _upload(workspace: SlackWorkspace, name: str, data: bytes, channel: str | None = None) -> str:
    """The id of the file, which nobody sees but those of `channel`. Raises RateLimited, PlatformError."""
    place = await workspace.api.read("files.getUploadURLExternal", {"filename": name, "length": str(len(data))})
    try:
        async with workspace.session.post(str(place["upload_url"]), data=data, timeout=_UPLOAD) as answer:
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise PlatformUnavailable(f"upload: {type(error).__name__}", code="upload_failed") from error
    files = json.dumps([{"id": place["file_id"], "title": name}])
    done = {"files": files, **({"channel_id": channel} if channel is not None else {})}
    await workspace.api.read("files.completeUploadExternal", done)
    return str(place["file_id"])


async def _called(workspace: SlackWorkspace, message: Json) -> Json:
    try:
        return await workspace.api.call("chat.postMessage", message)
    except RateLimited as limited:
        raise PlatformUnavailable("chat.postMessage: Slack asks to wait", code="ratelimited") from limited
