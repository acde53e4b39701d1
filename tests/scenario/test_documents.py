"""A document in each chat and on the playground's page, through the whole service over real sockets."""

from __future__ import annotations

import json

import aiohttp
import pytest
from playwright.async_api import FilePayload, async_playwright, expect

from bots.playground.discord.records import UploadedFile as DiscordFile
from bots.playground.slack.posts import UploadedFile as SlackFile
from tests.integration.conftest import CHROMIUM, FLAGS
from tests.scenario import test_discord as discord
from tests.scenario import test_slack as slack
from tests.scenario.test_playground import playing, somebody
from tests.unit.test_documents import pdf, shade
from tests.world import World

CONTRACT = pdf([shade(number) for number in range(11)], box="0 0 40 40")
CUT = "I read the first 8 of 11 pages of contract.pdf."


async def test_a_document_in_slack_is_read_and_stays_in_the_history(world: World) -> None:
    file = SlackFile("contract.pdf", CONTRACT, "application/pdf")
    root = await slack.ask(world, "What is agreed?", files=(file,))
    assert any(CUT in note for note in slack.answers(world, root)[-1].notes)
    await slack.ask(world, "And until when?", thread=root)
    assert not any(CUT in note for note in slack.answers(world, root)[-1].notes)
    for prompt in world.prompts():
        assert [part["type"] for part in prompt[1]["content"]] == ["text", *["image_url"] * 8]


async def test_a_document_of_a_command_in_discord_is_read(world: World) -> None:
    file = DiscordFile("contract.pdf", CONTRACT, "application/pdf")
    channel = discord.general(world)
    await world.discord.command(discord.ada(world), channel, "ask", {"prompt": "Agreed?"}, files={"image": file})
    [post] = await discord.settled(world, 1)
    assert "I see 8 images" in post.content
    assert CUT in post.content


async def test_a_document_of_a_message_in_discord_is_read(world: World) -> None:
    file = DiscordFile("contract.pdf", CONTRACT, "application/pdf")
    text = f"<@{world.discord.bot_id}> What is agreed?"
    await world.discord.post(discord.ada(world), discord.general(world), text, files=(file,))
    [post] = await discord.settled(world, 1)
    assert "I see 8 images" in post.content
    assert CUT in post.content


async def test_a_document_is_uploaded_on_the_page() -> None:
    async with playing() as (running, model), somebody(running) as ada:
        bot = (await ada.state())["slack"]["bot"]["id"]
        form = aiohttp.FormData()
        text = f"<@{bot}> What is agreed?"
        form.add_field("body", json.dumps({"user": "U0ADA", "channel": "C0GENERAL", "text": text}))
        form.add_field("files", CONTRACT, filename="contract.pdf", content_type="application/pdf")
        url = running.url.rstrip("/")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/playground/slack/post", data=form, headers={"Origin": url}) as response,
        ):
            assert response.status == 200, await response.text()
        await ada.sees("slack", "I read the first 8 of 11 pages")
        assert json.dumps(model.requests[-1].body).count('"image_url"') >= 8


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: install Debian's package chromium")
async def test_the_pages_chooser_of_files_offers_documents() -> None:
    async with playing() as (running, _), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        await page.goto(running.url)
        await page.wait_for_selector("body[data-ready]")
        for place in ("slack", "discord"):
            chooser = page.locator(f"#{place} input[type=file]").first
            await expect(chooser).to_have_attribute("accept", "image/*,application/pdf")
        file: FilePayload = {"name": "contract.pdf", "mimeType": "application/pdf", "buffer": CONTRACT}
        await page.locator("#discord input[type=file]").first.set_input_files(file)
        await expect(page.locator("#discord").get_by_role("list", name="Images to send")).to_contain_text(
            "contract.pdf"
        )
        await browser.close()
