"""Announcements in Slack: a message with buttons, marked with its name so that it can be found again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bots.action_words import action_label
from bots.replies import sentence
from bots.slack import reports
from bots.slack.api import Json
from bots.slack.blocks import button, escaped
from bots.slack.workspace import SlackWorkspace
from bots.writer import RateLimited
from core.errors import PlaceForbidden, PlaceGone, PlatformUnavailable
from core.messages import Announcement, WorkspaceKey

MARK = "bise_announcement"  # the type of the metadata
_CLOCK_SKEW_SECONDS = 60.0
_PAGE, _PAGES_MAX = "200", 3
_PEOPLE, _PEOPLE_PAGES_MAX = "1000", 5


class Announcements:
    """In all workspaces of this process, by team. Raises PlatformError."""

    def __init__(self, workspaces: Mapping[str, SlackWorkspace]) -> None:
        self._workspaces = workspaces

    async def announce(self, to: str, announcement: Announcement) -> str:
        """Posts it in the channel or to the person `to`, in the workspace that knows them."""
        gone: PlaceGone | None = None
        for workspace in self._connected():
            try:
                posted = await _posted(workspace, to, announcement)
            except PlaceGone as error:  # it may be another workspace's
                gone = error
            else:
                return f"{posted['channel']}:{posted['ts']}"
        raise gone or PlaceGone("no workspace knows it", code="channel_not_found")

    async def find(self, to: str, announcement: Announcement, since: datetime, *, privately: bool) -> str | None:
        """Its post. Raises PlaceForbidden where what was said since then cannot be read."""
        oldest = f"{since.timestamp() - _CLOCK_SKEW_SECONDS:.6f}"
        unreadable: PlaceForbidden | None = None
        for workspace in self._connected():
            try:
                channel = await _direct(workspace, to) if privately else to
                found = await _marked(workspace, channel, oldest, announcement.name)
            except PlaceGone:  # another workspace's
                continue
            except PlaceForbidden as error:
                unreadable = error
                continue
            if found is not None:
                return found
        if unreadable is not None:
            raise unreadable
        return None

    async def admins_of(self, workspace: WorkspaceKey) -> tuple[str, ...]:
        """Its primary owner, owners and admins, in this order."""
        known = self._workspaces.get(workspace.id)
        if known is None:
            raise PlatformUnavailable(f"{workspace} is not connected", code="not_installed")
        found: list[tuple[int, str]] = []
        cursor = ""
        for _ in range(_PEOPLE_PAGES_MAX):
            page = await _read(known, "users.list", {"limit": _PEOPLE, **({"cursor": cursor} if cursor else {})})
            for person in page.get("members") or []:
                rank = _rank(person)
                if rank is not None:
                    found.append((rank, str(person["id"])))
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return tuple(person for _, person in sorted(found, key=lambda ranked: ranked[0]))

    def _connected(self) -> tuple[SlackWorkspace, ...]:
        if not self._workspaces:
            raise PlatformUnavailable("slack is not connected", code="not_installed")
        return tuple(self._workspaces.values())


async def _posted(workspace: SlackWorkspace, to: str, announcement: Announcement) -> Json:
    mark: Json = {"event_type": MARK, "event_payload": {"name": announcement.name}}
    message: Json = {"channel": to, "metadata": mark, "unfurl_links": False}
    if announcement.report is not None:
        return await reports.post(workspace, message, announcement.report, announcement.actions, announcement.picture)
    words = escaped(sentence(announcement.notice, platform="slack"))
    rows = [
        {"type": "actions", "elements": [button(action_label(action.kind), action.control)]}
        for action in announcement.actions
    ]
    said: Json = {"text": words, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": words}}, *rows]}
    return await _call(workspace, "chat.postMessage", message | said)


def _rank(person: Json) -> int | None:
    """How much somebody is in charge; None: not at all, or no longer."""
    if person.get("deleted") or person.get("is_bot"):
        return None
    flags = ("is_primary_owner", "is_owner", "is_admin")
    return next((rank for rank, flag in enumerate(flags) if person.get(flag)), None)


async def _direct(workspace: SlackWorkspace, person: str) -> str:
    """The channel of direct messages with somebody."""
    opened = await _call(workspace, "conversations.open", {"users": person})
    return str(opened["channel"]["id"])


async def _marked(workspace: SlackWorkspace, channel: str, oldest: str, name: str) -> str | None:
    where = {"channel": channel, "oldest": oldest, "limit": _PAGE, "include_all_metadata": "true"}
    cursor = ""
    for _ in range(_PAGES_MAX):
        page = await _read(workspace, "conversations.history", {**where, **({"cursor": cursor} if cursor else {})})
        for message in page.get("messages") or []:
            if message.get("user") == workspace.bot.user and _name(message) == name:
                return f"{channel}:{message['ts']}"
        cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            break
    return None


def _name(message: Json) -> str | None:
    metadata: Json = message.get("metadata") or {}
    payload: Json = metadata.get("event_payload") or {}
    return str(payload.get("name")) if metadata.get("event_type") == MARK else None


async def _call(workspace: SlackWorkspace, method: str, arguments: Json) -> Json:
    try:
        return await workspace.api.call(method, arguments)
    except RateLimited as limited:
        raise PlatformUnavailable(f"{method}: Slack asks to wait", code="ratelimited") from limited


async def _read(workspace: SlackWorkspace, method: str, arguments: dict[str, str]) -> Json:
    try:
        return await workspace.api.read(method, arguments)
    except RateLimited as limited:
        raise PlatformUnavailable(f"{method}: Slack asks to wait", code="ratelimited") from limited
