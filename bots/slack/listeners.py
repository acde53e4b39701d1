"""What bolt calls: each listener translates, hands over to the core, and is done within a second.

With `process_before_response` nothing is acknowledged before its listener ends. A listener of events may raise:
then Slack brings the event again. Commands and buttons come once, so those always get an answer.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import cast

import aiohttp
import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bots.money_desk import MoneyDesk
from bots.replies import LATE, sentence
from bots.slack import forms, inbound, reports
from bots.slack.api import LIBRARY_LOG, Json, is_loopback
from bots.slack.blocks import escaped, foot_blocks, without_buttons
from bots.slack.catch_up import Accept, microseconds
from bots.slack.commands import Commands
from bots.slack.lines import Lines
from bots.slack.manifest import COMMAND, CONTROL_ACTION, COST_SHORTCUT
from bots.slack.ports import Core
from bots.slack.posts import Foot
from bots.slack.report_blocks import PRESSED
from bots.slack.workspace import SlackWorkspace
from core.errors import BiseError, PlatformUnavailable
from core.messages import Notice, Press
from core.settings import Settings
from core.turns.catching_up import CatchingUp

ANSWER_SECONDS = 2.4  # Slack tells the person "operation_timeout" after three
STORED_SECONDS = 2.5  # the acknowledgement of an event must leave within three, too
CLOSE_SECONDS = 2.0

FindWorkspace = Callable[[str | None, str | None], SlackWorkspace | None]

log = structlog.get_logger()


class Listeners:
    """`find` gives the workspace of a team's and an enterprise's id; None: the bot is not installed there.

    `missed`: where it is noted what was heard.
    """

    def __init__(
        self,
        core: Core,
        find: FindWorkspace,
        admins: frozenset[str],
        settings: Settings,
        missed: CatchingUp | None = None,
    ) -> None:
        self._core = core
        self._missed = missed
        self._find = find
        self._admins = admins
        self._guests_welcome = settings.allow_external
        self._commands = Commands(core, admins, settings)
        self._money = MoneyDesk(core, "slack")
        self._late: set[asyncio.Task[None]] = set()
        self._lines = Lines()

    def bolt(self, client: AsyncWebClient, signing_secret: str) -> AsyncApp:
        """A bolt app with a listener for whatever can come. `client` holds no token."""
        app = AsyncApp(
            name="bise",
            client=client,
            signing_secret=signing_secret,
            authorize=self._authorization(),
            process_before_response=True,
            raise_error_for_unhandled_request=True,
            logger=LIBRARY_LOG,
        )
        app.event(re.compile(".+"))(self.on_event)
        app.command(COMMAND)(self.on_command)
        app.action(CONTROL_ACTION)(self.on_press)
        app.action(PRESSED)(self.on_press)
        app.view(forms.FORM)(self.on_form)
        app.shortcut({"type": "message_action", "callback_id": COST_SHORTCUT})(self.on_cost)
        app.error(self.on_error)
        return app

    def _authorization(self) -> Callable[..., Awaitable[AuthorizeResult]]:
        """From what is known already: `auth.test` is asked once at the start, not once an event."""

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult | None:
            workspace = self._find(team_id, enterprise_id)
            if workspace is None:
                log.warning("slack.foreign_workspace", team=team_id)
                return None
            bot = workspace.bot
            return AuthorizeResult(
                enterprise_id=bot.enterprise, team_id=bot.team, bot_user_id=bot.user, bot_id=bot.bot_id
            )

        return cast("Callable[..., Awaitable[AuthorizeResult]]", authorize)  # to bolt, None is a refusal

    async def on_event(self, body: Json, context: AsyncBoltContext) -> None:
        """Stores a message that is for the bot or in its hearing.

        Raises StoreUnavailable, and PlatformUnavailable where guests are not answered and nobody knows yet whether
        the author is one: then no ack is sent, and Slack brings it again.
        """
        until = time.monotonic() + STORED_SECONDS
        workspace = self._workspace(context)
        event: Json = body.get("event") or {}
        bot = workspace.bot
        if not inbound.is_for_bot(event, bot):
            return
        if self._missed is None:
            await self._take_in_turn(event, workspace, self._core.accept, until)
            return
        place, number = (bot.workspace, str(event["channel"])), microseconds(str(event["ts"]))
        self._missed.began(place, number)
        try:
            if event.get("thread_ts") or inbound.is_direct(event):  # else it begins a conversation, behind nothing
                await self._missed.wait_for(place)
            await self._take_in_turn(event, workspace, self._core.accept, until)
        except BiseError:
            self._missed.missing()  # Slack brings it again only a few times
            raise
        self._missed.marks.ended(place, number)

    async def take_missed(self, event: Json, workspace: SlackWorkspace, accept: Accept) -> None:
        """Stores a message that was read back from Slack, by `accept`, if it concerns the bot. Raises as `on_event`."""
        await self._take_in_turn(event, workspace, accept)

    async def on_command(self, ack: AsyncAck, body: Json, context: AsyncBoltContext) -> None:
        workspace = self._workspace(context)
        words = await self._in_time(workspace, body, self._commands.run(workspace, body), "slack.command_failed")
        await (ack(text=words, response_type="ephemeral") if words else ack())

    async def on_press(self, ack: AsyncAck, body: Json, context: AsyncBoltContext) -> None:
        workspace = self._workspace(context)
        words = await self._in_time(workspace, body, self._press(workspace, body), "slack.press_failed")
        if words:
            await self._tell(workspace, body, words)
        await ack()

    async def on_cost(self, ack: AsyncAck, body: Json, context: AsyncBoltContext) -> None:
        """The message menu "What did this cost?"."""
        workspace = self._workspace(context)
        post = f"{(body.get('channel') or {}).get('id')}:{body.get('message_ts')}"
        cost = self._money.cost_of_post(workspace.bot.workspace, post)
        await self._tell(workspace, body, await self._in_time(workspace, body, cost, "slack.shortcut_failed"))
        await ack()

    async def on_form(self, ack: AsyncAck, body: Json, context: AsyncBoltContext) -> None:
        """What somebody typed into a form is told there, also what is wrong with it."""
        workspace = self._workspace(context)
        told: Json = body.get("user") or {}
        user, team, done = str(told.get("id") or ""), str(told.get("team_id") or ""), False

        async def said() -> str:
            nonlocal done
            known = await workspace.people.profiles([user])
            who = inbound.person(user, team, workspace.bot, known, self._admins)
            pressed = await self._core.press(forms.submitted(body, workspace.bot.workspace, who))
            done = pressed.done
            return sentence(pressed.notice, platform="slack") if pressed.notice else ""

        words = await self._in_time(workspace, body, said(), "slack.form_failed")
        await ack(**forms.answer(words, done=done or words == LATE))

    async def close(self) -> None:
        """Lets what is late come to its end for a while, then ends it."""
        if self._late:
            _, lost = await asyncio.wait(set(self._late), timeout=CLOSE_SECONDS)
            for task in lost:
                task.cancel()
            await asyncio.gather(*lost, return_exceptions=True)

    async def on_error(self, error: Exception, body: Json) -> BoltResponse | None:
        """An event that nobody wants is acknowledged; one that could not be stored is not."""
        if isinstance(error, BoltUnhandledRequestError):
            log.info("slack.unhandled", type=body.get("type"), event_type=(body.get("event") or {}).get("type"))
            return BoltResponse(status=200, body="")
        log.warning(
            "slack.not_acknowledged",
            event_id=body.get("event_id"),
            reason=getattr(error, "reason", type(error).__name__),
            exc_info=not isinstance(error, BiseError),
        )
        return None

    async def _take_in_turn(
        self, event: Json, workspace: SlackWorkspace, accept: Accept, until: float | None = None
    ) -> None:
        # What follows a mention may come while that is still being stored: one at a time in each thread.
        # Direct messages are one conversation although each begins a thread of its own.
        place = str(event["channel"]) if inbound.is_direct(event) else inbound.root_of(event)
        take = partial(self._take, event, workspace, accept, until)
        await self._lines.take(f"{workspace.bot.team}:{place}", microseconds(str(event["ts"])), take, until)

    async def _take(self, event: Json, workspace: SlackWorkspace, accept: Accept, until: float | None) -> None:
        bot = workspace.bot
        if not (inbound.is_direct(event) or inbound.is_mentioned(event, bot) or await self._is_heard(event, workspace)):
            return
        patience = STORED_SECONDS if until is None else until - time.monotonic()
        if not self._guests_welcome and not await workspace.people.is_settled(str(event["user"]), patience):
            raise PlatformUnavailable("users.info: no answer about the author yet", code="author_unknown")
        known = await workspace.people.profiles(inbound.people_in(event, bot))
        message = inbound.to_message({"event": event}, bot, known, self._admins)
        if message is not None:
            accepted = await accept(message)
            if accepted.turn is not None:
                workspace.signs.promise(accepted.turn, message.channel, message.address["thread_ts"])
            log.debug("slack.message", source=message.source_id, outcome=accepted.outcome)

    async def _is_heard(self, event: Json, workspace: SlackWorkspace) -> bool:
        # Most of what is said in a channel is none of our business: it costs one look at most, and leaves no trace.
        if not event.get("thread_ts"):
            return False
        return await self._core.knows(workspace.bot.workspace, str(event["channel"]), inbound.root_of(event))

    async def _press(self, workspace: SlackWorkspace, body: Json) -> str:
        user = str((body.get("user") or {}).get("id") or "")
        known = await workspace.people.profiles([user] if user else [])
        press = inbound.to_press(body, workspace.bot, known, self._admins)
        if press is None:
            return sentence(Notice("control_gone"), platform="slack")
        if self._missed is not None and self._missed.owns(press.control):
            return await self._answer_now(self._missed, workspace, body, press)
        where: Json = body.get("container") or {}
        hidden = bool(where.get("is_ephemeral"))
        if hidden:  # an answer for one person's eyes: its own address may be spent, this press's is good
            press = replace(press, address={"response_url": str(body.get("response_url") or "")})
        pressed = await self._core.press(press)
        if pressed.turn is not None and not hidden:
            if thread := where.get("thread_ts"):
                workspace.signs.promise(pressed.turn, str(where.get("channel_id")), str(thread))
            await self._take_button_away(workspace, body)
        if pressed.asks is not None:
            await forms.ask(workspace, str(body.get("trigger_id") or ""), pressed.asks)
            return ""
        if pressed.given is not None:
            await reports.give_file(workspace, user, pressed.given.name, pressed.given.data)
            return sentence(Notice("report_table_sent", {"name": pressed.given.name}), platform="slack")
        if pressed.shown is not None:
            said = sentence(pressed.shown, platform="slack")
            return "" if await self._take_button_away(workspace, body, said) else said
        return sentence(pressed.notice, platform="slack") if pressed.notice else ""

    async def _answer_now(self, missed: CatchingUp, workspace: SlackWorkspace, body: Json, press: Press) -> str:
        pressed = await missed.press(press)
        if pressed.done:
            await self._take_button_away(workspace, body)
        return sentence(pressed.notice, platform="slack") if pressed.notice else ""

    async def _in_time(self, workspace: SlackWorkspace, body: Json, work: Awaitable[str], action: str) -> str:
        """The words that `work` gives, while Slack still waits for them.

        Work that is late is never cut off: it may be in the middle of a commit. Its words then follow by themselves.
        """
        task = asyncio.create_task(self._answered(work, action))
        done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        if done:
            return task.result()
        log.warning("slack.answer_late", action=action)
        late = asyncio.create_task(self._follow_up(workspace, body, task))
        self._late.add(late)
        late.add_done_callback(self._late.discard)
        return LATE

    async def _follow_up(self, workspace: SlackWorkspace, body: Json, task: asyncio.Task[str]) -> None:
        if words := await task:
            await self._tell(workspace, body, words)

    async def _answered(self, work: Awaitable[str], action: str) -> str:
        """The words that `work` gives, or those for why there are none."""
        try:
            return await work
        except BiseError as error:
            log.warning(action, reason=error.reason)
            return sentence(Notice(error.reason), platform="slack")
        except Exception:
            log.exception(action)  # a person waits for an answer, and nobody sends the command again
            return sentence(Notice("unexpected"), platform="slack")

    async def _take_button_away(self, workspace: SlackWorkspace, body: Json, instead: str = "") -> bool:
        """Shows the message of a press without its buttons, if that takes no more than the blocks that came with it.

        `instead`: what it says in their place. False: that takes more.
        """
        message: Json = body.get("message") or {}
        left, text = without_buttons(message), str(message.get("text") or "")
        if all(block.get("type") == "context" for block in left):  # its words are not in its blocks
            return False
        if instead:
            left, text = [*left, *foot_blocks(Foot((instead,)))], f"{text}\n{escaped(instead)}"
        await self._respond(workspace, body, {"replace_original": True, "text": text, "blocks": left})
        return True

    async def _tell(self, workspace: SlackWorkspace, body: Json, words: str) -> None:
        message = {"response_type": "ephemeral", "replace_original": False, "text": escaped(words)}
        await self._respond(workspace, body, message)

    async def _respond(self, workspace: SlackWorkspace, body: Json, message: Json) -> None:
        response_url = str(body.get("response_url") or "")
        client = AsyncWebhookClient(
            response_url, session=workspace.session, retry_handlers=[], logger=LIBRARY_LOG, timeout=2
        )
        if is_loopback(response_url):
            client.proxy = None
        try:
            async with asyncio.timeout(0.5):
                await client.send_dict(message)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            log.info("slack.response_failed", error=type(error).__name__)

    def _workspace(self, context: AsyncBoltContext) -> SlackWorkspace:
        workspace = self._find(context.team_id, context.enterprise_id)
        if workspace is None:
            raise PlatformUnavailable("the bot is not installed there", code="not_installed")
        return workspace
