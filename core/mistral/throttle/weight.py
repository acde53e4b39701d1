"""How many tokens a call will probably weigh, before anybody has counted them."""

from __future__ import annotations

from core.chat import ChatMessage, ChatRequest, DocumentPart, ImagePart, Part, Usage

_BYTES_PER_TOKEN = 4
_PER_MESSAGE = 4
_PATCH = 28  # pixels
_MOST_PATCHES = 4096
_DOCUMENT = 2000
_START_SHARE = 0.5
_LEARNING = 0.1


class TokenWeight:
    """The estimate of one model, which learns how much of `max_tokens` answers use; it decides pace, not money."""

    __slots__ = ("_share",)

    def __init__(self) -> None:
        self._share = _START_SHARE

    def of(self, request: ChatRequest) -> int:
        """Tokens of the prompt and of the answer."""
        prompt = sum(_message(message) for message in request.messages)
        prompt += sum(_text(tool.description) + _text(str(tool.parameters)) for tool in request.tools)
        return max(1, prompt + int(request.max_tokens * self._share))

    def learn(self, request: ChatRequest, usage: Usage) -> None:
        """Takes in what an answer turned out to be."""
        if request.max_tokens > 0:
            seen = min(usage.completion_tokens / request.max_tokens, 1.0)
            self._share += _LEARNING * (seen - self._share)


def _message(message: ChatMessage) -> int:
    content = message.content
    words = _text(content) if isinstance(content, str) else sum(_part(part) for part in content)
    return words + sum(_text(call.arguments) for call in message.tool_calls) + _PER_MESSAGE


def _part(part: Part) -> int:
    match part:
        case ImagePart(width=width, height=height):
            return min(-(-width // _PATCH) * -(-height // _PATCH), _MOST_PATCHES)
        case DocumentPart():
            return _DOCUMENT
        case _:
            return _text(part.text)


def _text(text: str) -> int:
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN
