"""The simulated Discord as a whole: mounted on a web application, with people's hands and tests' eyes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from aiohttp import web

from bots.playground.changes import Changes
from bots.playground.discord import page, views
from bots.playground.discord.channel_routes import ChannelRoutes
from bots.playground.discord.commands import Commands
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.gateway import Gateway
from bots.playground.discord.identity_routes import IdentityRoutes
from bots.playground.discord.interaction_routes import InteractionRoutes
from bots.playground.discord.limits import RateLimits
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.people import People
from bots.playground.discord.posts import Posts
from bots.playground.discord.records import File, Json
from bots.playground.discord.rest import Rest
from bots.playground.discord.threads import Threads
from bots.playground.discord.typing_notes import TypingNotes
from bots.playground.discord.views import DiscordPost, InteractionView, RestCall
from bots.playground.discord.world import World


class DiscordSimulator:
    """A Discord with one guild, at REST v10 and the gateway, for one bot.

    Whoever starts the server sets `base_url`, such as "http://127.0.0.1:8765". People and channels go by id or name;
    the bot's direct messages with somebody by that person's name. A person's refused act raises PersonCannot or
    LookupError, with a sentence for people. At most 5,000 messages and 20,000 calls are kept.
    """

    def __init__(self, *, faults: DiscordFaults | None = None, clock: Callable[[], float] = time.time) -> None:
        self.faults = faults or DiscordFaults()
        self.base_url = ""
        self._prefix = "/discord"
        self._changes = Changes()
        self._world = world = World(clock)
        self._commands = Commands()
        self._limits = RateLimits(self.faults)
        self._payloads = Payloads(world, self.faults, lambda: f"{self.base_url}{self._prefix}/cdn")
        self.gateway = Gateway(world, self.faults, self._payloads, self._changes.wake, lambda: self.gateway_url)
        self._typing = TypingNotes(self._typing_changed)
        self._posts = Posts(world, self.faults, self._payloads, self.gateway, self._changes, lambda: self._prefix)
        self._threads = Threads(world, self._payloads, self._posts, self.gateway, self._changes)
        self._people = People(
            world, self.faults, self._payloads, self._posts, self._threads, self._commands, self.gateway
        )
        self._rest = Rest(world, self.faults, self._limits, self._routes(), self._changes.wake)

    def _routes(self) -> list[Any]:
        world, faults, payloads, posts = self._world, self.faults, self._payloads, self._posts
        channels = ChannelRoutes(
            world, faults, payloads, posts, self._threads, self.gateway, self._typing.begin, self._typing.end
        )
        interactions = InteractionRoutes(world, faults, payloads, posts, self._typing.end)
        identity = IdentityRoutes(
            world, faults, payloads, self._commands, self.gateway, lambda: self.gateway_url, self._changes.wake
        )
        return [*identity.routes(), *channels.routes(), *interactions.routes()]

    # Identity and addresses

    @property
    def token(self) -> str:
        return self._world.token

    @property
    def application_id(self) -> str:
        return self._world.application_id

    @property
    def bot_id(self) -> str:
        return self._world.bot_id

    @property
    def guild_id(self) -> str:
        return self._world.guild_id

    @property
    def guild_name(self) -> str:
        return self._world.guild_name

    @property
    def api_url(self) -> str:
        return f"{self.base_url}{self._prefix}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"{self.base_url.replace('http', 'ws', 1)}{self._prefix}/gateway"

    def mount(self, app: web.Application, prefix: str = "/discord") -> None:
        """Adds `{prefix}/api/v10/…`, `{prefix}/gateway` and `{prefix}/cdn/…` to an application not yet started."""
        self._prefix = prefix
        app.router.add_route("*", prefix + "/api/v10/{tail:.*}", self._rest.handle)
        app.router.add_get(prefix + "/gateway", self.gateway.handle)
        app.router.add_get(prefix + "/gateway/", self.gateway.handle)
        app.router.add_get(prefix + "/cdn/attachments/{channel}/{attachment}/{name}", self._serve_file)
        app.on_shutdown.append(self._shut_down)

    async def _shut_down(self, _: web.Application) -> None:
        self.gateway.close(1001)

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        found = self._world.attachments.get(request.match_info["attachment"])
        if found is None or self.faults.attachments_expired or request.query.get("hm") != found.signature:
            return web.Response(status=404, text="This content is no longer available.")
        headers = {"Content-Type": found.mime, "X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
        return web.Response(body=found.data, headers=headers)

    # Hands of people

    async def post(
        self, user: str, channel: str, content: str, reply_to: str | None = None, files: Sequence[File] = ()
    ) -> str:
        """Somebody writes a message; its id."""
        return self._people.post(user, channel, content, reply_to, files).id

    async def edit(self, user: str, channel: str, message: str, content: str) -> None:
        """Somebody changes a message of their own."""
        self._posts.reword(self._people.own(user, channel, message), content.strip())

    async def delete(self, user: str, channel: str, message: str) -> None:
        """Somebody deletes a message of their own."""
        self._posts.remove(self._people.own(user, channel, message))

    async def command(
        self,
        user: str,
        channel: str,
        name: str,
        options: Mapping[str, Any] | None = None,
        files: Mapping[str, File] | None = None,
    ) -> InteractionView:
        """Somebody gives a registered slash command: "ask", or "bise usage" for a subcommand. Files by option."""
        return self._people.command(user, channel, name, options or {}, files or {})

    async def press(self, user: str, channel: str, message: str, custom_id: str) -> InteractionView:
        """Somebody presses a button."""
        return self._people.press(user, channel, message, custom_id)

    async def choose(self, user: str, channel: str, message: str, name: str) -> InteractionView:
        """Somebody chooses what the bot put into a message's menu."""
        return self._people.choose(user, channel, message, name)

    async def autocomplete(
        self, user: str, channel: str, name: str, option: str, text: str, options: Mapping[str, Any] | None = None
    ) -> InteractionView:
        """Somebody is half way through typing an option."""
        return self._people.autocomplete(user, channel, name, option, text, options or {})

    async def type(self, user: str, channel: str) -> None:
        """Somebody begins to write."""
        self._people.type(user, channel)

    async def open_thread(self, user: str, channel: str, name: str, message: str | None = None) -> str:
        """Somebody opens a thread, at a message or by itself; its id."""
        return self._people.open_thread(user, channel, name, message).id

    # The guild itself

    def person_id(self, name: str) -> str:
        return self._world.person(name).id

    def channel_id(self, name: str) -> str:
        return self._world.channel(name).id

    def add_person(self, name: str, *, manager: bool = False) -> str:
        """Somebody new, with direct messages to the bot; their id."""
        person = self._world.add_person(name, manager=manager)
        self._changes.publish({"type": "channel", "channel": page.channel(self._world.channel(person.id))})
        return person.id

    def add_channel(self, name: str) -> str:
        """A new text channel; its id."""
        channel = self._world.add_channel(name)
        self._threads.tell_new(channel)
        return channel.id

    def delete_channel(self, channel: str) -> None:
        """A channel or thread goes, with all that was said in it."""
        self._threads.delete(self._world.channel(channel))

    def forbid(self, channel: str, code: int = 50013) -> None:
        """The bot loses its rights in a channel: 50013 (may look, not write) or 50001 (may not even look)."""
        place = self._world.channel(channel)
        self.faults.forbidden[place.id] = code
        if place.kind == "text":
            self._threads.tell_changed(place)

    def revoke_token(self) -> None:
        """The bot's token is no longer good: 401 for each request, 4004 on the gateway."""
        self.faults.token_revoked = True
        self.gateway.close(4004)

    def drop_sockets(self) -> None:
        """Cuts the gateway's connections without a word; a RESUME brings what was missed."""
        self.gateway.drop()

    def ask_to_reconnect(self) -> None:
        """Op 7 on every gateway connection."""
        self.gateway.ask_to_reconnect()

    def invalidate_sessions(self, *, resumable: bool = False) -> None:
        """Op 9. Not resumable: what happens until the next IDENTIFY is lost."""
        self.gateway.invalidate(resumable=resumable)

    # Eyes

    @property
    def calls(self) -> deque[RestCall]:
        return self._rest.calls

    @property
    def registered_commands(self) -> list[Json]:
        return self._commands.all()

    @property
    def rate_limited(self) -> dict[str, int]:
        """429s so far, by bucket."""
        return dict(self._limits.refused)

    @property
    def connected(self) -> bool:
        """Whether a bot is on the gateway, identified."""
        return self.gateway.connected

    def messages(self, channel: str) -> list[DiscordPost]:
        """A channel's messages, oldest first, the private ones too."""
        return [views.post(one, self._world) for one in self._world.said_in(self._world.channel(channel).id)]

    def typing(self, channel: str) -> bool:
        """Whether the bot is seen typing there."""
        return self._world.channel(channel).id in self._typing.now()

    def threads(self, channel: str) -> list[str]:
        """Ids of a channel's threads, oldest first."""
        parent = self._world.channel(channel).id
        return [one.id for one in self._world.channels.values() if one.parent == parent]

    async def until(self, predicate: Callable[[], object], timeout: float = 10) -> None:  # noqa: ASYNC109 - its contract
        """Returns once the predicate holds. Raises TimeoutError after `timeout` seconds."""
        await self._changes.until(predicate, timeout)

    def snapshot(self) -> Json:
        """Everything as the page shows it (`bots/playground/world.py` has the shape)."""
        return page.snapshot(self._world, self._prefix, self.registered_commands, self._typing.now())

    def subscribe(self) -> AbstractContextManager[asyncio.Queue[Json]]:
        """Changes of the snapshot from now on; {"type":"resync"} where the reader is too far behind."""
        return self._changes.subscribe()

    def _typing_changed(self, channel: str, typing: bool) -> None:
        self._changes.publish({"type": "status", **page.status(self._world, channel, typing=typing)})
