"""The main job in Discord, through the whole service over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bots.playground.discord.records import UploadedFile
from bots.playground.discord.views import DiscordPost
from bots.playground.mistral.replies import Reply
from tests.databases import Place
from tests.world import World, png, running, soon


def general(world: World) -> str:
    return world.discord.channel_id("general")


def ada(world: World) -> str:
    return world.discord.person_id("Ada")


def answers(world: World, channel: str | None = None) -> list[DiscordPost]:
    return [post for post in world.discord.messages(channel or general(world)) if post.author == world.discord.bot_id]


async def settled(world: World, count: int, channel: str | None = None) -> list[DiscordPost]:
    """Waits until there are so many posts of the bot and nothing runs."""
    await world.discord.until(lambda: len([p for p in answers(world, channel) if not p.thinking]) >= count)
    await world.idle()
    return answers(world, channel)


async def ask(world: World, prompt: str, **options: object) -> None:
    await world.discord.command(ada(world), general(world), "ask", {"prompt": prompt, **options})


async def test_ask_is_answered_where_it_was_asked_and_streams(world: World) -> None:
    world.model.then(Reply(chunks=tuple(f"word{number} " for number in range(30)), chunk_delay=0.1))
    await ask(world, "Count words")
    [post] = await settled(world, 1)
    assert "word0 word1" in post.content
    assert "word29" in post.content
    assert len(post.edited) >= 2
    assert not world.discord.threads(general(world))


async def test_replying_to_the_answer_goes_on_in_the_conversation(world: World) -> None:
    world.model.then(Reply(text="Paris."), Reply(text="Two million."))
    await ask(world, "Capital of France?")
    [post] = await settled(world, 1)
    await world.discord.post(ada(world), general(world), "How many people?", reply_to=post.id)
    posts = await settled(world, 2)
    assert posts[1].content == "Two million."
    contents = [message["content"] for message in world.prompts()[-1][1:]]
    assert contents == ["Ada: Capital of France?", "Paris.", "Ada: How many people?"]


async def test_a_mention_is_answered_by_a_reply(world: World) -> None:
    asked = await world.discord.post(ada(world), general(world), f"<@{world.discord.bot_id}> hello")
    [post] = await settled(world, 1)
    assert post.reply_to == asked
    assert post.pings == ()


async def test_a_chain_is_a_tree_and_a_branch_is_not_mixed_with_another(world: World) -> None:
    world.model.then(Reply(text="Pick a fruit."), Reply(text="Apples are red."), Reply(text="Bananas are yellow."))
    await ask(world, "Give me a choice")
    [first] = await settled(world, 1)
    await world.discord.post(ada(world), general(world), "Apple", reply_to=first.id)
    await settled(world, 2)
    await world.discord.post(ada(world), general(world), "Banana", reply_to=first.id)
    await settled(world, 3)
    assert "Apple" not in str(world.prompts()[-1])


async def test_an_image_of_a_command_goes_to_the_model(world: World) -> None:
    channel = general(world)
    file = UploadedFile("photo.png", png(), "image/png")
    await world.discord.command(ada(world), channel, "ask", {"prompt": "What is it?"}, files={"image": file})
    [post] = await settled(world, 1)
    assert "I see 1 image" in post.content


async def test_a_private_answer_is_for_the_asker_alone(world: World) -> None:
    await ask(world, "Psst", private=True)
    [post] = await settled(world, 1)
    assert post.only_for == ada(world)
    assert "Psst" in post.content


async def test_chat_opens_a_thread_where_every_message_is_answered(world: World) -> None:
    await world.discord.command(ada(world), general(world), "chat", {"topic": "Winds of Europe"})
    await world.discord.until(lambda: bool(world.discord.threads(general(world))))
    [thread] = world.discord.threads(general(world))
    before = len(await settled(world, 1, thread))
    await soon(lambda: len(world.model.requests) == 1)
    await world.discord.post(ada(world), thread, "And the mistral?")
    await settled(world, before + 1, thread)
    await soon(lambda: len(world.model.requests) == 2)
    assert "Winds of Europe" in str(world.prompts()[-1])


async def test_a_direct_message_is_answered(world: World) -> None:
    channel = next(
        c["id"] for c in world.discord.snapshot()["channels"] if c["kind"] == "dm" and c["with"] == ada(world)
    )
    await world.discord.post(ada(world), channel, "Hello in private")
    [post] = await settled(world, 1, channel)
    assert "Hello in private" in post.content
    assert (await world.spent("discord:dm")).calls == 1


async def test_long_answers_are_cut_into_pieces_with_whole_fences(world: World) -> None:
    text = "```python\n" + "".join(f"line_{number} = {number}\n" for number in range(300)) + "```\nDone."
    world.model.then(Reply(text=text))
    await ask(world, "Write code")
    await world.discord.until(lambda: any("Done." in post.content for post in answers(world)))
    posts = answers(world)
    assert len(posts) > 2
    for post in posts:
        assert len(post.content) <= 2000
        assert post.content.count("```") % 2 == 0
    body = "\n".join(post.content for post in posts)
    assert all(body.count(f"line_{number} = {number}\n") == 1 for number in range(300))


async def test_the_stop_button_ends_the_answer_and_goes_away(world: World) -> None:
    world.model.then(Reply(chunks=("Once ",) + ("more ",) * 300, chunk_delay=0.05))
    await ask(world, "A long story")
    await world.discord.until(lambda: any(post.buttons for post in answers(world)))
    [post] = answers(world)
    await world.discord.press(ada(world), general(world), post.id, next(iter(post.buttons)))
    await world.model.until(lambda model: model.open_streams == 0 and model.closed_early == 1, 2.0)
    await world.discord.until(lambda: "Stopped." in answers(world)[-1].content)
    assert answers(world)[-1].buttons == {}
    assert "Once" in answers(world)[0].content


async def test_pings_reach_nobody(world: World) -> None:
    world.model.then(Reply(text=f"@everyone @here <@{world.discord.person_id('Grace')}> look"))
    await ask(world, "Ping")
    [post] = await settled(world, 1)
    assert post.pings == ()


async def test_without_the_message_content_intent_it_goes_on(tmp_path: Path, file: Place) -> None:
    # On one database: what Discord refuses is the connection's own affair, and its second try takes seconds.
    async with running(tmp_path, place=file) as world:
        await world.stop()
        world.discord.faults.refuse_message_content = True
        await world.start()
        await ask(world, "Still there?")
        [post] = await settled(world, 1)
        assert "Still there?" in post.content
        help_ = await world.discord.command(ada(world), general(world), "bise help", {})
        await world.discord.until(lambda: help_.acknowledged)
        said = [post.content for post in world.discord.messages(general(world)) if post.only_for]
        assert any("message" in text.lower() and "mention" in text.lower() for text in said)


async def test_commands_are_registered_only_when_they_changed(world: World) -> None:
    await world.stop()
    await world.start()
    writes = [
        call for call in world.discord.calls if call.method in ("PUT", "POST") and call.path.endswith("/commands")
    ]
    assert len(writes) == 1


async def test_redelivered_messages_are_answered_once(world: World) -> None:
    world.discord.faults.redeliver_share = 1.0
    for number in range(4):
        await world.discord.post(ada(world), general(world), f"<@{world.discord.bot_id}> question {number}")
    await settled(world, 4)
    await asyncio.sleep(0.3)
    assert len(world.model.requests) == 4
    assert len(answers(world)) == 4
