"""What is away, refuses, or comes at midnight: nothing is lost, nothing is paid for twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import PlaceForbidden, PlatformUnavailable
from core.messages import DISCORD_DM, Answer
from tests.fakes import ADA, BEN, FakePlatform, ManualClock, ScriptedModel, direct, house, message, said
from tests.world import running, soon


async def test_an_answer_that_the_platform_did_not_take_is_shown_later_and_paid_for_once(tmp_path: Path) -> None:
    model = ScriptedModel(["A cold wind."])
    async with house(tmp_path, model=model) as home:
        home.platform.failing = PlatformUnavailable("away")
        await home.core.accept(message())
        await soon(lambda: home.platform.replies and home.platform.replies[0].abandoned)
        home.platform.failing = None
        await home.settled()
        assert home.platform.answers == [None, Answer("A cold wind.", "done")]
        assert home.states() == ["done"]
    assert len(model.requests) == 1


async def test_a_fault_in_the_last_write_ends_the_turn_and_not_the_conversation(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        home.platform.failing = KeyError("id")
        await home.core.accept(message())
        await home.settled()
        home.platform.failing = None
        await home.hear(said("Still there?", "2"))
        assert home.states() == ["failed", "done"]


async def test_a_place_that_refuses_ends_the_model_call(tmp_path: Path) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(["A ", gate, "cold ", "wind."])
    async with house(tmp_path, model=model) as home:
        await home.core.accept(message())
        await soon(lambda: home.platform.replies and home.platform.replies[0].text)
        home.platform.replies[0].refused = home.platform.failing = PlaceForbidden("archived")
        gate.set()
        await home.settled()
        assert home.states() == ["failed"]
        assert home.rows("SELECT count(*) FROM usage") == [(1,)]
    assert model.closed_early == 1


async def test_a_call_belongs_to_the_day_on_which_it_began(tmp_path: Path) -> None:
    gate, clock = asyncio.Event(), ManualClock(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC))
    model = ScriptedModel(["A ", gate, "wind."])
    async with house(tmp_path, model=model, clock=clock) as home:
        await home.core.accept(message())
        await soon(lambda: home.platform.replies and home.platform.replies[0].text)
        clock.advance(60)
        gate.set()
        await home.settled()
        assert home.rows("SELECT local_date, month_period FROM usage") == [("2026-11-30", "2026-11")]


async def test_half_a_surrogate_pair_is_stored_and_answered(tmp_path: Path) -> None:
    model = ScriptedModel(["Yes?"])
    async with house(tmp_path, model=model) as home:
        await home.hear(message("Hello \ud83d\0"))
        assert home.states() == ["done"]
    assert model.prompts() == [[("user", "Ada: Hello ?")]]


async def test_in_discords_direct_messages_everybody_sees_their_own_usage_alone(tmp_path: Path) -> None:
    async with house(tmp_path, platform=FakePlatform("discord")) as home:
        await home.hear(direct("One", "1", workspace=DISCORD_DM))
        await home.hear(direct("Two", "2", workspace=DISCORD_DM, author=BEN, channel="D2"))
        view = await home.core.usage_today_and_month(DISCORD_DM, ADA.id)
        stranger = await home.core.usage_today_and_month(DISCORD_DM, "nobody")
    assert (view.today.calls, view.month.calls, view.mine.calls) == (1, 1, 1)
    assert stranger.month.calls == 0


@pytest.mark.parametrize("away", [{"slack_api_url": "http://127.0.0.1:1/api/"}])
async def test_a_platform_that_is_away_does_not_silence_the_other(tmp_path: Path, away: dict[str, str]) -> None:
    async with running(tmp_path, start=False, **away) as world:
        from bots.serve import Service

        world.service = Service(world.settings)
        starting = asyncio.create_task(world.service.start())
        await soon(lambda: world.discord.connected)
        await world.discord.post("Ada", "general", f"<@{world.discord.bot_id}> hello")
        bot = world.discord.bot_id
        await world.discord.until(lambda: any(post.author == bot for post in world.discord.messages("general")))
        assert not starting.done()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        del world.service
