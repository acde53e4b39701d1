"""What Discord refuses in a message: too long, too many, empty, malformed. Raises Refused and returns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bots.playground.discord.records import COMPONENTS_V2, File, Json
from bots.playground.discord.refusals import Refused, bad_length, invalid, too_long

CONTENT_MAX: Final = 2000
EMBEDS_MAX: Final = 10
EMBED_TEXT_MAX: Final = 6000
ROWS_MAX: Final = 5
BUTTONS_MAX: Final = 5
CUSTOM_ID_MAX: Final = 100
FILES_MAX: Final = 10
FILE_BYTES_MAX: Final = 10 * 1024 * 1024
NONCE_MAX: Final = 25
_BUTTON, _LINK, _ROW = 2, 5, 1
_SELECTS: Final = frozenset({3, 5, 6, 7, 8})


def message(body: Json, files: Sequence[File]) -> None:
    """Each field of a message's body by itself."""
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        raise invalid("content", "STRING_TYPE_CONVERT", "Could not interpret as string.")
    if content is not None and len(content) > CONTENT_MAX:
        raise too_long("content", CONTENT_MAX)
    if len(str(body.get("nonce") or "")) > NONCE_MAX:
        raise invalid("nonce", "NONCE_TYPE_TOO_LONG", f"Must be {NONCE_MAX} or fewer in length.")
    embeds(body.get("embeds") or [])
    if int(body.get("flags") or 0) & COMPONENTS_V2:
        if content or body.get("embeds"):
            raise invalid("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "Not with components v2.")
    else:
        components(body.get("components") or [])
    if len(files) > FILES_MAX:
        raise invalid("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {FILES_MAX} or fewer in length.")
    if any(len(file.data) > FILE_BYTES_MAX for file in files):
        raise Refused(413, 40005, "Request entity too large")


def not_empty(content: str, *others: Sequence[Any]) -> None:
    """A message must have words, or something else to show."""
    if not content and not any(others):
        raise Refused(400, 50006, "Cannot send an empty message")


def embeds(given: Sequence[Json]) -> None:
    if len(given) > EMBEDS_MAX:
        raise invalid("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {EMBEDS_MAX} or fewer in length.")
    total = 0
    for number, embed in enumerate(given):
        place = f"embeds.{number}"
        fields = embed.get("fields") or []
        if len(fields) > 25:
            raise too_long(f"{place}.fields", 25)
        texts = [
            ("title", embed.get("title"), 256),
            ("description", embed.get("description"), 4096),
            ("footer.text", (embed.get("footer") or {}).get("text"), 2048),
            ("author.name", (embed.get("author") or {}).get("name"), 256),
        ]
        for index, one in enumerate(fields):
            texts += [(f"fields.{index}.name", one.get("name"), 256), (f"fields.{index}.value", one.get("value"), 1024)]
            if not one.get("name") or not one.get("value"):
                raise invalid(f"{place}.fields.{index}", "BASE_TYPE_REQUIRED", "This field is required")
        for name, text, limit in texts:
            if len(text or "") > limit:
                raise too_long(f"{place}.{name}", limit)
            total += len(text or "")
    if total > EMBED_TEXT_MAX:
        words = f"Embed size exceeds maximum size of {EMBED_TEXT_MAX}"
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", words)


def components(rows: Sequence[Json]) -> None:
    if len(rows) > ROWS_MAX:
        raise bad_length("components", 1, ROWS_MAX)
    seen: set[str] = set()
    for number, row in enumerate(rows):
        place = f"components.{number}"
        if row.get("type") != _ROW:
            raise invalid(f"{place}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (1,).")
        inner = row.get("components") or []
        if not 1 <= len(inner) <= BUTTONS_MAX:
            raise bad_length(f"{place}.components", 1, BUTTONS_MAX)
        for index, one in enumerate(inner):
            _component(f"{place}.components.{index}", one, len(inner), seen)


def _component(place: str, one: Json, beside: int, seen: set[str]) -> None:
    kind = one.get("type")
    if kind in _SELECTS and beside > 1:
        raise invalid(place, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")
    if kind != _BUTTON and kind not in _SELECTS:
        raise invalid(f"{place}.type", "UNION_TYPE_CHOICES", "Value of field 'type' is not known.")
    if kind == _BUTTON:
        if one.get("style") not in range(1, 7):
            raise invalid(f"{place}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
        if len(one.get("label") or "") > 80:
            raise too_long(f"{place}.label", 80)
        if not one.get("label") and not one.get("emoji"):
            raise invalid(place, "BUTTON_COMPONENT_INVALID_LABEL", "A button must have a label or an emoji")
        if one["style"] == _LINK:
            if not one.get("url") or one.get("custom_id"):
                raise invalid(place, "BUTTON_COMPONENT_INVALID_URL", "A link button must have a url and no custom_id")
            return
    custom_id = one.get("custom_id") or ""
    if not 1 <= len(custom_id) <= CUSTOM_ID_MAX:
        raise bad_length(f"{place}.custom_id", 1, CUSTOM_ID_MAX)
    if custom_id in seen:
        raise invalid(
            f"{place}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
        )
    seen.add(custom_id)


def thread_name(name: object) -> str:
    """A thread's name, trimmed."""
    words = name.strip() if isinstance(name, str) else ""
    if not 1 <= len(words) <= 100:
        raise bad_length("name", 1, 100)
    return words
