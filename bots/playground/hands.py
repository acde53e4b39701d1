"""A person's hands: what the page asks for, done in the workspace it is meant for."""

from __future__ import annotations

from typing import Final

from bots.playground.requests import Request
from bots.playground.world import DiscordWorld, SlackWorld
from core.errors import WrongUse

ACTIONS: Final = frozenset({"post", "edit", "delete", "react", "command", "press"})


class Hands:
    """Does one thing in one of two workspaces. Fields of a request, by action (all with `user` and `channel`):

    post `text`, `thread` or `reply_to`, files · edit `message`, `text` · delete `message` ·
    react `message`, `name` (Slack) · command `name`, `text` (Slack) or `options` and files by option (Discord) ·
    press `message`, `button`, `value`.
    """

    def __init__(self, slack: SlackWorld, discord: DiscordWorld) -> None:
        self._slack = slack
        self._discord = discord

    async def do(self, place: str, action: str, asked: Request) -> None:
        """Does it. Raises WrongUse for what makes no sense as asked, and what the workspace raises on refusing it."""
        if action == "post" and not asked.text("text", default="").strip() and not asked.files:
            raise WrongUse("Write something first.")
        if place == "slack":
            await self._in_slack(action, asked)
        else:
            await self._in_discord(action, asked)

    async def _in_slack(self, action: str, asked: Request) -> None:
        user, channel, world = asked.text("user"), asked.text("channel"), self._slack
        match action:
            case "post":
                text, files = asked.text("text", default=""), tuple(file for _, file in asked.files)
                await world.post(user, channel, text, thread_ts=asked.maybe("thread"), files=files)
            case "edit":
                await world.edit(user, channel, asked.text("message"), asked.text("text"))
            case "delete":
                await world.delete(user, channel, asked.text("message"))
            case "react":
                await world.react(user, channel, asked.text("message"), asked.text("name"))
            case "command":
                await world.command(user, channel, asked.text("name"), asked.text("text", default=""))
            case "press":
                await world.press(
                    user, channel, asked.text("message"), asked.text("button"), value=asked.maybe("value")
                )

    async def _in_discord(self, action: str, asked: Request) -> None:
        user, channel, world = asked.text("user"), asked.text("channel"), self._discord
        match action:
            case "post":
                text, files = asked.text("text", default=""), tuple(file for _, file in asked.files)
                await world.post(user, channel, text, reply_to=asked.maybe("reply_to"), files=files)
            case "edit":
                await world.edit(user, channel, asked.text("message"), asked.text("text"))
            case "delete":
                await world.delete(user, channel, asked.text("message"))
            case "react":
                raise WrongUse("Reactions do nothing in this Discord.")
            case "command":
                name = asked.text("name").removeprefix("/")
                await world.command(user, channel, name, asked.options(), files=dict(asked.files))
            case "press":
                await world.press(user, channel, asked.text("message"), asked.text("button"))
