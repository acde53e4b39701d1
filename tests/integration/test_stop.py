"""Stop, by button and by word: who may, what it ends, what is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.playground.mistral.replies import Reply
from bots.playground.mistral.simulator import MistralSimulator
from core.messages import Notice, Person, Press, Pressed, WorkspaceKey
from tests.fakes import ADA, BEN, PATIENCE, ROOT, TEAM, House, ScriptedModel, house, message, said


class Talking:
    """A house whose model has said "A cold " to Ada and waits."""

    def __init__(self, home: House, model: ScriptedModel) -> None:
        self.home = home
        self.model = model

    @property
    def stop(self) -> str:
        return self.home.platform.replies[0].order.stop

    async def press(self, person: Person, control: str | None = None, workspace: WorkspaceKey = TEAM) -> Pressed:
        return await self.home.core.press(Press(workspace, control or self.stop, person))

    def answer(self) -> tuple[str, str, list[str]]:
        """Text, outcome and notices of the answer to the first question."""
        answer = self.home.platform.answers[0]
        assert answer is not None
        return answer.text, answer.outcome, self.home.platform.told(0)


@pytest.fixture
async def talking(tmp_path: Path) -> AsyncIterator[Talking]:
    model = ScriptedModel(["A cold ", asyncio.Event()])
    async with house(tmp_path, model=model, admins=("slack:U5",)) as home:
        await home.core.accept(message())
        await model.asked(1)
        async with asyncio.timeout(PATIENCE):
            await home.platform.replies[0].wrote.wait()
        yield Talking(home, model)


STOPPED = ("A cold ", "cancelled", ["stopped"])


@pytest.mark.parametrize("person", [ADA, ROOT, Person("U5", "Named by BISE_ADMINS")], ids=["asker", "admin", "named"])
async def test_the_button_ends_the_model_call_and_keeps_the_text_so_far(talking: Talking, person: Person) -> None:
    assert await talking.press(person) == Pressed(True)
    await talking.home.settled()
    assert talking.answer() == STOPPED
    assert (talking.model.closed_early, talking.model.under_way) == (1, 0)
    assert talking.home.states() == ["cancelled"]
    assert talking.home.rows("SELECT text FROM message WHERE role = 'assistant'") == [("A cold ",)]
    assert talking.home.rows("SELECT outcome, estimated, cost_microusd > 0 FROM usage") == [("stopped", 1, 1)]
    stopped_by = "SELECT external_id FROM person JOIN turn ON person.id = turn.stopped_by"
    assert talking.home.rows(stopped_by) == [(person.id,)]


async def test_a_stranger_cannot_stop_anothers_answer(talking: Talking) -> None:
    assert await talking.press(BEN) == Pressed(False, Notice("control_not_yours"))
    assert talking.model.under_way == 1


async def test_an_unknown_button_or_one_of_another_workspace_is_gone(talking: Talking) -> None:
    gone = Pressed(False, Notice("control_gone"))
    assert await talking.press(ADA, "guessed") == gone
    assert await talking.press(ADA, workspace=WorkspaceKey("slack", "T404")) == gone
    await talking.home.core.accept(message(workspace=WorkspaceKey("slack", "T2")))
    assert await talking.press(ADA, workspace=WorkspaceKey("slack", "T2")) == gone
    assert talking.model.under_way == 1


async def test_a_button_pressed_late_says_that_the_answer_has_ended(talking: Talking) -> None:
    await talking.press(ADA)
    await talking.home.settled()
    assert await talking.press(ADA) == Pressed(False, Notice("already_finished"))


async def test_stop_reaches_the_provider_within_two_seconds(tmp_path: Path) -> None:
    simulator = MistralSimulator()
    simulator.then(Reply(chunks=("A cold ", "wind."), chunk_delay=60))
    async with simulator.running(), house(tmp_path, simulator=simulator) as home:
        await home.core.accept(message())
        await simulator.until(lambda one: one.open_streams == 1)
        async with asyncio.timeout(PATIENCE):
            await home.platform.replies[0].wrote.wait()
        began = time.monotonic()
        await home.core.press(Press(TEAM, home.platform.replies[0].order.stop, ADA))
        await home.settled()
        await simulator.until(lambda one: one.closed_early == 1)
        assert time.monotonic() - began < 2.0
        assert home.platform.answers[0] is not None
        assert home.platform.answers[0].text == "A cold "


# by word


@pytest.mark.parametrize("text", ["stop", "Stop!"])
async def test_the_askers_word_stops_and_needs_no_answer_of_its_own(talking: Talking, text: str) -> None:
    accepted = await talking.home.core.accept(said(text, "2", mentioned=True))
    await talking.home.settled()
    assert accepted.outcome == "stopped"
    assert talking.answer() == STOPPED
    assert len(talking.home.platform.replies) == 1


async def test_a_stop_that_is_delivered_twice_is_a_duplicate(talking: Talking) -> None:
    word = said("stop", "2", mentioned=True)
    first = await talking.home.core.accept(word)
    await talking.home.settled()
    again = await talking.home.core.accept(word)
    assert (first.outcome, again.outcome) == ("stopped", "duplicate")
    assert talking.home.rows("SELECT count(*) FROM turn") == [(1,)], "nobody is told that there is nothing to stop"


async def test_a_bare_stop_by_the_asker_needs_no_mention(talking: Talking) -> None:
    accepted = await talking.home.core.accept(said("stop", "2"))
    await talking.home.settled()
    assert accepted.outcome == "stopped"
    assert talking.answer() == STOPPED


async def test_a_bare_stop_works_also_after_somebody_else_has_written(talking: Talking) -> None:
    await talking.home.core.accept(said("Brr", "2", author=BEN))
    accepted = await talking.home.core.accept(said("stop", "3"))
    await talking.home.settled()
    assert accepted.outcome == "stopped"


async def test_a_bare_stop_by_somebody_else_is_talk(talking: Talking) -> None:
    assert (await talking.home.core.accept(said("stop", "2", author=BEN))).outcome == "context"
    assert talking.model.under_way == 1


async def test_somebody_else_cannot_stop_it_and_is_told_at_once(talking: Talking) -> None:
    assert (await talking.home.core.accept(said("stop", "2", author=BEN, mentioned=True))).outcome == "turn"
    async with asyncio.timeout(10):
        while len(talking.home.platform.replies) < 2 or talking.home.platform.answers[1] is None:
            await asyncio.sleep(0.01)
    assert talking.model.under_way == 1
    await talking.press(ADA)
    await talking.home.settled()
    assert talking.home.platform.told(1) == ["stop_not_yours"]


async def test_an_admins_word_stops_anybodys_answer_in_the_conversation(talking: Talking) -> None:
    accepted = await talking.home.core.accept(said("stop", "2", author=ROOT, mentioned=True))
    await talking.home.settled()
    assert accepted.outcome == "stopped"
    assert talking.answer() == STOPPED


async def test_a_stop_outside_of_any_thread_stops_ones_own_in_that_channel(talking: Talking) -> None:
    assert (await talking.home.core.accept(message("stop", "8", author=ROOT))).outcome == "turn"
    assert (await talking.home.core.accept(message("stop", "9", channel="C2", root="C2:9"))).outcome == "turn"
    assert talking.model.under_way == 1
    assert (await talking.home.core.accept(message("stop", "10"))).outcome == "stopped"
    await talking.home.settled()
    assert talking.answer() == STOPPED


async def test_what_was_said_to_stop_is_not_shown_to_the_model(talking: Talking) -> None:
    await talking.home.core.accept(said("stop", "2", mentioned=True))
    await talking.home.settled()
    await talking.home.hear(said("Go on", "3", mentioned=True))
    assert talking.model.prompts()[1] == [
        ("user", "Ada: What is a bise?"),
        ("assistant", "A cold "),
        ("user", "Ada: Go on"),
    ]


async def test_a_stop_ends_what_waits_as_well_and_it_is_never_asked(talking: Talking) -> None:
    await talking.home.core.accept(said("And in Nice?", "2"))
    await talking.home.core.accept(said("stop", "3", mentioned=True))
    await talking.home.settled()
    assert talking.home.states() == ["cancelled", "cancelled"]
    assert len(talking.model.requests) == 1
    assert talking.home.platform.told(1) == ["stopped"]


async def test_a_stop_before_the_turn_began_is_not_lost(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model, started=False) as home:
        await home.core.accept(message())
        assert (await home.core.accept(said("stop", "2"))).outcome == "stopped"
        await home.core.start()
        await home.settled()
        assert home.states() == ["cancelled"]
        assert home.platform.told() == ["stopped"]
    assert model.requests == []


async def test_the_terminals_interrupt_keeps_the_text_so_far(talking: Talking) -> None:
    talking.home.core.interrupt(1)
    talking.home.core.interrupt(404)
    await talking.home.settled()
    assert talking.answer() == STOPPED
