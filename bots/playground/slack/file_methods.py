"""Web API: files that the app uploads, and the forms that it opens."""

from __future__ import annotations

import json
from mimetypes import guess_type

from aiohttp import web

from bots.playground.slack.arguments import ApiError, Arguments
from bots.playground.slack.events import Events
from bots.playground.slack.places import Places
from bots.playground.slack.posts import UploadedFile
from bots.playground.slack.records import Json
from bots.playground.slack.web_api import Method
from bots.playground.slack.workspace import Workspace


class FileMethods:
    """`pending`: files that were announced, by the id of their address, with their bytes once those came."""

    def __init__(self, workspace: Workspace, events: Events) -> None:
        self._workspace = workspace
        self._world = workspace.world
        self._events = events
        self._places = Places(workspace)
        self._pending: dict[str, tuple[str, int, bytes | None]] = {}

    def table(self) -> dict[str, Method]:
        return {
            "files.getUploadURLExternal": Method(self.announce, "files:write"),
            "files.completeUploadExternal": Method(self.complete, "files:write", writes=True),
            "views.open": Method(self.open_form),
        }

    async def announce(self, given: Arguments) -> Json:
        length = given.number("length", 0)
        if length < 1:
            raise ApiError("invalid_arguments")
        file = self._world.new_id("F")
        self._pending[file] = (given.required("filename"), length, None)
        return {"upload_url": f"{self._world.address}/upload/{file}", "file_id": file}

    async def upload(self, request: web.Request) -> web.Response:
        """The bytes, at the address that was given out for them."""
        file = request.match_info["file"]
        name, length, _ = self._pending.get(file, ("", 0, None))
        data = await request.read()
        if len(data) != length or not length:
            raise web.HTTPBadRequest(text="not what was announced")
        self._pending[file] = (name, length, data)
        return web.Response(text=f"OK - {length}")

    async def complete(self, given: Arguments) -> Json:
        """The files are there, and where a channel is named they are posted in it."""
        ids = [str(one["id"]) for one in json.loads(given.required("files"))]
        place = self._places.writable(channel) if (channel := given.text("channel_id")) is not None else None
        stored = []
        for file in ids:
            name, _, data = self._pending.pop(file, ("", 0, None))
            if data is None:
                raise ApiError("file_not_found")
            mime = guess_type(name)[0] or "application/octet-stream"
            upload = UploadedFile(name, data, mime)
            stored.append(self._workspace.store_file(self._world.bot_user_id, upload, file_id=file))
        if place is not None:
            bot = self._world.bot_user_id
            post = self._workspace.add(place.id, bot, "", bot_id=self._world.bot_id, files=tuple(stored))
            await self._events.posted(post)
        return {"files": [{"id": file.id, "title": file.name} for file in stored]}

    async def open_form(self, given: Arguments) -> Json:
        """A form for whoever did what gave the trigger, who may do with it what they like."""
        trigger, view = given.required("trigger_id"), given.values.get("view")
        if trigger not in self._workspace.triggers:
            raise ApiError("expired_trigger_id")
        if not isinstance(view, dict) or view.get("type") != "modal":
            raise ApiError("invalid_arguments")
        user = self._workspace.triggers.pop(trigger)
        shown = view | {"id": self._world.new_id("V"), "team_id": self._world.team_id}
        self._workspace.forms[user] = shown
        return {"view": shown}
