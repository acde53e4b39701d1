"""Discord's own refusals, as answers of the REST interface."""

from __future__ import annotations

from bots.playground.discord.records import Json


class Refused(Exception):
    """A request that Discord answers with an error: `status`, its `code`, its `message` and where it found fault."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.body: Json = {"message": message, "code": code}
        if errors is not None:
            self.body["errors"] = errors


def invalid(place: str, code: str, message: str) -> Refused:
    """400 Invalid Form Body. `place` is the dotted path of the field at fault, such as `embeds.0.title`."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for name in reversed(place.split(".")):
        errors = {name: errors}
    return Refused(400, 50035, "Invalid Form Body", errors)


def too_long(place: str, limit: int) -> Refused:
    return invalid(place, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")


def bad_length(place: str, least: int, most: int) -> Refused:
    return invalid(place, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def not_found() -> Refused:
    return Refused(404, 0, "404: Not Found")


def unauthorized() -> Refused:
    return Refused(401, 0, "401: Unauthorized")


def unknown_channel() -> Refused:
    return Refused(404, 10003, "Unknown Channel")


def unknown_guild() -> Refused:
    return Refused(404, 10004, "Unknown Guild")


def unknown_member() -> Refused:
    return Refused(404, 10007, "Unknown Member")


def unknown_message() -> Refused:
    return Refused(404, 10008, "Unknown Message")


def unknown_user() -> Refused:
    return Refused(404, 10013, "Unknown User")


def unknown_webhook() -> Refused:
    return Refused(404, 10015, "Unknown Webhook")


def unknown_interaction() -> Refused:
    return Refused(404, 10062, "Unknown interaction")


def unknown_command() -> Refused:
    return Refused(404, 10063, "Unknown application command")


def forbidden(code: int) -> Refused:
    """403 with one of the codes of a place or a person that the bot may not write to."""
    words = {
        50001: "Missing Access",
        50005: "Cannot edit a message authored by another user",
        50007: "Cannot send messages to this user",
        50013: "Missing Permissions",
    }
    return Refused(403, code, words[code])
