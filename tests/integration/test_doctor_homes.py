"""What `bise doctor` says of the homes of models: each home and each model a line, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bots.findings import Finding
from bots.playground.mistral.simulator import MistralSimulator
from bots.terminal import homes
from core.settings import Settings
from tests.integration.test_fallback import listening

KEY = "a-key-of-the-tests"


class Refusing(MistralSimulator):
    """`status`: how it answers to whoever asks for its list."""

    status = 200

    async def _models(self, request: web.Request) -> web.Response:
        if self.status == 200:
            return await super()._models(request)
        return web.json_response({"message": "No."}, status=self.status)


@pytest.fixture
async def simulator() -> AsyncIterator[Refusing]:
    simulator = Refusing(api_key=KEY)
    async with simulator.running():
        yield simulator


@pytest.fixture
async def own_at() -> AsyncIterator[str]:
    """The address of a server of one's own."""
    async with listening(MistralSimulator(kind="openai", served={"my-model"}), "") as own_at:
        yield own_at


def settings(simulator: MistralSimulator, **changes: object) -> Settings:
    return Settings.model_validate({"mistral_api_key": KEY, "mistral_base_url": simulator.base_url, **changes})


def lines(findings: list[Finding]) -> list[tuple[bool, str]]:
    return [(finding.ok, finding.what) for finding in findings]


async def test_a_home_that_lists_its_models_is_held_against_its_list(simulator: Refusing) -> None:
    simulator.served = frozenset({"mistral-large-2512"})
    home, text, vision = await homes.check(settings(simulator, vision_model="mistral-medium-3-5"))
    assert home.ok
    assert (text.ok, text.what) == (True, "The model mistral-large-2512 is live on custom.")
    assert (vision.ok, vision.what) == (False, "The model mistral-medium-3-5 is not served by custom.")
    assert "BISE_VISION_MODEL" in vision.mend


async def test_nothing_is_called_live_where_no_list_was_asked_for() -> None:
    sagemaker = {"home": "sagemaker", "aws_region": "eu-west-3", "sagemaker_endpoint_name": "mine"}
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret", "model": "my-model"}
    found = await homes.check(Settings.model_validate({**sagemaker, **keys, "self_hosted": True}))
    assert all(finding.ok for finding in found)
    assert "lists nothing that could be asked for" in found[0].what
    assert not [finding.what for finding in found if "is live" in finding.what]
    assert "whether it is there is not known" in found[1].what


@pytest.mark.parametrize(
    ("status", "says", "mend"),
    [
        (401, "refuses the key", "Make a new key"),
        (402, "has no credit", "Look after its billing"),
        (403, "does not let it in", "Give the key the right"),
        (429, "takes no more requests", "Wait a minute"),
        (500, "does not answer as it should (model_server_error)", "Check the network"),
    ],
)
async def test_each_refusal_is_named_with_what_to_do(simulator: Refusing, status: int, says: str, mend: str) -> None:
    simulator.status = status
    home, *models = await homes.check(settings(simulator))
    assert not home.ok
    assert says in home.what
    assert home.mend.startswith(mend)
    assert not [finding.what for finding in models if "is live" in finding.what]


async def test_the_homes_to_fall_back_on_are_looked_at_too(simulator: Refusing, own_at: str) -> None:
    chain = ("self-hosted:my-model", "self-hosted:another", "mistral-small-2603")
    found = lines(await homes.check(settings(simulator, fallback=chain, fallback_base_url=own_at)))
    assert (True, "The model mistral-small-2603 is live on custom.") in found
    assert (True, "The home of models self-hosted accepts the key and answers.") in found
    assert (True, "The model my-model is live on self-hosted.") in found
    assert (False, "The model another is not served by self-hosted.") in found
    assert len(found) == len(set(found)), "each home is asked once"


async def test_a_fallback_that_is_down_is_missing(simulator: Refusing) -> None:
    down = settings(simulator, fallback=("self-hosted:my-model",), fallback_base_url="http://127.0.0.1:1")
    *_, last = await homes.check(down)
    assert not last.ok
    assert last.what == "The home of models self-hosted does not answer as it should (model_unreachable)."
