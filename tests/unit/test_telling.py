"""Whom a notice for the admins reaches: the reports' channel, else they themselves, else the owner, else the log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from core.errors import PlaceForbidden, PlaceGone, PlatformUnavailable
from core.messages import Notice
from core.mistral.providers.azure import Azure
from core.mistral.providers.home import Home
from core.mistral.throttle.circuit import Trouble, TroubleKind
from core.ports import OWNER
from core.settings import Settings
from core.turns.telling import Telling, TroubleNews
from tests.fakes import FakePlatform, ManualClock

NEWS = Notice("admin_out_of_credit", {"home": "mistral-eu"})
HOME = Home.of_region("eu", "a-key")
AT = datetime(2026, 11, 23, tzinfo=UTC)


class Office:
    """Both platforms, and a Telling that knows them. `settings` by field name."""

    def __init__(self, **settings: tuple[str, ...]) -> None:
        self.slack, self.discord = FakePlatform("slack"), FakePlatform("discord")
        self.platforms = {"slack": self.slack, "discord": self.discord}
        self.clock = ManualClock()
        self.telling = Telling(Settings(**settings), self.platforms, self.clock)

    def said(self) -> list[tuple[str, str, bool]]:
        """Whom and what, and whether privately."""
        both = [*self.slack.said, *self.discord.said]
        return [(to, notice.name, privately) for to, notice, privately in both]


EVERYBODY = {"report_channel": ("slack:C1", "discord:22"), "admins": ("slack:U1", "discord:33")}


async def test_every_channel_for_reports_is_told_and_nobody_besides() -> None:
    office = Office(**EVERYBODY)
    await office.telling.tell_admins(NEWS)
    assert office.said() == [("C1", NEWS.name, False), ("22", NEWS.name, False)]


async def test_without_a_channel_each_admin_is_told_privately() -> None:
    office = Office(admins=EVERYBODY["admins"])
    await office.telling.tell_admins(NEWS)
    assert office.said() == [("U1", NEWS.name, True), ("33", NEWS.name, True)]


async def test_where_no_channel_takes_it_the_admins_are_told() -> None:
    office = Office(report_channel=("slack:C1",), admins=EVERYBODY["admins"])
    office.slack.deaf = [PlaceGone("gone", code="channel_not_found")]
    await office.telling.tell_admins(NEWS)
    assert office.said() == [("U1", NEWS.name, True), ("33", NEWS.name, True)]
    assert office.clock.slept == [], "what is gone is not asked twice"


async def test_without_admins_discords_owner_is_told() -> None:
    office = Office()
    await office.telling.tell_admins(NEWS)
    assert office.said() == [(OWNER, NEWS.name, True)]


async def test_where_nobody_can_be_told_the_log_says_so_and_nothing_is_raised() -> None:
    office = Office(admins=("slack:U1",))
    del office.platforms["discord"]
    office.slack.deaf = [PlaceForbidden("no", code="cannot_dm")]
    with capture_logs() as logs:
        await office.telling.tell_admins(NEWS)
    assert [entry["event"] for entry in logs] == ["admin.not_told", "admins.not_told"]


async def test_a_platform_that_is_away_is_tried_again_a_few_times() -> None:
    office = Office(admins=("slack:U1",))
    office.slack.deaf = [PlatformUnavailable("away")] * 2
    await office.telling.tell_admins(NEWS)
    assert office.said() == [("U1", NEWS.name, True)]
    office.slack.deaf = [PlatformUnavailable("away")] * 4
    await office.telling.tell_admins(NEWS)
    assert office.said()[1:] == [(OWNER, NEWS.name, True)]


async def test_a_platform_that_is_connected_meanwhile_is_told_then() -> None:
    office = Office(admins=("slack:U1",))
    slack = office.platforms.pop("slack")
    telling = asyncio.create_task(office.telling.tell_admins(NEWS))
    await asyncio.sleep(0)
    office.platforms["slack"] = slack
    await telling
    assert office.said() == [("U1", NEWS.name, True)]


async def told(*troubles: TroubleKind | None, home: Home | Azure = HOME) -> list[str]:
    """What the admins are told while a home's trouble changes so."""
    office = Office(admins=("slack:U1",))
    news = TroubleNews(office.telling)
    for kind in troubles:
        news.changed(home, None if kind is None else Trouble(kind, AT))
    for _ in range(20):
        await asyncio.sleep(0)
    await news.aclose()
    assert all(notice.values == {"home": home.name} for _, notice, _ in office.slack.said)
    return [name for _, name, _ in office.said()]


@pytest.mark.parametrize(
    ("kind", "name"), [("unauthorized", "admin_key_refused"), ("out_of_credit", "admin_out_of_credit")]
)
async def test_a_trouble_that_only_admins_can_mend_is_told_and_so_is_its_end(kind: TroubleKind, name: str) -> None:
    assert await told(kind, None) == [name, "admin_trouble_over"]


async def test_a_home_of_a_cloud_is_not_opened_by_mistrals_key() -> None:
    azure = Azure("https://example.services.ai.azure.com", "a-key", "2024-05-01-preview")
    assert await told("unauthorized", home=azure) == ["admin_home_refused"]


async def test_a_home_that_is_down_is_no_news_for_admins() -> None:
    assert await told("unavailable", None) == []
