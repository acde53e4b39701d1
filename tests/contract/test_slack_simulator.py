"""The simulated Slack, judged by Slack's own clients: slack_sdk and slack_bolt over loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.models.messages.chunk import MarkdownTextChunk
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bots.playground.slack import SlackFaults, SlackPost, SlackSimulator, UploadedFile

BUTTONS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "Was it good?"}},
    {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": "stop", "value": "turn-7", "text": {"type": "plain_text", "text": "Stop"}}
        ],
    },
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "mistral-large"}]},
]


class Clock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def faults() -> SlackFaults:
    return SlackFaults(ack_timeout=0.15, retry_delays=(0.0, 0.05))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(faults: SlackFaults) -> AsyncIterator[SlackSimulator]:
    simulator = SlackSimulator(faults=faults)
    app = web.Application()
    simulator.mount(app)
    async with served(app) as url:
        simulator.base_url = url
        yield simulator


@pytest.fixture
async def timed(faults: SlackFaults, clock: Clock) -> AsyncIterator[SlackSimulator]:
    """A simulator whose time is the test's."""
    simulator = SlackSimulator(faults=faults, clock=clock)
    app = web.Application()
    simulator.mount(app)
    async with served(app) as url:
        simulator.base_url = url
        yield simulator


def client_of(slack: SlackSimulator, token: str | None = None, **options: Any) -> AsyncWebClient:
    options.setdefault("retry_handlers", [])
    return AsyncWebClient(token=token or slack.bot_token, base_url=slack.api_url, **options)


@asynccontextmanager
async def connected(slack: SlackSimulator, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=app.client, ping_interval=0.2)
    await handler.connect_async()
    await slack.until(lambda: slack.sockets == 1)
    try:
        yield handler
    finally:
        await handler.close_async()


def bolt_of(slack: SlackSimulator, **options: Any) -> AsyncApp:
    return AsyncApp(client=client_of(slack), process_before_response=True, **options)


def hearing(slack: SlackSimulator, *, failures: int = 0) -> tuple[AsyncApp, list[dict[str, Any]]]:
    """A bolt app that keeps every body it gets; the first `failures` of them it does not acknowledge."""
    app, heard = bolt_of(slack), []

    async def hear(body: dict[str, Any]) -> None:
        heard.append(body)
        if len(heard) <= failures:
            raise RuntimeError("not stored")

    for event in ("message", "app_mention", "reaction_added"):
        app.event(event)(hear)
    app.event({"type": "message", "subtype": "message_changed"})(hear)
    return app, heard


def refusal(error: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(error.value.response["error"])


def of_kind(heard: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [body["event"] for body in heard if body["event"]["type"] == kind]


def acknowledged(slack: SlackSimulator, count: int) -> Callable[[], bool]:
    return lambda: sum(delivery.acked_at is not None for delivery in slack.deliveries) >= count


# Events


async def test_a_mention_comes_as_twins_with_ids_of_their_own_and_both_are_acknowledged(slack: SlackSimulator) -> None:
    app, heard = hearing(slack)
    async with connected(slack, app):
        ts = await slack.post("U0ADA", "C0GENERAL", "<@U0BISE> is 1 < 2 & 3?")
        await slack.until(acknowledged(slack, 2))
    message, mention = of_kind(heard, "message")[0], of_kind(heard, "app_mention")[0]
    assert message["ts"] == mention["ts"] == ts
    assert message["text"] == "<@U0BISE> is 1 &lt; 2 &amp; 3?"
    assert (message["channel_type"], message["team"], message["user"]) == ("channel", "T0PLAY", "U0ADA")
    assert len({body["event_id"] for body in heard}) == 2
    assert heard[0]["authorizations"][0]["user_id"] == slack.bot_user_id
    assert all(delivery.latency is not None and delivery.latency < 1 for delivery in slack.deliveries)


async def test_an_event_comes_again_under_the_same_event_id_until_it_is_acknowledged(slack: SlackSimulator) -> None:
    app, heard = hearing(slack, failures=2)
    async with connected(slack, app):
        await slack.post("U0ADA", "D0ADA", "hello")
        await slack.until(acknowledged(slack, 1))
    assert len(heard) == 3
    assert [delivery.retry_num for delivery in slack.deliveries] == [0, 1, 2]
    assert len({body["event_id"] for body in heard}) == 1
    assert len({delivery.envelope_id for delivery in slack.deliveries}) == 3
    assert [delivery.acked_at is None for delivery in slack.deliveries] == [True, True, False]


async def test_an_acknowledged_event_comes_again_when_redelivery_strikes(slack: SlackSimulator) -> None:
    slack.faults.redeliver_share = 1.0
    app, heard = hearing(slack)
    async with connected(slack, app):
        await slack.post("U0GRACE", "D0GRACE", "once")
        await slack.until(acknowledged(slack, 2))
    assert [delivery.retry_num for delivery in slack.deliveries] == [0, 1]
    assert heard[0]["event_id"] == heard[1]["event_id"]


async def test_an_event_while_nobody_is_connected_is_retried_until_somebody_is(slack: SlackSimulator) -> None:
    slack.faults.retry_delays = (0.0, 0.1, 0.3)
    app, heard = hearing(slack)
    await slack.post("U0ADA", "D0ADA", "are you there?")
    async with connected(slack, app):
        await slack.until(acknowledged(slack, 1))
    assert heard[0]["event"]["text"] == "are you there?"
    assert slack.deliveries[-1].retry_num >= 1


async def test_sockets_that_are_told_to_reconnect_or_dropped_come_back(slack: SlackSimulator) -> None:
    app, heard = hearing(slack)
    async with connected(slack, app):
        for number, cut in enumerate((slack.disconnect, slack.drop_sockets, lambda: slack.drop_sockets(abruptly=True))):
            await cut()
            await slack.until(lambda: slack.sockets == 1)
            await slack.post("U0ADA", "D0ADA", f"number {number}")
            await slack.until(acknowledged(slack, number + 1))
    assert [event["text"] for event in of_kind(heard, "message")] == ["number 0", "number 1", "number 2"]


async def test_hello_is_the_first_frame_and_a_ticket_opens_one_socket(slack: SlackSimulator) -> None:
    url = (await client_of(slack, slack.app_token).apps_connections_open(app_token=slack.app_token))["url"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as socket:
            hello = await socket.receive_json()
        assert (hello["type"], hello["num_connections"]) == ("hello", 1)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_edits_deletions_reactions_and_unfurls_are_told(slack: SlackSimulator) -> None:
    app, heard = hearing(slack)
    async with connected(slack, app):
        ts = await slack.post("U0ADA", "C0GENERAL", "first")
        await slack.edit("U0ADA", "C0GENERAL", ts, "<@U0BISE> second")
        await slack.unfurl("C0GENERAL", ts)
        await slack.react("U0GRACE", "C0GENERAL", ts, "x")
        await slack.delete("U0ADA", "C0GENERAL", ts)
        await slack.until(acknowledged(slack, 6))
    _, changed, unfurled, deleted = of_kind(heard, "message")
    assert (changed["subtype"], changed["message"]["text"]) == ("message_changed", "<@U0BISE> second")
    assert changed["previous_message"]["text"] == "first"
    assert unfurled["message"]["text"] == unfurled["previous_message"]["text"]
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)
    assert of_kind(heard, "app_mention")[0]["edited"]["user"] == "U0ADA"
    assert of_kind(heard, "reaction_added")[0]["item"] == {"type": "message", "channel": "C0GENERAL", "ts": ts}
    assert slack.messages("C0GENERAL") == []


async def test_bots_posts_come_back_as_events_and_other_bots_too(slack: SlackSimulator) -> None:
    await client_of(slack).chat_postMessage(channel="C0GENERAL", text="own")
    own = slack.deliveries[0]
    assert own.event_type == "message"
    app, heard = hearing(slack)
    async with connected(slack, app):
        await slack.post_as_bot("C0GENERAL", "<@U0BISE> beep")
        await slack.until(lambda: len(of_kind(heard, "app_mention")) == 1)
    assert of_kind(heard, "app_mention")[0]["bot_id"] == "B0OTHER"


async def test_no_event_comes_from_a_channel_the_bot_is_not_in_or_without_its_scope(slack: SlackSimulator) -> None:
    slack.faults.retry_delays = ()
    slack.faults.not_in_channels.add("C0RANDOM")
    await slack.post("U0ADA", "C0RANDOM", "<@U0BISE> hi")
    slack.granted_scopes.discard("app_mentions:read")
    await slack.post("U0ADA", "C0GENERAL", "<@U0BISE> hi")
    assert [delivery.event_type for delivery in slack.deliveries] == ["message"]


async def test_a_mention_can_come_before_its_twin(slack: SlackSimulator) -> None:
    slack.faults.retry_delays = ()
    slack.faults.mention_first_share = 1.0
    await slack.post("U0ADA", "C0GENERAL", "<@U0BISE> hi")
    assert [delivery.event_type for delivery in slack.deliveries] == ["app_mention", "message"]


async def test_a_mention_in_a_dm_has_no_twin(slack: SlackSimulator) -> None:
    slack.faults.retry_delays = ()
    await slack.post("U0ADA", "D0ADA", "<@U0BISE> hi")
    assert [delivery.event_type for delivery in slack.deliveries] == ["message"]


# Commands and buttons


async def test_a_command_gets_its_ack_and_answers_through_its_response_url(slack: SlackSimulator) -> None:
    app = bolt_of(slack)
    bodies: list[dict[str, Any]] = []

    @app.command("/bise")
    async def bise(ack: Any, body: dict[str, Any]) -> None:
        bodies.append(body)
        await ack(f"on it: {body['text']}")

    async with connected(slack, app):
        outcome = await slack.command("U0ADA", "C0GENERAL", "/bise", "ask why")
    assert (outcome.acknowledged, outcome.text) == (True, "on it: ask why")
    assert bodies[0]["response_url"] == outcome.response_url
    webhook = AsyncWebhookClient(outcome.response_url)
    assert (await webhook.send(text="because", replace_original=True)).status_code == 200
    assert (await webhook.send(text="for all", response_type="in_channel")).status_code == 200
    assert [post.text for post in slack.ephemerals("U0ADA")] == ["because"]
    assert [post.text for post in slack.messages("C0GENERAL")] == ["for all"]
    assert slack.snapshot()["messages"][-1]["via"] == {"user": "U0ADA", "command": "/bise"}
    for _ in range(3):
        await webhook.send(text="more")
    assert (await webhook.send(text="a sixth")).status_code == 404
    assert slack.calls[-1].error == "used_url"


async def test_a_command_that_nobody_acknowledges_times_out_and_the_person_is_told(slack: SlackSimulator) -> None:
    outcome = await slack.command("U0ADA", "C0GENERAL", "/bise", "ask why")
    assert not outcome.acknowledged
    assert "operation_timeout" in slack.ephemerals("U0ADA")[0].text


async def test_a_pressed_button_brings_its_own_value_also_on_an_ephemeral_message(slack: SlackSimulator) -> None:
    app = bolt_of(slack)
    pressed: list[dict[str, Any]] = []

    @app.action("stop")
    async def stop(ack: Any, body: dict[str, Any]) -> None:
        pressed.append(body)
        await ack()

    client = client_of(slack)
    async with connected(slack, app):
        seen = await client.chat_postMessage(channel="C0GENERAL", text="x", blocks=BUTTONS)
        await slack.press("U0GRACE", "C0GENERAL", seen["ts"], "stop")
        hidden = await client.chat_postEphemeral(channel="C0GENERAL", user="U0ADA", text="x", blocks=BUTTONS)
        await slack.press("U0ADA", "C0GENERAL", hidden["message_ts"], "stop")
        await slack.until(lambda: len(pressed) == 2)
        with pytest.raises(LookupError):
            await slack.press("U0GRACE", "C0GENERAL", hidden["message_ts"], "stop")
        with pytest.raises(LookupError):
            await slack.press("U0ADA", "C0GENERAL", seen["ts"], "regenerate")
    assert [body["actions"][0]["value"] for body in pressed] == ["turn-7", "turn-7"]
    assert [body["container"]["is_ephemeral"] for body in pressed] == [False, True]
    assert pressed[0]["message"]["ts"] == seen["ts"]
    await AsyncWebhookClient(pressed[1]["response_url"]).send(delete_original=True)
    assert slack.ephemerals("U0ADA") == []


# Streams


async def streaming(slack: SlackSimulator) -> tuple[AsyncWebClient, str, str]:
    client = client_of(slack)
    root = await slack.post("U0ADA", "C0GENERAL", "<@U0BISE> tell")
    started = await client.chat_startStream(
        channel="C0GENERAL", thread_ts=root, recipient_team_id="T0PLAY", recipient_user_id="U0ADA"
    )
    return client, root, started["ts"]


def reply(slack: SlackSimulator, root: str) -> SlackPost:
    return slack.messages("C0GENERAL", root)[-1]


async def test_a_stream_is_started_grows_and_stops_with_its_blocks(slack: SlackSimulator) -> None:
    client, root, ts = await streaming(slack)
    await client.assistant_threads_setStatus(channel_id="C0GENERAL", thread_ts=root, status="is thinking…")
    assert slack.status("C0GENERAL", root) == "is thinking…"
    await client.chat_appendStream(channel="C0GENERAL", ts=ts, markdown_text="**One**")
    await client.chat_appendStream(channel="C0GENERAL", ts=ts, chunks=[MarkdownTextChunk(text=", two")])
    assert reply(slack, root).streaming
    with pytest.raises(SlackApiError) as early:
        await client.chat_update(channel="C0GENERAL", ts=ts, markdown_text="too soon")
    assert refusal(early) == "streaming_state_conflict"
    await client.chat_stopStream(channel="C0GENERAL", ts=ts, markdown_text=".", blocks=BUTTONS)
    post = reply(slack, root)
    assert (post.text, post.streaming, post.thread_ts) == ("**One**, two.", False, root)
    assert [button.value for button in post.buttons] == ["turn-7"]
    with pytest.raises(SlackApiError) as late:
        await client.chat_appendStream(channel="C0GENERAL", ts=ts, markdown_text="more")
    assert refusal(late) == "message_not_in_streaming_state"


async def test_a_stream_dies_of_age_and_its_text_can_be_put_by_update(timed: SlackSimulator, clock: Clock) -> None:
    client, root, ts = await streaming(timed)
    clock.now += 299
    await client.chat_appendStream(channel="C0GENERAL", ts=ts, markdown_text="still ")
    clock.now += 2
    with pytest.raises(SlackApiError) as dead:
        await client.chat_appendStream(channel="C0GENERAL", ts=ts, markdown_text="here")
    assert refusal(dead) == "message_not_in_streaming_state"
    assert reply(timed, root).text == "still "
    await client.chat_update(channel="C0GENERAL", ts=ts, markdown_text="still here")
    assert reply(timed, root).text == "still here"


async def test_a_status_fades_and_goes_when_the_bot_posts(timed: SlackSimulator, clock: Clock) -> None:
    client, root = client_of(timed), await timed.post("U0ADA", "D0ADA", "hi")
    await client.assistant_threads_setStatus(channel_id="D0ADA", thread_ts=root, status="is thinking…")
    clock.now += 121
    assert timed.status("D0ADA", root) is None
    await client.assistant_threads_setStatus(channel_id="D0ADA", thread_ts=root, status="is thinking…")
    await client.chat_postMessage(channel="D0ADA", thread_ts=root, text="hello")
    assert timed.status("D0ADA", root) is None


@pytest.mark.parametrize(
    ("place", "given", "error"),
    [
        ("C0GENERAL", {"recipient_user_id": "U0ADA"}, "missing_recipient_team_id"),
        ("C0GENERAL", {"recipient_team_id": "T0PLAY"}, "missing_recipient_user_id"),
        ("C0GENERAL", {"recipient_team_id": "T0PLAY", "recipient_user_id": "U0OTHER"}, "team_not_found"),
        ("D0ADA", {"thread_ts": ""}, "invalid_arguments"),
    ],
)
async def test_a_stream_wants_its_recipient_in_a_channel_and_a_thread_in_a_dm(
    slack: SlackSimulator, place: str, given: dict[str, str], error: str
) -> None:
    root = await slack.post("U0ADA", place, "hi")
    with pytest.raises(SlackApiError) as refused:
        await client_of(slack).chat_startStream(**{"channel": place, "thread_ts": root, **given})
    assert refusal(refused) == error


# Faults


async def test_a_rate_limit_answers_429_and_the_sdks_handler_waits_it_out(slack: SlackSimulator) -> None:
    slack.faults.limit_posts = True
    patient = client_of(slack, retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=2)])
    await patient.chat_postMessage(channel="C0GENERAL", text="one")
    with pytest.raises(SlackApiError) as refused:
        await client_of(slack).chat_postMessage(channel="C0GENERAL", text="two")
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "1"
    await patient.chat_postMessage(channel="C0GENERAL", text="three")
    assert [post.text for post in slack.messages("C0GENERAL")] == ["one", "three"]
    assert {call.error for call in slack.calls} == {None, "ratelimited"}


async def test_a_methods_window_slides(timed: SlackSimulator, clock: Clock) -> None:
    timed.faults.rate_limits = {"users.info": 2}
    client = client_of(timed)
    for _ in range(2):
        await client.users_info(user="U0ADA")
        clock.now += 10
    for wait in ("40", "1"):
        with pytest.raises(SlackApiError) as refused:
            await client.users_info(user="U0ADA")
        assert refused.value.response.headers["Retry-After"] == wait
        clock.now += 39
    await client.users_info(user="U0ADA")


async def test_a_502_after_the_commit_leaves_the_post(slack: SlackSimulator) -> None:
    slack.faults.commit_then_502_share = 1.0
    with pytest.raises(SlackApiError):
        await client_of(slack).chat_postMessage(channel="C0GENERAL", text="stored")
    assert [post.text for post in slack.messages("C0GENERAL")] == ["stored"]
    assert slack.calls[-1].error == "bad_gateway"


async def test_each_refusal_has_slacks_own_word(slack: SlackSimulator) -> None:
    slack.faults.not_in_channels.add("C0RANDOM")
    slack.add_channel("C0OLD", "old")
    slack.faults.archived.add("C0OLD")
    theirs = await slack.post("U0ADA", "C0GENERAL", "mine")
    client = client_of(slack)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("chat.postMessage", {"channel": "C0RANDOM", "text": "x"}, "not_in_channel"),
        ("chat.postMessage", {"channel": "C0OLD", "text": "x"}, "is_archived"),
        ("chat.postMessage", {"channel": "C0NONE", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0GENERAL"}, "no_text"),
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "C0GENERAL", "markdown_text": "x" * 12_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "C0GENERAL", "text": "x", "markdown_text": "x"}, "markdown_text_conflict"),
        ("chat.postMessage", {"channel": "C0GENERAL", "text": "x", "thread_ts": "1.2"}, "thread_not_found"),
        ("chat.postMessage", {"channel": "C0GENERAL", "blocks": [section]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "C0GENERAL", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ("chat.update", {"channel": "C0GENERAL", "ts": theirs, "text": "x"}, "cant_update_message"),
        ("chat.update", {"channel": "C0GENERAL", "ts": "1.2", "text": "x"}, "message_not_found"),
        ("chat.delete", {"channel": "C0GENERAL", "ts": theirs}, "cant_delete_message"),
        ("conversations.history", {"channel": "C0RANDOM"}, "not_in_channel"),
        ("users.info", {"user": "U0NONE"}, "user_not_found"),
        ("chat.invent", {}, "unknown_method"),
    ]
    for method, given, error in refused:
        with pytest.raises(SlackApiError) as answered:
            await client.api_call(method, json=given)
        assert (method, refusal(answered)) == (method, error)


async def test_tokens_and_scopes_are_checked(slack: SlackSimulator) -> None:
    answer = await client_of(slack).auth_test()
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == ("T0PLAY", "U0BISE", "B0BISE")
    slack.granted_scopes.discard("users:read")
    cases = [
        (client_of(slack, "xoxb-wrong").auth_test(), "invalid_auth"),
        (client_of(slack).users_info(user="U0ADA"), "missing_scope"),
        (client_of(slack, slack.app_token).chat_postMessage(channel="C0GENERAL", text="x"), "not_allowed_token_type"),
    ]
    for call, error in cases:
        with pytest.raises(SlackApiError) as refused:
            await call
        assert refusal(refused) == error
    slack.faults.token_revoked = True
    with pytest.raises(SlackApiError) as revoked:
        await client_of(slack).auth_test()
    assert refusal(revoked) == "token_revoked"


async def test_blocks_are_read_from_a_form_too(slack: SlackSimulator) -> None:
    form = {"channel": "#general", "text": "x", "blocks": json.dumps(BUTTONS)}
    await client_of(slack).api_call("chat.postMessage", data=form)
    assert slack.messages("C0GENERAL")[0].notes == ("mistral-large",)


# HTTP mode


async def test_events_and_commands_go_as_signed_requests_with_retries_to_the_request_url(slack: SlackSimulator) -> None:
    verifier = SignatureVerifier(slack.signing_secret)
    seen: list[tuple[bool, str | None, str]] = []

    async def receive(request: web.Request) -> web.Response:
        body = await request.text()
        seen.append((verifier.is_valid_request(body, request.headers), request.headers.get("X-Slack-Retry-Num"), body))
        if '"url_verification"' in body:
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        if request.content_type == "application/x-www-form-urlencoded":
            return web.Response(text="done")
        return web.Response(status=500 if len(seen) == 1 else 200)

    app = web.Application()
    app.router.add_post("/slack/events", receive)
    async with served(app) as url:
        slack.request_url = f"{url}/slack/events"
        await slack.post("U0ADA", "D0ADA", "over http")
        await slack.until(acknowledged(slack, 1))
        outcome = await slack.command("U0ADA", "C0GENERAL", "/bise", "help")
        assert await slack.verify_url(slack.request_url)
        await slack.post_event_http(slack.request_url, {"type": "event_callback"}, secret="wrong")
    assert [(valid, retry) for valid, retry, _ in seen[:3]] == [(True, None), (True, "1"), (True, None)]
    assert json.loads(seen[0][2]) == json.loads(seen[1][2])
    assert outcome.text == "done"
    assert not seen[-1][0]


# Files, history, people


async def test_a_file_needs_the_token_and_the_page_does_not(slack: SlackSimulator) -> None:
    picture = UploadedFile("a b.png", b"\x89PNG\r\n\x1a\n", "image/png")
    app, heard = hearing(slack)
    async with connected(slack, app):
        await slack.post("U0ADA", "C0GENERAL", "", files=[picture])
        await slack.until(lambda: bool(heard))
    event = heard[0]["event"]
    assert (event["subtype"], event["text"]) == ("file_share", "")
    url = event["files"][0]["url_private"]
    preview = slack.base_url + slack.snapshot()["messages"][0]["files"][0]["url"]
    bearer = {"Authorization": f"Bearer {slack.bot_token}"}
    async with aiohttp.ClientSession() as session:

        async def get(address: str, headers: dict[str, str] | None = None) -> tuple[int, str, bytes]:
            async with session.get(address, headers=headers) as response:
                return response.status, response.content_type, await response.read()

        assert await get(url, bearer) == (200, "image/png", picture.data)
        status, kind, page = await get(url)
        assert (status, kind) == (200, "text/html")
        assert page.startswith(b"<!DOCTYPE html>")
        assert await get(preview) == (200, "image/png", picture.data)
        slack.faults.html_instead_of_file = True
        assert (await get(url, bearer))[1] == "text/html"


async def test_a_file_of_which_only_the_id_is_told_is_found_by_files_info(slack: SlackSimulator) -> None:
    slack.faults.check_file_info = True
    app, heard = hearing(slack)
    async with connected(slack, app):
        await slack.post("U0OTHER", "C0GENERAL", "look", files=[UploadedFile("a.png", b"png", "image/png")])
        await slack.until(lambda: bool(heard))
    told = heard[0]["event"]["files"][0]
    assert told["file_access"] == "check_file_info"
    assert "url_private" not in told
    assert heard[0]["is_ext_shared_channel"]
    found = (await client_of(slack).files_info(file=told["id"]))["file"]
    assert (found["mimetype"], found["size"]) == ("image/png", 3)


async def test_a_thread_is_read_page_by_page(slack: SlackSimulator) -> None:
    root = await slack.post("U0ADA", "C0GENERAL", "root")
    for number in range(4):
        await slack.post("U0GRACE", "C0GENERAL", f"reply {number}", thread_ts=root)
    client = client_of(slack)
    texts = [
        message["text"]
        async for page in await client.conversations_replies(channel="C0GENERAL", ts=root, limit=2)
        for message in page["messages"]
    ]
    assert texts == ["root", "reply 0", "reply 1", "reply 2", "reply 3"]
    history = await client.conversations_history(channel="C0GENERAL")
    assert [(message["text"], message["reply_count"]) for message in history["messages"]] == [("root", 4)]


async def test_people_are_told_apart(slack: SlackSimulator) -> None:
    client = client_of(slack)
    flags = {}
    for user in ("U0ADA", "U0GUEST", "U0OTHER", "U0BISE"):
        who = (await client.users_info(user=user))["user"]
        flags[user] = (who["is_admin"], who["is_restricted"], who["is_stranger"], who["is_bot"], who["team_id"])
    assert flags == {
        "U0ADA": (True, False, False, False, "T0PLAY"),
        "U0GUEST": (False, True, False, False, "T0PLAY"),
        "U0OTHER": (False, False, True, False, "T0OTHER"),
        "U0BISE": (False, False, False, True, "T0PLAY"),
    }
    assert (await client.conversations_info(channel="D0ADA"))["channel"]["is_im"]


# The page


async def test_the_page_gets_a_snapshot_and_then_every_change(slack: SlackSimulator) -> None:
    client = client_of(slack)
    with slack.subscribe() as changes:
        ts = await slack.post("U0ADA", "C0GENERAL", "1 < 2, <@U0BISE>")
        sent = await client.chat_postMessage(channel="C0GENERAL", thread_ts=ts, text="x", blocks=BUTTONS)
        await client.assistant_threads_setStatus(channel_id="C0GENERAL", thread_ts=ts, status="is thinking…")
        await slack.delete("U0ADA", "C0GENERAL", ts)
        told = [changes.get_nowait() for _ in range(changes.qsize())]
    assert [change["type"] for change in told] == ["message", "message", "status", "deleted"]
    assert told[0]["message"]["text"] == "1 < 2, <@U0BISE>"
    assert told[3] == {"type": "deleted", "id": ts, "channel": "C0GENERAL"}
    snapshot = slack.snapshot()
    message = snapshot["messages"][0]
    assert (message["id"], message["thread"], message["text"]) == (sent["ts"], ts, "Was it good?")
    assert message["author"] == {"id": "U0BISE", "name": "Bise", "bot": True}
    assert message["buttons"] == [{"id": "stop", "value": "turn-7", "label": "Stop", "style": None}]
    assert message["notes"] == ["mistral-large"]
    assert snapshot["statuses"] == [{"channel": "C0GENERAL", "thread": ts, "text": "is thinking…"}]
    assert json.loads(json.dumps(snapshot)) == snapshot


async def test_a_page_that_does_not_read_is_told_to_start_afresh_and_takes_no_more_memory(
    slack: SlackSimulator,
) -> None:
    with slack.subscribe() as changes:
        for number in range(2100):
            await slack.post("U0ADA", "C0RANDOM", str(number))
        first = changes.get_nowait()
    assert first == {"type": "resync"}
    assert changes.qsize() < 200


async def test_waiting_in_vain_names_the_last_calls(slack: SlackSimulator) -> None:
    await client_of(slack).auth_test()
    waiting = asyncio.ensure_future(slack.until(lambda: False, 0.01))
    with pytest.raises(TimeoutError, match=r"auth\.test"):
        await waiting
