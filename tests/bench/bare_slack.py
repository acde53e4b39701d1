"""A bare loop for Slack: bolt in Socket Mode, the model's stream, Slack's stream. No store, no retries, no limits."""

from __future__ import annotations

import asyncio
import base64
import io
import os
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.bench.bare_model import BareModel

_SHOWN_SIDE = 1540


class BareSlack:
    """`append_every`: chunks between two writes of an answer."""

    def __init__(self, model: BareModel, append_every: int) -> None:
        self._model = model
        self._append_every = append_every
        self._token = os.environ["SLACK_BOT_TOKEN"]

    async def run(self) -> None:
        url = os.environ["SLACK_API_URL"]
        async with aiohttp.ClientSession() as session:
            client = AsyncWebClient(token=self._token, base_url=url, session=session)
            app = AsyncApp(client=client)
            app.event("app_mention")(self._on_mention)
            app.event("message")(self._on_message)
            handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"], web_client=client)
            await handler.start_async()  # type: ignore[no-untyped-call]

    async def _on_message(self) -> None:
        """What nobody asked the bot."""

    async def _on_mention(self, event: dict[str, Any], client: AsyncWebClient) -> None:
        channel, thread = event["channel"], event.get("thread_ts") or event["ts"]
        await client.api_call(
            "assistant.threads.setStatus",
            json={"channel_id": channel, "thread_ts": thread, "status": "is thinking…"},
        )
        pictures = [await self._picture(file["url_private_download"]) for file in event.get("files") or ()]
        content = [{"type": "text", "text": event["text"]}, *pictures] if pictures else event["text"]
        started = None
        held: list[str] = []
        async for text in self._model.stream(content, vision=bool(pictures)):
            held.append(text)
            if started is None:
                recipient = {"recipient_team_id": event["team"], "recipient_user_id": event["user"]}
                body = {"channel": channel, "thread_ts": thread, **recipient, "markdown_text": "".join(held)}
                started = (await client.api_call("chat.startStream", json=body))["ts"]
                held.clear()
            elif len(held) >= self._append_every:
                body = {"channel": channel, "ts": started, "markdown_text": "".join(held)}
                held.clear()
                await client.api_call("chat.appendStream", json=body)
        if started is not None:
            rest = {"markdown_text": "".join(held)} if held else {}
            await client.api_call("chat.stopStream", json={"channel": channel, "ts": started, **rest})

    async def _picture(self, url: str) -> dict[str, Any]:
        data = await self._model.download(url, self._token)
        encoded = base64.b64encode(await asyncio.to_thread(_small, data)).decode()
        return {"type": "image_url", "image_url": f"data:image/jpeg;base64,{encoded}"}


def _small(data: bytes) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        image.convert("RGB").save(target, "JPEG", quality=85)
    return target.getvalue()
