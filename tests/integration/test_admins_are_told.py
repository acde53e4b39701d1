"""A refused key and an empty account, from the model's answer to what admins and people read."""

from __future__ import annotations

from pathlib import Path

from bots.playground.mistral.replies import error
from bots.playground.mistral.simulator import MistralSimulator
from bots.replies import sentence
from core.messages import Press
from tests.fakes import ADA, TEAM, House, house, message
from tests.world import soon

KEY = "a-key-of-the-tests"


def told(home: House) -> list[str]:
    return [notice.name for _, notice, _ in home.platform.said]


async def test_a_refused_key_is_told_once_over_several_questions_and_so_is_its_mending(tmp_path: Path) -> None:
    simulator = MistralSimulator(api_key="another")
    async with (
        simulator.running(),
        house(tmp_path, simulator=simulator, admins=("slack:U9",)) as home,
    ):
        await home.hear(*(message(f"Question {number}", str(number)) for number in (1, 2, 3)))
        await soon(lambda: bool(home.platform.said))
        assert told(home) == ["admin_key_refused"]
        assert home.platform.said[0][0] == "U9"
        assert [home.platform.told(reply) for reply in range(3)] == [
            ["model_unauthorized"],
            ["model_given_up"],
            ["model_given_up"],
        ]
        assert len(simulator.requests) == 1
        simulator.api_key = KEY  # it is looked at every minute, and the clock of the tests does not wait
        await soon(lambda: told(home) == ["admin_key_refused", "admin_trouble_over"])
        answer = home.platform.replies[1].answer
        assert answer is not None
        assert (await home.core.press(Press(TEAM, answer.again, ADA))).done
        await home.settled()
        assert "Question 2" in home.platform.replies[3].text


async def test_people_read_nothing_of_bills_and_admins_do(tmp_path: Path) -> None:
    simulator = MistralSimulator(api_key=KEY)
    simulator.then(error(402, "Payment required"))
    async with (
        simulator.running(),
        house(tmp_path, simulator=simulator, report_channel=("slack:C9",)) as home,
    ):
        await home.hear(message("One", "1"), message("Two", "2"))
        await soon(lambda: bool(home.platform.said))
        assert [(to, notice.name, private) for to, notice, private in home.platform.said] == [
            ("C9", "admin_out_of_credit", False)
        ]
        assert "credit" in sentence(home.platform.said[0][1])
        for answer in home.platform.answers:
            assert answer is not None
            words = " ".join(sentence(notice) for notice in answer.notices).lower()
            assert words
            assert not any(word in words for word in ("credit", "bill", "pay", "limit", "money", "account"))
            assert answer.again
