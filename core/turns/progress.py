"""How far a turn has come: what its attempts have sent, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.chat import ChatRequest, Finish, ToolCall
from core.messages import Notice
from core.mistral.models import Model
from core.mistral.providers.provider import Provider


@dataclass(slots=True)
class Attempt:
    """One request to one home. `began` and `began_at` (monotonic seconds): when it was let through, not when it queued.

    `unseen`: characters of thoughts and tool calls, which people are not shown and which are billed all the same.
    """

    number: int
    home: Provider
    model: Model
    request: ChatRequest
    sent_bytes: int
    images: int
    began: datetime
    began_at: float
    first_text_at: float | None = None
    finish: Finish | None = None
    texts: list[str] = field(default_factory=list)
    unseen: int = 0
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def text(self) -> str:
        """What this attempt alone has said."""
        return "".join(self.texts)


@dataclass(slots=True)
class Progress:
    """Read by whoever must end a turn early.

    `texts`: what people have been shown, of all rounds. `call` is the attempt under way, if any; `trimmed_to`: from
    where on the history was shown, if it was trimmed anew.
    """

    texts: list[str] = field(default_factory=list)
    call: Attempt | None = None
    notices: tuple[Notice, ...] = ()
    trimmed_to: int | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)
