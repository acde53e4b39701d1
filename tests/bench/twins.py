"""Questions whose events come as twins and twice: how many are lost, how many are answered or paid for again."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.slack.simulator import SlackSimulator
from tests.bench.stage import ADA, Ground, Who, last_mark, staged
from tests.bench.table import Row, verdict

TURNS = 200
_SHARE = 0.5
_SLACK_SHARE = 0.25  # of the questions: a Slack workspace allows twenty streams and fifty edits a minute
_A_PLACE = 4  # questions in each channel: both platforms limit what is written to one
_PAUSE = 0.04
_SETTLED = 2.0  # seconds without anything new


@dataclass(frozen=True, slots=True)
class Tally:
    """Of `turns` questions. `lost`: without a whole answer; `doubled`: answered, or paid for, more than once."""

    turns: int
    lost: int
    doubled: int


async def measure(ground: Ground) -> list[Row]:
    ours, bare = await asyncio.gather(_of("ours", ground), _of("bare", ground))
    return [
        Row(f"lost, of {TURNS} turns with twins", str(ours.lost), str(bare.lost), "", "0", verdict(not ours.lost)),
        Row(f"doubled, of {TURNS}", str(ours.doubled), str(bare.doubled), "", "0", verdict(not ours.doubled)),
    ]


async def _of(who: Who, ground: Ground) -> Tally:
    async with staged(who, ground, ("slack", "discord")) as stage:
        return await ask(stage.slack, stage.discord, stage.model, TURNS)


async def ask(
    slack: SlackSimulator, discord: DiscordSimulator, model: MistralSimulator, turns: int, patience: float = 60.0
) -> Tally:
    """Asks so many questions under redelivery, and counts once all is quiet, `patience` seconds after the last."""
    slack.faults.redeliver_share = slack.faults.mention_first_share = _SHARE
    discord.faults.redeliver_share = _SHARE
    places: dict[str, str] = {}
    for number in range(turns):
        mark = f"Q{number}"
        in_slack = number < turns * _SLACK_SHARE
        if number % _A_PLACE == 0 or number == round(turns * _SLACK_SHARE):
            name = f"twins-{number}"
            place = f"C1TWINS{number}" if in_slack else discord.add_channel(name)
            if in_slack:
                slack.add_channel(place, name)
        places[mark] = place
        if in_slack:
            await slack.post(ADA, place, f"<@{slack.bot_user_id}> {mark}")
        else:
            await discord.post("Ada", place, f"<@{discord.bot_id}> {mark}")
        await asyncio.sleep(_PAUSE)
    return await _settled(slack, discord, model, places, patience)


async def _settled(
    slack: SlackSimulator, discord: DiscordSimulator, model: MistralSimulator, places: dict[str, str], patience: float
) -> Tally:
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    before, since = -1, loop.time()
    while loop.time() < until:
        await asyncio.sleep(0.1)
        work = len(slack.calls) + len(discord.calls)
        if work != before or model.open_streams:
            before, since = work, loop.time()
        answers = _answers(slack, discord, places)
        if loop.time() - since > _SETTLED and (len(answers) == len(places) or loop.time() - since > 5 * _SETTLED):
            break
    answers = _answers(slack, discord, places)
    calls = Counter(last_mark(request.body) for request in model.requests)
    lost = sum(not answers[mark] for mark in places)
    doubled = sum(answers[mark] > 1 or calls[mark] > 1 for mark in places)
    return Tally(len(places), lost, doubled)


def _answers(slack: SlackSimulator, discord: DiscordSimulator, places: dict[str, str]) -> Counter[str]:
    """The whole answers to each question."""
    shown: Counter[str] = Counter()
    for place in set(places.values()):
        if place.startswith("C"):
            texts = [post.shown for post in slack.messages(place) if post.bot_id and not post.streaming]
        else:
            texts = [post.content for post in discord.messages(place) if post.author == discord.bot_id]
        marks = {mark for mark, where in places.items() if where == place}
        shown.update(mark for text in texts for mark in marks if text.split() and text.split()[-1] == mark)
    return shown
