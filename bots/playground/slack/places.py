"""Finds the channel and the thread that a Web API call names."""

from __future__ import annotations

from bots.playground.slack.arguments import ApiError
from bots.playground.slack.workspace import Workspace
from bots.playground.slack.world import Channel


class Places:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._world = workspace.world

    def visible(self, name: str) -> Channel:
        """The channel of that id or #name, or the DM of that person. Raises ApiError `channel_not_found`."""
        if name.startswith(("U", "W")) and name in self._world.people:
            name = f"D{name[1:]}"
        by_name = (place for place in self._world.channels.values() if f"#{place.name}" == name)
        place = self._world.channels.get(name) or next(by_name, None)
        if place is None or (place.kind != "channel" and not self.is_member(place)):
            raise ApiError("channel_not_found")
        return place

    def writable(self, name: str) -> Channel:
        """A channel the bot may write in. Raises ApiError `not_in_channel` or `is_archived` too."""
        place = self.visible(name)
        if place.id in self._workspace.faults.archived:
            raise ApiError("is_archived")
        if not self.is_member(place):
            raise ApiError("not_in_channel")
        return place

    def is_member(self, place: Channel) -> bool:
        faults = self._workspace.faults
        return self._world.bot_user_id in place.members and place.id not in faults.not_in_channels

    def root(self, place: Channel, thread_ts: str | None) -> str | None:
        """The thread's root, also when one of its replies was named. Raises ApiError `thread_not_found`."""
        if thread_ts is None:
            return None
        post = self._workspace.find(place.id, thread_ts)
        if post is not None:
            return post.thread_ts or post.ts
        if not self._workspace.thread(place.id, thread_ts):
            raise ApiError("thread_not_found")
        return thread_ts
