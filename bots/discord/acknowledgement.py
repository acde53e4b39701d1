"""The one answer that Discord wants to each interaction, within three seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import discord

from bots.discord.errors import ALREADY_ACKNOWLEDGED, converted

# Of the three seconds, what storing may take; then the interaction is deferred, stored or not.
PATIENCE = 1.5
T = TypeVar("T")


class Acknowledgement:
    """Acknowledges one interaction, once, whoever asks for it first. `private`: only the asker sees the answer."""

    def __init__(self, interaction: discord.Interaction, *, private: bool) -> None:
        self._interaction = interaction
        self._private = private
        self._lock = asyncio.Lock()
        self._deferred = False
        self._elsewhere = False  # an earlier delivery acknowledged it: what stands there is not ours to change
        self._post: str | None = None

    async def defer(self) -> str | None:
        """Shows "is thinking…"; gives the id of the answer's first post (None: Discord did not tell).

        Raises PlatformError.
        """
        async with self._lock:
            if not self._deferred:
                self._post = await self._defer()
                self._deferred = True
        return self._post

    async def _defer(self) -> str | None:
        try:
            response = await self._interaction.response.defer(ephemeral=self._private, thinking=True)
        except Exception as error:
            failure = converted(error)
            if failure.code == ALREADY_ACKNOWLEDGED:  # a first try arrived whose answer was lost
                self._elsewhere = True
                return None
            raise failure from error
        return str(response.message_id) if response and response.message_id else None

    async def say(self, words: str) -> None:
        """One sentence instead of an answer, for the asker's eyes unless a public answer was announced already.

        Says nothing where an earlier delivery of the interaction has its answer. Raises PlatformError.
        """
        none = discord.AllowedMentions.none()
        async with self._lock:
            if self._elsewhere:
                return
            try:
                if self._deferred:
                    await self._interaction.edit_original_response(content=words, allowed_mentions=none)
                else:
                    await self._interaction.response.send_message(words, ephemeral=True, allowed_mentions=none)
                    self._deferred = True
            except Exception as error:
                failure = converted(error)
                if failure.code != ALREADY_ACKNOWLEDGED:
                    raise failure from error
                self._elsewhere = True

    async def within(self, work: Awaitable[T], patience: float = PATIENCE) -> T:
        """What `work` gives; when it takes longer than `patience` seconds the interaction is deferred meanwhile."""
        return await within(work, self.defer, patience)


async def within(work: Awaitable[T], late: Callable[[], Awaitable[object]], patience: float = PATIENCE) -> T:
    """What `work` gives; `late` is called when it takes longer than `patience` seconds, and never cuts it short."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=patience)
    if not done:
        try:
            await late()
        finally:
            await asyncio.wait({task})
    return task.result()
