"""Files over HTTP: to the app with its token, to the page without."""

from __future__ import annotations

from aiohttp import web

from bots.playground.slack.posts import StoredFile
from bots.playground.slack.workspace import Workspace

SIGN_IN = "<!DOCTYPE html><html><head><title>Slack</title></head><body>Sign in to Playground</body></html>"


class Downloads:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def private(self, request: web.Request) -> web.Response:
        """The file's bytes, or, without a good token and `files:read`, Slack's 200 with a page to sign in."""
        world, faults = self._workspace.world, self._workspace.faults
        signed_in = (
            request.headers.get("Authorization") == f"Bearer {world.bot_token}"
            and "files:read" in world.granted_scopes
            and not faults.token_revoked
        )
        if not signed_in or faults.html_instead_of_file:
            return web.Response(text=SIGN_IN, content_type="text/html")
        file = self._find(request)
        return web.Response(body=file.data, content_type=file.mime)

    async def preview(self, request: web.Request) -> web.Response:
        """The same bytes for the page, which may show pictures of them but never run them."""
        file = self._find(request)
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
        if not file.mime.startswith("image/"):
            headers["Content-Disposition"] = "attachment"
        return web.Response(body=file.data, content_type=file.mime, headers=headers)

    def _find(self, request: web.Request) -> StoredFile:
        file = self._workspace.file(request.match_info["file"])
        if file is None:
            raise web.HTTPNotFound(text="file not found")
        return file
