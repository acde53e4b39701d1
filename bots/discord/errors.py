"""Discord's errors as ours: one table, total over status and code.

Codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
"""

from __future__ import annotations

import aiohttp
import discord

from core.errors import PlaceForbidden, PlaceGone, PlatformError, PlatformUnavailable, TokenRevoked

UNKNOWN_MESSAGE = "10008"
UNKNOWN_WEBHOOK = "10015"
ALREADY_ACKNOWLEDGED = "40060"
THREAD_ARCHIVED = "50083"
INTENTS_REFUSED = "4014"  # the code with which the gateway closes
# An interaction that nobody acknowledged in time, or whose token's fifteen minutes are over.
INTERACTION_OVER = frozenset({UNKNOWN_WEBHOOK, "10062", "50027"})

_BY_CODE: dict[str, type[PlatformError]] = {
    "10003": PlaceGone,  # unknown channel
    "10004": PlaceGone,  # unknown guild
    UNKNOWN_MESSAGE: PlaceGone,
    UNKNOWN_WEBHOOK: PlaceGone,
    "10062": PlaceGone,  # unknown interaction
    "50027": PlaceGone,  # invalid webhook token
    THREAD_ARCHIVED: PlaceGone,
    "40001": TokenRevoked,  # unauthorized
    "50014": TokenRevoked,  # invalid authentication token
    "50001": PlaceForbidden,  # missing access
    "50007": PlaceForbidden,  # cannot send to this person
    "50013": PlaceForbidden,  # missing permissions
    "50024": PlaceForbidden,  # cannot do this in this kind of channel
    "160005": PlaceForbidden,  # thread is locked
    "160006": PlaceForbidden,  # too many active threads
}
_BY_STATUS: dict[int, type[PlatformError]] = {401: TokenRevoked, 403: PlaceForbidden, 404: PlaceGone}


def platform_error(status: int, code: int | str | None, message: str) -> PlatformError:
    """Discord's refusal as an error of the tree; a status of 500 and more is PlatformUnavailable."""
    word = str(code) if code else str(status)
    kind = _BY_CODE.get(word) or _BY_STATUS.get(status)
    if kind is None:
        kind = PlatformUnavailable if status >= 500 or status == 429 else PlatformError
    return kind(f"Discord answered {status} ({word}): {message[:200]}", code=word)


def converted(error: BaseException) -> PlatformError:
    """What discord.py or the network raised, as an error of the tree."""
    match error:
        case PlatformError():
            return error
        case discord.LoginFailure():
            return TokenRevoked("Discord refuses the bot token", code="401")
        case discord.HTTPException():
            return platform_error(error.status, error.code, error.text)
        case discord.ConnectionClosed():
            kind = TokenRevoked if error.code == 4004 else PlatformUnavailable
            return kind(f"Discord closed the gateway ({error.code})", code=str(error.code))
        case discord.PrivilegedIntentsRequired():
            return PlatformUnavailable("Discord refuses an intent of this bot (4014)", code=INTENTS_REFUSED)
        case discord.GatewayNotFound():
            return PlatformUnavailable("Discord named no gateway")
        case discord.InteractionResponded():
            return PlaceGone("this interaction was answered before", code=ALREADY_ACKNOWLEDGED)
        case TimeoutError():
            return PlatformUnavailable("Discord did not answer in time")
        case aiohttp.ClientError() | OSError():
            return PlatformUnavailable(f"Discord cannot be reached ({type(error).__name__})")
        case _:
            return PlatformError(f"unexpected {type(error).__name__} from discord.py")
