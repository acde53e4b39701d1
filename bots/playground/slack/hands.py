"""What a person does: write, edit, delete, react, give a slash command, press a button."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import uuid4

from bots.playground.slack import wire
from bots.playground.slack.arguments import ApiError
from bots.playground.slack.blocks import Button
from bots.playground.slack.delivery import Postman, Unacknowledged
from bots.playground.slack.events import Events
from bots.playground.slack.posts import SlackPost, UploadedFile, Via
from bots.playground.slack.records import CommandOutcome, Json
from bots.playground.slack.response_urls import ResponseUrls
from bots.playground.slack.workspace import Workspace
from bots.playground.slack.world import Channel, Person

_NAMED = re.compile(r"[@#][\w-]+")


class Hands:
    """Raises LookupError for people, channels, messages and buttons that are not there, or not theirs."""

    def __init__(self, workspace: Workspace, events: Events, postman: Postman, urls: ResponseUrls) -> None:
        self._workspace = workspace
        self._world = workspace.world
        self._events = events
        self._postman = postman
        self._urls = urls

    async def post(
        self, user: str, channel: str, text: str, *, thread_ts: str | None, files: Sequence[UploadedFile]
    ) -> str:
        place = self._enter(user, channel)
        root = self._find(channel, thread_ts) if thread_ts else None
        post = self._workspace.add(
            place.id,
            user,
            wire.escape(text),
            thread_ts=(root.thread_ts or root.ts) if root else None,
            files=tuple(self._workspace.store_file(user, upload) for upload in files),
            client_msg_id=str(uuid4()),
        )
        await self._events.posted(post)
        return post.ts

    async def post_as_bot(self, channel: str, text: str, *, bot_id: str, name: str, thread_ts: str | None) -> str:
        """Another app's bot writes."""
        if channel not in self._world.channels:
            raise LookupError(f"no such channel: {channel}")
        bot = self._world.bots.setdefault(bot_id, Person(f"U{bot_id[1:]}BOT", name, self._world.team_id, bot=True))
        post = self._workspace.add(channel, bot.id, wire.escape(text), thread_ts=thread_ts, bot_id=bot_id)
        await self._events.posted(post)
        return post.ts

    async def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        post = self._own(user, channel, ts)
        changed = self._workspace.change(post, text=wire.escape(text), edited=self._workspace.new_ts())
        await self._events.edited(changed, post)

    async def unfurl(self, channel: str, ts: str) -> None:
        """Slack adds the preview of a link: `message_changed`, and not a word is different."""
        post = self._find(channel, ts)
        await self._events.edited(post, post)

    async def delete(self, user: str, channel: str, ts: str) -> None:
        post = self._own(user, channel, ts)
        self._workspace.remove(post)
        await self._events.deleted(post)

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        self._enter(user, channel)
        await self._events.reacted(user, name, self._find(channel, ts))

    async def command(self, user: str, channel: str, command: str, text: str) -> CommandOutcome:
        place = self._enter(user, channel)
        url = self._urls.issue(user, channel, via=Via(user, command))
        address, trigger_id = self._urls.address(url), self._world.new_id("trigger-")
        payload = self._command_payload(self._world.people[user], place, command, text) | {
            "response_url": address,
            "trigger_id": trigger_id,
        }
        try:
            body = await self._postman.deliver_command(payload)
        except Unacknowledged:
            words = f'{command} failed with the error "operation_timeout"'
            self._workspace.add(channel, "USLACKBOT", words, only_for=user, via=url.via)
            return CommandOutcome(False, None, address, trigger_id)
        if body and (body.get("text") or body.get("blocks")):
            try:
                await self._urls.respond(url, body)
            except ApiError as refusal:
                words = f'{command} failed with the error "{refusal.error}"'
                self._workspace.add(channel, "USLACKBOT", words, only_for=user, via=url.via)
        return CommandOutcome(True, body, address, trigger_id)

    async def press(self, user: str, channel: str, ts: str, action_id: str, *, value: str | None) -> None:
        place = self._enter(user, channel)
        hidden = self._workspace.find_ephemeral(channel, ts)
        post = hidden if hidden is not None and hidden.only_for == user else self._find(channel, ts)
        button = post.button(action_id, value)
        url = self._urls.issue(user, channel, original=post, via=post.via)
        payload = self._press_payload(self._world.people[user], place, post, button)
        self._workspace.triggers[str(payload["trigger_id"])] = user
        await self._postman.deliver_interaction(payload | {"response_url": self._urls.address(url)})

    async def submit(self, user: str, typed: str) -> Json | None:
        """Sends the form that somebody has open; it stays open where the app finds something wrong."""
        view, person = self._workspace.forms.get(user), self._world.people[user]
        if view is None:
            raise LookupError(f"{user} has no form open")
        block = next(one for one in view["blocks"] if one["type"] == "input")
        values = {block["block_id"]: {block["element"]["action_id"]: {"type": "plain_text_input", "value": typed}}}
        payload: Json = {
            "type": "view_submission",
            "token": "deprecated",
            "team": {"id": self._world.team_id, "domain": self._world.team_domain},
            "user": {"id": person.id, "name": person.name.lower(), "team_id": person.team},
            "api_app_id": self._world.app_id,
            "trigger_id": self._world.new_id("trigger-"),
            "view": view | {"state": {"values": values}},
            "response_urls": [],
            "is_enterprise_install": False,
            "enterprise": None,
        }
        answer = await self._postman.deliver_form(payload)
        if (answer or {}).get("response_action") != "errors":
            del self._workspace.forms[user]
        return answer

    async def shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> None:
        """An entry of a message's menu."""
        if callback_id not in self._world.shortcuts:
            raise LookupError(f"no such shortcut: {callback_id}")
        place = self._enter(user, channel)
        post, person = self._find(channel, ts), self._world.people[user]
        url = self._urls.issue(user, channel)
        payload: Json = {
            "type": "message_action",
            "callback_id": callback_id,
            "token": "deprecated",
            "action_ts": self._workspace.new_ts(),
            "message_ts": post.ts,
            "message": wire.message(post, self._world),
            "channel": {"id": place.id, "name": "directmessage" if place.kind == "dm" else place.name},
            "user": {"id": person.id, "name": person.name.lower(), "team_id": person.team},
            "team": {"id": self._world.team_id, "domain": self._world.team_domain},
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": self._world.new_id("trigger-"),
            "response_url": self._urls.address(url),
        }
        await self._postman.deliver_interaction(payload)

    def _enter(self, user: str, channel: str) -> Channel:
        if user not in self._world.people:
            raise LookupError(f"no such person: {user}")
        place = self._world.channels.get(channel)
        if place is None or (place.kind != "channel" and user not in place.members):
            raise LookupError(f"no such channel: {channel}")
        place.members.add(user)
        return place

    def _find(self, channel: str, ts: str) -> SlackPost:
        post = self._workspace.find(channel, ts)
        if post is None:
            raise LookupError(f"no such message: {ts}")
        return post

    def _own(self, user: str, channel: str, ts: str) -> SlackPost:
        post = self._find(channel, ts)
        if post.user != user:
            raise LookupError(f"message {ts} is not by {user}")
        return post

    def _command_payload(self, person: Person, place: Channel, command: str, text: str) -> Json:
        return {
            "token": "deprecated",
            "team_id": self._world.team_id,
            "team_domain": self._world.team_domain,
            "channel_id": place.id,
            "channel_name": "directmessage" if place.kind == "dm" else place.name,
            "user_id": person.id,
            "user_name": person.name.lower(),
            "command": command,
            "text": self._linked(wire.escape(text)),
            "api_app_id": self._world.app_id,
            "is_enterprise_install": "false",
        }

    def _linked(self, text: str) -> str:
        """The people and channels that a command names, as Slack writes them where an app wants that."""
        by_name = {f"@{one.name.lower()}": f"<@{one.id}|{one.name.lower()}>" for one in self._world.people.values()}
        places = (place for place in self._world.channels.values() if place.kind != "dm")
        by_name |= {f"#{place.name}": f"<#{place.id}|{place.name}>" for place in places}
        return _NAMED.sub(lambda found: by_name.get(found[0].lower(), found[0]), text)

    def _press_payload(self, person: Person, place: Channel, post: SlackPost, button: Button) -> Json:
        names = ("type", "action_id", "value", "style", "text")
        action = {name: button.element[name] for name in names if name in button.element}
        action |= {"block_id": button.block_id, "action_ts": self._workspace.new_ts()}
        if button.value is not None:
            action["value"] = button.value
        ephemeral = post.only_for is not None
        container = {
            "type": "message",
            "message_ts": post.ts,
            "channel_id": place.id,
            "is_ephemeral": ephemeral,
            **({"thread_ts": post.thread_ts} if post.thread_ts else {}),
        }
        payload: Json = {
            "type": "block_actions",
            "user": {
                "id": person.id,
                "username": person.name.lower(),
                "name": person.name.lower(),
                "team_id": person.team,
            },
            "api_app_id": self._world.app_id,
            "token": "deprecated",
            "container": container,
            "trigger_id": self._world.new_id("trigger-"),
            "team": {"id": self._world.team_id, "domain": self._world.team_domain},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": place.id, "name": "directmessage" if place.kind == "dm" else place.name},
            "actions": [action],
            "state": {"values": {}},
        }
        return payload if ephemeral else payload | {"message": wire.message(post, self._world)}
