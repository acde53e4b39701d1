"""A bare loop for Discord: discord.py, the model's stream, an edit a second. No store."""

from __future__ import annotations

import asyncio
import contextlib
import os

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.bench.bare_model import BareModel

_EDIT_SECONDS = 1.0
_LONGEST = 2000


class BareDiscord(discord.Client):
    """Answers mentions by replies."""

    def __init__(self, model: BareModel) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents)
        self._model = model

    async def run_here(self) -> None:
        Route.BASE = os.environ["DISCORD_API_URL"]
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["DISCORD_GATEWAY_URL"])
        async with self:
            await self.start(os.environ["DISCORD_TOKEN"])

    async def on_message(self, message: discord.Message) -> None:
        if self.user is None or self.user not in message.mentions or message.author.bot:
            return
        answer = _Answer(message)
        showing = asyncio.create_task(answer.keep_showing())
        try:
            async for text in self._model.stream(message.content):
                answer.text += text
        finally:
            answer.over = True
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing
        await answer.show()


class _Answer:
    def __init__(self, question: discord.Message) -> None:
        self._question = question
        self._posts: list[discord.Message] = []
        self._shown: list[str] = []
        self._showing = asyncio.Lock()
        self.text = ""
        self.over = False

    async def keep_showing(self) -> None:
        while not self.over:
            await asyncio.shield(self.show())
            await asyncio.sleep(_EDIT_SECONDS)

    async def show(self) -> None:
        """Sends or edits whatever differs from what is shown."""
        async with self._showing:
            pieces = [self.text[start : start + _LONGEST] for start in range(0, len(self.text), _LONGEST)]
            for number, piece in enumerate(pieces):
                if number >= len(self._posts):
                    self._posts.append(await self._question.reply(piece))
                    self._shown.append(piece)
                elif self._shown[number] != piece:
                    await self._posts[number].edit(content=piece)
                    self._shown[number] = piece
