"""The main job in Slack, through the whole service over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bots.playground.mistral.replies import Reply
from bots.playground.slack.posts import SlackPost, UploadedFile
from tests.databases import Place
from tests.world import World, png, running

ADA, GRACE, GENERAL = "U0ADA", "U0GRACE", "C0GENERAL"


def answers(world: World, ts: str, channel: str = GENERAL) -> list[SlackPost]:
    return [post for post in world.slack.messages(channel, ts) if post.bot_id and post.ts != ts]


def mention(world: World, text: str) -> str:
    return f"<@{world.slack.bot_user_id}> {text}"


async def ask(
    world: World, text: str, *, thread: str | None = None, user: str = ADA, files: tuple[UploadedFile, ...] = ()
) -> str:
    """Mentions the bot and waits for the finished answer; returns the thread's root."""
    before = len(answers(world, thread)) if thread else 0
    ts = await world.slack.post(user, GENERAL, mention(world, text), thread_ts=thread, files=files)
    root = thread or ts
    await world.slack.until(lambda: len(answers(world, root)) > before and not answers(world, root)[-1].streaming)
    await world.idle()
    return root


async def test_a_mention_is_answered_in_its_thread_and_streams(world: World) -> None:
    world.model.then(Reply(chunks=("A bise ", "is a ", "cold wind."), chunk_delay=0.05))
    root = await ask(world, "What is a bise?")
    [answer] = answers(world, root)
    assert answer.shown == "A bise is a cold wind."
    methods = [call.method for call in world.slack.calls]
    assert "chat.startStream" in methods
    assert "chat.stopStream" in methods


async def test_a_follow_up_needs_no_mention_and_has_the_thread_as_memory(world: World) -> None:
    world.model.then(Reply(text="Paris."), Reply(text="About two million."))
    root = await ask(world, "What is the capital of France?")
    await world.slack.post(ADA, GENERAL, "How many people live there?", thread_ts=root)
    await world.slack.until(lambda: len(answers(world, root)) == 2 and not answers(world, root)[-1].streaming)
    last = world.prompts()[-1]
    assert [message["role"] for message in last] == ["system", "user", "assistant", "user"]
    assert last[1]["content"] == "Ada: What is the capital of France?"
    assert last[2]["content"] == "Paris."
    assert last[3]["content"] == "Ada: How many people live there?"


async def test_somebody_else_in_the_thread_is_context_and_not_answered(world: World) -> None:
    root = await ask(world, "Shall we ship?")
    await world.slack.post(GRACE, GENERAL, "I think we should wait.", thread_ts=root)
    await world.slack.post(ADA, GENERAL, "Hm, why?", thread_ts=root)
    await ask(world, "What do you think?", thread=root)
    last = world.prompts()[-1]
    assert len(world.model.requests) == 2
    assert last[-1]["content"] == ("Grace: I think we should wait.\n\nAda: Hm, why?\n\nAda: What do you think?")


async def test_an_image_goes_to_the_model_that_can_see_and_stays_in_the_history(world: World) -> None:
    root = await ask(world, "What is on this?", files=(UploadedFile("photo.png", png(), "image/png"),))
    await ask(world, "And its colour?", thread=root)
    for prompt in world.prompts():
        parts = prompt[1]["content"]
        assert [part["type"] for part in parts] == ["text", "image_url"]
        assert str(parts[1]["image_url"]).startswith("data:image/") or "data:image/" in str(parts[1]["image_url"])


async def test_a_page_that_poses_as_a_picture_gets_a_sentence_and_the_rest_is_answered(world: World) -> None:
    fake = UploadedFile("photo.png", b"<!DOCTYPE html><html><body>log in</body></html>", "image/png")
    root = await ask(world, "What is on this?", files=(fake, UploadedFile("good.png", png(), "image/png")))
    answer = answers(world, root)[-1]
    assert "You said" in answer.shown
    assert any("photo.png" in note for note in answer.notes)
    assert len(world.prompts()[-1][1]["content"]) == 2


async def test_a_direct_message_is_answered_and_goes_on_for_a_while(world: World) -> None:
    world.model.then(Reply(text="Hello Ada."), Reply(text="You said hello."))
    first = await world.slack.post(ADA, "D0ADA", "Hello")
    await world.slack.until(
        lambda: any(post.bot_id and not post.streaming for post in world.slack.messages("D0ADA", first))
    )
    await world.idle()
    second = await world.slack.post(ADA, "D0ADA", "What did I say?")
    await world.slack.until(
        lambda: any(post.bot_id and not post.streaming for post in world.slack.messages("D0ADA", second))
    )
    assert [message["content"] for message in world.prompts()[-1][1:]] == ["Hello", "Hello Ada.", "What did I say?"]


async def test_stop_in_the_thread_ends_the_model_call_and_keeps_the_text(world: World) -> None:
    world.model.then(Reply(chunks=("Once upon a time ",) + ("there was more ",) * 200, chunk_delay=0.05))
    ts = await world.slack.post(ADA, GENERAL, mention(world, "Tell me a long story"))
    await world.slack.until(lambda: bool(answers(world, ts)) and "Once" in answers(world, ts)[0].shown)
    began = asyncio.get_running_loop().time()
    await world.slack.post(ADA, GENERAL, "stop", thread_ts=ts)
    await world.model.until(lambda model: model.open_streams == 0)
    assert asyncio.get_running_loop().time() - began < 2
    await world.slack.until(lambda: not answers(world, ts)[-1].streaming and bool(answers(world, ts)[-1].notes))
    assert answers(world, ts)[0].shown.startswith("Once upon a time")
    assert "Stopped." in answers(world, ts)[-1].notes[-1]
    assert world.model.closed_early == 1


async def test_a_failed_answer_keeps_its_text_and_says_why(world: World) -> None:
    world.model.then(Reply(chunks=("Half of ", "an answer"), done=False, cut_after=2))
    root = await ask(world, "Tell me all")
    posts = answers(world, root)
    assert posts[0].shown.startswith("Half of an answer")
    assert any("broke off" in note or "broke off" in post.shown for post in posts for note in (*post.notes, ""))


async def test_a_model_that_refuses_the_key_gets_a_sentence_for_people(world: World) -> None:
    world.model.api_key = "another"
    root = await ask(world, "Hello?")
    [answer] = answers(world, root)
    assert "refused this installation's key" in answer.shown or "refused this installation's key" in answer.notes[0]


async def test_reset_begins_anew(world: World) -> None:
    root = await ask(world, "My name is Ada Lovelace.")
    await ask(world, "reset", thread=root)
    await ask(world, "Who am I?", thread=root)
    assert "Lovelace" not in str(world.prompts()[-1])
    assert len(world.prompts()) == 2


async def test_leave_is_obeyed_until_the_next_mention(world: World) -> None:
    root = await ask(world, "Hello")
    await ask(world, "leave", thread=root)
    await world.slack.post(ADA, GENERAL, "And now?", thread_ts=root)
    await ask(world, "Back again", thread=root)
    assert len(world.prompts()) == 2
    assert "And now?" not in str(world.prompts()[-1])


async def test_a_private_question_by_command_is_seen_by_the_asker_alone(world: World) -> None:
    outcome = await world.slack.command(ADA, GENERAL, "/bise", "ask What is a bise?")
    assert outcome.acknowledged
    await world.slack.until(lambda: any("You said" in post.shown for post in world.slack.ephemerals(ADA)))
    assert not any("You said" in post.shown for post in world.slack.messages(GENERAL))


async def test_usage_by_command_equals_the_ledger(world: World) -> None:
    await ask(world, "One question")
    spent = await world.spent(f"slack:{world.slack.team_id}")
    assert spent.cost_microusd == world.model.billed_microusd > 0
    outcome = await world.slack.command(ADA, GENERAL, "/bise", "usage")
    await world.slack.until(
        lambda: "1 call" in outcome.text or any("1 call" in p.shown for p in world.slack.ephemerals(ADA))
    )


async def test_twins_and_redeliveries_are_answered_once(world: World) -> None:
    world.slack.faults.redeliver_share = 1.0
    world.slack.faults.mention_first_share = 0.5
    roots = [await ask(world, f"Question {number}") for number in range(5)]
    await asyncio.sleep(0.3)
    assert len(world.model.requests) == 5
    assert [len(answers(world, root)) for root in roots] == [1] * 5


async def test_pings_in_a_models_words_reach_nobody(world: World) -> None:
    world.model.then(Reply(text="Hey <!channel> and <@U0GRACE> and <!here>"))
    root = await ask(world, "Ping everybody")
    [answer] = answers(world, root)
    assert "<!channel>" not in answer.text
    assert "<@U0GRACE>" not in answer.text


async def test_a_guest_is_told_and_not_answered(world: World) -> None:
    root = await ask(world, "Hello", user="U0GUEST")
    assert not world.model.requests
    [answer] = answers(world, root)
    assert "members of this workspace" in answer.shown + " ".join(answer.notes)


async def test_streaming_that_is_refused_gives_way_to_updates(world: World) -> None:
    world.slack.faults.refuse_streaming = "unknown_method"
    world.model.then(Reply(chunks=("One ", "two ", "three."), chunk_delay=0.05))
    root = await ask(world, "Count")
    [answer] = answers(world, root)
    assert answer.shown == "One two three."


async def test_thirty_thousand_characters_arrive_whole_in_several_posts(world: World) -> None:
    text = (
        "".join(f"Line {number} of a long answer with `code`.\n" for number in range(800))
        + "```python\n"
        + ("print('hello, this is a line of code')\n" * 200)
        + "```\nThe end."
    )
    world.model.then(Reply(chunks=tuple(text[index : index + 500] for index in range(0, len(text), 500))))
    root = await ask(world, "Write a lot")
    posts = answers(world, root)
    assert len(posts) >= 4
    assert all(len(post.shown) <= 12_000 and post.shown.count("```") % 2 == 0 for post in posts)
    body = "\n".join(post.shown.removeprefix("```python\n") for post in posts)
    for number in range(800):
        assert body.count(f"Line {number} of a long answer") == 1
    assert body.count("print('hello") == 200
    assert body.rstrip().endswith("The end.")


async def test_an_answer_in_flight_survives_a_restart_and_goes_on_in_its_post(tmp_path: Path, place: Place) -> None:
    async with running(tmp_path, place=place, drain_seconds=0) as world:
        world.model.then(Reply(chunks=("Begun ",) + ("and going on ",) * 400, chunk_delay=0.05))
        ts = await world.slack.post(ADA, GENERAL, mention(world, "A long one"))
        await world.slack.until(lambda: any("Begun" in post.shown for post in answers(world, ts)))
        await world.stop()
        await world.model.until(lambda model: model.closed_early == 1)
        world.model.then(Reply(text="A whole answer, after the restart."))
        await world.start()
        await world.slack.until(
            lambda: "whole answer" in answers(world, ts)[0].shown and not answers(world, ts)[0].streaming
        )
        await world.idle()
        [answer] = answers(world, ts)
        assert answer.shown == "A whole answer, after the restart."
        assert len(world.model.requests) == 2
