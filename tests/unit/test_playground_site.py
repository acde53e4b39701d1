"""The playground's server, against a fake workspace: what it serves, what it refuses, what it passes on."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, FormData, web

from bots.playground.local_model import LocalModel, LocalModelFailed
from bots.playground.outbox import Outbox
from bots.playground.site import PAGE, ModelNotice, Site
from tests.fake_world import FakeWorld

NOTICE = ModelNotice("tiny", "a tiny model", "It cannot see images.")


class Served:
    """A site on a free port, with both fake workspaces and a client."""

    def __init__(self, address: str, slack: FakeWorld, discord: FakeWorld, client: ClientSession) -> None:
        self.address = address
        self.slack = slack
        self.discord = discord
        self.client = client

    async def act(self, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        sent = more or {"json": body}
        async with self.client.post(f"{self.address}/playground/{path}", **sent) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    slack, discord = FakeWorld("slack", pace=0), FakeWorld("discord", pace=0)
    app = web.Application()
    Site(slack, discord, NOTICE).mount(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as client:
        yield Served(f"http://127.0.0.1:{port}", slack, discord, client)
    await slack.close()
    await discord.close()
    await runner.cleanup()


async def test_the_page_comes_with_a_policy_that_forbids_inline_scripts(served: Served) -> None:
    async with served.client.get(served.address) as answer:
        text = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in text
    assert "style=" not in text
    assert " on" + "click=" not in text


async def test_every_file_that_the_page_names_is_served(served: Served) -> None:
    for file in PAGE.iterdir():
        async with served.client.get(f"{served.address}/static/{file.name}") as answer:
            assert answer.status == 200, file.name
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2Fsite.py", "%2e%2e%2fsite.py", "missing.js", ".env", "..%5Csite.py"])
async def test_nothing_outside_the_page_is_served(served: Served, name: str) -> None:
    async with served.client.get(f"{served.address}/static/{name}") as answer:
        assert answer.status == 404


async def test_no_script_puts_text_into_the_page_as_markup() -> None:
    for file in PAGE.glob("*.js"):
        text = file.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert way not in text, f"{file.name}: {way}"


async def test_the_state_holds_both_workspaces_and_the_model(served: Served) -> None:
    served.slack.say("U1", "C1", "hello")
    async with served.client.get(f"{served.address}/playground/state") as answer:
        state = await answer.json()
    assert [message["text"] for message in state["slack"]["messages"]] == ["hello"]
    assert state["discord"]["messages"] == []
    assert state["model"] == {"name": "tiny", "label": "a tiny model", "note": "It cannot see images."}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_sites_and_rebound_names_are_refused(served: Served, headers: dict[str, str]) -> None:
    for path in ("state", "events"):
        async with served.client.get(f"{served.address}/playground/{path}", headers=headers) as answer:
            assert answer.status == 403
            assert "error" in await answer.json()
    body = {"user": "U1", "channel": "C1", "text": "forged"}
    status, _ = await served.act("slack/post", json=body, headers=headers)
    assert status == 403
    assert served.slack.done == []


async def test_its_own_page_may_act(served: Served) -> None:
    headers = {"Origin": served.address, "Sec-Fetch-Site": "same-origin"}
    assert await served.act("slack/post", json={"user": "U1", "channel": "C1", "text": "hi"}, headers=headers) == (
        200,
        {"ok": True},
    )


async def test_each_hand_reaches_its_workspace(served: Served) -> None:
    at = {"user": "U1", "channel": "C1"}
    for place in ("slack", "discord"):
        for text in ("one", "two"):
            await served.act(f"{place}/post", {**at, "text": text})
    await served.act("slack/post", {**at, "text": "in thread", "thread": "000001"})
    await served.act("discord/post", {**at, "text": "a reply", "reply_to": "000001"})
    await served.act("slack/edit", {**at, "message": "000001", "text": "one!"})
    await served.act("discord/delete", {**at, "message": "000002"})
    await served.act("slack/react", {**at, "message": "000001", "name": "x"})
    await served.act("slack/press", {**at, "message": "000001", "button": "stop", "value": "t1"})
    await served.act("discord/press", {**at, "message": "000001", "button": "stop"})
    await served.act("slack/command", {**at, "name": "/bise", "text": "help"})
    await served.act("discord/command", {**at, "name": "/ask", "options": {"prompt": "why"}})
    assert served.slack.done[2:] == [
        ("post", ("U1", "C1", "in thread", "000001", ())),
        ("edit", ("U1", "C1", "000001", "one!")),
        ("react", ("U1", "C1", "000001", "x")),
        ("press", ("U1", "C1", "000001", "stop", "t1")),
        ("command", ("U1", "C1", "/bise", "help", {})),
    ]
    assert served.discord.done[2:] == [
        ("post", ("U1", "C1", "a reply", "000001", ())),
        ("delete", ("U1", "C1", "000002")),
        ("press", ("U1", "C1", "000001", "stop", None)),
        ("command", ("U1", "C1", "ask", {"prompt": "why"}, {})),
    ]


def form(body: Any, *files: tuple[str, bytes, str]) -> FormData:
    data = FormData()
    data.add_field("body", json.dumps(body))
    for field, content, name in files:
        data.add_field(field, io.BytesIO(content), filename=name, content_type="image/png")
    return data


async def test_files_come_along_with_a_message_and_with_a_command(served: Served) -> None:
    at = {"user": "U1", "channel": "C1"}
    posted = form({**at, "text": ""}, ("file", b"png", "a.png"), ("file", b"png", "b.png"))
    assert (await served.act("slack/post", data=posted))[0] == 200
    asked = form({**at, "name": "/ask", "options": {"prompt": "what is it"}}, ("image", b"png bytes", "a.png"))
    assert (await served.act("discord/command", data=asked))[0] == 200
    assert served.slack.done == [("post", ("U1", "C1", "", None, ("a.png", "b.png")))]
    assert served.discord.done[0][1][4] == {"image": ("a.png", b"png bytes")}


async def test_a_text_of_100_000_characters_is_taken(served: Served) -> None:
    text = "é🌬" * 50_000
    assert (await served.act("slack/post", {"user": "U1", "channel": "C1", "text": text}))[0] == 200
    assert served.slack.done[0][1][2] == text


async def test_files_of_more_than_25_mb_are_refused_in_words(served: Served) -> None:
    at = {"user": "U1", "channel": "C1", "text": "look"}
    half = b"0" * (13 * 1024 * 1024)
    status, answer = await served.act("slack/post", data=form(at, ("file", half, "a"), ("file", half, "b")))
    assert (status, answer) == (400, {"error": "Files of at most 25 MB together can be uploaded."})
    assert served.slack.done == []


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("slack/post", {"channel": "C1", "text": "x"}, "“user” is missing."),
        ("slack/post", {"user": 7, "channel": "C1", "text": "x"}, "“user” must be text."),
        ("slack/post", {"user": "U1", "channel": "C1", "text": " \n "}, "Write something first."),
        ("slack/post", {"user": "U1", "channel": "C9", "text": "x"}, "There is no channel C9."),
        ("slack/post", ["no", "object"], "This is not a JSON object."),
        ("discord/react", {"user": "U1", "channel": "C1"}, "Reactions do nothing in this Discord."),
        (
            "discord/command",
            {"user": "U1", "channel": "C1", "name": "/ask", "options": 3},
            "“options” must be an object.",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(served: Served, path: str, body: Any, words: str) -> None:
    assert await served.act(path, body) == (400, {"error": words})


@pytest.mark.parametrize("path", ["elsewhere/post", "slack/dance"])
async def test_an_unknown_place_or_action_is_not_found(served: Served, path: str) -> None:
    assert (await served.act(path, {}))[0] == 404


async def test_a_broken_form_is_refused_in_words(served: Served) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    status, answer = await served.act("slack/post", data=b"nothing of the kind", headers=headers)
    assert status == 400
    assert answer == {"error": "This form makes no sense."}
    status, _ = await served.act("slack/post", data=b"a=b", headers={"Content-Type": "text/plain"})
    assert status == 400


async def events(served: Served, count: int) -> AsyncIterator[Any]:
    async with served.client.get(f"{served.address}/playground/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])
                count -= 1
                if not count:
                    return


async def test_changes_of_both_workspaces_reach_an_open_page(served: Served) -> None:
    seen = []
    async for event in events(served, 3):
        if event == {"hello": True}:
            served.slack.say("U1", "C1", "in Slack")
            served.discord.say("U2", "C1", "in Discord")
        else:
            seen.append((event["place"], event["change"]["message"]["text"]))
    assert sorted(seen) == [("discord", "in Discord"), ("slack", "in Slack")]


async def test_a_page_that_left_is_forgotten(served: Served) -> None:
    async for _ in events(served, 1):
        assert served.slack.watched == 1
    async with asyncio.timeout(5):
        while served.slack.watched or served.discord.watched:
            served.slack.say("U1", "C1", "anybody there?")
            await asyncio.sleep(0.01)


def message(number: int, text: str = "") -> dict[str, Any]:
    return {"type": "message", "message": {"id": str(number), "channel": "C1", "text": text}}


async def test_a_message_that_changed_twice_is_sent_once_as_it_is_now() -> None:
    outbox = Outbox()
    for change in (message(1, "a"), message(2, "x"), message(1, "ab")):
        outbox.put("slack", change)
    sent = await outbox.take(1)
    assert sent is not None
    assert [event["change"]["message"]["text"] for event in sent] == ["ab", "x"]


async def test_a_deletion_is_sent_after_what_came_before_it() -> None:
    outbox = Outbox()
    outbox.put("slack", message(1, "a"))
    outbox.put("slack", {"type": "deleted", "id": "1", "channel": "C1"})
    sent = await outbox.take(1)
    assert sent is not None
    assert [event["change"]["type"] for event in sent] == ["deleted"]


async def test_a_slow_page_is_told_to_start_afresh() -> None:
    outbox = Outbox(room=3)
    for number in range(10):
        outbox.put("slack", message(number))
    assert await outbox.take(1) == [{"reload": True}]
    outbox.put("slack", message(11))
    sent = await outbox.take(1)
    assert sent is not None
    assert sent[0]["change"] == message(11)


async def test_a_workspace_that_lost_count_makes_the_page_start_afresh() -> None:
    outbox = Outbox()
    outbox.put("slack", {"type": "resync"})
    assert await outbox.take(1) == [{"reload": True}]


async def test_a_quiet_page_gets_a_heartbeat_and_a_closed_one_an_end() -> None:
    outbox = Outbox()
    assert await outbox.take(0.01) == []
    outbox.close()
    assert await outbox.take(1) is None


async def test_an_install_that_fails_says_what_to_do(tmp_path: Any) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("./nothing-here.whl --hash=sha256:" + "0" * 64 + "\n")
    said: list[str] = []
    with pytest.raises(LocalModelFailed, match=r"could not be installed: .*MISTRAL_API_KEY"):
        await LocalModel(lock=lock).install(said.append)
    assert said[0].startswith("Installing the small language model")
    with pytest.raises(LocalModelFailed, match="packages is missing"):
        await LocalModel(lock=tmp_path / "none").install(said.append)


async def test_a_model_that_cannot_start_says_so(tmp_path: Any) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    model = LocalModel(python=str(python))
    with pytest.raises(LocalModelFailed, match="ended while it was starting"):
        await model.start()
    assert model.pid is None
    await model.stop()


async def test_the_model_ends_when_it_is_stopped(tmp_path: Any) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho loading; echo address http://127.0.0.1:1; cat; touch {tmp_path}/ended\n")
    python.chmod(0o755)
    model = LocalModel(python=str(python))
    assert await model.start() == "http://127.0.0.1:1/v1"
    assert model.pid is not None
    with pytest.raises(LocalModelFailed, match="already running"):
        await model.start()
    await model.stop()
    assert (tmp_path / "ended").exists()
    assert model.pid is None
