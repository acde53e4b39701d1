"""The playground with the real service behind its page: over HTTP, and in a real browser where there is one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from playwright.async_api import FilePayload, Locator, async_playwright, expect

from bots.playground.mistral.replies import Body, Reply, last_words
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.run import Playground
from core.settings import Settings
from tests.integration.conftest import CHROMIUM, FLAGS
from tests.world import KEY, png


def small_model(body: Body) -> Reply:
    """Slow enough to be seen streaming."""
    words, images = last_words(body)
    seen = f" I see {images} image." if images else ""
    return Reply(text=f"Bise answers to “{words}” in several words.{seen}", chunk_delay=0.03)


@asynccontextmanager
async def playing(**settings: str) -> AsyncIterator[tuple[Playground, MistralSimulator]]:
    model = MistralSimulator(api_key=KEY, kind="openai" if settings.get("BISE_SELF_HOSTED") else "mistral")
    model.script = small_model
    async with model.running() as base_url:
        chosen = Settings.read({"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": base_url, **settings}, None)
        async with Playground(chosen, 0) as running:
            await asyncio.wait_for(running.service.ready.wait(), 10)
            yield running, model


class Person:
    """Somebody at the page, without a browser."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def state(self) -> dict[str, Any]:
        async with self._session.get(f"{self._url}/playground/state") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def do(self, place: str, action: str, **what: Any) -> dict[str, Any]:
        headers = {"Origin": self._url}
        async with self._session.post(
            f"{self._url}/playground/{place}/{action}", json=what, headers=headers
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer

    async def sees(self, place: str, words: str) -> dict[str, Any]:
        """The message that holds the words, once it is there and no longer streams."""
        async with asyncio.timeout(10):
            while True:
                for message in (await self.state())[place]["messages"]:
                    if words in " ".join((message["text"], *message["notes"])) and not message["streaming"]:
                        return message  # type: ignore[no-any-return]
                await asyncio.sleep(0.05)


@asynccontextmanager
async def somebody(running: Playground) -> AsyncIterator[Person]:
    async with aiohttp.ClientSession() as session:
        yield Person(session, running.url)


async def test_the_main_job_over_http() -> None:
    async with playing() as (running, model), somebody(running) as ada:
        state = await ada.state()
        assert state["model"]["name"] == "mistral-large-2512"
        bot = state["slack"]["bot"]["id"]
        await ada.do("slack", "post", user="U0ADA", channel="C0GENERAL", text=f"<@{bot}> Why does the wind blow?")
        first = await ada.sees("slack", "in several words")
        await ada.do("slack", "post", user="U0ADA", channel="C0GENERAL", text="And where?", thread=first["thread"])
        await ada.sees("slack", "And where?” in several")
        assert "Why does the wind blow?" in json.dumps(model.requests[-1].body)
        discord = state["discord"]
        person, channel = discord["people"][0]["id"], discord["channels"][0]["id"]
        await ada.do("discord", "command", user=person, channel=channel, name="/ask", options={"prompt": "Hello?"})
        await ada.sees("discord", "Hello?” in several words")


async def test_a_model_that_cannot_see_says_so_and_answers_the_text() -> None:
    async with playing(BISE_SELF_HOSTED="yes", BISE_MODEL="a-small-one") as (running, model), somebody(running) as ada:
        bot = (await ada.state())["slack"]["bot"]["id"]
        form = aiohttp.FormData()
        text = f"<@{bot}> What is on this?"
        form.add_field("body", json.dumps({"user": "U0ADA", "channel": "C0GENERAL", "text": text}))
        form.add_field("files", png(), filename="photo.png", content_type="image/png")
        url = running.url.rstrip("/")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/playground/slack/post", data=form, headers={"Origin": url}) as response,
        ):
            assert response.status == 200, await response.text()
        message = await ada.sees("slack", "cannot see images")
        assert "What is on this?" in message["text"]
        assert "image_url" not in json.dumps(model.requests[-1].body)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: install Debian's package chromium")
async def test_the_main_job_in_a_browser() -> None:
    async with playing() as (running, _), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        await page.goto(running.url)
        await page.wait_for_selector("body[data-ready]")

        def composer(place: str) -> Locator:
            return page.locator(f"#{place}").get_by_label("Write in #general")

        await composer("slack").press_sequentially("@bi")
        await page.keyboard.press("Enter")
        await page.keyboard.type("Why does the wind blow?")
        await page.keyboard.press("Enter")
        thread = page.get_by_role("region", name="Thread")
        await expect(thread).to_contain_text("in several words", timeout=10_000)
        await thread.get_by_label("Reply in the thread").fill("And where?")
        await page.keyboard.press("Enter")
        await expect(thread).to_contain_text("And where?” in several words", timeout=10_000)
        await composer("discord").press_sequentially("/ask")
        await page.keyboard.press("Enter")
        form = page.locator("#discord").get_by_role("form", name="Command /ask")
        await form.get_by_label("prompt").fill("What is on this picture?")
        picture: FilePayload = {"name": "photo.png", "mimeType": "image/png", "buffer": png()}
        await form.locator("input[type=file]").set_input_files(picture)
        await form.get_by_role("button", name="Send").click()
        await expect(page.locator("#discord")).to_contain_text("I see 1 image.", timeout=10_000)
        await browser.close()
