"""Who is addressed (INTERFACE.md): a pure decision over a message and what is known of its conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.messages import ConversationKind, IncomingMessage

Decision = Literal["ask", "context", "ignore"]
FollowUps = Literal["asker", "all", "off"]

_ALWAYS = (ConversationKind.DM, ConversationKind.PRIVATE, ConversationKind.TERMINAL)


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand in a conversation. `by_asker`: this message is by the person whose question came last."""

    kind: ConversationKind
    begun_with_bot: bool
    left: bool
    by_asker: bool
    others_since: bool


def decide(message: IncomingMessage, standing: Standing | None, follow_ups: FollowUps) -> Decision:
    """Whether a message is a question to the bot, context of a conversation that it is in, or none of its business."""
    if message.mentioned or message.kind in _ALWAYS:
        return "ask"
    if standing is None or standing.left:
        return "ignore"
    if standing.kind is ConversationKind.CHAT:
        return "ask"
    if standing.kind is not ConversationKind.THREAD:
        return "ignore"
    if not standing.begun_with_bot or follow_ups == "off":
        return "context"
    if follow_ups == "all":
        return "ask"
    undisturbed = standing.by_asker and not standing.others_since
    return "ask" if undisturbed and not message.names_others else "context"
