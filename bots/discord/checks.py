"""What `bise doctor` finds out about Discord: the token, the intent, how to invite the bot."""

from __future__ import annotations

import discord

from bots.discord.rest import Rest
from bots.discord.shards import Allowance, allowance
from bots.findings import Finding
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.settings import Settings

_PORTAL = "https://discord.com/developers/applications"
_CONTENT, _CONTENT_LIMITED = 1 << 18, 1 << 19  # the application's flags: message content intent
NEEDED = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
    use_application_commands=True,
)


async def check(settings: Settings) -> list[Finding]:
    """Asks Discord with the token of the settings; none of it changes anything. Never raises PlatformError."""
    if settings.discord_token is None:
        return [Finding(False, "Discord is not set up: DISCORD_TOKEN is missing", "Set DISCORD_TOKEN=… in .env.")]
    async with Rest(settings.discord_token.get_secret_value(), settings.discord_api_url) as rest:
        try:
            user = await rest.patiently("GET", "/users/@me")
            application = await rest.patiently("GET", "/applications/@me")
            allowed = await allowance(rest)
        except TokenRevoked:
            mend = f"Take a new one at {_PORTAL}, Bot, Reset Token, and set DISCORD_TOKEN to it."
            return [Finding(False, "Discord refuses DISCORD_TOKEN", mend)]
        except PlatformError as error:
            mend = "Check that this machine reaches discord.com (DISCORD_API_URL, firewall), and try again."
            return [Finding(False, f"Discord could not be asked: {error}", mend)]
    bot = f"Discord knows the bot as {user.get('username', '?')} ({user.get('id', '?')})"
    return [
        Finding(True, bot),
        _content(application),
        _sessions(allowed),
        _public(application, settings),
        _invitation(application),
    ]


def invite_link(application: str) -> str:
    """Where somebody with Manage Server adds the bot, with what it needs."""
    return (
        f"https://discord.com/oauth2/authorize?client_id={application}"
        f"&scope=bot+applications.commands&permissions={NEEDED.value}"
    )


def _content(application: dict[str, object]) -> Finding:
    flags = int(str(application.get("flags") or 0))
    if flags & (_CONTENT | _CONTENT_LIMITED):
        return Finding(True, "The message content intent is on")
    return Finding(
        False,
        "The message content intent is off: only mentions, replies, direct messages and commands can be read",
        f"Switch it on at {_PORTAL}, Bot, Privileged Gateway Intents, Message Content Intent.",
    )


def _sessions(allowed: Allowance) -> Finding:
    shards = "one shard" if allowed.shards == 1 else f"{allowed.shards} shards"
    try:
        allowed.spend()
    except PlatformUnavailable as error:
        mend = "Look for what restarts the bot again and again: each start costs one session a shard."
        return Finding(False, str(error).rstrip("."), mend)
    left = "" if allowed.remaining is None else f", and {allowed.remaining} more sessions for now"
    return Finding(True, f"Discord gives the bot {shards} of its gateway{left}")


def _public(application: dict[str, object], settings: Settings) -> Finding:
    if not application.get("bot_public"):
        return Finding(True, "Only its owner can add the bot to servers")
    if settings.allowed_workspaces:
        return Finding(True, "Anybody can add the bot; it leaves servers that BISE_ALLOWED_WORKSPACES does not name")
    return Finding(
        False,
        "Anybody can add the bot to a server and spend your budget",
        f"Switch off Public Bot at {_PORTAL}, Bot (Discord wants Installation, Install Link: None first), or set "
        "BISE_ALLOWED_WORKSPACES=discord:SERVER.",
    )


def _invitation(application: dict[str, object]) -> Finding:
    return Finding(True, f"To add the bot to a server, open {invite_link(str(application.get('id')))}")
