"""How many tokens a text is, without a tokenizer: bytes, at a rate that learns from what providers count."""

from __future__ import annotations

from collections.abc import Sequence

from core.chat import ChatMessage

_START = 3.5  # bytes per token of mixed European text
_LEAST, _MOST = 2.0, 5.0
_PER_MESSAGE = 4  # role marks of the chat template
_WEIGHT = 0.1


class TokenEstimate:
    """An estimate that follows the counted usage slowly; it decides about trimming, never about money."""

    def __init__(self) -> None:
        self._bytes_per_token = _START

    def text(self, text: str) -> int:
        """Tokens of one message, its marks included."""
        return self.bytes(len(text.encode("utf-8", "replace")))

    def bytes(self, count: int) -> int:
        """Tokens of one message of so many UTF-8 bytes, its marks included."""
        return int(count / self._bytes_per_token) + _PER_MESSAGE

    def messages(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of messages that hold text and tool calls alone."""
        return sum(
            self.text(message.content if isinstance(message.content, str) else "")
            + sum(self.text(call.arguments) for call in message.tool_calls)
            for message in messages
        )

    def learn(self, sent_bytes: int, counted_tokens: int) -> None:
        """Takes in one call without images: bytes sent, prompt tokens that the provider counted."""
        if sent_bytes >= 200 and counted_tokens > 0:
            seen = min(max(sent_bytes / counted_tokens, _LEAST), _MOST)
            self._bytes_per_token += _WEIGHT * (seen - self._bytes_per_token)
