"""REST: who the bot is, where the gateway is, the guild and its people, and the registered commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bots.playground.discord import gateway
from bots.playground.discord.commands import Commands
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.gateway import Gateway
from bots.playground.discord.guild_payloads import GuildPayloads
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.records import Json, Person
from bots.playground.discord.refusals import (
    Refused,
    forbidden,
    invalid,
    unknown_guild,
    unknown_member,
    unknown_user,
)
from bots.playground.discord.rest import Answer, Request, Route
from bots.playground.discord.world import World


class IdentityRoutes:
    """Answers about the application, the guild and its commands."""

    def __init__(
        self,
        world: World,
        faults: DiscordFaults,
        payloads: Payloads,
        commands: Commands,
        gate: Gateway,
        gateway_url: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        self._world = world
        self._faults = faults
        self._payloads = payloads
        self._guild_payloads = GuildPayloads(world, faults, payloads)
        self._commands = commands
        self._gate = gate
        self._gateway_url = gateway_url
        self._wake = wake

    def routes(self) -> list[Route]:
        everywhere = "/applications/{application}/commands"
        here = "/applications/{application}/guilds/{guild}/commands"
        scoped = [
            route
            for path in (everywhere, here)
            for route in (
                Route("GET", path, lambda asked: (200, self._commands.of(self._scope(asked)))),
                Route("PUT", path, self._replace),
                Route("POST", path, self._put),
                Route("GET", path + "/{command}", self._get),
                Route("PATCH", path + "/{command}", self._change),
                Route("DELETE", path + "/{command}", self._delete),
            )
        ]
        return [
            Route("GET", "/users/@me", lambda _: (200, self._payloads.user(self._world.bot))),
            Route("GET", "/users/@me/guilds", lambda _: (200, self._guilds())),
            Route("DELETE", "/users/@me/guilds/{guild}", self._leave),
            Route("POST", "/users/@me/channels", self._open_direct),
            Route("GET", "/users/{user}", lambda asked: (200, self._payloads.user(self._person(asked, unknown_user)))),
            Route("GET", "/oauth2/applications/@me", lambda _: (200, self._guild_payloads.application())),
            Route("GET", "/applications/@me", lambda _: (200, self._guild_payloads.application())),
            Route("GET", "/gateway", lambda _: (200, {"url": self._gateway_url()})),
            Route("GET", "/gateway/bot", lambda _: (200, self._gateway())),
            Route("GET", "/guilds/{guild}", self._guild),
            Route("GET", "/guilds/{guild}/channels", self._channels),
            Route(
                "GET", "/guilds/{guild}/roles", lambda asked: (200, self._here(asked) and self._guild_payloads.roles())
            ),
            Route("GET", "/guilds/{guild}/threads/active", self._active_threads),
            Route("GET", "/guilds/{guild}/members/{user}", self._member),
            *scoped,
        ]

    def _gateway(self) -> Json:
        limit = {
            "total": self._faults.sessions_a_day,
            "remaining": max(0, self._faults.sessions_a_day - self._gate.identifies),
            "reset_after": 86_400_000,
            "max_concurrency": self._faults.max_concurrency,
        }
        return {"url": self._gateway_url(), "shards": self._faults.shards, "session_start_limit": limit}

    def _here(self, asked: Request) -> bool:
        if asked["guild"] != self._world.guild_id:
            raise unknown_guild()
        if self._world.left:
            raise forbidden(50001)
        return True

    def _guilds(self) -> list[Json]:
        world = self._world
        return [] if world.left else [{"id": world.guild_id, "name": world.guild_name, "icon": None, "features": []}]

    def _guild(self, asked: Request) -> Answer:
        self._here(asked)
        live = ("channels", "threads", "members", "voice_states", "presences", "joined_at", "large", "member_count")
        return 200, {name: value for name, value in self._guild_payloads.guild().items() if name not in live}

    def _channels(self, asked: Request) -> Answer:
        self._here(asked)
        return 200, self._guild_payloads.guild()["channels"]

    def _active_threads(self, asked: Request) -> Answer:
        self._here(asked)
        threads = self._guild_payloads.guild()["threads"]
        return 200, {"threads": threads, "members": [thread["member"] for thread in threads]}

    def _person(self, asked: Request, unknown: Callable[[], Refused]) -> Person:
        person = self._world.people.get(asked["user"])
        if person is None:
            raise unknown()
        return person

    def _member(self, asked: Request) -> Answer:
        self._here(asked)
        return 200, self._payloads.member(self._person(asked, unknown_member))

    def _leave(self, asked: Request) -> Answer:
        self._here(asked)
        self._world.left = True
        data = {"id": self._world.guild_id}
        self._gate.dispatch("GUILD_DELETE", data, gateway.GUILDS, guild=True)
        return 204, None

    def _open_direct(self, asked: Request) -> Answer:
        wanted = str(asked.fields.get("recipient_id"))
        for channel in self._world.channels.values():
            if channel.recipient == wanted:
                return 200, self._payloads.channel(channel)
        raise unknown_user()

    def _scope(self, asked: Request) -> str:
        if asked["application"] != self._world.application_id:
            raise Refused(403, 20012, "You are not authorized to perform this action on this application")
        if "guild" not in asked.parameters:
            return ""
        self._here(asked)
        return asked["guild"]

    def _ids(self) -> Iterator[str]:
        while True:
            yield self._world.snowflakes.next(self._world.now())

    def _replace(self, asked: Request) -> Answer:
        if not isinstance(asked.body, list):
            raise invalid("_", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        scope = self._scope(asked)
        rows = self._commands.replace(scope, asked.body, self._ids(), self._world.application_id)
        self._wake()
        return 200, rows

    def _put(self, asked: Request) -> Answer:
        row = self._commands.put(self._scope(asked), asked.fields, self._ids(), self._world.application_id)
        self._wake()
        return 201, row

    def _get(self, asked: Request) -> Answer:
        return 200, self._commands.get(self._scope(asked), asked["command"])

    def _change(self, asked: Request) -> Answer:
        scope = self._scope(asked)
        before = self._commands.get(scope, asked["command"])
        settable = ("name", "description", "options", "default_member_permissions", "contexts", "nsfw", "type")
        body = {name: before[name] for name in settable if name in before} | asked.fields
        if body["name"] != before["name"]:
            self._commands.delete(scope, before["id"])
        return 200, self._commands.put(scope, body, self._ids(), self._world.application_id)

    def _delete(self, asked: Request) -> Answer:
        self._commands.delete(self._scope(asked), asked["command"])
        return 204, None
