"""What announcements need of the simulated Slack, judged by Slack's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

from bots.playground.slack import SlackSimulator
from tests.contract.test_slack_simulator import client_of, served

MARK = Metadata(event_type="bise_announcement", event_payload={"name": "alert:1:80"})


@pytest.fixture
async def slack() -> AsyncIterator[SlackSimulator]:
    simulator = SlackSimulator()
    app = web.Application()
    simulator.mount(app)
    async with served(app) as url:
        simulator.base_url = url
        yield simulator


async def history(client: AsyncWebClient, channel: str, **more: Any) -> list[dict[str, Any]]:
    return list((await client.conversations_history(channel=channel, **more))["messages"])


async def test_a_messages_metadata_is_given_back_to_whom_asks_for_it(slack: SlackSimulator) -> None:
    client = client_of(slack)
    await client.chat_postMessage(channel="C0GENERAL", text="Eighty percent", metadata=MARK)
    [plain] = await history(client, "C0GENERAL")
    assert "metadata" not in plain
    [marked] = await history(client, "C0GENERAL", include_all_metadata=True)
    assert marked["metadata"] == MARK.to_dict()


async def test_metadata_without_a_type_is_refused(slack: SlackSimulator) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client_of(slack).chat_postMessage(channel="C0GENERAL", text="No", metadata={"event_payload": {}})
    assert caught.value.response["error"] == "invalid_metadata_format"
    assert slack.messages("C0GENERAL") == []


async def test_people_are_listed_a_page_at_a_time(slack: SlackSimulator) -> None:
    client, found, cursor = client_of(slack), [], ""
    while True:
        page = await client.users_list(limit=2, cursor=cursor)
        assert len(page["members"]) <= 2
        found += page["members"]
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert [person["id"] for person in found if person["is_admin"]] == ["U0ADA"]
    assert {person["id"] for person in found} >= {"U0BISE", "U0GRACE", "U0GUEST"}


async def test_a_direct_message_is_opened_by_whoever_may_write_first(slack: SlackSimulator) -> None:
    client = client_of(slack)
    assert (await client.conversations_open(users="U0ADA"))["channel"]["id"] == "D0ADA"
    with pytest.raises(SlackApiError) as caught:
        await client.conversations_open(users="U0NOBODY")
    assert caught.value.response["error"] == "user_not_found"
    slack.granted_scopes.discard("im:write")
    with pytest.raises(SlackApiError) as caught:
        await client.conversations_open(users="U0ADA")
    assert caught.value.response["error"] == "missing_scope"
