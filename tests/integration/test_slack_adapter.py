"""The real adapter against the simulated Slack over loopback; behind it a small core that answers by a script."""

from __future__ import annotations

import asyncio
import html
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bots.playground.slack import SlackFaults, SlackPost, SlackSimulator, UploadedFile
from bots.replies import TRAINING_NOTE
from bots.slack.app import SlackAdapter
from bots.slack.checks import check
from bots.writer import UNFENCED
from core.errors import AttachmentError, BiseError, PlaceGone, PlatformError, StoreUnavailable, TokenRevoked
from core.messages import (
    Accepted,
    Answer,
    Attachment,
    ConversationKind,
    IncomingMessage,
    Notice,
    Post,
    Press,
    Pressed,
    ReplyOrder,
    Tokens,
    WorkspaceKey,
)
from core.ports import ChatPlatform, Lease, Reply, TurnLost
from core.reports.figures import UsageView
from core.settings import Settings
from core.turns.choices import Choices
from core.turns.lease import TurnLease
from tests.fake_choices import choices_of_nobody
from tests.fakes import ManualClock
from tests.world import soon

Script = Callable[[Reply, IncomingMessage], Awaitable[Answer]]


@dataclass
class FakePosts:
    """Honours `core.ports.PostLog`."""

    added: dict[int, str] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    failures: int = 0  # of the store, still to come
    lost: bool = False  # the turn is somebody else's
    all: list[FakePosts] = field(default_factory=list)
    lease: Lease = UNFENCED

    async def add(self, ordinal: int, platform_id: str, start: int) -> None:
        assert ordinal not in self.added
        if self.lost:
            raise TurnLost
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        self.added[ordinal] = platform_id

    async def close(self, ordinal: int) -> None:
        self.closed.add(ordinal)

    async def drop(self, ordinal: int) -> None:
        del self.added[ordinal]

    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        return frozenset(platform_ids) & {post for posts in self.all for post in posts.added.values()}


async def says_hello(reply: Reply, message: IncomingMessage) -> Answer:
    reply.write("Hello.")
    return Answer("Hello.")


@dataclass
class FakeCore:
    """Honours `bots.slack.ports.Core`: takes each message once, and answers those that address the bot."""

    script: Script = says_hello
    store_is_away: bool = False
    earlier: tuple[Post, ...] = ()
    attempt: int = 1
    log_failures: int = 0
    slow: asyncio.Event | None = None
    hold: asyncio.Event | None = None
    asked: int = 0
    accepted: list[IncomingMessage] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    posts: list[FakePosts] = field(default_factory=list)
    errors: list[BiseError] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    platform: ChatPlatform | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    choices: Choices = field(default_factory=choices_of_nobody)

    async def accept(self, message: IncomingMessage, /) -> Accepted:
        self.asked += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.store_is_away:
            raise StoreUnavailable("away")
        if message.source_id in {known.source_id for known in self.accepted}:
            return Accepted("duplicate")
        self.accepted.append(message)
        if not (message.mentioned or message.kind is ConversationKind.DM):
            return Accepted("context")
        task = asyncio.create_task(self._run(message))
        self.tasks.add(task)
        return Accepted("turn", len(self.accepted))

    async def knows(self, workspace: WorkspaceKey, channel: str, root: str, /) -> bool:
        return root in {message.root for message in self.accepted}

    async def press(self, press: Press, /) -> Pressed:
        self.presses.append(press)
        return Pressed(False, Notice("already_finished"))

    async def usage_today_and_month(self, workspace: WorkspaceKey, person: str | None, /) -> UsageView:
        return UsageView(Tokens(calls=1, cost_microusd=20_000), Tokens(calls=2, cost_microusd=30_000), Tokens())

    async def done(self) -> None:
        await asyncio.gather(*self.tasks)

    async def run_again(self) -> None:
        """Another attempt at the newest question, with no row of the one before."""
        self.attempt += 1
        await self._run(self.accepted[-1])

    async def _run(self, message: IncomingMessage) -> None:
        if self.hold is not None:
            await self.hold.wait()
        owned = {post.ordinal: post.platform_id for post in self.earlier}
        reply = self.reply_to(message, FakePosts(owned, failures=self.log_failures, all=self.posts))
        answer = await self.script(reply, message)
        try:
            await reply.finish(answer)
        except (PlatformError, StoreUnavailable) as error:
            self.errors.append(error)

    def reply_to(self, message: IncomingMessage, posts: FakePosts) -> Reply:
        assert self.platform is not None
        self.posts.append(posts)
        order = ReplyOrder(
            turn=self.accepted.index(message) + 1,
            attempt=self.attempt,
            workspace=message.workspace,
            kind=message.kind,
            channel=message.channel,
            root=message.root or "",
            asker=message.author.id,
            question=message.source_id,
            address=message.address,
            stop="control-1",
            posts=self.earlier,
        )
        reply = self.platform.reply(order, posts)
        self.replies.append(reply)
        return reply


@dataclass
class World:
    slack: SlackSimulator
    core: FakeCore
    adapter: SlackAdapter
    settings: Settings
    server: TestServer

    async def ask(self, text: str = "<@U0BISE> hi", *, channel: str = "C0GENERAL", **more: object) -> str:
        return await self.slack.post("U0ADA", channel, text, **more)  # type: ignore[arg-type]

    def answers(self, channel: str, root: str) -> list[SlackPost]:
        return [post for post in self.slack.messages(channel, root) if post.user == "U0BISE"]

    def words(self, channel: str, root: str) -> list[str]:
        return [html.unescape(post.shown) for post in self.answers(channel, root)]


@pytest.fixture
async def open_world() -> AsyncIterator[Callable[..., Awaitable[World]]]:
    async with AsyncExitStack() as stack:

        async def opened(*, http: bool = False, faults: SlackFaults | None = None, **settings_: object) -> World:
            slack = SlackSimulator(faults=faults)
            slack.granted_scopes |= {"mpim:history"}
            application = web.Application()
            slack.mount(application)
            server = TestServer(application)
            await server.start_server()
            stack.push_async_callback(server.close)
            slack.base_url = str(server.make_url("")).rstrip("/")
            settings = Settings(
                slack_bot_token=SecretStr(slack.bot_token),
                slack_app_token=None if http else SecretStr(slack.app_token),
                slack_signing_secret=SecretStr(slack.signing_secret) if http else None,
                slack_api_url=slack.api_url,
                mistral_api_key=SecretStr("key"),
            ).model_copy(update=settings_)
            core = FakeCore()
            adapter = SlackAdapter(settings, core)
            core.platform = adapter
            if http:
                events = web.Application()
                adapter.mount(events)
                receiver = TestServer(events)
                await receiver.start_server()
                stack.push_async_callback(receiver.close)
                slack.request_url = str(receiver.make_url("/slack/events"))
            stack.push_async_callback(adapter.close)
            await adapter.start()
            return World(slack, core, adapter, settings, server)

        yield opened


OpenWorld = Callable[..., Awaitable[World]]


async def streams(reply: Reply, message: IncomingMessage) -> Answer:
    text = "This answer comes in a few words.\nAnd in two lines."
    for start in range(0, len(text), 5):
        reply.write(text[start : start + 5])
        await asyncio.sleep(0.02)
    return Answer(text)


async def test_a_mention_is_answered_by_a_stream_in_its_thread(open_world: OpenWorld) -> None:
    world = await open_world()
    world.core.script = streams
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert world.words("C0GENERAL", ts) == ["This answer comes in a few words.\nAnd in two lines."]
    methods = [call.method for call in world.slack.calls]
    assert methods.count("chat.startStream") == 1
    assert methods.count("chat.stopStream") == 1
    assert methods.index("assistant.threads.setStatus") < methods.index("chat.startStream")
    start = next(call for call in world.slack.calls if call.method == "chat.startStream")
    assert start.arguments["recipient_user_id"] == "U0ADA"
    assert start.arguments["recipient_team_id"] == "T0PLAY"
    (posts,) = world.core.posts
    assert posts.added == {0: f"C0GENERAL:{world.answers('C0GENERAL', ts)[0].ts}"}
    assert posts.closed == {0}
    assert world.slack.status("C0GENERAL", ts) is None
    assert methods.count("auth.test") == 1


async def test_the_twin_events_of_a_mention_are_one_message(open_world: OpenWorld) -> None:
    world = await open_world(faults=SlackFaults(mention_first_share=0.5, redeliver_share=1.0))
    await world.ask()
    await world.slack.until(
        lambda: all(d.acked_at for d in world.slack.deliveries) and len(world.slack.deliveries) >= 4
    )
    await world.core.done()
    assert len(world.core.accepted) == 1


async def test_a_guest_is_known_as_one_and_names_are_resolved(open_world: OpenWorld) -> None:
    world = await open_world()
    await world.slack.post("U0GUEST", "C0GENERAL", "<@U0BISE> what does <@U0GRACE> say?")
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    (message,) = world.core.accepted
    assert (message.author.name, message.author.external) == ("Gus", True)
    assert message.text == "what does @Grace say?"
    await world.slack.post("U0OTHER", "C0GENERAL", "<@U0BISE> hi")
    await world.slack.until(lambda: len(world.core.accepted) == 2)
    assert world.core.accepted[1].author.external
    await world.core.done()
    assert not world.core.errors


async def test_slow_names_do_not_delay_the_ack(open_world: OpenWorld) -> None:
    world = await open_world(allow_external=True)
    world.slack.faults.slow_seconds = 1.5
    await world.ask()
    await world.slack.until(lambda: all(delivery.acked_at for delivery in world.slack.deliveries), timeout=3)
    assert max(delivery.latency or 9 for delivery in world.slack.deliveries) < 1.2
    assert world.core.accepted[0].author.name == "U0ADA"
    world.slack.faults.slow_seconds = 0
    await world.core.done()


async def test_what_is_said_elsewhere_in_a_channel_is_not_taken(open_world: OpenWorld) -> None:
    world = await open_world()
    other = await world.ask("good morning")
    await world.ask("to you, too", thread_ts=other)
    ts = await world.ask()
    await world.ask("and then?", thread_ts=ts)
    await world.slack.post_as_bot("C0GENERAL", "<@U0BISE> beep", thread_ts=ts)
    await world.slack.until(lambda: len(world.core.accepted) == 2 and all(d.acked_at for d in world.slack.deliveries))
    await world.core.done()
    assert [message.text for message in world.core.accepted] == ["hi", "and then?"]
    assert world.core.accepted[1].root == f"C0GENERAL:{ts}"


async def test_a_direct_message_is_answered_in_a_thread_of_it(open_world: OpenWorld) -> None:
    world = await open_world()
    world.core.script = streams
    ts = await world.ask("hello", channel="D0ADA")
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert not world.core.errors
    assert len(world.words("D0ADA", ts)) == 1


async def test_an_event_that_could_not_be_stored_is_not_acknowledged(open_world: OpenWorld) -> None:
    world = await open_world(faults=SlackFaults(ack_timeout=0.3, retry_delays=(0.2,)))
    world.core.store_is_away = True
    await world.ask("<@U0BISE> hi", channel="D0ADA")
    await world.slack.until(lambda: len(world.slack.deliveries) == 1)
    await asyncio.sleep(0.1)
    assert world.slack.deliveries[0].acked_at is None
    world.core.store_is_away = False
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    await world.core.done()


async def test_other_events_are_acknowledged(open_world: OpenWorld) -> None:
    world = await open_world()
    ts = await world.ask("good morning")
    await world.slack.react("U0ADA", "C0GENERAL", ts, "wave")
    await world.slack.edit("U0ADA", "C0GENERAL", ts, "good evening")
    await world.slack.delete("U0ADA", "C0GENERAL", ts)
    await world.slack.until(
        lambda: len(world.slack.deliveries) >= 3 and all(d.acked_at for d in world.slack.deliveries)
    )
    assert world.core.accepted == []


@pytest.mark.parametrize("refusal", ["unknown_method", "missing_recipient_team_id", "not_allowed", "internal_nonsense"])
async def test_where_streaming_is_refused_the_answer_is_edited_into_a_post(open_world: OpenWorld, refusal: str) -> None:
    world = await open_world(faults=SlackFaults(refuse_streaming=refusal))
    seen: list[tuple[str, ...]] = []

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        reply.write("First words. ")
        await world.slack.until(lambda: bool(world.answers("C0GENERAL", ts)))
        seen.append(tuple(button.value or "" for button in world.answers("C0GENERAL", ts)[0].buttons))
        reply.write("Last words.")
        return Answer("First words. Last words.", notices=(Notice("length"),))

    world.core.script = script
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    (post,) = world.answers("C0GENERAL", ts)
    assert post.shown == "First words. Last words."
    assert seen == [("control-1",)]
    assert not post.buttons
    assert len(post.notes) == 1
    world.core.script = says_hello
    starts = sum(call.method == "chat.startStream" for call in world.slack.calls)
    assert starts == 1


async def test_a_stream_that_slack_ended_keeps_its_whole_text(open_world: OpenWorld) -> None:
    world = await open_world(faults=SlackFaults(stream_seconds=0.2))

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        reply.write("First words. ")
        await world.slack.until(lambda: bool(world.answers("C0GENERAL", ts)))
        await asyncio.sleep(0.3)
        reply.write("Last words.")
        return Answer("First words. Last words.")

    world.core.script = script
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert world.words("C0GENERAL", ts) == ["First words. Last words."]


async def test_a_long_answer_goes_on_in_further_posts_with_its_fences_whole(open_world: OpenWorld) -> None:
    world = await open_world()
    code = "```python\n" + "".join(f"print({number}) # {'x' * 40}\n" for number in range(400)) + "```\nDone. <!channel>"

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        reply.write(code[:300])
        await world.slack.until(lambda: bool(world.answers("C0GENERAL", ts)))
        reply.write(code[300:])
        return Answer(code)

    world.core.script = script
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert not world.core.errors
    texts = world.words("C0GENERAL", ts)
    assert len(texts) == 3
    assert all(text.count("```") % 2 == 0 for text in texts)
    assert "<!channel>" not in texts[-1]
    assert [f"print({number}) #" in "\n".join(texts) for number in range(400)] == [True] * 400
    assert world.core.posts[0].closed == {0, 1, 2}


async def test_a_sentence_alone_is_the_post(open_world: OpenWorld) -> None:
    world = await open_world()

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        return Answer("", "failed", (Notice("model_unauthorized"),))

    world.core.script = script
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    (words,) = world.words("C0GENERAL", ts)
    assert "refused this installation's key" in words
    assert world.slack.status("C0GENERAL", ts) is None


async def test_an_interrupted_answer_goes_on_in_its_posts(open_world: OpenWorld) -> None:
    world = await open_world()
    root = await world.ask("good morning")
    async with aiohttp.ClientSession() as session:
        left = []
        for number in range(2):
            stream = {
                "channel": "C0GENERAL",
                "thread_ts": root,
                "markdown_text": f"left over {number}",
                "recipient_team_id": "T0PLAY",
                "recipient_user_id": "U0ADA",
            }
            headers = {"Authorization": f"Bearer {world.slack.bot_token}"}
            async with session.post(f"{world.slack.api_url}chat.startStream", json=stream, headers=headers) as answer:
                left.append(str((await answer.json())["ts"]))
    world.core.earlier = tuple(Post(n, f"C0GENERAL:{ts}", n * 10, closed=False) for n, ts in enumerate(left))
    await world.ask(thread_ts=root)
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert not world.core.errors
    (post,) = world.answers("C0GENERAL", root)
    assert (post.ts, post.shown, post.streaming) == (left[0], "Hello.", False)
    assert world.core.posts[0].added == {0: f"C0GENERAL:{left[0]}"}


async def test_calls_answered_with_an_error_page_are_not_made_twice(open_world: OpenWorld) -> None:
    world = await open_world(faults=SlackFaults(commit_then_502_share=0.5))
    world.core.script = streams
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert not world.core.errors
    assert world.words("C0GENERAL", ts) == ["This answer comes in a few words.\nAnd in two lines."]


async def test_many_answers_at_once_meet_no_rate_limit(open_world: OpenWorld) -> None:
    world = await open_world(faults=SlackFaults(rate_limits=True))
    places = [f"C{number}" for number in range(8)]
    for place in places:
        world.slack.add_channel(place, place.lower())
    world.core.script = streams
    asked = [(place, await world.ask(channel=place)) for place in places * 3]
    await world.slack.until(lambda: len(world.core.tasks) == len(asked))
    await world.core.done()
    assert not world.core.errors
    for place, ts in asked:
        assert world.words(place, ts) == ["This answer comes in a few words.\nAnd in two lines."]
    assert [call.method for call in world.slack.calls if call.error] == []


async def test_a_channel_that_was_archived_is_a_place_gone(open_world: OpenWorld) -> None:
    world = await open_world()

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        world.slack.faults.archived = {"C0GENERAL"}
        return Answer("Hello.")

    world.core.script = script
    await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert isinstance(world.core.errors[0], PlaceGone)


async def test_where_no_status_can_be_shown_the_post_says_what_goes_on(open_world: OpenWorld) -> None:
    world = await open_world()
    world.slack.granted_scopes -= {"assistant:write"}
    seen: list[str] = []

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        await asyncio.sleep(0.3)
        seen.append(world.slack.status("C0GENERAL", ts) or "".join(world.words("C0GENERAL", ts)))
        return Answer("Hello.")

    world.core.script = script
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert "is thinking…" in seen[0]
    assert world.words("C0GENERAL", ts) == ["Hello."]


async def test_a_private_question_is_answered_to_the_asker_alone(open_world: OpenWorld) -> None:
    world = await open_world()
    outcome = await world.slack.command("U0ADA", "C0RANDOM", "/bise", "ask what is 1 < 2?")
    assert outcome.acknowledged
    await world.core.done()
    assert world.core.accepted[0].text == "what is 1 < 2?"
    (post,) = world.slack.ephemerals("U0ADA")
    assert post.shown == "Hello."
    assert not post.buttons
    assert not [post for post in world.slack.messages("C0RANDOM") if post.user == "U0BISE"]


async def test_a_private_answer_can_be_stopped_while_it_is_made(open_world: OpenWorld) -> None:
    world = await open_world()
    pressed = asyncio.Event()

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        await pressed.wait()
        return Answer("", "cancelled", (Notice("stopped"),))

    world.core.script = script
    await world.slack.command("U0ADA", "C0RANDOM", "/bise", "ask for ever")
    await world.slack.until(lambda: bool(world.slack.ephemerals("U0ADA")))
    (post,) = world.slack.ephemerals("U0ADA")
    assert "thinking" in post.shown
    await world.slack.press("U0ADA", "C0RANDOM", post.ts, "bise:control")
    await world.slack.until(lambda: bool(world.core.presses))
    assert (world.core.presses[0].control, world.core.presses[0].person.id) == ("control-1", "U0ADA")
    assert world.core.presses[0].person.admin
    pressed.set()
    await world.core.done()
    assert "Stopped." in [post.shown for post in world.slack.ephemerals("U0ADA")]
    await world.slack.until(lambda: len(world.slack.ephemerals("U0ADA")) == 2)
    assert any("already ended" in post.shown for post in world.slack.ephemerals("U0ADA"))


async def test_a_private_answer_of_many_pieces_loses_nothing(open_world: OpenWorld) -> None:
    world = await open_world()
    text = "\n".join(f"line {number} {'x' * 90}" for number in range(700))

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        return Answer(text)

    world.core.script = script
    await world.slack.command("U0ADA", "C0RANDOM", "/bise", "ask for much")
    await world.core.done()
    private = [post for post in world.slack.ephemerals("U0ADA") if post.user == "U0BISE"]
    direct = world.slack.messages("D0ADA")
    together = "\n".join(post.shown for post in [*private, *direct])
    assert all(f"line {number} " in together for number in range(700))
    assert sum(call.method == "response_url" for call in world.slack.calls) <= 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("help", "Mention me in a channel"),
        ("", "Mention me in a channel"),
        ("usage", "Today: $0.02 for 1 call"),
        ("frobnicate", "I do not know “frobnicate”. You can write: ask, usage, budget, "),
        ("ask", "Write your question after the command"),
        ("ask  ", "/bise ask"),
    ],
)
async def test_a_command_is_answered_at_once(open_world: OpenWorld, text: str, words: str) -> None:
    world = await open_world()
    outcome = await world.slack.command("U0ADA", "C0RANDOM", "/bise", text)
    assert outcome.acknowledged
    assert words in outcome.text


async def test_a_command_meets_a_sentence_when_the_store_is_away(open_world: OpenWorld) -> None:
    world = await open_world()
    world.core.store_is_away = True
    outcome = await world.slack.command("U0ADA", "C0RANDOM", "/bise", "ask hello")
    assert "could not write down your message" in outcome.text


async def test_a_file_is_read_with_the_token_and_no_further_than_its_limit(open_world: OpenWorld) -> None:
    world = await open_world()
    file = UploadedFile("a.png", b"\x89PNG" + b"x" * 1000, "image/png")
    await world.ask(files=[file])
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    await world.core.done()
    message = world.core.accepted[0]
    (attachment,) = message.attachments
    assert await world.adapter.download(message.workspace, attachment, 2000) == file.data
    with pytest.raises(AttachmentError) as refused:
        await world.adapter.download(message.workspace, attachment, 100)
    assert refused.value.kind == "too_large"
    elsewhere = Attachment("F1", "a.png", "image/png", 10, "https://files.slack.com.evil.example/a.png")
    with pytest.raises(AttachmentError) as foreign:
        await world.adapter.download(message.workspace, elsewhere, 100)
    assert foreign.value.kind == "unavailable"
    world.slack.faults.html_instead_of_file = True
    with pytest.raises(AttachmentError) as page:
        await world.adapter.download(message.workspace, attachment, 2000)
    assert page.value.kind == "disguised"


async def test_a_file_that_comes_without_its_address_is_asked_for(open_world: OpenWorld) -> None:
    world = await open_world(faults=SlackFaults(check_file_info=True))
    await world.ask(files=[UploadedFile("a.png", b"\x89PNG", "image/png")])
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    await world.core.done()
    message = world.core.accepted[0]
    assert await world.adapter.download(message.workspace, message.attachments[0], 100) == b"\x89PNG"


async def test_http_mode_takes_what_slack_signed_and_nothing_else(open_world: OpenWorld) -> None:
    world = await open_world(http=True)
    url = world.slack.request_url
    assert url is not None
    assert await world.slack.verify_url(url)
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    await world.core.done()
    assert world.words("C0GENERAL", ts) == ["Hello."]
    assert (await world.slack.command("U0ADA", "C0RANDOM", "/bise", "help")).text
    payload = {"type": "event_callback", "event": {"type": "message"}}
    assert (await world.slack.post_event_http(url, payload, secret="wrong")).status == 401
    assert (await world.slack.post_event_http(url, payload, timestamp="soon")).status == 401
    assert (await world.slack.post_event_http(url, payload, timestamp="1")).status == 401
    assert (await world.slack.post_event_http(url, payload, timestamp="1" * 5000)).status == 401
    async with aiohttp.ClientSession() as session:
        for body, headers in (
            (b"{}", {}),
            (b"\xff", {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=x"}),
            (io.BytesIO(b"x" * (2 * 1024 * 1024)), {}),
        ):
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status in {400, 401, 413}


async def test_a_dropped_socket_is_opened_again(open_world: OpenWorld) -> None:
    world = await open_world()
    assert world.adapter.not_ready() is None
    await world.slack.disconnect()
    await world.slack.until(lambda: world.slack.sockets == 1)
    await world.ask()
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    await world.core.done()


async def test_a_connection_that_broke_is_opened_again_at_once(open_world: OpenWorld) -> None:
    world = await open_world()
    await world.slack.drop_sockets(abruptly=True)
    assert world.slack.sockets == 0
    await world.slack.until(lambda: world.slack.sockets == 1, 3)  # the library alone looks every five seconds
    await world.ask()
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    await world.core.done()


async def test_a_refused_token_stops_the_start_with_one_line(open_world: OpenWorld) -> None:
    world = await open_world()
    world.slack.faults.token_revoked = True
    second = SlackAdapter(world.settings, world.core)
    with pytest.raises(TokenRevoked, match="SLACK_BOT_TOKEN"):
        await second.start()
    assert second.not_ready() is not None
    assert all(not finding.ok for finding in await check(world.settings) if "TOKEN" in finding.what)


async def test_the_doctor_names_each_missing_scope(open_world: OpenWorld) -> None:
    world = await open_world()
    assert all(finding.ok for finding in await check(world.settings))
    world.slack.granted_scopes -= {"files:read", "assistant:write"}
    broken = [finding for finding in await check(world.settings) if not finding.ok]
    assert [finding.what.split()[2] for finding in broken] == ["assistant:write", "files:read"]
    assert all(finding.mend for finding in broken)


async def test_no_message_word_reaches_the_log(open_world: OpenWorld, capfd: pytest.CaptureFixture[str]) -> None:
    world = await open_world()
    await world.ask("<@U0BISE> a-secret-word")
    await world.slack.react("U0ADA", "C0GENERAL", await world.ask("another-secret-word"), "eyes")
    await world.slack.until(lambda: all(d.acked_at for d in world.slack.deliveries) and bool(world.core.tasks))
    await world.core.done()
    written = "".join(capfd.readouterr())
    assert "secret-word" not in written
    assert world.slack.bot_token not in written
    assert json.dumps(world.settings.model_dump(mode="json")).count("xoxb-") == 0


@pytest.mark.parametrize("streaming", [True, False])
async def test_what_an_earlier_attempt_left_without_a_row_is_gone_on_in(open_world: OpenWorld, streaming: bool) -> None:
    world = await open_world(faults=SlackFaults(refuse_streaming=None if streaming else "unknown_method"))
    world.core.script = streams
    world.core.log_failures = 99
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert isinstance(world.core.errors.pop(), StoreUnavailable)
    (left,) = world.answers("C0GENERAL", ts)
    world.core.log_failures, world.core.script = 0, says_hello
    await world.core.run_again()
    assert not world.core.errors
    assert world.words("C0GENERAL", ts) == ["Hello."]
    (post,) = world.answers("C0GENERAL", ts)
    assert (post.ts, post.streaming) == (left.ts, False)
    assert world.core.posts[-1].added == {0: f"C0GENERAL:{left.ts}"}


@pytest.mark.parametrize("orphaned", ["streaming", "ended", None])
async def test_the_answer_to_an_earlier_question_is_not_taken_for_an_orphan(
    open_world: OpenWorld, orphaned: str | None
) -> None:
    """The second question was asked while the first was being answered, so that both answers stand below it."""
    world = await open_world()
    asked = asyncio.Event()

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        if message.text == "first":
            await asked.wait()
            reply.write("The first answer.")
            return Answer("The first answer.")
        await world.slack.until(lambda: world.words("C0GENERAL", root) == ["The first answer."])
        await world.slack.until(lambda: not world.answers("C0GENERAL", root)[0].streaming)
        if orphaned is not None:
            await begin_stream(world, root, ended=orphaned == "ended")
        return Answer("The second answer.")

    world.core.script = script
    root = await world.ask("<@U0BISE> first")
    await world.slack.until(lambda: len(world.core.replies) == 1)
    world.core.attempt = 2
    await world.ask("<@U0BISE> second", thread_ts=root)
    await world.slack.until(lambda: len(world.core.replies) == 2)
    asked.set()
    await world.core.done()
    assert not world.core.errors
    assert world.words("C0GENERAL", root) == ["The first answer.", "The second answer."]


async def heard(world: World) -> tuple[str, IncomingMessage]:
    """A message that nobody answers yet; its ts and what the core was told."""
    ts = await world.ask("good morning", channel="D0ADA")
    await soon(lambda: bool(world.core.accepted))
    return ts, world.core.accepted[-1]


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_post_made_after_the_turn_was_lost_is_taken_away(open_world: OpenWorld, streaming: bool) -> None:
    world = await open_world()
    world.core.hold = asyncio.Event()
    ts, message = await heard(world)
    reply = world.core.reply_to(message, FakePosts(lost=True))
    if streaming:
        reply.write("Hello, and some more words.")
        await soon(lambda: any(call.method == "chat.startStream" for call in world.slack.calls))
    with pytest.raises(TurnLost):
        await reply.finish(Answer("Hello, and some more words."))
    await reply.abandon()
    assert any(call.method == "chat.delete" for call in world.slack.calls)
    assert world.answers("D0ADA", ts) == []
    await forget(world)


async def test_a_post_that_somebody_took_for_an_orphan_is_left_to_them(open_world: OpenWorld) -> None:
    class Adopted(FakePosts):
        async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
            return frozenset(platform_ids)

    world = await open_world()
    world.core.hold = asyncio.Event()
    ts, message = await heard(world)
    with pytest.raises(TurnLost):
        await world.core.reply_to(message, Adopted(lost=True)).finish(Answer("Hello."))
    assert world.words("D0ADA", ts) == ["Hello."]
    await forget(world)


async def test_nothing_is_written_without_the_lease_and_all_of_it_once_it_is_held_again(open_world: OpenWorld) -> None:
    world, clock = await open_world(), ManualClock()
    world.core.hold = asyncio.Event()
    ts, message = await heard(world)
    lease = TurnLease(1, 1, 6.0, clock)
    reply = world.core.reply_to(message, FakePosts(lease=lease))
    clock.advance(7)
    reply.write("Hello, ")
    finishing = asyncio.create_task(reply.finish(Answer("Hello, world.")))
    await asyncio.sleep(0.1)
    assert world.answers("D0ADA", ts) == []
    lease.lengthen(clock.monotonic() + 6)
    await finishing
    assert world.words("D0ADA", ts) == ["Hello, world."]
    await forget(world)


async def test_an_answer_is_written_again_over_whatever_a_late_write_left(open_world: OpenWorld) -> None:
    world = await open_world()
    world.core.hold = asyncio.Event()
    ts, message = await heard(world)
    long = "\n\n".join(f"Paragraph {number}. " + "word " * 300 for number in range(9))
    posts = FakePosts()
    reply = world.core.reply_to(message, posts)
    await reply.finish(Answer(long))
    shown = world.words("D0ADA", ts)
    assert len(shown) == 2
    update: dict[str, object] = {"channel": "D0ADA", "ts": world.answers("D0ADA", ts)[0].ts, "text": "Hel"}
    await call(world, "chat.update", update)
    assert world.words("D0ADA", ts) != shown
    kept = tuple(Post(number, name, 0, closed=True) for number, name in posts.added.items())
    other = world.core.reply_to(message, FakePosts(dict(posts.added)))
    await other.abandon()
    for one in (reply, other):
        await one.again(Answer(long), kept)
        assert world.words("D0ADA", ts) == shown
    await forget(world)


async def forget(world: World) -> None:
    for task in world.core.tasks:
        task.cancel()
    await asyncio.gather(*world.core.tasks, return_exceptions=True)


async def call(world: World, method: str, body: dict[str, object]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {world.slack.bot_token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{world.slack.api_url}{method}", json=body, headers=headers) as answer,
    ):
        told: dict[str, Any] = await answer.json()
        assert told["ok"], told
        return told


async def begin_stream(world: World, root: str, *, ended: bool) -> None:
    stream = {
        "channel": "C0GENERAL",
        "thread_ts": root,
        "markdown_text": "The sec",
        "recipient_team_id": "T0PLAY",
        "recipient_user_id": "U0ADA",
    }
    begun = await call(world, "chat.startStream", dict(stream))
    if ended:
        await call(world, "chat.stopStream", {"channel": "C0GENERAL", "ts": begun["ts"]})


@pytest.mark.parametrize("trouble", ["slow", "limited"])
async def test_a_guest_is_not_taken_for_a_member_while_slack_says_nothing(open_world: OpenWorld, trouble: str) -> None:
    world = await open_world(faults=SlackFaults(ack_timeout=1.8, retry_delays=(0.1, 0.8), rate_window=1.0))
    if trouble == "slow":
        world.slack.faults.slow_seconds = 2.9
    else:
        world.slack.faults.rate_limits = {"users.info": 0}
    await world.slack.post("U0GUEST", "C0GENERAL", "<@U0BISE> hi")
    await world.slack.until(lambda: any(delivery.retry_num for delivery in world.slack.deliveries))
    assert world.core.accepted == []
    world.slack.faults.slow_seconds, world.slack.faults.rate_limits = 0.0, False
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    assert world.core.accepted[0].author.external
    await world.core.done()


@pytest.mark.parametrize("slow", [1.8, 2.8])
async def test_a_thread_keeps_its_order_while_slack_is_slow_to_say_who_asks(open_world: OpenWorld, slow: float) -> None:
    world = await open_world()
    world.slack.faults.slow_seconds = slow
    root = await world.ask("<@U0BISE> 0")
    for number in range(1, 4):
        await world.ask(f"<@U0BISE> {number}", thread_ts=root)
    await asyncio.sleep(2.65)
    await world.ask("<@U0BISE> 4", thread_ts=root)
    await world.slack.until(lambda: len(world.core.accepted) == 5)
    assert [message.text for message in world.core.accepted] == ["0", "1", "2", "3", "4"]
    world.slack.faults.slow_seconds = 0.0
    await world.core.done()


async def test_a_command_of_somebody_unknown_is_put_off(open_world: OpenWorld) -> None:
    world = await open_world()
    world.slack.faults.rate_limits = {"users.info": 0}
    outcome = await world.slack.command("U0GUEST", "C0GENERAL", "/bise", "ask hello")
    assert "Please ask again in a minute" in outcome.text
    assert world.core.accepted == []


async def test_without_the_scope_people_are_answered_and_the_log_says_so_once(
    open_world: OpenWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    world = await open_world()
    world.slack.granted_scopes -= {"users:read"}
    await world.ask()
    await world.slack.post("U0GRACE", "C0GENERAL", "<@U0BISE> hi")
    await world.slack.until(lambda: len(world.core.accepted) == 2)
    await world.core.done()
    assert "".join(capfd.readouterr()).count("slack.people_unknown") == 1


async def test_direct_messages_in_quick_succession_keep_their_order(open_world: OpenWorld) -> None:
    world = await open_world()
    first = world.core.slow = asyncio.Event()
    await world.ask("one", channel="D0ADA")
    await soon(lambda: world.core.asked == 1)
    world.core.slow = None
    await world.ask("two", channel="D0ADA")
    await asyncio.sleep(0.2)
    assert world.core.accepted == []
    first.set()
    await world.slack.until(lambda: all(delivery.acked_at for delivery in world.slack.deliveries))
    assert [message.text for message in world.core.accepted] == ["one", "two"]
    await world.core.done()


def statuses(world: World) -> int:
    return sum(call.method == "assistant.threads.setStatus" for call in world.slack.calls)


async def test_a_question_that_waits_for_its_turn_shows_a_status(open_world: OpenWorld) -> None:
    world = await open_world()
    world.core.hold = asyncio.Event()
    ts = await world.ask()
    await world.slack.until(lambda: world.slack.status("C0GENERAL", ts) == "is thinking…", timeout=1)
    assert all((delivery.latency or 9) < 0.2 for delivery in world.slack.deliveries)
    assert (len(world.core.replies), statuses(world)) == (0, 1)
    world.core.hold.set()
    await world.core.done()
    assert statuses(world) <= 2
    assert world.slack.status("C0GENERAL", ts) is None


async def test_a_question_whose_turn_comes_at_once_costs_no_second_status(open_world: OpenWorld) -> None:
    world = await open_world()

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        await asyncio.sleep(0.5)
        return Answer("Hello.")

    world.core.script = script
    hold = world.core.hold = asyncio.Event()
    await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    asyncio.get_running_loop().call_later(0.05, hold.set)
    await world.core.done()
    assert statuses(world) == 1


async def test_a_sign_of_life_under_way_does_not_come_after_the_answer(open_world: OpenWorld) -> None:
    world = await open_world(allow_external=True)
    world.core.hold = asyncio.Event()
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.accepted) == 1)
    world.slack.faults.slow_seconds = 0.4
    await asyncio.sleep(0.4)
    world.slack.faults.slow_seconds = 0.0
    world.core.hold.set()
    await world.core.done()
    await asyncio.sleep(0.3)
    assert world.words("C0GENERAL", ts) == ["Hello."]
    assert world.slack.status("C0GENERAL", ts) is None


async def test_more_notes_than_a_block_takes_are_all_shown(open_world: OpenWorld) -> None:
    world = await open_world()
    names = [f"picture{number}.png" for number in range(15)]

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        return Answer("Hello.", notices=tuple(Notice("attachment_corrupt", {"name": name}) for name in names))

    world.core.script = script
    ts = await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert not world.core.errors
    (post,) = world.answers("C0GENERAL", ts)
    assert [name in note for name, note in zip(names, post.notes, strict=True)] == [True] * 15


async def test_a_reply_tells_that_its_place_takes_nothing_more(open_world: OpenWorld) -> None:
    world = await open_world()
    told: list[PlatformError | None] = []

    async def script(reply: Reply, message: IncomingMessage) -> Answer:
        told.append(reply.error())
        world.slack.faults.archived = {"C0GENERAL"}
        reply.write("Some words. ")
        async with asyncio.timeout(5):
            while reply.error() is None:
                await asyncio.sleep(0.01)
        told.append(reply.error())
        return Answer("Some words.", "failed")

    world.core.script = script
    await world.ask()
    await world.slack.until(lambda: len(world.core.tasks) == 1)
    await world.core.done()
    assert told[0] is None
    assert isinstance(told[1], PlaceGone)


@pytest.mark.parametrize("stored", [True, False])
async def test_a_question_that_is_long_in_storing_is_never_said_to_be_lost(open_world: OpenWorld, stored: bool) -> None:
    world = await open_world()
    slow = world.core.slow = asyncio.Event()
    outcome = await world.slack.command("U0ADA", "C0RANDOM", "/bise", "ask hello")
    assert outcome.acknowledged
    assert "longer than usual" in outcome.text
    world.core.store_is_away = not stored
    slow.set()
    expected = "Hello." if stored else "could not write down"
    await world.slack.until(lambda: any(expected in post.shown for post in world.slack.ephemerals("U0ADA")))
    await world.core.done()


async def test_help_says_that_words_may_train_models(open_world: OpenWorld) -> None:
    world = await open_world(mistral_plan="experiment")
    assert TRAINING_NOTE in (await world.slack.command("U0ADA", "C0RANDOM", "/bise", "help")).text
    paid = await open_world()
    assert TRAINING_NOTE not in (await paid.slack.command("U0ADA", "C0RANDOM", "/bise", "help")).text
