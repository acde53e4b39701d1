"""Web API: who and where; what was said; files; opening a socket."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from bots.playground.slack import wire
from bots.playground.slack.arguments import ApiError, Arguments
from bots.playground.slack.places import Places
from bots.playground.slack.posts import SlackPost
from bots.playground.slack.records import Json
from bots.playground.slack.sockets import Sockets
from bots.playground.slack.web_api import Method
from bots.playground.slack.workspace import Workspace
from bots.playground.slack.world import HISTORY_SCOPES, Channel

PAGE_MAX = 999


class LookupMethods:
    def __init__(self, workspace: Workspace, sockets: Sockets) -> None:
        self._workspace = workspace
        self._world = workspace.world
        self._sockets = sockets
        self._places = Places(workspace)

    def table(self) -> dict[str, Method]:
        return {
            "apps.connections.open": Method(self.open_connection, caller="app"),
            "auth.test": Method(self.test_auth, caller="either"),
            "bots.info": Method(self.bot, "users:read"),
            "conversations.history": Method(self.history),
            "conversations.info": Method(self.channel, "channels:read"),
            "conversations.open": Method(self.open_direct, "im:write"),
            "conversations.replies": Method(self.replies),
            "files.info": Method(self.file, "files:read"),
            "team.info": Method(self.team, "team:read"),
            "users.info": Method(self.person, "users:read"),
            "users.list": Method(self.everybody, "users:read"),
        }

    async def open_connection(self, _given: Arguments) -> Json:
        return {"url": self._sockets.issue_url()}

    async def test_auth(self, given: Arguments) -> Json:
        if given.text("token") == self._world.app_token:
            return {"app_name": self._world.bot_name, "app_id": self._world.app_id}
        return {
            "url": self._world.address + "/",
            "team": self._world.team_name,
            "user": self._world.bot_name.lower(),
            "team_id": self._world.team_id,
            "user_id": self._world.bot_user_id,
            "bot_id": self._world.bot_id,
            "is_enterprise_install": False,
        }

    async def bot(self, given: Arguments) -> Json:
        bot_id = given.text("bot") or self._world.bot_id
        if bot_id != self._world.bot_id and bot_id not in self._world.bots:
            raise ApiError("bot_not_found")
        return {"bot": wire.bot(bot_id, self._world)}

    async def team(self, _given: Arguments) -> Json:
        world = self._world
        return {"team": {"id": world.team_id, "name": world.team_name, "domain": world.team_domain, "icon": {}}}

    async def person(self, given: Arguments) -> Json:
        who = self._world.people.get(given.required("user"))
        if who is None:
            raise ApiError("user_not_found")
        return {"user": wire.person(who, self._world)}

    async def everybody(self, given: Arguments) -> Json:
        """The people of the workspace, a page at a time."""
        people = list(self._world.people.values())
        start = _offset(given.text("cursor"))
        end = start + min(given.number("limit", PAGE_MAX), PAGE_MAX + 1)
        members = [wire.person(who, self._world) for who in people[start:end]]
        return {"members": members, "response_metadata": {"next_cursor": _cursor(end) if end < len(people) else ""}}

    async def open_direct(self, given: Arguments) -> Json:
        """The DM with one person, which is there already."""
        person = given.required("users")
        if person not in self._world.people:
            raise ApiError("user_not_found")
        return {"channel": {"id": self._places.visible(person).id}, "no_op": True, "already_open": True}

    async def channel(self, given: Arguments) -> Json:
        place = self._places.visible(given.required("channel"))
        archived = place.id in self._workspace.faults.archived
        member = self._places.is_member(place)
        return {"channel": wire.channel(place, self._world, member=member, archived=archived)}

    async def history(self, given: Arguments) -> Json:
        """Top-level messages, newest first."""
        place = self._readable(given)
        posts = [post for post in self._workspace.posts() if post.channel == place.id and post.only_for is None]
        roots = [post for post in posts if post.thread_ts is None]
        return self._page(given, place, list(reversed(roots)))

    async def replies(self, given: Arguments) -> Json:
        """The thread's root, then its replies, oldest first."""
        place = self._readable(given)
        thread = self._workspace.thread(place.id, given.required("ts"))
        if not thread:
            raise ApiError("thread_not_found")
        return self._page(given, place, thread)

    async def file(self, given: Arguments) -> Json:
        stored = self._workspace.file(given.required("file"))
        if stored is None:
            raise ApiError("file_not_found")
        return {"file": wire.file(stored, self._world)}

    def _readable(self, given: Arguments) -> Channel:
        place = self._places.visible(given.required("channel"))
        scope = HISTORY_SCOPES[place.kind]
        if scope not in self._world.granted_scopes:
            raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(self._world.granted_scopes)))
        if not self._places.is_member(place):
            raise ApiError("not_in_channel")
        return place

    def _page(self, given: Arguments, place: Channel, posts: Sequence[SlackPost]) -> Json:
        oldest, latest = given.text("oldest"), given.text("latest")
        inclusive = given.flag("inclusive")
        chosen = [
            post
            for post in posts
            if (oldest is None or _after(post.ts, oldest, inclusive))
            and (latest is None or _after(latest, post.ts, inclusive))
        ]
        start = _offset(given.text("cursor"))
        end = start + min(given.number("limit", 100), PAGE_MAX)
        metadata = given.flag("include_all_metadata")
        messages = [self._message(place, post, metadata=metadata) for post in chosen[start:end]]
        if end >= len(chosen):
            return {"messages": messages, "has_more": False}
        return {"messages": messages, "has_more": True, "response_metadata": {"next_cursor": _cursor(end)}}

    def _message(self, place: Channel, post: SlackPost, *, metadata: bool) -> Json:
        body = wire.message(post, self._world)
        if metadata and post.metadata is not None:
            body["metadata"] = dict(post.metadata)
        replies = [] if post.thread_ts else self._workspace.thread(place.id, post.ts)[1:]
        if replies:
            body |= {"thread_ts": post.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
        return body


def _after(later: str, earlier: str, inclusive: bool) -> bool:
    try:
        gap = float(later) - float(earlier)
    except ValueError:
        raise ApiError("invalid_ts_oldest") from None
    return gap > 0 or (inclusive and gap == 0)


def _cursor(end: int) -> str:
    return base64.b64encode(f"next:{end}".encode()).decode()


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("next:"))
    except ValueError:
        raise ApiError("invalid_cursor") from None
