"""Platforms that tell things twice, drop the connection, forget sessions, and refuse what they have carried out."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.databases import place_of
from tests.faults.fleet import fleet

SEED = 20261126
EVERY = 8  # messages between two troubles


@pytest.mark.timeout(1800)
async def test_whatever_the_platforms_do_each_message_is_answered_once(tmp_path: Path, full_size: bool) -> None:
    messages, threads = (1000, 100) if full_size else (48, 12)
    chance = random.Random(SEED)
    with place_of("sqlite", tmp_path) as place:
        async with fleet(place, 1, threads=threads, pause=0.1) as ships:
            crowd = ships.crowd
            slack, discord = crowd.slack, crowd.discord
            slack.faults.redeliver_share = discord.faults.redeliver_share = 0.2
            slack.faults.mention_first_share = 0.5
            slack.faults.commit_then_502_share = discord.faults.commit_then_502_share = 0.1
            slack.faults.ack_timeout, slack.faults.retry_delays = 1.0, (0.0, 2.0, 4.0)
            troubles = 0
            for number in range(messages):
                await crowd.ask(number % threads)
                await asyncio.sleep(chance.random() * 0.1)
                if number % EVERY == EVERY - 1:
                    match troubles % 6:
                        case 0:
                            discord.ask_to_reconnect()  # op 7
                        case 1:
                            await slack.disconnect()
                        case 2:
                            discord.invalidate_sessions()  # op 9: what is said until the next session is not told
                        case 3:
                            await slack.drop_sockets(abruptly=True)
                        case 4:
                            discord.drop_sockets()
                        case _:
                            discord.invalidate_sessions(resumable=True)
                    troubles += 1
            wrong = await crowd.until_answered(400 if full_size else 60, ordered=False)
            doubled = [question for question, times in crowd.requests.items() if times > 1]
            print(
                f"seed {SEED}: {messages} messages, {troubles} troubles, {len(wrong)} threads wrong, "
                f"{len(crowd.out_of_order)} delivered and answered late, {len(doubled)} paid for twice"
            )
            assert (wrong, doubled) == ([], []), "\n".join([*wrong, ships.logs()])
            assert await ships.states() == {"done": messages}
            assert ships.unpaid() == (0, [])
