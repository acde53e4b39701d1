"""What goes wrong in daily life: each gets one sentence that a person understands, and the service goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bots.playground.mistral import replies as scripted
from bots.playground.mistral.replies import Reply
from core.errors import TokenRevoked
from tests.databases import Place
from tests.postgres import PostgresServer
from tests.scenario.test_slack import ADA, GENERAL, answers, ask, mention
from tests.world import World, running


def words(world: World, root: str) -> str:
    """Everything that the bot has said in a thread."""
    return " ".join(part for post in answers(world, root) for part in (post.shown, *post.notes))


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (scripted.error(402, "no credit", code="402"), "please ask again later"),
        (scripted.error(403, "guardrail", kind="guardrail"), "refused this question by its own rules"),
        (scripted.error(422, {"detail": []}), "a fault of mine"),
    ],
    ids=["out of credit", "guardrail", "our own fault"],
)
async def test_a_refusal_of_the_model_has_its_own_sentence(world: World, reply: Reply, sentence: str) -> None:
    world.model.then(reply)
    root = await ask(world, "Hello?")
    assert sentence in words(world, root)
    assert len(world.model.requests) == 1


async def test_a_model_that_cannot_be_reached_is_told_after_some_tries(tmp_path: Path, file: Place) -> None:
    # On one database: the tries and the seconds between them are the process's own.
    async with running(tmp_path, place=file, mistral_base_url="http://127.0.0.1:1") as world:
        root = await ask(world, "Hello?")
        assert "could not reach the model" in words(world, root)


async def test_an_overloaded_model_is_asked_again_and_answers(world: World) -> None:
    world.model.then(scripted.error(429, "Rate limit exceeded", code="1300", retry_after="0"), Reply(text="Here I am."))
    root = await ask(world, "Hello?")
    assert answers(world, root)[0].shown == "Here I am."
    assert len(world.model.requests) == 2
    assert (await world.spent(f"slack:{world.slack.team_id}")).calls == 2


async def test_a_retired_model_gives_way_at_run_time(world: World) -> None:
    world.model.served = world.model.served - {"mistral-large-2512"}
    world.model.then()
    root = await ask(world, "Hello?")
    said = words(world, root)
    assert said
    assert "Traceback" not in said


async def test_a_mention_and_nothing_else_is_greeted(world: World) -> None:
    root = await ask(world, "   ")
    assert "Ask me something" in words(world, root)
    assert not world.model.requests


async def test_a_hundred_thousand_characters_are_refused_with_the_limit(world: World) -> None:
    root = await ask(world, "x" * 100_000)
    assert "48,000 characters" in words(world, root)
    assert not world.model.requests


async def test_an_empty_prompt_of_a_command_says_what_to_write(world: World) -> None:
    outcome = await world.slack.command(ADA, GENERAL, "/bise", "ask   ")
    assert "Write your question" in outcome.text
    outcome = await world.slack.command(ADA, GENERAL, "/bise", "nonsense")
    assert "nonsense" in outcome.text
    assert "help" in outcome.text


async def test_a_question_deleted_meanwhile_is_no_fault(world: World) -> None:
    world.model.then(Reply(chunks=("One ", "two ", "three."), chunk_delay=0.2))
    ts = await world.slack.post(ADA, GENERAL, mention(world, "Count"))
    await world.model.until(lambda model: model.open_streams == 1)
    await world.slack.delete(ADA, GENERAL, ts)
    await world.idle()
    root = await ask(world, "Still there?")
    assert "Still there?" in words(world, root)


async def test_a_channel_that_the_bot_may_not_write_in_does_not_stop_the_others(world: World) -> None:
    world.slack.faults.archived.add("C0RANDOM")
    world.discord.forbid(world.discord.channel_id("random"))
    await world.discord.post("Ada", "random", f"<@{world.discord.bot_id}> hello")
    await world.slack.post(ADA, GENERAL, mention(world, "hello"))
    root = await ask(world, "Do you work here?")
    assert "Do you work here?" in words(world, root)
    await world.idle()


async def test_a_revoked_token_stops_the_start_with_one_line(tmp_path: Path, place: Place) -> None:
    async with running(tmp_path, place=place, start=False) as world:
        world.slack.faults.token_revoked = True
        with pytest.raises(TokenRevoked, match="SLACK_BOT_TOKEN"):
            await world.start()
        del world.service


async def test_a_file_that_is_away_withholds_the_ack_and_gives_commands_a_sentence(tmp_path: Path, file: Place) -> None:
    away = file.file.with_suffix(".away")
    async with running(tmp_path, place=file) as world:
        await world.service.core.database.close()  # an open file would go on under its new name
        file.file.rename(away)
        file.file.mkdir()
        root = await asked_in_vain(world)
        file.file.rmdir()
        away.rename(file.file)
        await answered_once(world, root)


async def test_a_server_that_is_away_withholds_the_ack_and_gives_commands_a_sentence(tmp_path: Path) -> None:
    with PostgresServer.make(durable=True) as server:
        place = Place(tmp_path, server.create("bise"))
        async with running(tmp_path, place=place) as world:
            await asyncio.to_thread(server.stop, "immediate")
            root = await asked_in_vain(world)
            await asyncio.to_thread(server.start)
            await answered_once(world, root)


async def asked_in_vain(world: World) -> str:
    """A command and a mention while there is no database; returns the mention's root."""
    world.slack.faults.ack_timeout, world.slack.faults.retry_delays = 1.0, (0.5, 1.0, 2.0, 4.0)
    outcome = await world.slack.command(ADA, GENERAL, "/bise", "usage")
    assert "ask again in a minute" in outcome.text
    root = await world.slack.post(ADA, GENERAL, mention(world, "Written while it was away"))
    await world.slack.until(lambda: any(delivery.retry_num for delivery in world.slack.deliveries))
    events = [delivery for delivery in world.slack.deliveries if delivery.kind == "events_api"]
    assert [delivery.acked_at for delivery in events] == [None] * len(events)
    assert not world.model.requests
    return root


async def answered_once(world: World, root: str) -> None:
    """Answers what it was brought again."""
    await world.slack.until(lambda: any(not post.streaming for post in answers(world, root)), 15)
    await world.idle()
    [answer] = answers(world, root)
    assert "Written while it was away" in answer.shown
    assert len(world.model.requests) == 1
