"""The simulated Discord, judged by the real discord.py client over loopback."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from aiohttp import web
from discord import app_commands

from bots.playground.discord import DiscordSimulator, Limit, PersonCannot, UploadedFile
from bots.playground.discord.world import MESSAGES_MAX

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000003000000020802000000"
    "12160df10000000c4944415408d763f8cfc080000003030100c70a5e1f0000000049454e44ae426082"
)


class Bot(discord.Client):
    """A real client that keeps what it hears. `answer` handles each command, once the tree is synced."""

    def __init__(self, *, content: bool = True) -> None:
        intents = discord.Intents.default()
        intents.message_content = content
        super().__init__(intents=intents, guild_ready_timeout=0.01)
        self.tree = app_commands.CommandTree(self)
        self.heard: list[discord.Message] = []
        self.edited: list[discord.RawMessageUpdateEvent] = []
        self.events: list[str] = []

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library waits five seconds here before it identifies anew."""

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.append(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        self.edited.append(payload)

    async def on_resumed(self) -> None:
        self.events.append("resumed")

    async def on_thread_create(self, thread: discord.Thread) -> None:
        self.events.append(f"thread {thread.name}")

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        self.events.append(f"deleted {payload.message_id}")

    @property
    def words(self) -> list[str]:
        return [message.content for message in self.heard]


@pytest.fixture(autouse=True)
def restored_addresses() -> Iterator[None]:
    base, gateway = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    yield
    discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = base, gateway


@pytest.fixture
async def simulator() -> AsyncIterator[DiscordSimulator]:
    simulator = DiscordSimulator()
    app = web.Application()
    simulator.mount(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    simulator.base_url = f"http://127.0.0.1:{port}"
    discord.http.Route.BASE = simulator.api_url
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(simulator.gateway_url)
    yield simulator
    await runner.cleanup()


Connect = Callable[[Bot], Awaitable[Bot]]


@pytest.fixture
async def connect(simulator: DiscordSimulator) -> AsyncIterator[Connect]:
    running: list[tuple[Bot, asyncio.Task[None]]] = []

    async def connect(bot: Bot) -> Bot:
        await bot.login(simulator.token)
        running.append((bot, asyncio.create_task(bot.connect())))
        await asyncio.wait_for(bot.wait_until_ready(), 5)
        return bot

    yield connect
    for bot, task in running:
        await bot.close()
        await task


def api(simulator: DiscordSimulator, *, token: str | None = None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Authorization": f"Bot {token or simulator.token}"})


def general(bot: Bot) -> discord.TextChannel:
    channel = discord.utils.get(bot.get_all_channels(), name="general")
    assert isinstance(channel, discord.TextChannel)
    return channel


async def test_the_client_is_ready_and_knows_the_guild(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    guild = bot.get_guild(int(simulator.guild_id))
    assert guild is not None
    assert bot.user is not None
    assert [guild.name, bot.user.name, str(bot.application_id)] == ["Playground", "Bise", simulator.application_id]
    assert [channel.name for channel in guild.text_channels] == ["general", "random"]
    rights = general(bot).permissions_for(guild.me)
    assert rights.send_messages
    assert not rights.manage_guild
    assert guild.owner_id == int(simulator.person_id("Ada"))
    information = await bot.application_info()
    assert information.flags.gateway_message_content_limited


async def test_messages_reach_the_client_with_replies_mentions_and_files(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    bot = await connect(Bot())
    first = await simulator.post("Ada", "general", f"hello <@{simulator.bot_id}>", files=[UploadedFile("a.png", PNG)])
    await simulator.post("Grace", "general", "  and me ", reply_to=first)
    await simulator.until(lambda: len(bot.heard) == 2)
    one, two = bot.heard
    assert bot.user in one.mentions
    assert (one.attachments[0].width, one.attachments[0].height) == (3, 2)
    assert await one.attachments[0].read() == PNG
    assert two.content == "and me"
    assert two.reference is not None
    assert isinstance(two.reference.resolved, discord.Message)
    assert two.reference.resolved.id == one.id
    assert [person.name for person in two.mentions] == ["ada"]
    assert isinstance(two.author, discord.Member)


async def test_without_the_content_intent_only_what_concerns_the_bot_has_words(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    bot = await connect(Bot(content=False))
    own = await general(bot).send("mine")
    await simulator.post("Ada", "general", "not for you", files=[UploadedFile("a.png", PNG)])
    await simulator.post("Ada", "general", f"for you, <@{simulator.bot_id}>")
    await simulator.post("Ada", "Ada", "in private")
    await simulator.post("Grace", "general", "a reply", reply_to=str(own.id))
    await simulator.until(lambda: len(bot.heard) == 4)
    assert bot.words == ["", f"for you, <@{simulator.bot_id}>", "in private", "a reply"]
    assert bot.heard[0].attachments == []


async def test_a_refused_content_intent_closes_with_4014(simulator: DiscordSimulator) -> None:
    simulator.faults.refuse_message_content = True
    bot = Bot()
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with bot:
            await bot.start(simulator.token)
    assert simulator.gateway.identifies == 0


async def test_a_revoked_token_is_401_and_4004(simulator: DiscordSimulator) -> None:
    bot = Bot()
    await bot.login(simulator.token)
    connection = asyncio.create_task(bot.connect())
    await asyncio.wait_for(bot.wait_until_ready(), 5)
    simulator.revoke_token()
    with pytest.raises(discord.ConnectionClosed) as closed:
        await connection
    assert closed.value.code == 4004
    await bot.close()
    with pytest.raises(discord.LoginFailure):
        async with Bot() as other:
            await other.login(simulator.token)


async def test_an_edit_and_a_deletion_reach_the_client(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    message = await simulator.post("Ada", "general", "helo")
    await simulator.edit("Ada", "general", message, "hello")
    await simulator.delete("Ada", "general", message)
    await simulator.until(lambda: bot.events)
    assert [payload.message.content for payload in bot.edited] == ["hello"]
    assert bot.events == [f"deleted {message}"]
    assert simulator.messages("general") == []


async def synced(bot: Bot) -> None:
    """Registers /ask, /bise usage and a manager's /secret."""
    bot.tree.add_command(app_commands.Command(name="ask", description="Ask", callback=ask))
    group = app_commands.Group(name="bise", description="About")
    group.add_command(app_commands.Command(name="usage", description="Used", callback=usage))
    bot.tree.add_command(group)
    secret = app_commands.Command(name="secret", description="Hidden", callback=usage)
    secret.default_permissions = discord.Permissions(manage_guild=True)
    secret.guild_only = True
    bot.tree.add_command(secret)
    await bot.tree.sync()


async def ask(
    interaction: discord.Interaction, prompt: str, image: discord.Attachment | None = None, private: bool = False
) -> None:
    await interaction.response.defer(thinking=True, ephemeral=private)
    data = await image.read() if image else b""
    await interaction.edit_original_response(content=f"{prompt} …")
    await interaction.edit_original_response(content=f"{prompt} {len(data)}")
    await interaction.followup.send("and more")


async def usage(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("nothing yet", ephemeral=True)


async def test_a_command_with_an_attachment_is_deferred_edited_and_followed_up(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    bot = await connect(Bot())
    await synced(bot)
    await simulator.until(lambda: len(simulator.registered_commands) == 3)
    seen: list[dict[str, Any]] = []
    with simulator.subscribe() as changes:
        view = await simulator.command(
            "Ada", "general", "ask", {"prompt": "look"}, {"image": UploadedFile("a.png", PNG)}
        )
        await simulator.until(lambda: len(view.posts) == 2)
        while not changes.empty():
            seen.append(changes.get_nowait()["message"])
    assert view.post is not None
    assert view.post.content == f"look {len(PNG)}"
    assert [words for _, words in view.post.edited] == ["", "look …", f"look {len(PNG)}"]
    assert [post.content for post in view.posts] == [f"look {len(PNG)}", "and more"]
    assert view.post.interaction is not None
    assert view.post.interaction.user == simulator.person_id("Ada")
    assert seen[0]["thinking"] is True
    assert seen[0]["via"] == {"user": simulator.person_id("Ada"), "command": "/ask"}
    assert [one["text"] for one in seen] == ["", "look …", f"look {len(PNG)}", "and more"]


async def test_privacy_is_fixed_at_the_deferral(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    await synced(bot)
    view = await simulator.command("Grace", "general", "ask", {"prompt": "hush", "private": True})
    await simulator.until(lambda: len(view.posts) == 2)
    assert [post.only_for for post in view.posts] == [simulator.person_id("Grace"), None]
    async with api(simulator) as session:
        address = f"{simulator.api_url}/channels/{simulator.channel_id('general')}/messages"
        async with session.get(address) as answer:
            listed = [message["content"] for message in await answer.json()]
    assert listed == ["and more"]


async def test_the_first_follow_up_fills_the_placeholder(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    tokens: list[tuple[str, discord.InteractionType]] = []

    async def later(interaction: discord.Interaction) -> None:
        tokens.append((interaction.token, interaction.type))
        await interaction.response.defer(thinking=True)
        await interaction.followup.send("one")
        await interaction.followup.send("two")
        with pytest.raises(discord.InteractionResponded):
            await interaction.response.defer()

    bot.tree.add_command(app_commands.Command(name="later", description="Later", callback=later))
    await bot.tree.sync()
    view = await simulator.command("Ada", "Ada", "later")
    await simulator.until(lambda: [post.content for post in view.posts] == ["one", "two"])
    async with api(simulator) as session:
        callback = f"{simulator.api_url}/interactions/{view.id}/{view.token}/callback"
        async with session.post(callback, json={"type": 5}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, 40060)
        simulator.faults.token_life = 0.0
        hook = f"{simulator.api_url}/webhooks/{simulator.application_id}/{view.token}"
        async with session.post(hook, json={"content": "three"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, 50027)
        async with session.post(hook + "x", json={"content": "three"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, 10015)


async def test_right_after_a_deferral_the_webhook_can_be_unknown(simulator: DiscordSimulator, connect: Connect) -> None:
    simulator.faults.webhook_unknown_for = 0.1
    bot = await connect(Bot())
    codes: list[int] = []

    async def hasty(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True)
        try:
            await interaction.edit_original_response(content="now")
        except discord.NotFound as error:
            codes.append(error.code)
        await asyncio.sleep(0.15)
        await interaction.edit_original_response(content="then")

    bot.tree.add_command(app_commands.Command(name="hasty", description="Hasty", callback=hasty))
    await bot.tree.sync()
    view = await simulator.command("Ada", "general", "hasty")
    await simulator.until(lambda: view.post is not None and view.post.content == "then")
    assert codes == [10015]


async def test_what_the_app_would_not_let_a_person_send_is_refused(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    await synced(await connect(Bot()))
    for name, options in (
        ("nope", {}),
        ("ask", {}),
        ("ask", {"prompt": 3}),
        ("ask", {"prompt": "x" * 6001}),
        ("ask", {"prompt": "x", "more": "y"}),
        ("ask", {"prompt": "x", "image": "no file"}),
        ("bise", {}),
        ("bise nope", {}),
        ("secret", {}),
    ):
        with pytest.raises(PersonCannot):
            await simulator.command("Grace", "general", name, options)
    with pytest.raises(PersonCannot):
        await simulator.command("Ada", "Ada", "secret")
    with pytest.raises(PersonCannot):
        await simulator.post("Grace", "Ada", "in another's direct messages")
    for name in ("secret", "/bise usage"):
        view = await simulator.command("Ada", "general", name)
        await simulator.until(lambda: view.acknowledged)  # noqa: B023 - awaited in the loop's own turn
        assert view.ephemeral
    assert [command["name"] for command in simulator.snapshot()["commands"]] == ["/ask", "/bise usage", "/secret"]


async def test_a_persistent_button_is_pressed_and_changes_its_message(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    class Stop(discord.ui.View):
        def __init__(self) -> None:
            super().__init__(timeout=None)

        @discord.ui.button(label="Stop", custom_id="stop:1", style=discord.ButtonStyle.danger)
        async def stop_it(self, interaction: discord.Interaction, button: discord.ui.Button[discord.ui.View]) -> None:
            await interaction.response.edit_message(content=f"stopped by {interaction.user.name}", view=None)

    bot = await connect(Bot())
    bot.add_view(Stop())
    sent = await general(bot).send("running", view=Stop())
    shown = simulator.snapshot()["messages"][0]["buttons"]
    assert shown == [{"id": "stop:1", "value": None, "label": "Stop", "style": "danger", "disabled": False}]
    view = await simulator.press("Grace", "general", str(sent.id), "stop:1")
    await simulator.until(lambda: view.acknowledged)
    assert view.post is not None
    assert view.post.content == "stopped by grace"
    assert view.post.buttons == {}
    with pytest.raises(PersonCannot):
        await simulator.press("Grace", "general", str(sent.id), "stop:1")


async def test_a_thread_is_opened_and_talked_in(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    thread = await general(bot).create_thread(name="a topic", type=discord.ChannelType.public_thread)
    start = await simulator.post("Ada", "general", "begin here")
    await simulator.until(lambda: bot.heard)
    second = await bot.heard[0].create_thread(name="from a message")
    assert simulator.threads("general") == [str(thread.id), str(second.id)]
    assert str(second.id) == start
    await simulator.post("Grace", str(thread.id), "in the thread")
    await simulator.until(lambda: len(bot.heard) == 2)
    assert isinstance(bot.heard[1].channel, discord.Thread)
    await thread.send("so am I")
    await thread.edit(archived=True)
    assert bot.events == ["thread a topic", "thread from a message"]
    channels = {channel["id"]: channel for channel in simulator.snapshot()["channels"]}
    assert channels[str(thread.id)]["parent"] == simulator.channel_id("general")
    with pytest.raises(discord.HTTPException) as refused:
        await general(bot).create_thread(name=" " * 5, type=discord.ChannelType.public_thread)
    assert refused.value.code == 50035


async def test_the_bot_writes_direct_messages_and_is_seen_typing(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    ada = await bot.fetch_user(int(simulator.person_id("Ada")))
    direct = await ada.create_dm()
    assert str(direct.id) == simulator.channel_id("Ada")
    async with direct.typing():
        assert simulator.typing("Ada")
        assert simulator.snapshot()["statuses"][0]["text"] == "Bise is typing…"
        await direct.send("hello", file=discord.File(io.BytesIO(b"words"), "note.txt"))
    assert not simulator.typing("Ada")
    (post,) = simulator.messages("Ada")
    assert (post.attachments[0].name, post.attachments[0].data) == ("note.txt", b"words")
    simulator.faults.closed_dms.add(simulator.person_id("Ada"))
    with pytest.raises(discord.Forbidden) as refused:
        await direct.send("still there?")
    assert refused.value.code == 50007


async def test_a_dropped_socket_is_resumed_and_what_was_missed_is_replayed(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    bot = await connect(Bot())
    simulator.drop_sockets()
    await simulator.post("Ada", "general", "while you were away")
    await simulator.until(lambda: "resumed" in bot.events and bot.heard)
    simulator.ask_to_reconnect()
    await simulator.post("Ada", "general", "and again")
    await simulator.until(lambda: simulator.gateway.resumes == 2 and len(bot.heard) == 2)
    simulator.invalidate_sessions(resumable=True)
    await simulator.until(lambda: simulator.gateway.resumes == 3)
    await simulator.post("Ada", "general", "here")
    await simulator.until(lambda: len(bot.heard) == 3)
    assert bot.words == ["while you were away", "and again", "here"]
    assert simulator.gateway.identifies == 1


async def test_an_invalid_session_is_identified_anew_and_nothing_is_back_filled(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    bot = await connect(Bot())
    simulator.invalidate_sessions()
    lost = await simulator.post("Ada", "general", "lost")
    await simulator.until(lambda: simulator.gateway.identifies == 2 and simulator.connected)
    await simulator.post("Ada", "general", "heard")
    await simulator.until(lambda: bot.heard)
    assert bot.words == ["heard"]
    fetched = [message async for message in general(bot).history(after=discord.Object(int(lost) - 1))]
    assert [message.content for message in fetched] == ["lost", "heard"]


async def test_a_message_can_be_delivered_twice(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    simulator.faults.redeliver_share = 1.0
    await simulator.post("Ada", "general", "once")
    await simulator.until(lambda: len(bot.heard) == 2)
    assert bot.heard[0].id == bot.heard[1].id


async def test_the_client_obeys_the_buckets_headers_and_meets_no_429(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    simulator.faults.edits = Limit(2, 0.3)
    bot = await connect(Bot())
    message = await general(bot).send("0")
    for number in range(1, 6):
        await message.edit(content=str(number))
    (post,) = simulator.messages("general")
    instants = [at for at, _ in post.edited]
    assert post.content == "5"
    assert instants[-1] - instants[1] >= 0.55
    assert simulator.rate_limited == {}


async def test_a_429_tells_when_to_come_back_and_the_client_does(simulator: DiscordSimulator, connect: Connect) -> None:
    simulator.faults.sends = Limit(1, 0.3)
    bot = await connect(Bot())
    address = f"{simulator.api_url}/channels/{simulator.channel_id('general')}/messages"
    async with api(simulator) as session:
        async with session.post(address, json={"content": "mine"}) as answer:
            assert answer.headers["X-RateLimit-Remaining"] == "0"
        async with session.post(address, json={"content": "too soon"}) as answer:
            body = await answer.json()
    assert answer.status == 429
    assert answer.headers["Content-Type"] == "application/json"
    assert {"Via", "Retry-After", "X-RateLimit-Reset", "X-RateLimit-Bucket"} <= set(answer.headers)
    assert 0 < body["retry_after"] <= float(answer.headers["X-RateLimit-Reset-After"]) + 0.001
    assert body["global"] is False
    await general(bot).send("after the wait")
    assert [post.content for post in simulator.messages("general")] == ["mine", "after the wait"]
    assert sum(simulator.rate_limited.values()) == 2


async def test_the_global_limit_counts_all_but_interactions(simulator: DiscordSimulator) -> None:
    simulator.faults.everything = Limit(1, 60)
    async with api(simulator) as session:
        for status in (200, 429):
            async with session.get(f"{simulator.api_url}/users/@me") as answer:
                assert answer.status == status
        assert answer.headers["X-RateLimit-Global"] == "true"
        async with session.post(f"{simulator.api_url}/interactions/1/x/callback", json={"type": 5}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, 10062)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"content": "x" * 2001}, 50035),
        ({"content": "  \n "}, 50006),
        ({"content": "x", "nonce": "n" * 26}, 50035),
        ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]}, 50035),
        ({"embeds": [{"title": "x" * 257}]}, 50035),
        ({"content": "x", "components": [{"type": 1, "components": []}]}, 50035),
        ({"content": "x", "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "a"}]}]}, 50035),
        ({"content": "x", "message_reference": {"message_id": "1"}}, 50035),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 50035),
    ],
)
async def test_a_body_that_discord_would_not_take_is_refused(
    simulator: DiscordSimulator, body: dict[str, Any], code: int
) -> None:
    address = f"{simulator.api_url}/channels/{simulator.channel_id('general')}/messages"
    async with api(simulator) as session, session.post(address, json=body) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, code)
    assert simulator.messages("general") == []


async def test_2000_characters_pass_trimmed(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    await general(bot).send(" " + "x" * 1998 + "\n")
    assert simulator.messages("general")[0].content == "x" * 1998


async def test_a_nonce_seen_lately_gives_the_same_message(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    first = await general(bot).send("once", nonce="turn-1")
    again = await general(bot).send("once", nonce="turn-1")
    simulator.faults.nonce_life = 0.0
    later = await general(bot).send("once", nonce="turn-1")
    assert first.id == again.id != later.id


async def test_a_write_can_be_carried_out_and_answered_with_502(simulator: DiscordSimulator) -> None:
    simulator.faults.commit_then_502_share = 1.0
    address = f"{simulator.api_url}/channels/{simulator.channel_id('general')}/messages"
    async with api(simulator) as session, session.post(address, json={"content": "kept"}) as answer:
        assert answer.status == 502
    assert [post.content for post in simulator.messages("general")] == ["kept"]
    assert [(call.method, call.status) for call in simulator.calls] == [("POST", 502)]


async def test_pings_follow_the_allowed_mentions(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    ada = simulator.person_id("Ada")
    text = f"@everyone <@{ada}> `<@{ada}>`"
    await general(bot).send(text)
    await general(bot).send(text, allowed_mentions=discord.AllowedMentions.none())
    question = await simulator.post("Ada", "general", "?")
    await simulator.until(lambda: bot.heard)
    await bot.heard[0].reply("!", mention_author=False)
    loud, silent, _, reply = simulator.messages("general")
    assert loud.pings == (ada, "everyone")
    assert silent.pings == reply.pings == ()
    assert reply.reply_to == question


async def test_places_can_be_forbidden_gone_or_unknown(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    channel = general(bot)
    message = await channel.send("here")
    simulator.forbid("general")
    with pytest.raises(discord.Forbidden) as refused:
        await channel.send("not any more")
    assert refused.value.code == 50013
    await simulator.post("Ada", "random", "a sign")
    await simulator.until(lambda: bot.heard)
    assert not channel.permissions_for(channel.guild.me).send_messages
    simulator.faults.forbidden.clear()
    await message.delete()
    with pytest.raises(discord.NotFound) as refused_edit:
        await message.edit(content="there")
    assert refused_edit.value.code == 10008
    simulator.delete_channel("general")
    with pytest.raises(discord.NotFound) as refused_send:
        await channel.send("there")
    assert refused_send.value.code == 10003


async def test_an_unknown_route_is_404_and_recorded(simulator: DiscordSimulator) -> None:
    async with api(simulator) as session, session.get(f"{simulator.api_url}/nowhere") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, 0)
    assert [(call.path, call.status) for call in simulator.calls] == [("/nowhere", 404)]


async def test_attachments_want_their_signed_address(simulator: DiscordSimulator) -> None:
    await simulator.post("Ada", "general", "", files=[UploadedFile("a b.png", PNG, "image/png")])
    address = simulator.base_url + simulator.snapshot()["messages"][0]["files"][0]["url"]
    async with aiohttp.ClientSession() as session:
        async with session.get(address) as answer:
            assert (answer.headers["Content-Type"], await answer.read()) == ("image/png", PNG)
        async with session.get(address.partition("?")[0]) as answer:
            assert answer.status == 404
        simulator.faults.attachments_expired = True
        async with session.get(address) as answer:
            assert answer.status == 404


async def test_an_uncompressed_client_is_served_and_a_wrong_one_is_closed(simulator: DiscordSimulator) -> None:
    async with aiohttp.ClientSession() as session:
        for frame, code in (
            ({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}, 4004),
            ({"op": 2, "d": {"token": simulator.token, "intents": 1 << 40, "properties": {}}}, 4013),
            ({"op": 3, "d": {}}, 4003),
        ):
            async with session.ws_connect(f"{simulator.gateway_url}?v=10&encoding=json") as socket:
                hello = await socket.receive_json()
                assert hello["d"]["heartbeat_interval"] == 41250
                await socket.send_json({"op": 1, "d": None})
                assert (await socket.receive_json())["op"] == 11
                await socket.send_json(frame)
                await socket.receive()
                assert socket.close_code == code


async def test_an_unknown_session_or_a_sequence_it_never_had_cannot_be_resumed(
    simulator: DiscordSimulator, connect: Connect
) -> None:
    await connect(Bot())
    (known,) = simulator.gateway.sessions
    async with aiohttp.ClientSession() as session:
        for name, sequence in (("x", 1), (known, 1000)):
            async with session.ws_connect(simulator.gateway_url) as socket:
                await socket.receive_json()
                resume = {"token": simulator.token, "session_id": name, "seq": sequence}
                await socket.send_json({"op": 6, "d": resume})
                assert await socket.receive_json() == {"op": 9, "d": False}


async def test_an_option_is_completed(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())

    async def pick(interaction: discord.Interaction, model: str) -> None:
        await interaction.response.send_message(model)

    command: Any = app_commands.Command(name="pick", description="Pick", callback=pick)

    @command.autocomplete("model")
    async def models(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=current.upper(), value=current)]

    bot.tree.add_command(command)
    await bot.tree.sync()
    view = await simulator.autocomplete("Ada", "general", "pick", "model", "larg")
    await simulator.until(lambda: view.acknowledged)
    assert view.choices == [{"name": "LARG", "value": "larg"}]


async def test_an_unanswered_command_fails_in_time(simulator: DiscordSimulator, connect: Connect) -> None:
    simulator.faults.acknowledge_within = 0.05
    bot = await connect(Bot())
    late: list[int] = []

    async def slow(interaction: discord.Interaction) -> None:
        await asyncio.sleep(0.1)
        try:
            await interaction.response.defer()
        except discord.NotFound as error:
            late.append(error.code)

    bot.tree.add_command(app_commands.Command(name="slow", description="Slow", callback=slow))
    await bot.tree.sync()
    view = await simulator.command("Ada", "general", "slow")
    await simulator.until(lambda: view.failed and late)
    assert late == [10062]


async def test_commands_keep_their_ids_and_bad_ones_are_refused(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    await synced(bot)
    before = [(command["id"], command["version"]) for command in simulator.registered_commands]
    await bot.tree.sync()
    assert [(command["id"], command["version"]) for command in simulator.registered_commands] == before
    address = f"{simulator.api_url}/applications/{simulator.application_id}/commands"
    async with api(simulator) as session:
        for body in ({"name": "Ask", "description": "x"}, {"name": "ask", "description": "x" * 101}):
            async with session.post(address, json=body) as answer:
                assert (answer.status, (await answer.json())["code"]) == (400, 50035)


async def test_a_person_opens_a_thread_and_types(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    thread = await simulator.open_thread("Ada", "general", "mine")
    await simulator.type("Ada", thread)
    await simulator.post("Ada", thread, "here")
    await simulator.until(lambda: len(bot.heard) == 2)
    assert [message.type for message in bot.heard] == [discord.MessageType.thread_created, discord.MessageType.default]
    assert bot.heard[1].channel.id == int(thread)


async def test_the_bot_leaves_the_guild(simulator: DiscordSimulator, connect: Connect) -> None:
    bot = await connect(Bot())
    await bot.guilds[0].leave()
    await simulator.post("Ada", "general", "gone?")
    await simulator.post("Ada", "Ada", "still here in private")
    await simulator.until(lambda: bot.heard)
    assert bot.words == ["still here in private"]
    assert list(bot.guilds) == []


async def test_only_the_latest_messages_are_kept(simulator: DiscordSimulator) -> None:
    for number in range(MESSAGES_MAX + 3):
        await simulator.post("Ada", "general", str(number))
    kept = simulator.messages("general")
    assert (len(kept), kept[0].content) == (MESSAGES_MAX, "3")


async def test_a_page_that_lags_is_told_to_start_afresh(simulator: DiscordSimulator) -> None:
    with simulator.subscribe() as changes:
        for number in range(2_001):
            await simulator.post("Ada", "general", str(number))
        assert changes.get_nowait() == {"type": "resync"}
        assert changes.empty()


async def test_until_gives_up(simulator: DiscordSimulator) -> None:
    with pytest.raises(TimeoutError):
        await simulator.until(lambda: False, timeout=0.01)
