"""How the page draws what people and models write: as Markdown, never as markup, and in time."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.integration.conftest import CHROMIUM, Opened

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: install Debian's package chromium"),
]


HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script>\n"
    "[click](javascript:document.title='owned') [data](data:text/html,x) <javascript:alert(1)|x>\n"
    '**<b onclick=x>bold</b>** `<i>code</i>` ["><img src=x>](https://example.com/"onmouseover=x)\n'
    "```html\n<script>document.title='owned'</script>\n```\n# <u>heading</u>\n"
    "| <img src=x> | b |\n| --- | --- |\n| <a> | c |"
)


async def test_markup_in_messages_stays_text(opened: Opened) -> None:
    for world in (opened.slack, opened.discord):
        world.say("B1", "C1", HOSTILE, notes=[HOSTILE], files=[{"name": HOSTILE, "url": "javascript:1", "mime": "x"}])
        world.add_channel("C3", "<img src=x>", "channel")
        world.publish({"type": "channel", "channel": world.channels["C3"]})
    for place in ("slack", "discord"):
        answer = opened.at(place).get_by_role("article").last
        await expect(answer).to_contain_text("<script>document.title='owned'</script>")
        assert await answer.locator("img, script, i, b, u, [onclick], [onerror], [onmouseover]").count() == 0
        links = await answer.locator("a").evaluate_all("links => links.map(link => link.protocol)")
        assert set(links) <= {"https:"}
        await expect(opened.at(place).get_by_role("button", name="<img src=x>")).to_be_visible()
    assert await opened.page.title() == "Bise playground"


async def test_a_hostile_text_of_100_000_characters_is_drawn_in_time(opened: Opened) -> None:
    slowest = await opened.page.evaluate(
        """async () => {
            const { Prose } = await import("/static/markdown.js");
            const seeds = ["*a ", "**a", "_a ", "`a", "``a`", ">", "> - ", "[", "[a](", "<", "<@", "- ", "  - a\\n",
                "# ", "#", "| ", "|a|\\n", "- -", "~~", "||", "http://", "\\\\", "```\\n", "(", "*_", "***", " ",
                "\\n", "é🌬", "1. ", "--", "| - "];
            let slowest = ["", 0];
            for (const seed of seeds) {
                const begun = performance.now();
                new Prose(() => null, { tables: true, small: true }).update(seed.repeat(100000 / seed.length) + "x");
                const took = performance.now() - begun;
                if (took > slowest[1]) slowest = [seed, took];
            }
            return slowest;
        }"""
    )
    assert slowest[1] < 3000, slowest


async def test_markdown_is_drawn_as_the_chats_draw_it(opened: Opened) -> None:
    text = (
        "a *b* **c** ***d*** ~~e~~ `f*g*` _h_ snake_case_name 2*3*4 \\*plain\\* <@U2> <#C2> <@U9>\n"
        "- one\n  - two\n    three\n- four\n\n3. third\n\n> quoted *words*\n\n-# tiny\n\n```\nopen fence <b>"
    )
    opened.discord.say("B1", "C1", text, streaming=True)
    prose = opened.at("discord").locator(".prose").first
    await expect(prose.locator("pre")).to_have_text("open fence <b>")
    shape = await prose.evaluate("prose => prose.innerHTML.replace(/<div class=.code.>.*/s, '')")
    assert shape == (
        "<p>a <em>b</em> <strong>c</strong> <em><strong>d</strong></em> <s>e</s> <code>f*g*</code> <em>h</em> "
        'snake_case_name 2<em>3</em>4 *plain* <span class="mention">@Grace</span> '
        '<span class="mention">#weather</span> &lt;@U9&gt;</p>'
        '<div class="list"><ul><li>one<ul><li>two<br>three</li></ul></li><li>four</li></ul></div>'
        '<div class="list"><ol start="3"><li>third</li></ol></div>'
        '<blockquote><p>quoted <em>words</em></p></blockquote><p class="small">tiny</p>'
    )
