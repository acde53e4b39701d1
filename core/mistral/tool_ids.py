"""Ids of tool calls: nine letters and digits on the way out, the caller's own again on the way back."""

from __future__ import annotations

import hashlib
import itertools
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.chat import ChatMessage, ToolCall

LENGTH = 9
_ALPHABET = string.digits + string.ascii_letters
_FIT = re.compile(r"[A-Za-z0-9]{9}")


def fits(id_: str) -> bool:
    """Whether Mistral takes it as it stands."""
    return _FIT.fullmatch(id_) is not None


def made_from(*words: str, taken: Iterable[str] = ()) -> str:
    """Nine letters and digits that depend on `words` alone, unless they are taken."""
    used = set(taken)
    text = "\0".join(words)
    for salt in itertools.count():
        digest = hashlib.sha256(f"{salt}\0{text}".encode("utf-8", "surrogatepass")).digest()
        number = int.from_bytes(digest[:8], "big")
        made = ""
        for _ in range(LENGTH):
            number, digit = divmod(number, len(_ALPHABET))
            made += _ALPHABET[digit]
        if made not in used:
            return made
    raise AssertionError("unreachable: salts do not end")  # pragma: no cover


class ToolIds:
    """The ids of one request: each call has its own, the same for the same messages before it."""

    def __init__(self) -> None:
        self._original: dict[str, str] = {}

    def outward(self, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        """Repaired messages (each call is followed by its answer, in the same order) with ids that Mistral takes."""
        sent: list[ChatMessage] = []
        waiting: list[str] = []
        for message in messages:
            if message.role == "tool":
                sent.append(replace(message, tool_call_id=waiting.pop(0)))
            elif message.tool_calls:
                calls = tuple(self._sent(call) for call in message.tool_calls)
                waiting = [call.id for call in calls]
                sent.append(replace(message, tool_calls=calls))
            else:
                sent.append(message)
        return tuple(sent)

    def inward(self, id_: str) -> str:
        """The caller's own id behind one that was sent; any other as it is."""
        return self._original.get(id_, id_)

    def _sent(self, call: ToolCall) -> ToolCall:
        id_ = call.id
        if not fits(id_) or id_ in self._original:
            id_ = made_from(call.id, taken=self._original)
        self._original[id_] = call.id
        return replace(call, id=id_)
