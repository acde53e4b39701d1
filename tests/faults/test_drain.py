"""SIGTERM to the real process in the middle of an answer: it ends it, or the next process does; people see no error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import migrations
from bots.playground.mistral.replies import Reply
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from bots.playground.slack import SlackPost
from tests.fakes import rows
from tests.process import KEY, ServeProcess, environment

WORDS = tuple(f"word{number} " for number in range(20))


@dataclass
class Service:
    """A real process between simulated platforms, and the answer that its model gives slowly."""

    serve: ServeProcess
    simulators: Simulators
    model: MistralSimulator
    database: Path

    async def ask(self) -> str:
        slack = self.simulators.slack
        root = await slack.post("U0ADA", "C0GENERAL", f"<@{slack.bot_user_id}> tell me")
        await slack.until(lambda: bool(self.answers(root)), 10)
        return root

    def answers(self, root: str) -> list[SlackPost]:
        return [post for post in self.simulators.slack.messages("C0GENERAL", root) if post.bot_id]

    def shown(self, root: str) -> list[str]:
        return [post.shown.strip() for post in self.answers(root)]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Service]:
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    database = folder / "bise.db"
    migrations.upgrade(database)
    async with simulators:
        model.origin = simulators.base_url
        serve = ServeProcess(environment(simulators, model, database), folder)
        yield Service(serve, simulators, model, database)
        await serve.end()


async def test_sigterm_lets_an_answer_finish(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.model.then(Reply(chunks=WORDS, chunk_delay=0.1))
        await service.serve.start()
        root = await service.ask()
        assert service.shown(root) != ["".join(WORDS).strip()], "it is under way"
        assert await service.serve.end() == 0, service.serve.log[-3000:]
        assert service.shown(root) == ["".join(WORDS).strip()]
        assert rows(service.database, "SELECT state, attempt FROM turn") == [("done", 1)]


async def test_a_second_sigterm_stops_at_once_and_the_next_process_goes_on_in_the_same_post(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.model.then(Reply(chunks=WORDS, chunk_delay=30.0), Reply(chunks=WORDS))
        await service.serve.start()
        slack = service.simulators.slack
        root = await slack.post("U0ADA", "C0GENERAL", f"<@{slack.bot_user_id}> tell me")
        await service.model.until(lambda model: model.open_streams == 1)
        ending = asyncio.create_task(service.serve.end())
        await asyncio.sleep(0.5)
        assert not ending.done(), "it waits for the answer"
        async with asyncio.timeout(10):  # its patience is 20 seconds
            assert await service.serve.end() == 1, service.serve.log[-3000:]
        await ending
        assert "Traceback" not in service.serve.log
        assert len(service.answers(root)) <= 1
        await service.serve.start()
        await slack.until(lambda: service.shown(root) == ["".join(WORDS).strip()], 10)
        assert await service.serve.end() == 0, service.serve.log[-3000:]
        assert rows(service.database, "SELECT state, attempt FROM turn") == [("done", 2)]
