"""Where an answer's posts stand: in a channel, or behind an interaction's token. Each method is one call."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bots.discord.errors import INTERACTION_OVER, UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK
from bots.discord.rest import Rest
from bots.discord.said import Said, said_after
from bots.writer import RateLimited
from core.errors import PlaceGone, PlatformError, PlatformUnavailable

Components = list[dict[str, Any]]
EPHEMERAL = 64
NO_PINGS: dict[str, list[str]] = {"parse": []}
_NOT_YET = 3.0  # seconds after a deferral in which Discord may not know its webhook yet


class PrivateReplyOver(PlaceGone):
    """An answer for one person's eyes can no longer be shown: the token that reached them is spent."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A post as Discord reports it, which after a lost answer may be an older wording than the one sent."""

    post: str
    content: str
    buttons: bool


class Place(Protocol):
    """Writes posts. Raises RateLimited, PlatformError. `opens`: it begins with a post that exists already."""

    opens: bool

    async def open(self) -> str | None:
        """The id of that post, None where there is none or it is not known before it is edited."""
        ...

    async def send(self, content: str, components: Components, nonce: str) -> Sent:
        """A further post; gives what stands there now, which may be what an earlier call left."""
        ...

    async def edit(self, post: str, content: str, components: Components) -> None: ...

    async def delete(self, post: str) -> None: ...

    async def said(self, after: str) -> list[Said]:
        """Our own messages here after that message or moment, oldest first, as far as they can be listed."""
        ...


class ChannelPlace:
    """A channel, thread or direct message, written to with the bot's own token."""

    opens = False

    def __init__(self, rest: Rest, channel: str, reply_to: str | None = None) -> None:
        self._rest = rest
        self._channel = channel
        self._reply_to = reply_to

    @property
    def id(self) -> str:
        return self._channel

    async def open(self) -> str | None:
        return None

    async def send(self, content: str, components: Components, nonce: str) -> Sent:
        payload = _payload(content, components) | {"nonce": nonce, "enforce_nonce": True}
        if self._reply_to is not None:
            payload["message_reference"] = {"message_id": self._reply_to, "fail_if_not_exists": False}
        path = f"/channels/{self._channel}/messages"
        sent = await self._rest.call("POST", path, payload, bucket=f"send {self._channel}")
        self._reply_to = None  # an answer's further posts follow the first, they do not reply again
        return _sent(sent, content, components)

    async def find(self, content: str, after: str) -> Sent | None:
        """Our newest message with that content after the message `after`."""
        found = await self._rest.call("GET", f"/channels/{self._channel}/messages?after={after}&limit=50")
        ours = (one for one in found if one["author"].get("bot") and one["content"].strip() == content.strip())
        return next((_sent(one, content, []) for one in ours), None)

    async def edit(self, post: str, content: str, components: Components) -> None:
        self._reply_to = None  # there is a first post
        path = f"/channels/{self._channel}/messages/{post}"
        await self._rest.call("PATCH", path, _payload(content, components), bucket=f"edit {self._channel}")

    async def delete(self, post: str) -> None:
        path = f"/channels/{self._channel}/messages/{post}"
        await self._rest.call("DELETE", path, bucket=f"delete {self._channel}")

    async def said(self, after: str) -> list[Said]:
        return await said_after(self._rest, self._channel, after)

    async def type(self) -> None:
        """Shows "is typing…" for ten seconds or until the next post."""
        await self._rest.call("POST", f"/channels/{self._channel}/typing", {}, bucket=f"type {self._channel}")


class InteractionPlace:
    """Behind an interaction's token: its deferred answer and the follow-ups to it.

    The token is good for fifteen minutes and, for a private answer, the only way. A public answer goes on in `channel`
    with the bot's own token when it is over. `until` is in seconds since the epoch; `defer` acknowledges the
    interaction if that has not happened, and gives the id of the deferred answer (None: not known).
    """

    opens = True

    def __init__(
        self,
        rest: Rest,
        address: Mapping[str, str],
        channel: ChannelPlace,
        defer: Callable[[], Awaitable[str | None]] | None,
    ) -> None:
        self._rest = rest
        self._token = address["token"]
        self._path = f"/webhooks/{address['application']}/{self._token}"
        self._until = float(address["until"])
        self.private = address.get("private") == "yes"
        self._channel = channel
        self._defer = defer
        self._begun = time.time()
        self._over = False
        self._last: str | None = None  # the newest post that this place is known to have
        self._doubtful: str | None = None  # what a follow-up said whose answer was lost

    async def open(self) -> str | None:
        if self._defer is None or self.is_over():
            return None
        try:
            return await self._defer()
        except PlatformError as error:
            if error.code not in INTERACTION_OVER:
                raise
            self._over = True
            return None

    async def send(self, content: str, components: Components, nonce: str) -> Sent:
        if self.is_over():
            return await self._public().send(content, components, nonce)
        try:
            sent = await self._send(content, components)
        except PlatformError as error:
            self._give_up_token(error)
            return await self._public().send(content, components, nonce)
        self._last = sent.post
        return sent

    async def _send(self, content: str, components: Components) -> Sent:
        payload = _payload(content, components)
        if self._last is None:
            path = f"{self._path}/messages/@original"
            sent = await self._rest.call("PATCH", path, payload, bucket=f"edit {self._token}", token=False)
            return _sent(sent, content, components)
        # Webhooks know no nonce: after a follow-up whose answer was lost, look whether it stands there.
        if self._doubtful is not None and not self.private:
            found = await self._channel.find(self._doubtful, self._last)
            self._doubtful = None
            if found is not None:
                return found
        payload["flags"] = EPHEMERAL if self.private else 0
        try:
            path = f"{self._path}?wait=true"
            sent = await self._rest.call("POST", path, payload, bucket=f"send {self._token}", token=False)
        except PlatformUnavailable:
            self._doubtful = content
            raise
        return _sent(sent, content, components)

    async def edit(self, post: str, content: str, components: Components) -> None:
        self._last = max(self._last or post, post, key=int)
        if self.is_over():
            await self._public().edit(post, content, components)
            return
        path = f"{self._path}/messages/{post}"
        try:
            await self._rest.call(
                "PATCH", path, _payload(content, components), bucket=f"edit {self._token}", token=False
            )
        except PlatformError as error:
            self._give_up_token(error)
            await self._public().edit(post, content, components)

    async def delete(self, post: str) -> None:
        if self.is_over():
            await self._public().delete(post)
            return
        path = f"{self._path}/messages/{post}"
        try:
            await self._rest.call("DELETE", path, bucket=f"delete {self._token}", token=False)
        except PlatformError as error:
            self._give_up_token(error)
            await self._public().delete(post)

    async def whisper(self, content: str, components: Components) -> None:
        """Says something to the asker alone, where the answer was announced to all. Raises as `send`.

        A deferral that still "is thinking…" would swallow it and show it to all: whatever stands there goes first.
        (That Discord then takes it: discord-api-docs 2739.)
        """
        payload = _payload(content, components) | {"flags": EPHEMERAL}
        try:
            await self._take_original_away()
            await self._rest.call("POST", f"{self._path}?wait=true", payload, bucket=f"send {self._token}", token=False)
        except PlatformError as error:
            self._give_up_token(error)
            raise

    async def _take_original_away(self) -> None:
        path = f"{self._path}/messages/@original"
        try:
            await self._rest.call("DELETE", path, bucket=f"delete {self._token}", token=False)
        except PlaceGone as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
        self._last = self._last or "0"  # what comes next would be a follow-up, too

    async def said(self, after: str) -> list[Said]:
        return [] if self.private else await self._channel.said(after)  # what one person sees is listed to nobody

    def is_over(self) -> bool:
        """Whether the token is spent."""
        return self._over or time.time() >= self._until

    def _give_up_token(self, error: PlatformError) -> None:
        """Marks the token as spent if that is what the error says; raises it otherwise."""
        if error.code not in INTERACTION_OVER:
            raise error
        fresh = error.code == UNKNOWN_WEBHOOK and self._defer is not None
        if fresh and time.time() - self._begun < _NOT_YET:
            raise RateLimited(0.25) from error
        self._over = True

    def _public(self) -> ChannelPlace:
        if self.private:
            raise PrivateReplyOver("the private answer's token is over", code="interaction_over")
        return self._channel


def _sent(message: Mapping[str, Any], content: str, components: Components) -> Sent:
    """What Discord says of a message; of the space around its words, which Discord drops, nothing is made."""
    said = str(message.get("content", content))
    buttons = bool(message.get("components", components))
    return Sent(str(message["id"]), content if said.strip() == content.strip() else said, buttons)


def _payload(content: str, components: Components) -> dict[str, Any]:
    return {"content": content, "components": components, "allowed_mentions": NO_PINGS}
