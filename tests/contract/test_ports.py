"""The doubles of `tests/fakes.py` and the real things honour the same Protocols."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection
from contextlib import aclosing
from datetime import UTC, timedelta
from io import StringIO
from pathlib import Path

import pytest

from bots.playground.mistral.replies import Reply as ScriptedReply
from bots.playground.mistral.simulator import MistralSimulator
from bots.terminal.platform import TerminalPlatform
from bots.writer import UNFENCED
from core import errors, ports
from core.chat import ChatMessage, ChatRequest, Delta, Finish, TextDelta
from core.clock import SystemClock
from core.messages import LOCAL, Answer, Attachment, ConversationKind, Notice, Post, ReplyOrder
from core.mistral.client import MistralClient
from core.mistral.providers.home import Home
from core.store import posts, turns
from core.turns.lease import TurnLease
from core.turns.local_queue import LocalQueue
from core.turns.post_log import TurnPosts
from tests.fakes import FakePlatform, ManualClock, ScriptedModel, house, message

ORDER = ReplyOrder(
    turn=1,
    attempt=1,
    workspace=LOCAL,
    kind=ConversationKind.TERMINAL,
    channel="terminal",
    root="1",
    asker="U1",
    question="1",
    asked="What?",
    address={},
    stop="",
)
ASK = ChatRequest("mistral-large-2512", (ChatMessage("user", "Hello"),), max_tokens=10)


class NoPosts:
    """A PostLog that forgets."""

    lease = UNFENCED

    async def add(self, ordinal: int, platform_id: str, start: int) -> None: ...
    async def close(self, ordinal: int) -> None: ...
    async def drop(self, ordinal: int) -> None: ...
    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        return frozenset(platform_ids)


def honours(thing: object, protocol: type) -> None:
    """Every method of the protocol is there, with its parameters by the same names and as async as it is there."""
    for name, wanted in inspect.getmembers(protocol, inspect.isfunction):
        if name.startswith("_"):
            continue
        found = getattr(type(thing), name)
        assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(wanted), name
        assert list(inspect.signature(found).parameters) == list(inspect.signature(wanted).parameters), name


@pytest.mark.parametrize("make", [ManualClock, SystemClock])
async def test_a_clock_tells_utc_and_moves_on_while_somebody_sleeps(make: Callable[[], ports.Clock]) -> None:
    clock = make()
    honours(clock, ports.Clock)
    now, monotonic = clock.now(), clock.monotonic()
    assert now.tzinfo is UTC
    await clock.sleep(0.02)
    assert clock.monotonic() - monotonic >= 0.02
    assert clock.now() - now >= timedelta(milliseconds=19)
    await clock.sleep(0.0)


@pytest.mark.parametrize("make", [lambda: LocalQueue(2)])
async def test_a_queue_runs_what_was_put_before_and_after_its_start(make: Callable[[], LocalQueue]) -> None:
    queue = make()
    honours(queue, ports.TurnQueue)
    ran: list[int] = []

    async def run(turn: int) -> None:
        ran.append(turn)

    queue.put(1, 1)
    await queue.start(run)
    queue.put(2, 1)
    queue.put(2, 1)
    await queue.idle()
    await queue.stop(1.0)
    assert ran == [1, 2]


@pytest.mark.parametrize("make", [FakePlatform, lambda: TerminalPlatform(quiet=False, out=StringIO(), err=StringIO())])
async def test_a_platforms_reply_takes_a_whole_answer(make: Callable[[], ports.ChatPlatform]) -> None:
    platform = make()
    honours(platform, ports.ChatPlatform)
    reply = platform.reply(ORDER, NoPosts())
    honours(reply, ports.Reply)
    reply.status("thinking")
    reply.write("A wi")
    reply.write("nd.")
    await reply.finish(Answer("A wind.", "done", (Notice("length"),)))
    given_up = platform.reply(ORDER, NoPosts())
    await given_up.abandon()
    with pytest.raises(errors.AttachmentError) as caught:
        await platform.download(LOCAL, Attachment("1", "a.png", "image/png", 1, "no-such-file"), 10)
    assert caught.value.kind == "unavailable"


async def test_a_terminal_shows_an_answers_text_alone_and_never_a_control_character(tmp_path: Path) -> None:
    out, err = StringIO(), StringIO()
    platform = TerminalPlatform(quiet=False, out=out, err=err)
    reply = platform.reply(ORDER, NoPosts())
    reply.write("A \x1b[31mwind\x07.\n")
    await reply.finish(Answer("A \x1b[31mwind\x07.\n", "done", (Notice("stopped"),)))
    assert out.getvalue() == "A [31mwind.\n"
    assert err.getvalue() == "Stopped.\n"
    large = tmp_path / "a.png"
    large.write_bytes(b"x" * 11)
    with pytest.raises(errors.AttachmentError) as caught:
        await platform.download(LOCAL, Attachment("1", "a.png", "image/png", 1, str(large)), 10)
    assert caught.value.kind == "too_large"


async def read(model: ports.LanguageModel) -> tuple[str, list[Delta], errors.ModelError | None]:
    deltas: list[Delta] = []
    failure = None
    try:
        async for delta in model.stream(ASK):
            deltas.append(delta)  # noqa: PERF401 - what came before an error counts
    except errors.ModelError as error:
        failure = error
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)), deltas, failure


async def test_a_language_model_ends_in_a_finish_or_an_error_of_the_tree_and_asks_once() -> None:
    scripted = ScriptedModel(["A ", "wind."], ["A ", errors.StreamCut()])
    simulator = MistralSimulator()
    simulator.then(ScriptedReply(chunks=("A ", "wind.")), ScriptedReply(chunks=("A ", "wind."), cut_after=1))
    async with simulator.running() as base_url:
        client = MistralClient(Home("here", base_url, api_key="k"))
        try:
            for model in (scripted, client):
                text, deltas, failure = await read(model)
                assert (text, failure) == ("A wind.", None)
                assert isinstance(deltas[-1], Finish)
                assert deltas[-1].usage is not None
                text, _, failure = await read(model)
                assert text == "A "
                assert isinstance(failure, errors.StreamCut)
        finally:
            await client.aclose()
    assert len(scripted.requests) == len(simulator.requests) == 2


async def test_closing_a_stream_ends_it_at_once() -> None:
    scripted = ScriptedModel(["A ", asyncio.Event()])
    simulator = MistralSimulator()
    simulator.then(ScriptedReply(chunks=("A ", "wind."), chunk_delay=30))
    async with simulator.running() as base_url:
        client = MistralClient(Home("here", base_url, api_key="k"))
        try:
            for model in (scripted, client):
                async with asyncio.timeout(2), aclosing(model.stream(ASK)) as stream:
                    assert isinstance(await anext(stream), TextDelta)
            await simulator.until(lambda one: one.closed_early == 1)
        finally:
            await client.aclose()
    assert (scripted.closed_early, scripted.under_way) == (1, 0)


async def test_posts_are_stored_before_the_log_returns(tmp_path: Path) -> None:
    async with house(tmp_path, started=False) as home:
        accepted = await home.core.accept(message())
        assert accepted.turn is not None
        turn = accepted.turn
        claimed = await home.core.database.write(lambda connection: turns.claim(connection, turn, home.clock.now()))
        assert claimed is not None
        lease = TurnLease(turn, claimed.attempt, 60.0, home.clock)
        honours(lease, ports.Lease)
        log = TurnPosts(posts.StoredPosts(home.core.database, 1, turn, claimed.attempt), lease, home.clock)
        honours(log, ports.PostLog)
        assert log.lease is lease
        await log.add(0, "P1", 0)
        await log.add(1, "P2", 900)
        await log.add(0, "P1-again", 0)
        await log.close(0)
        shown = await home.core.database.read(lambda connection: posts.of_turn(connection, 1, turn))
        assert shown == (Post(0, "P1-again", 0, True), Post(1, "P2", 900, False))
        assert await home.core.database.read(turns.counts) == {"running": 1}
        assert await log.owned(["P1", "P1-again", "P9"]) == {"P1-again"}
        await log.drop(1)
        await log.drop(1)
        assert home.rows("SELECT platform_id FROM post") == [("P1-again",)]
