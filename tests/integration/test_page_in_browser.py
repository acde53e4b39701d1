"""The playground's page in a real browser: what a person does there, over fake workspaces."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.async_api import expect

from tests.integration.conftest import CHROMIUM, NOTICE, PHONE, Opened

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: install Debian's package chromium"),
]


async def test_a_mention_is_answered_in_a_thread_and_streams_into_sight(opened: Opened) -> None:
    opened.slack.pace = 0.05
    await opened.composer("slack").press_sequentially("@bi")
    await expect(opened.at("slack").get_by_role("option", name="@Bise")).to_be_visible()
    await opened.page.keyboard.press("Enter")
    await opened.page.keyboard.type("what is a wind?")
    await opened.page.keyboard.press("Enter")
    thread = opened.page.get_by_role("region", name="Thread")
    await expect(thread).to_be_visible()
    answer = thread.get_by_role("article").nth(1)
    await expect(answer).to_have_attribute("aria-busy", "true")
    seen = set()
    for _ in range(100):
        seen.add(await answer.locator(".prose").inner_text())
        if await answer.get_attribute("aria-busy") == "false":
            break
        await opened.page.wait_for_timeout(30)
    assert len(seen) > 5
    assert opened.slack.done[0] == ("post", ("U1", "C1", "<@B1> what is a wind?", None, ()))
    await expect(answer.locator("td").first).to_have_text("bise")
    await expect(answer.locator("pre")).to_have_text("print('brr')")
    await expect(answer.locator("a")).to_have_attribute("rel", "noopener noreferrer")
    await expect(answer.locator(".mention")).to_have_text("@Ada")
    await expect(opened.at("slack").get_by_label("Reply in the thread")).to_be_focused()
    await opened.page.keyboard.type("and the föhn?")
    await opened.page.keyboard.press("Enter")
    await expect(thread.get_by_role("article")).to_have_count(3)
    await opened.page.keyboard.press("Escape")
    await expect(thread).to_be_hidden()
    await expect(opened.at("slack").get_by_role("button", name="2 replies")).to_be_visible()


async def test_ask_takes_its_options_and_an_image(opened: Opened) -> None:
    await opened.composer("discord").press_sequentially("/a")
    await opened.page.keyboard.press("Enter")
    form = opened.at("discord").get_by_role("form", name="Command /ask")
    await expect(form.get_by_label("prompt")).to_be_focused()
    await opened.page.keyboard.type("What is this?")
    await form.locator("input[type=file]").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": PICTURE}
    )
    await expect(form.get_by_role("listitem")).to_contain_text("a.png")
    await form.get_by_label("private").check()
    await form.get_by_role("button", name="Send").click()
    await expect(opened.at("discord").get_by_text("Ada used /ask")).to_be_visible()
    expected = {"prompt": "What is this?", "private": True}
    assert opened.discord.done == [("command", ("U1", "C1", "ask", expected, {"image": ("a.png", PICTURE)}))]
    await expect(opened.at("discord").get_by_text("only visible to you")).to_be_visible()
    await opened.at("discord").get_by_label("Write as").select_option("U2")
    await expect(opened.at("discord").get_by_role("article")).to_have_count(0)


async def test_stop_ends_an_answer_and_keeps_its_text(opened: Opened) -> None:
    opened.discord.pace = 0.1
    await opened.composer("discord").fill("/ask go on for long")
    await opened.page.keyboard.press("Enter")
    await opened.at("discord").get_by_role("form").get_by_role("button", name="Send").click()
    answer = opened.at("discord").get_by_role("article").last
    await expect(answer).to_contain_text("Hello!")
    await answer.get_by_role("button", name="Stop").click()
    await expect(answer).to_contain_text("Stopped.")
    await expect(answer).to_contain_text("Hello!")
    await expect(answer.get_by_role("button", name="Stop")).to_have_count(0)
    assert opened.discord.done[-1][0] == "press"


async def test_an_image_is_added_by_paste_and_by_drop_and_can_be_removed(opened: Opened) -> None:
    event = """(field, [kind, data]) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], `${kind}.png`, {type: "image/png"}));
        const made = kind === "paste"
            ? new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true, cancelable: true})
            : new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true});
        field.dispatchEvent(made);
    }"""
    for kind in ("paste", "drop"):
        await opened.composer("slack").evaluate(event, [kind, base64.b64encode(PICTURE).decode()])
    waiting = opened.at("slack").get_by_role("list", name="Images to send").get_by_role("listitem")
    await expect(waiting).to_have_count(2)
    await opened.at("slack").get_by_role("button", name="Remove paste.png").click()
    await expect(waiting).to_have_count(1)
    await opened.composer("slack").press("Enter")
    await expect(opened.at("slack").get_by_role("article")).to_have_count(1)
    assert opened.slack.done == [("post", ("U1", "C1", "", None, ("drop.png",)))]
    await expect(waiting).to_have_count(0)


async def test_own_messages_are_edited_replied_to_and_deleted(opened: Opened) -> None:
    opened.discord.say("U1", "C1", "helo <@B1>")
    opened.discord.say("U2", "C1", "hi Ada")
    mine, hers = (opened.at("discord").get_by_role("article").nth(number) for number in (0, 1))
    await expect(hers).to_contain_text("hi Ada")
    await mine.hover()
    await mine.get_by_role("button", name="Edit").click()
    await expect(opened.composer("discord")).to_have_value("helo @Bise")
    await opened.composer("discord").fill("hello @Bise")
    await opened.page.keyboard.press("Enter")
    await expect(mine).to_contain_text("edited")
    await hers.focus()
    assert await hers.get_by_role("button", name="Delete").count() == 0
    await opened.page.keyboard.press("r")
    await expect(opened.at("discord").get_by_text("Replying to Grace")).to_be_visible()
    await opened.page.keyboard.type("good day")
    await opened.page.keyboard.press("Enter")
    reply = opened.at("discord").get_by_role("article").nth(2)
    await expect(reply.locator(".jump")).to_have_text("Grace hi Ada")
    await mine.hover()
    await mine.get_by_role("button", name="Delete").click()
    await expect(opened.at("discord").get_by_role("article")).to_have_count(2)
    assert [action for action, _ in opened.discord.done] == ["edit", "post", "delete"]
    assert opened.discord.done[0][1] == ("U1", "C1", "000001", "hello <@B1>")
    assert opened.discord.done[1][1][3] == "000002"


async def test_a_refusal_is_said_and_what_was_written_stays(opened: Opened) -> None:
    del opened.slack.channels["C1"]
    await opened.composer("slack").fill("lost words?")
    await opened.page.keyboard.press("Enter")
    await expect(opened.at("slack").get_by_role("alert")).to_have_text("There is no channel C1.")
    await expect(opened.composer("slack")).to_have_value("lost words?")
    opened.faults.clear()  # the browser logs the 400


async def test_a_message_that_changes_draws_only_itself_and_only_what_is_new(opened: Opened) -> None:
    opened.slack.say("U2", "C1", "I stay")
    growing = opened.slack.say("B1", "C1", "first paragraph\n\nsecond", streaming=True)
    articles = opened.at("slack").get_by_role("article")
    await expect(articles).to_have_count(2)
    await opened.page.evaluate(
        """() => {
            const [still, growing] = document.querySelectorAll("#slack article");
            window.first = growing.querySelector(".prose > p");
            window.changes = 0;
            new MutationObserver((all) => (window.changes += all.length))
                .observe(still, {childList: true, subtree: true, attributes: true, characterData: true});
        }"""
    )
    for end in range(20):
        growing = opened.slack.change(growing, text=f"first paragraph\n\nsecond {'x' * end}")
    await expect(articles.nth(1)).to_contain_text("second " + "x" * 19)
    assert await opened.page.evaluate("window.changes") == 0
    assert await opened.page.evaluate(
        "window.first === document.querySelectorAll('#slack article')[1].querySelector('p')"
    )


async def test_the_list_follows_its_end_only_while_the_reader_is_there(opened: Opened) -> None:
    for number in range(60):
        opened.slack.say("U2", "C1", f"line {number}")
    timeline = opened.at("slack").locator(".channel .timeline")
    await expect(opened.at("slack").get_by_text("line 59")).to_be_in_viewport()
    await timeline.evaluate("list => { list.scrollTop = 0 }")
    opened.slack.say("B1", "C1", "news")
    newer = opened.at("slack").get_by_role("button", name="Newer messages")
    await expect(newer).to_be_visible()
    assert await timeline.evaluate("list => list.scrollTop") == 0
    await newer.click()
    await expect(opened.at("slack").get_by_text("news", exact=True)).to_be_in_viewport()
    await expect(newer).to_be_hidden()


async def test_what_others_write_is_read_out_once_it_is_whole(opened: Opened) -> None:
    message = opened.discord.say("B1", "C1", "half", streaming=True)
    opened.discord.change(message, text="the whole answer", streaming=False)
    await expect(opened.at("discord").locator("[aria-live=polite]")).to_have_text("Bise: the whole answer")


async def test_a_lost_connection_is_said_and_mended(opened: Opened) -> None:
    lost = opened.page.get_by_text("The connection to the playground is lost.")
    await opened.page.route("**/playground/**", lambda route: route.abort())
    await opened.site.close_pages()
    await expect(lost).to_be_visible()
    opened.slack.say("U2", "C1", "written meanwhile")
    await opened.page.unroute("**/playground/**")
    await expect(lost).to_be_hidden(timeout=10_000)
    await expect(opened.at("slack").get_by_text("written meanwhile")).to_be_visible()
    opened.slack.say("U2", "C1", "written afterwards")
    await expect(opened.at("slack").get_by_text("written afterwards")).to_be_visible()
    opened.faults.clear()  # the browser logs what could not be fetched


async def test_the_banner_names_the_model_and_the_theme_can_be_turned(opened: Opened) -> None:
    await expect(opened.page.locator("#model")).to_have_text(f"Answers come from {NOTICE.label}. {NOTICE.note}")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = await opened.page.evaluate(paper)
    await opened.page.get_by_role("button", name="Dark theme").click()
    dark = await opened.page.evaluate(paper)
    assert dark != light
    await opened.page.reload()
    await opened.page.wait_for_selector("body[data-ready]")
    assert await opened.page.evaluate(paper) == dark
    await opened.page.get_by_role("button", name="Dark theme").click()
    await opened.page.emulate_media(color_scheme="dark")
    assert await opened.page.evaluate(paper) == light


async def test_the_suggestions_fill_the_composer_and_go_once_used(opened: Opened) -> None:
    ideas = opened.at("slack").get_by_role("complementary", name="Things to try").get_by_role("button")
    await expect(ideas).to_have_count(4)
    await ideas.nth(1).click()
    await expect(opened.composer("slack")).to_have_value("@Bise Why is the sky blue?")
    await opened.at("discord").get_by_role("button", name="Ask it: /ask").click()
    await expect(opened.at("discord").get_by_label("prompt")).to_have_value("Explain tides to a child.")
    await opened.composer("slack").press("Enter")
    await expect(ideas.first).to_be_hidden()


async def test_everything_can_be_done_with_the_keyboard(opened: Opened) -> None:
    page = opened.page
    reached = []
    for _ in range(24):
        await page.keyboard.press("Tab")
        reached.append(
            await page.evaluate(
                """() => { const at = document.activeElement;
                    const seen = at.matches(":focus-visible") && getComputedStyle(at).outlineStyle !== "none";
                    const framed = at.closest(".writing") !== null;
                    return [at.getAttribute("aria-label") || at.textContent.trim() || at.placeholder || at.tagName,
                        seen || framed]; }"""
            )
        )
    names = " · ".join(name for name, _ in reached)
    for wanted in (
        "Dark theme",
        "#general",
        "#weather",
        "Write in #general",
        "Write as",
        "Mention Bise",
        "Add an image",
        "Send",
    ):
        assert wanted in names, names
    assert [name for name, seen in reached if not seen] == []
    await opened.composer("slack").focus()
    await page.keyboard.type("/bise help")
    await page.keyboard.press("Enter")
    answer = opened.at("slack").get_by_role("article").last
    await expect(answer).to_contain_text("Hello!")
    await expect(answer).to_have_attribute("aria-busy", "false")
    await page.keyboard.press("Shift+Tab")
    while not await page.evaluate("document.activeElement.matches('article')"):
        await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Tab")
    await expect(answer.get_by_role("button", name="Reply in thread")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(opened.at("slack").get_by_label("Reply in the thread")).to_be_focused()
    await page.keyboard.type("/bise help")
    await page.keyboard.press("Enter")
    await expect(opened.at("slack").get_by_role("alert")).to_contain_text("do not work in threads")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("region", name="Thread")).to_be_hidden()


async def test_on_a_phone_one_workspace_shows_at_a_time_without_scrolling_sideways(phone: Opened) -> None:
    page = phone.page
    for number in range(40):
        phone.discord.say("U2", "C1", f"line {number}")
    phone.discord.say("B1", "C1", "wide:\n```\n" + "x" * 400 + "\n```\n" + "y" * 400)
    await expect(phone.at("discord")).to_be_hidden()
    await page.get_by_role("tab", name="Discord").tap()
    await expect(phone.at("slack")).to_be_hidden()
    await expect(phone.at("discord").get_by_text("yyyy")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    composer = phone.composer("discord")
    await expect(composer).to_be_in_viewport()
    assert await composer.evaluate("field => getComputedStyle(field).fontSize") == "16px"
    await phone.at("discord").get_by_label("Channel", exact=True).select_option("C2")
    await phone.at("discord").get_by_label("Write in #weather").fill("@Bise rain?")
    await phone.at("discord").get_by_role("button", name="Send").tap()
    await expect(phone.at("discord").get_by_role("article").last).to_contain_text(re.compile("favourite"))
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


async def test_less_motion_is_honoured(opened: Opened) -> None:
    await opened.page.emulate_media(reduced_motion="reduce")
    opened.slack.status("C1", None, "is thinking…")
    dot = opened.at("slack").locator(".status i").first
    await expect(dot).to_be_visible()
    assert await dot.evaluate("dot => getComputedStyle(dot).animationName") == "none"
