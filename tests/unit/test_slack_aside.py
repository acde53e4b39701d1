"""What the asker alone is told in Slack: beside the thread, else directly, else after all where the answer belongs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bots.playground.slack.blocks import faults
from bots.replies import sentence
from bots.slack.allowance import StreamAllowance
from bots.slack.errors import Unsure, failure
from bots.slack.reply import SlackReply
from bots.slack.signs import Signs
from bots.slack.workspace import SlackWorkspace, limit
from bots.writer import UNFENCED, RateLimited, Writer
from core.messages import Answer, ConversationKind, Notice, Post, ReplyOrder, WorkspaceKey

REFUSED = Notice("budget_refused", {"scope": "person", "period": "day", "left": 0, "limit": 1_000_000})
WORDS = sentence(REFUSED, platform="slack")
ANSWER = Answer("", "failed", (REFUSED,), ask_admin="ask.7", only_asker=True)


class Api:
    """Slack's side: the methods that are called, in order; `refuse` answers a method, once each."""

    def __init__(self, refuse: Mapping[str, list[Exception]] | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuse = {method: list(errors) for method, errors in (refuse or {}).items()}

    async def call(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((method, dict(arguments)))
        if self.refuse.get(method):
            raise self.refuse[method].pop(0)
        return {"ts": f"9.{len(self.calls)}"}

    @property
    def said(self) -> list[tuple[str, dict[str, Any]]]:
        return [call for call in self.calls if call[0] != "assistant.threads.setStatus"]

    @property
    def statuses(self) -> list[str]:
        return [body["status"] for method, body in self.calls if method == "assistant.threads.setStatus"]


class Log:
    def __init__(self) -> None:
        self.entries: list[str] = []
        self.lease = UNFENCED

    async def add(self, ordinal: int, platform_id: str, start: int) -> None:
        self.entries.append(f"add {platform_id}")

    async def close(self, ordinal: int) -> None:
        self.entries.append(f"close {ordinal}")

    async def drop(self, ordinal: int) -> None:
        self.entries.append(f"drop {ordinal}")

    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        return frozenset(platform_ids)


async def finished(
    api: Api, *posts: Post, kind: ConversationKind = ConversationKind.THREAD, answer: Answer = ANSWER
) -> Log:
    """A turn that is refused, from its sign of life to its end."""
    log, writer = Log(), Writer(limit)
    signs = Signs(cast("Any", api), writer)
    workspace = cast(
        "SlackWorkspace", SimpleNamespace(api=api, writer=writer, signs=signs, streams=StreamAllowance(), bot=None)
    )
    address = {"thread_ts": "1.0", "team": "T1", "user": "U1"}
    here = WorkspaceKey("slack", "T1")
    reply = SlackReply(
        ReplyOrder(7, 1, here, kind, "C1", "1.0", "U1", "C1:1.0", address, "stop", posts), workspace, log
    )
    try:
        await reply.finish(answer)
    finally:
        await signs.close()
        await writer.close()
    return log


async def test_the_refusal_is_shown_to_the_asker_alone_in_the_thread_with_its_button() -> None:
    api = Api()
    log = await finished(api)
    [(method, body)] = api.said
    assert method == "chat.postEphemeral"
    assert (body["channel"], body["user"], body["thread_ts"]) == ("C1", "U1", "1.0")
    assert body["blocks"][0] == {"type": "markdown", "text": WORDS}
    assert body["blocks"][1]["elements"][0]["value"] == "ask.7"
    assert not faults(body["blocks"])
    assert log.entries == []


async def test_the_status_is_taken_away_as_no_post_does_that() -> None:
    api = Api()
    await finished(api)
    assert not api.statuses or api.statuses[-1] == ""


async def test_a_post_of_an_earlier_attempt_is_deleted_and_forgotten_first() -> None:
    api = Api()
    log = await finished(api, Post(0, "C1:8.0", 0, closed=True))
    assert [method for method, _ in api.said] == ["chat.delete", "chat.postEphemeral"]
    assert log.entries == ["drop 0"]


async def test_where_slack_refuses_it_goes_into_direct_messages() -> None:
    api = Api({"chat.postEphemeral": [failure("chat.postEphemeral", "user_not_in_channel", 200)]})
    log = await finished(api)
    assert [method for method, _ in api.said] == ["chat.postEphemeral", "chat.postMessage"]
    assert api.said[-1][1]["channel"] == "U1"
    assert log.entries == []


async def test_where_no_way_is_left_it_is_said_in_the_thread_rather_than_not_at_all() -> None:
    refused = failure("chat.postMessage", "cannot_dm_bot", 200)
    api = Api({"chat.postEphemeral": [failure("x", "missing_scope", 200)], "chat.postMessage": [refused]})
    log = await finished(api)
    method, body = api.said[-1]
    assert (method, body["channel"], body["thread_ts"]) == ("chat.postMessage", "C1", "1.0")
    assert log.entries[0].startswith("add C1:")


@pytest.mark.parametrize("error", [RateLimited(0.01), Unsure("no answer", code="no_answer")])
async def test_what_may_not_have_arrived_is_said_again(error: Exception) -> None:
    api = Api({"chat.postEphemeral": [error]})
    await finished(api)
    assert [method for method, _ in api.said] == ["chat.postEphemeral"] * 2


async def test_in_direct_messages_it_is_an_ordinary_post() -> None:
    api = Api()
    log = await finished(api, kind=ConversationKind.DM)
    assert [method for method, _ in api.said] == ["chat.postMessage"]
    assert log.entries[0].startswith("add C1:")


async def test_an_answer_with_words_is_for_everybody() -> None:
    api = Api()
    await finished(api, answer=Answer("Half of it", "failed", (REFUSED,), only_asker=True))
    assert [method for method, _ in api.said] == ["chat.postMessage"]
