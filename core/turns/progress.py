"""How far a turn has come: what its attempts have sent, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.chat import ChatRequest, Finish, ToolCall
from core.messages import Notice
from core.mistral.models import Model
from core.mistral.providers.provider import Provider
from core.store.reservations import Hold


@dataclass(slots=True)
class Attempt:
    """One request to one home, made under a hold.

    `began` and `began_at` (monotonic seconds): when it was let through, not when it queued.
    `sent_bytes`: of texts, tool calls and tools, in UTF-8. `admitted`: nothing keeps the request back any more, so that
    it may cost. `unseen`: bytes of thoughts and tool calls, which people are not shown and which are billed all the
    same. `texts`: the model's own words, blank ones too; `first_text_at`: when people were shown the first of them.
    """

    number: int
    hold: Hold
    home: Provider
    model: Model
    request: ChatRequest
    sent_bytes: int
    images: int
    began: datetime
    began_at: float
    admitted: bool
    first_text_at: float | None = None
    finish: Finish | None = None
    texts: list[str] = field(default_factory=list)
    unseen: int = 0
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def text(self) -> str:
        """What this attempt alone has said."""
        return "".join(self.texts)

    @property
    def shown(self) -> bool:
        """Whether people have seen any of it."""
        return self.first_text_at is not None

    @property
    def final(self) -> bool:
        """Whether what it says is the answer: there is no tool that it may call."""
        return not self.request.tools or self.request.tool_choice == "none"


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
    saved: tuple[str, ...] = ()
    refused_by: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)
