"""Where a file's bytes are taken from, and when reading stops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import aiohttp
import httpx
import pytest

from bots.slack.api import SlackApi, web_client
from bots.slack.files import Files
from core.errors import AttachmentError
from core.messages import Attachment

API = "https://slack.com/api/"
PICTURE = Attachment("F1", "a.png", "image/png", 10, "https://files.slack.com/a.png")


class Endless(httpx.AsyncByteStream):
    """A body without an announced length. `sent`: how many chunks were taken."""

    def __init__(self) -> None:
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 1
            yield b"x" * 100


async def read(answer: Callable[[httpx.Request], httpx.Response], *, limit: int = 1000, readable: bool = True) -> bytes:
    async with (
        aiohttp.ClientSession() as session,
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
    ):
        files = Files(http, SlackApi(web_client(API, session)), API, "xoxb-token", readable=readable)
        return await files.read(PICTURE, limit)


async def refusal(answer: Callable[[httpx.Request], httpx.Response], *, readable: bool = True) -> str:
    with pytest.raises(AttachmentError) as refused:
        await read(answer, readable=readable)
    assert refused.value.name == "a.png"
    return refused.value.kind


async def test_a_body_of_unknown_length_is_read_no_further_than_the_limit() -> None:
    body = Endless()
    assert await refusal(lambda _: httpx.Response(200, stream=body)) == "too_large"
    assert body.sent == 11


async def test_a_redirect_within_slack_is_followed_with_the_token() -> None:
    seen: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers["Authorization"]))
        if request.url.host == "files.slack.com":
            return httpx.Response(302, headers={"Location": "https://a.slack-edge.com/a.png"})
        return httpx.Response(200, content=b"png")

    assert await read(answer) == b"png"
    assert seen == [("files.slack.com", "Bearer xoxb-token"), ("a.slack-edge.com", "Bearer xoxb-token")]


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://evil.example/a.png"})

    assert await refusal(answer) == "unavailable"
    assert asked == ["files.slack.com"]


async def test_a_redirect_in_a_circle_ends() -> None:
    assert await refusal(lambda request: httpx.Response(302, headers={"Location": str(request.url)})) == "unavailable"


@pytest.mark.parametrize(("readable", "kind"), [(True, "disguised"), (False, "unavailable")])
async def test_a_page_is_no_picture(readable: bool, kind: str) -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    assert await refusal(lambda _: httpx.Response(200, headers=page, text="<html>"), readable=readable) == kind


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_refused_file_is_unavailable(status: int) -> None:
    assert await refusal(lambda _: httpx.Response(status)) == "unavailable"


async def test_a_broken_connection_is_an_unavailable_file() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("gone", request=request)

    assert await refusal(answer) == "unavailable"
