"""The provider's prompt cache: a conversation's calls begin alike, so that most of each prompt costs a tenth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from core.chat import ChatMessage, ChatRequest, Usage
from core.turns.estimate import TokenEstimate
from tests.fakes import BEN, ScriptedModel, house, message, said, text_of

TURNS = 40
BETWEEN = 15 * 60  # seconds: the conversation goes on for ten hours of one day
QUESTION = "Where does the bise blow, how cold does it get there, and what do people do about it? " * 8
ANSWER = "It blows from the north-east over the lake, for three days, or six, or nine, as they say. " * 24
REMARK = "I was there once and lost my hat. " * 4
BYTES_PER_TOKEN = 3.5


def tokens(messages: Sequence[ChatMessage]) -> int:
    estimate = TokenEstimate()
    return sum(estimate.text(text_of(one)) for one in messages)


def repeated(before: ChatRequest, after: ChatRequest) -> int:
    """Tokens at the beginning of a prompt that the prompt before it began with."""
    same = 0
    for one, other in zip(before.messages, after.messages, strict=False):
        if one != other:
            break
        same += 1
    return tokens(after.messages[:same])


async def conversation(folder: Path) -> list[ChatRequest]:
    """The requests of a thread of 40 questions, in which somebody else has a word now and then."""
    model = ScriptedModel(*[[f"{number}. {ANSWER}"] for number in range(TURNS)])
    async with house(folder, model=model) as home:
        for turn in range(TURNS):
            told = sum(len(text_of(one).encode()) for one in model.requests[-1].messages) if model.requests else 0
            model.usage = Usage(int(told / BYTES_PER_TOKEN), 600)
            text = f"{turn}: {QUESTION}"
            if turn == 0:
                await home.hear(message(text))
            else:
                if turn % 5 == 0:
                    await home.hear(said(REMARK, str(1000 + turn), author=BEN))
                await home.hear(said(text, str(1 + turn), mentioned=True))
            home.clock.advance(BETWEEN)
        assert home.states() == ["done"] * TURNS
    return model.requests


async def test_seven_tenths_of_a_long_conversation_s_prompts_repeat_the_call_before(tmp_path: Path) -> None:
    requests = await conversation(tmp_path)
    assert len(requests) == TURNS
    sent = sum(tokens(request.messages) for request in requests)
    again = sum(repeated(before, after) for before, after in pairwise(requests))
    assert again / sent >= 0.7


async def test_only_trimming_in_big_steps_breaks_the_beginning(tmp_path: Path) -> None:
    requests = await conversation(tmp_path)
    broken = [
        after for before, after in pairwise(requests) if after.messages[: len(before.messages)] != before.messages
    ]
    assert 1 <= len(broken) <= 3, "the conversation is long enough to be trimmed, and that is rare"
    assert all(tokens(request.messages) < 10_000 for request in broken), "a step leaves about half"


async def test_the_system_prompt_the_tools_and_the_cache_key_stay_the_same_all_day(tmp_path: Path) -> None:
    requests = await conversation(tmp_path)
    first = requests[0]
    assert first.prompt_cache_key
    for request in requests:
        assert request.messages[0] == first.messages[0]
        assert (request.tools, request.tool_choice) == (first.tools, first.tool_choice)
        assert request.prompt_cache_key == first.prompt_cache_key
