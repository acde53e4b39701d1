"""The real Discord adapter against the simulated Discord over loopback, with a core of a few lines behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bots.discord.checks import check
from bots.playground.discord.records import UploadedFile
from bots.playground.discord.simulator import DiscordSimulator
from bots.rendering import render
from core.errors import AttachmentError, PlaceForbidden, PlaceGone, TokenRevoked
from core.messages import (
    Answer,
    Attachment,
    ConversationKind,
    IncomingMessage,
    Notice,
    Post,
    WorkspaceKey,
)
from core.ports import Reply
from tests.integration.discord_core import echo, order_of, running, settings_for, simulated


@pytest.fixture
async def discord() -> AsyncIterator[DiscordSimulator]:
    async with simulated() as simulator:
        yield simulator


async def test_a_mention_is_answered_by_a_reply_that_pings_nobody(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        asked = await discord.post("Ada", "general", f"{scene.mention} hello there")
        (post,) = await scene.answered("general")
        assert post.content == "You said: hello there"
        assert post.reply_to == asked
        assert post.pings == ()
        assert post.nonce is not None
        (heard,) = scene.core.heard
        assert (heard.kind, heard.root, heard.text) == (ConversationKind.CHAIN, None, "hello there")
        assert heard.workspace == WorkspaceKey("discord", discord.guild_id)
        assert heard.author.admin
        (log,) = scene.core.logs
        assert log.posts == {0: (post.id, 0)}
        assert log.closed == {0}
        assert discord.rate_limited == {}


async def test_a_reply_to_an_answer_goes_on_without_a_mention(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        await discord.post("Ada", "general", f"{scene.mention} one")
        (first,) = await scene.answered("general")
        await discord.post("Grace", "general", "two", reply_to=first.id)
        await scene.answered("general", 2)
        heard = scene.core.heard[-1]
        assert heard.mentioned
        assert heard.reply_to == first.id
        assert not heard.author.admin


async def test_chatter_in_channels_and_of_bots_never_reaches_the_core(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        await discord.post("Ada", "general", "just talking")
        await discord.post("Ada", "general", f"{scene.mention} end")
        await scene.answered("general")
        assert [heard.text for heard in scene.core.heard] == ["end"]


async def test_a_direct_message_is_one_conversation_and_shows_typing_first(discord: DiscordSimulator) -> None:
    async def slowly(reply: Reply, message: IncomingMessage) -> None:
        await discord.until(lambda: discord.typing("Grace"))
        await echo(reply, message)

    async with running(discord, slowly) as scene:
        await discord.post("Grace", "Grace", "psst")
        (post,) = await scene.answered("Grace")
        assert post.content == "You said: psst"
        (heard,) = scene.core.heard
        assert (str(heard.workspace), heard.kind, heard.root) == ("discord:dm", ConversationKind.DM, "dm")


async def test_ask_is_deferred_then_streamed_below_its_quoted_question(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        asked = await discord.command("Ada", "general", "ask", {"prompt": "why is\nthe sky blue?"})
        await discord.until(lambda: asked.deferred)
        (post,) = await scene.answered("general")
        assert post.content == "> why is the sky blue?\nYou said: why is\nthe sky blue?"
        assert not asked.ephemeral
        (log,) = scene.core.logs
        assert log.posts == {0: (post.id, 0)}
        await discord.post("Grace", "general", "and red?", reply_to=post.id)
        await scene.answered("general", 2)
        assert scene.core.heard[-1].reply_to == post.id


async def test_a_private_answer_stays_private_over_all_its_posts(discord: DiscordSimulator) -> None:
    text = "\n\n".join(f"Paragraph {number} " + "words " * 40 for number in range(12))

    async def long(reply: Reply, message: IncomingMessage) -> None:
        reply.write(text)
        await reply.finish(Answer(text))

    async with running(discord, long) as scene:
        asked = await discord.command("Grace", "general", "ask", {"prompt": "secret", "private": True})
        posts = await scene.answered("general", 2)
        grace = discord.person_id("Grace")
        assert asked.ephemeral
        assert {post.only_for for post in posts} == {grace}
        assert scene.core.heard[0].kind is ConversationKind.PRIVATE
        assert "".join("".join(post.content.split()) for post in posts) == "".join(text.split())


async def test_an_image_given_to_ask_can_be_downloaded_within_its_limit(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        picture = UploadedFile("cat.png", b"\x89PNG" + b"x" * 5000, "image/png")
        await discord.command("Ada", "general", "ask", {"prompt": "what is it?"}, files={"image": picture})
        await scene.answered("general")
        (file,) = scene.core.heard[0].attachments
        workspace = scene.core.heard[0].workspace
        assert (file.name, file.mime, file.size) == ("cat.png", "image/png", 5004)
        assert await scene.adapter.download(workspace, file, 10_000) == picture.data
        with pytest.raises(AttachmentError, match="too_large"):
            await scene.adapter.download(workspace, file, 5000)
        lying = Attachment(file.id, file.name, file.mime, 10, file.url)
        with pytest.raises(AttachmentError, match="too_large"):
            await scene.adapter.download(workspace, lying, 5000)
        discord.faults.attachments_expired = True
        with pytest.raises(AttachmentError, match="unavailable"):
            await scene.adapter.download(workspace, file, 10_000)


async def test_chat_opens_a_thread_that_says_what_it_is_and_answers_there(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        await discord.command("Ada", "general", "chat", {"topic": "Tell me about bees " * 8})
        await discord.until(lambda: discord.threads("general"))
        (thread,) = discord.threads("general")
        intro, answer = await scene.answered(thread, 2)
        assert "Every message in this thread is answered" in intro.content
        assert "Tell me about bees" in intro.content
        assert answer.content.startswith("You said: Tell me about bees")
        heard = scene.core.heard[0]
        assert (heard.kind, heard.channel, heard.root) == (ConversationKind.CHAT, thread, thread)
        await discord.post("Grace", thread, "and wasps?")
        await discord.until(lambda: len(scene.core.heard) == 2)
        heard = scene.core.heard[1]
        assert (heard.kind, heard.root, heard.mentioned) == (ConversationKind.THREAD, thread, False)


async def test_chat_where_no_thread_can_be_is_one_private_sentence(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        asked = await discord.command("Ada", "Ada", "chat", {"topic": "bees"})
        await discord.until(lambda: asked.posts)
        assert "text channel" in asked.posts[0].content
        discord.forbid("general")
        asked = await discord.command("Ada", "general", "chat", {"topic": "bees"})
        await discord.until(lambda: asked.posts)
        assert asked.ephemeral
        assert "could not open a thread" in asked.posts[0].content
        assert scene.core.heard == []


async def test_a_long_answer_goes_on_in_further_posts_with_its_fences_whole(discord: DiscordSimulator) -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(320))
    text = f"Here it is:\n\n```python\n{code}\n```\n\nThat is all."

    async def program(reply: Reply, message: IncomingMessage) -> None:
        for start in range(0, len(text), 200):
            reply.write(text[start : start + 200])
            await asyncio.sleep(0.002)
        await reply.finish(Answer(text))

    async with running(discord, program) as scene:
        await discord.post("Ada", "general", f"{scene.mention} code please")
        posts = await scene.answered("general", 3)
        assert all(len(post.content) <= 2000 and post.content.count("```") % 2 == 0 for post in posts)
        assert [line for post in posts for line in post.content.split("\n") if line.startswith("line_")] == code.split(
            "\n"
        )
        (log,) = scene.core.logs
        assert [log.posts[number][0] for number in range(len(posts))] == [post.id for post in posts]
        assert log.closed == set(range(len(posts)))
        assert posts[1].reply_to is None
        assert discord.rate_limited == {}


async def test_the_stop_button_runs_with_the_answer_and_reaches_the_core(discord: DiscordSimulator) -> None:
    pressed = asyncio.Event()

    async def until_stopped(reply: Reply, message: IncomingMessage) -> None:
        reply.write("It begins ")
        await pressed.wait()
        await reply.finish(Answer("It begins ", "cancelled", (Notice("stopped"),)))

    async with running(discord, until_stopped) as scene:
        await discord.post("Ada", "general", f"{scene.mention} go")
        await discord.until(lambda: scene.bots_posts("general") and scene.bots_posts("general")[0].buttons)
        (post,) = scene.bots_posts("general")
        assert post.buttons == {"bise:control-1": "Stop"}
        press = await discord.press("Grace", "general", post.id, "bise:control-1")
        await discord.until(lambda: press.acknowledged)
        assert scene.core.presses[0].control == "control-1"
        assert scene.core.presses[0].person.id == discord.person_id("Grace")
        pressed.set()
        (post,) = await scene.answered("general")
        assert post.content == "It begins\n-# Stopped."
        assert post.buttons == {}


async def test_a_failure_keeps_the_text_and_says_one_sentence_below(discord: DiscordSimulator) -> None:
    async def cut(reply: Reply, message: IncomingMessage) -> None:
        reply.write("Half an ans")
        await reply.finish(Answer("Half an ans", "failed", (Notice("stream_cut"),)))

    async def nothing(reply: Reply, message: IncomingMessage) -> None:
        await reply.finish(Answer("", "failed", (Notice("model_unreachable"),)))

    async with running(discord, cut) as scene:
        await discord.post("Ada", "general", f"{scene.mention} go")
        (post,) = await scene.answered("general")
        assert post.content.startswith("Half an ans\n-# The model's answer broke off")
        scene.core.script = nothing
        await discord.post("Ada", "random", f"{scene.mention} go")
        (post,) = await scene.answered("random")
        assert post.content == "I could not reach the model. Please ask again in a minute."


async def test_a_second_attempt_goes_on_in_the_same_posts_and_removes_what_is_too_much(
    discord: DiscordSimulator,
) -> None:
    long = "\n\n".join("Paragraph. " + "word " * 90 for _ in range(10))

    async def interrupted(reply: Reply, message: IncomingMessage) -> None:
        reply.write(long)
        await discord.until(lambda: len(scene.bots_posts("general")) >= 2)
        await reply.abandon()

    async with running(discord, interrupted) as scene:
        await discord.post("Ada", "general", f"{scene.mention} go")
        await discord.until(lambda: scene.core.logs and len(scene.core.logs[0].posts) >= 2)
        await scene.core.settle()
        before = scene.bots_posts("general")
        stored = tuple(
            Post(ordinal, id_, start, closed=False) for ordinal, (id_, start) in scene.core.logs[0].posts.items()
        )
        again = scene.core.open(order_of(scene.core.heard[0], 1, stored))
        again.write("Short")
        await again.finish(Answer("Short this time."))
        (post,) = scene.bots_posts("general")
        assert post.id == before[0].id
        assert post.content == "Short this time."
        assert list(scene.core.logs[1].posts) == [0]


async def test_an_answer_whose_first_write_was_lost_is_not_posted_twice(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        await discord.post("Ada", "general", f"{scene.mention} go")
        (post,) = await scene.answered("general")
        again = scene.core.open(order_of(scene.core.heard[0], 1))  # the worker died before it stored the post
        await again.finish(Answer("Another text."))
        (only,) = scene.bots_posts("general")
        assert only.id == post.id


async def test_no_text_is_lost_or_doubled_when_discord_answers_502_after_writing(
    discord: DiscordSimulator,
) -> None:
    text = "\n\n".join(f"Paragraph {number} " + "word " * 60 for number in range(9))

    async def long(reply: Reply, message: IncomingMessage) -> None:
        reply.write(text)
        await reply.finish(Answer(text))

    async with running(discord, long) as scene:
        discord.faults.commit_then_502_share = 0.4
        await discord.command("Ada", "general", "ask", {"prompt": "go"})
        await scene.answered("general", 2)
        await scene.core.settle()
        posts = scene.bots_posts("general")
        shown = "".join("".join(post.content.removeprefix("> go").split()) for post in posts)
        assert shown == "".join(text.split())


async def test_after_its_fifteen_minutes_a_public_answer_goes_on_with_the_bots_own_token(
    discord: DiscordSimulator,
) -> None:
    first, rest = "The beginning", " and the end."

    async def late(reply: Reply, message: IncomingMessage) -> None:
        reply.write(first)
        await discord.until(lambda: any(first in post.content for post in scene.bots_posts("general")))
        discord.faults.token_life = 0.0
        await reply.finish(Answer(first + rest))

    async with running(discord, late) as scene:
        await discord.command("Ada", "general", "ask", {"prompt": "go"})
        (post,) = await scene.answered("general")
        assert post.content == f"> go\n{first}{rest}"
        assert scene.core.failures == []


async def test_a_private_answer_out_of_time_fails_and_tells_the_asker_alone(discord: DiscordSimulator) -> None:
    async def late(reply: Reply, message: IncomingMessage) -> None:
        await discord.until(lambda: scene.bots_posts("general"))
        discord.faults.token_life = 0.0
        await reply.finish(Answer("Too late."))

    async with running(discord, late) as scene:
        await discord.command("Grace", "general", "ask", {"prompt": "go", "private": True})
        await discord.until(lambda: scene.bots_posts("Grace"))
        await scene.core.settle()
        assert "private answer" in scene.bots_posts("Grace")[0].content
        assert "Too late." not in "".join(post.content for post in scene.bots_posts("general"))
        (failure,) = scene.core.failures
        assert isinstance(failure, PlaceGone)


async def test_a_webhook_that_discord_does_not_know_yet_is_waited_for(discord: DiscordSimulator) -> None:
    discord.faults.webhook_unknown_for = 0.4
    async with running(discord) as scene:
        await discord.command("Ada", "general", "ask", {"prompt": "quick"})
        (post,) = await scene.answered("general")
        assert post.content == "> quick\nYou said: quick"


async def test_where_the_bot_may_not_write_the_asker_is_told_privately(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        discord.forbid("general")
        await discord.post("Grace", "general", f"{scene.mention} hello?")
        await discord.until(lambda: scene.bots_posts("Grace"))
        await scene.core.settle()
        assert "may not write there" in scene.bots_posts("Grace")[0].content
        (failure,) = scene.core.failures
        assert isinstance(failure, PlaceForbidden)


async def test_a_slow_store_makes_ask_defer_first_and_answer_all_the_same(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        scene.core.slow = 1.8
        asked = await discord.command("Ada", "general", "ask", {"prompt": "slow"})
        await discord.until(lambda: asked.deferred)
        assert scene.core.heard == []
        (post,) = await scene.answered("general")
        assert post.content == "> slow\nYou said: slow"


async def test_without_a_store_every_way_of_asking_gets_a_sentence(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        scene.core.down = True
        asked = await discord.command("Ada", "general", "ask", {"prompt": "lost?"})
        await discord.until(lambda: asked.posts)
        assert "could not write down your message" in asked.posts[0].content
        asked = await discord.command("Ada", "general", "bise usage")
        await discord.until(lambda: asked.posts)
        assert "could not write down" in asked.posts[0].content
        await discord.post("Ada", "random", f"{scene.mention} lost?")
        (post,) = await scene.answered("random")
        assert "could not write down your message" in post.content


async def test_bise_commands_answer_privately(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        usage = await discord.command("Ada", "general", "bise usage")
        reset = await discord.command("Ada", "general", "bise reset")
        help_ = await discord.command("Ada", "general", "bise help")
        await discord.until(lambda: usage.posts and reset.posts and help_.posts)
        assert "$0.81 for 41 calls" in usage.posts[0].content
        assert "start anew" in reset.posts[0].content
        assert "/ask" in help_.posts[0].content
        assert "message content intent" not in help_.posts[0].content
        assert all(post.ephemeral for one in (usage, reset, help_) for post in one.posts)
        assert scene.core.resets == [
            (WorkspaceKey("discord", discord.guild_id), discord.channel_id("general"), None),
        ]


async def test_without_the_message_content_intent_it_goes_on_and_says_what_is_missing(
    discord: DiscordSimulator,
) -> None:
    discord.faults.refuse_message_content = True
    async with running(discord) as scene:
        assert scene.adapter.message_content is False
        assert scene.adapter.not_ready() is None
        await discord.post("Ada", "general", f"{scene.mention} still there?")
        (post,) = await scene.answered("general")
        assert post.content == "You said: still there?"
        help_ = await discord.command("Ada", "general", "bise help")
        await discord.until(lambda: help_.posts)
        assert "message content intent" in help_.posts[0].content
        await discord.command("Ada", "general", "chat", {"topic": "bees"})
        await discord.until(lambda: discord.threads("general"))
        (thread,) = discord.threads("general")
        intro, _ = await scene.answered(thread, 2)
        assert "Mention me here" in intro.content
        (finding,) = [one for one in await check(scene.settings) if "message content intent" in one.what]
        assert not finding.ok


async def test_commands_are_registered_only_when_they_changed(discord: DiscordSimulator) -> None:
    def puts() -> int:
        return sum(call.method == "PUT" and call.path.endswith("/commands") for call in discord.calls)

    async with running(discord):
        assert puts() == 1
        names = {command["name"] for command in discord.registered_commands}
        assert names == {"ask", "chat", "bise", "bise-admin", "What did this cost?"}
    async with running(discord):
        assert puts() == 1


async def test_a_refused_token_stops_the_start_with_one_line(discord: DiscordSimulator) -> None:
    discord.faults.token_revoked = True
    with pytest.raises(TokenRevoked, match="DISCORD_TOKEN is refused") as caught:
        async with running(discord):
            pass
    assert "\n" not in str(caught.value)
    assert discord.token not in str(caught.value)


async def test_a_token_revoked_while_running_makes_it_not_ready(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        assert scene.adapter.not_ready() is None
        discord.revoke_token()
        for _ in range(200):
            if "refused" in (scene.adapter.not_ready() or ""):
                break
            await asyncio.sleep(0.01)
        assert "DISCORD_TOKEN is refused" in (scene.adapter.not_ready() or "")


async def test_messages_written_while_the_socket_was_cut_are_answered_once(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        discord.drop_sockets()
        await discord.post("Ada", "general", f"{scene.mention} did you hear?")
        (post,) = await scene.answered("general")
        assert post.content == "You said: did you hear?"
        discord.faults.redeliver_share = 1.0
        await discord.post("Ada", "general", f"{scene.mention} twice")
        await scene.answered("general", 2)
        assert len(scene.bots_posts("general")) == 2


async def test_five_answers_in_a_channel_meet_no_rate_limit_and_all_end(discord: DiscordSimulator) -> None:
    async def slowly(reply: Reply, message: IncomingMessage) -> None:
        text = ""
        for number in range(40):
            text += f"word{number} "
            reply.write(f"word{number} ")
            await asyncio.sleep(0.01)
        await reply.finish(Answer(text))

    async with running(discord, slowly) as scene:
        for _ in range(5):
            await discord.post("Ada", "general", f"{scene.mention} go")
        posts = await scene.answered("general", 5)
        assert all(post.content.endswith("word39") for post in posts)
        assert discord.rate_limited == {}


async def test_a_hostile_answer_pings_nobody(discord: DiscordSimulator) -> None:
    text = "@everyone @here <@&1> hello"

    async def hostile(reply: Reply, message: IncomingMessage) -> None:
        reply.write(text)
        await reply.finish(Answer(text))

    async with running(discord, hostile) as scene:
        await discord.command("Grace", "general", "ask", {"prompt": "@everyone wake up"})
        (post,) = await scene.answered("general")
        assert post.pings == ()
        assert post.content.endswith(render(text, "discord"))


async def test_doctor_names_what_is_wrong_with_a_token(discord: DiscordSimulator) -> None:
    settings = settings_for(discord)
    findings = await check(settings)
    assert findings[0].ok
    assert discord.bot_id in findings[0].what
    assert any(f"client_id={discord.application_id}" in finding.what for finding in findings)
    discord.faults.message_content_flag = False
    assert any(not finding.ok and "message content intent is off" in finding.what for finding in await check(settings))
    discord.faults.token_revoked = True
    (finding,) = await check(settings)
    assert not finding.ok
    assert "refuses DISCORD_TOKEN" in finding.what


async def test_a_stop_waits_for_what_was_heard_and_lets_answers_end(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        scene.core.slow = 0.2
        asked = await discord.command("Ada", "general", "ask", {"prompt": "last one"})
        await asyncio.sleep(0.1)
        await scene.adapter.stop_receiving()
        assert asked.deferred
        (post,) = await scene.answered("general")
        assert post.content == "> last one\nYou said: last one"
        assert "stopping" in (scene.adapter.not_ready() or "")
