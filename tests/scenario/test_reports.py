"""Reports in Slack and Discord: posted once with picture and buttons, and what the buttons do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bots.discord.announcements import PICTURE
from bots.playground.discord.views import DiscordPost
from bots.playground.slack.posts import SlackPost
from bots.report_words import BUTTONS
from bots.terminal.report import Format, report
from core.messages import WorkspaceKey
from tests.report_office import spend
from tests.scenario import test_discord as discord
from tests.scenario import test_slack as slack
from tests.scenario.test_choosing import slack_command
from tests.world import World

PNG = b"\x89PNG\r\n\x1a\n"
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def use(world: World, key: WorkspaceKey) -> None:
    """Some days of use, until yesterday. The workspace is known already: the service may make it known any time."""
    for days in range(9):
        for model, cost in (("mistral-large-2512", 900_000 - days * 50_000), ("mistral-small-2603", 150_000)):
            day = YESTERDAY - timedelta(days=days)
            spend(world.place, day, key, cost=cost, now=datetime.now(UTC), model=model)


async def delivered(world: World) -> None:
    await world.service.core.deliver()


def in_slack(world: World, channel: str = slack.GENERAL) -> list[SlackPost]:
    return [post for post in world.slack.messages(channel) if "Usage on" in post.shown]


async def test_a_report_in_slack_is_posted_once_with_its_picture_and_its_buttons(world: World) -> None:
    assert "Only an admin" in await slack_command(world, "report hour 8", user=slack.GRACE)
    assert "08:00" in await slack_command(world, "report hour 8")
    assert slack.GENERAL in await slack_command(world, "report channel #general")
    use(world, WorkspaceKey("slack", world.slack.team_id))
    assert "Done" in await slack_command(world, "report now")
    assert "before" in await slack_command(world, "report now")
    await delivered(world)
    [post] = in_slack(world)
    assert "$1.05" in post.shown
    [picture] = post.files
    assert picture.data.startswith(PNG)
    assert [button.label for button in post.buttons] == list(BUTTONS.values())
    csv, budget, mute = post.buttons

    await world.slack.press(slack.GRACE, slack.GENERAL, post.ts, csv.action_id, value=csv.value)
    await world.slack.until(lambda: any(said.files for said in world.slack.messages("D0GRACE")))
    [file] = next(said.files for said in world.slack.messages("D0GRACE") if said.files)
    assert file.name == f"bise-{YESTERDAY}.csv"
    assert b"mistral-large-2512" in file.data

    await world.slack.press(slack.GRACE, slack.GENERAL, post.ts, budget.action_id, value=budget.value)
    await world.slack.until(lambda: any("admin" in said.text for said in world.slack.ephemerals(slack.GRACE)))
    await world.slack.press(slack.ADA, slack.GENERAL, post.ts, budget.action_id, value=budget.value)
    await world.slack.until(lambda: world.slack.form(slack.ADA) is not None)
    wrong = await world.slack.submit(slack.ADA, "5,00")
    assert wrong is not None
    assert wrong["response_action"] == "errors"
    told = await world.slack.submit(slack.ADA, "25")
    assert told is not None
    assert "$25.00" in str(told["view"])
    assert world.place.rows("SELECT limit_microusd FROM budget_limit") == [(25_000_000,)]

    await world.slack.press(slack.ADA, slack.GENERAL, post.ts, mute.action_id, value=mute.value)
    await world.slack.until(lambda: any("no report until" in said.text for said in world.slack.ephemerals(slack.ADA)))
    assert "muted" in await slack_command(world, "report")


async def test_without_the_right_to_upload_a_report_in_slack_goes_without_its_picture(world: World) -> None:
    world.slack.granted_scopes = world.slack.granted_scopes - {"files:write"}
    await slack_command(world, "report channel #general")
    use(world, WorkspaceKey("slack", world.slack.team_id))
    await slack_command(world, "report now")
    await delivered(world)
    [post] = in_slack(world)
    assert post.files == ()


async def test_a_report_in_discord_is_posted_once_with_its_picture_and_its_buttons(world: World) -> None:
    key, general = WorkspaceKey("discord", world.discord.guild_id), discord.general(world)
    reports = world.service.core.reports
    await world.service.core.report_choices.choose_channel(key, general)
    use(world, key)
    assert (await reports.post_now(key))[0] == "announced"
    assert (await reports.post_now(key))[0] == "before"
    await delivered(world)
    await delivered(world)
    [post] = [one for one in world.discord.messages(general) if one.attachments]
    [picture] = post.attachments
    assert picture.name == PICTURE
    assert "$1.05" in str(post.embeds)
    labels = [str(button["label"]) for row in post.components for button in row["components"]]
    assert labels == list(BUTTONS.values())
    csv, budget, mute = (str(button["custom_id"]) for row in post.components for button in row["components"])

    pressed = await world.discord.press(world.discord.person_id("Grace"), general, post.id, csv)
    await world.discord.until(lambda: pressed.post is not None and pressed.post.attachments)
    assert pressed.ephemeral
    pressed = await world.discord.press(world.discord.person_id("Grace"), general, post.id, mute)
    await world.discord.until(lambda: pressed.post is not None)
    assert "admin" in said(pressed.post)
    pressed = await world.discord.press(world.discord.person_id("Ada"), general, post.id, mute)
    await world.discord.until(lambda: pressed.post is not None)
    assert "no report until" in said(pressed.post)
    pressed = await world.discord.press(world.discord.person_id("Ada"), general, post.id, budget)
    await world.discord.until(lambda: pressed.modal is not None)


def said(post: DiscordPost | None) -> str:
    assert post is not None
    return post.content


async def test_the_command_posts_once_beside_a_running_service_and_says_so(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = WorkspaceKey("slack", world.slack.team_id)
    await world.service.core.report_choices.choose_channel(key, slack.GENERAL)
    use(world, key)

    async def ran(form: Format = "text", *, post: bool = False, out: Path | None = None) -> tuple[str, str]:
        what = {"kind": "daily", "on": YESTERDAY, "as_json": False}
        assert await report(world.settings, key, post=post, form=form, out=out, **what) == 0
        said = capsys.readouterr()
        return said.out, said.err

    assert "$1.05" in (await ran())[0]
    assert (await ran("csv"))[0].startswith("day,model,channel,calls,")
    await ran("png", out=tmp_path / "usage.png")
    assert (tmp_path / "usage.png").read_bytes().startswith(PNG)
    assert "is posted" in (await ran(post=True))[1]
    assert "was posted before" in (await ran(post=True))[1]
    assert len(in_slack(world)) == 1
