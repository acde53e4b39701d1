"""Discord's REST interface: the limit of a whole bot is kept here, before Discord refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.discord.rest import Rest
from bots.writer import RateLimited

CAP = 45


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[Rest, list[str]]]:
    """A Discord that notes each request's path."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, Rest("token", str(server.make_url("/"))) as rest:
        yield rest, asked


async def test_a_request_too_many_for_a_second_is_refused_here_and_told_to_all() -> None:
    async with counting() as (rest, asked):
        outcomes = await asyncio.gather(
            *(rest.call("GET", f"/{number}") for number in range(CAP + 3)), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
        assert len(asked) == CAP
        assert len(refused) == 3
        assert all(one.everywhere and 0 < one.retry_after <= 1 for one in refused)


async def test_what_an_interactions_own_token_authorises_counts_for_no_other() -> None:
    async with counting() as (rest, asked):
        await asyncio.gather(*(rest.call("POST", f"/webhooks/{number}", token=False) for number in range(CAP + 3)))
        await rest.call("GET", "/after")
        assert len(asked) == CAP + 4


async def test_one_that_is_patient_is_let_through_once_the_second_has_passed() -> None:
    async with counting() as (rest, asked):
        await asyncio.gather(*(rest.patiently("GET", f"/{number}") for number in range(CAP + 3)))
        assert len(asked) == CAP + 3


async def test_room_for_discord_pys_own_requests_is_taken_from_the_same_limit() -> None:
    async with counting() as (rest, asked):
        await asyncio.gather(*(rest.room() for _ in range(CAP)))
        with pytest.raises(RateLimited):
            await rest.call("GET", "/one-too-many")
        await rest.room()  # waits for the second to pass
        await rest.call("GET", "/after")
        assert asked == ["/after"]
