"""A page on two fake workspaces in Debian's chromium, for the tests that drive it with Playwright."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Locator, Page, async_playwright

from bots.playground.site import ModelNotice, Site
from tests.fake_world import FakeWorld

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOTICE = ModelNotice(
    "SmolLM2-135M-Instruct",
    "SmolLM2-135M, a very small model on this machine",
    "It cannot see images. Set MISTRAL_API_KEY in .env for Mistral.",
)
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Opened:
    """A page on both fake workspaces. `faults`: what the browser complained about."""

    page: Page
    slack: FakeWorld
    discord: FakeWorld
    site: Site
    faults: list[str] = field(default_factory=list)

    def at(self, place: str) -> Locator:
        return self.page.locator(f"#{place}")

    def composer(self, place: str) -> Locator:
        return self.at(place).get_by_label("Write in #general")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        await launched.close()


async def open_page(browser: Browser, pace: float = 0.02, **options: Any) -> AsyncIterator[Opened]:
    slack, discord = FakeWorld("slack", pace=pace), FakeWorld("discord", pace=pace)
    app = web.Application()
    site = Site(slack, discord, NOTICE)
    site.mount(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    context = await browser.new_context(**{"viewport": DESKTOP, **options})
    page = await context.new_page()
    page.set_default_timeout(10_000)
    opened = Opened(page, slack, discord, site)
    page.on("pageerror", lambda error: opened.faults.append(str(error)))
    page.on("console", lambda line: opened.faults.append(line.text) if line.type == "error" else None)
    await page.goto(address)
    await page.wait_for_selector("body[data-ready]")
    yield opened
    await context.close()
    await slack.close()
    await discord.close()
    await runner.cleanup()
    assert opened.faults == []


@pytest_asyncio.fixture(loop_scope="module")
async def opened(browser: Browser) -> AsyncIterator[Opened]:
    async for page in open_page(browser):
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def phone(browser: Browser) -> AsyncIterator[Opened]:
    async for page in open_page(browser, viewport=PHONE, is_mobile=True, has_touch=True):
        yield page
