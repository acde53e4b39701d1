"""Announcements: made once, brought to the right places once, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from core.announcing.delivery import Deliveries
from core.errors import PlaceForbidden, PlaceGone, PlatformError, PlatformUnavailable, StoreUnavailable
from core.messages import LOCAL, Action, Announcement, Notice, WorkspaceKey
from core.ports import OWNER, ChatPlatform
from core.store import announcements, budget_tables, workspaces
from core.store.database import Database
from tests.databases import Place
from tests.fakes import TEAM, FakePlatform, ManualClock

NEWS = Notice("budget_alert", {"scope": "workspace", "period": "month", "percent": 80})


class Office:
    """A database, both platforms, and any number of processes that deliver. `settings` by field name."""

    def __init__(self, place: Place, database: Database, **settings: Any) -> None:
        self.place = place
        self.database = database
        self.slack, self.discord = FakePlatform("slack"), FakePlatform("discord")
        self.platforms: dict[str, ChatPlatform] = {"slack": self.slack, "discord": self.discord}
        self.clock = ManualClock()
        self.slack.admins[TEAM] = ("U8", "U9")
        self._settings = settings
        self.process = self.another()

    def another(self) -> Deliveries:
        """One more process."""
        return Deliveries(self.place.settings(**self._settings), self.database, self.platforms, self.clock)

    async def put(self, name: str = "one", key: WorkspaceKey | None = TEAM, **more: Any) -> bool:
        now = self.clock.now()

        def put(connection: Any) -> bool:
            workspace = workspaces.ensure(connection, key, now) if key is not None else None
            return announcements.put(connection, workspace, name, "alert", NEWS, now=now, **more)

        return await self.database.write(put)

    async def round(self, seconds: float = 0.0, process: Deliveries | None = None) -> None:
        """Somebody looks, that many seconds later."""
        self.clock.advance(seconds)
        await (process or self.process).deliver()

    def said(self) -> list[tuple[str, str, bool]]:
        """Where, under which name, and whether privately, in the order of the places."""
        both = [*self.slack.announced, *self.discord.announced]
        return sorted((to, one.notice.name, privately) for to, one, privately in both)

    def ended(self) -> list[tuple[Any, ...]]:
        return self.place.rows("SELECT place, failure FROM announcement WHERE ended_at IS NOT NULL ORDER BY id")

    def choose(self, channel: str) -> None:
        """The workspace has chosen a channel for its reports."""
        with self.place.connected() as connection:
            setting = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]
            connection.execute(setting.insert().values(workspace_id=1, report_channel=channel))
            connection.commit()


@asynccontextmanager
async def office(place: Place, **settings: Any) -> AsyncIterator[Office]:
    database = place.open()
    try:
        yield Office(place, database, **settings)
    finally:
        await database.close()


async def test_a_name_is_announced_once(place: Place) -> None:
    async with office(place) as at:
        assert await at.put()
        assert not await at.put()
        assert sum(await asyncio.gather(*(at.put("two") for _ in range(8)))) == 1
        await at.round()
        assert [to for to, _, _ in at.said()] == ["U8", "U8", "U9", "U9"]


async def test_the_channel_that_a_workspace_chose_is_told_and_nobody_besides(place: Place) -> None:
    async with office(place, report_channel=("slack:C9",), admins=("slack:U1",)) as at:
        await at.put(actions=[Action("top_up", "top_up.x")])
        at.choose("C7")
        await at.round()
        await at.round(60)
        assert at.said() == [("C7", NEWS.name, False)]
        assert at.slack.announced[0][1].actions == (Action("top_up", "top_up.x"),)
        assert at.slack.announced[0][1].notice == NEWS
        [(platform_id,)] = place.rows("SELECT platform_id FROM announcement WHERE place = 'slack:C7'")
        assert platform_id == "C7:1"


async def test_else_the_channel_for_reports_on_its_platform(place: Place) -> None:
    async with office(place, report_channel=("discord:22", "slack:C9")) as at:
        await at.put()
        await at.round()
        assert at.said() == [("C9", NEWS.name, False)]


async def test_else_some_admins_and_those_of_the_settings_privately_and_never_a_channel(place: Place) -> None:
    async with office(place, admins=("slack:U1", "discord:5", "slack:U11")) as at:
        at.slack.admins[TEAM] = tuple(f"U{number}" for number in range(11, 19))
        await at.put()
        await at.round()
        assert at.said() == [(f"U{number}", NEWS.name, True) for number in (1, 11, 12, 13, 14, 15)]


@pytest.mark.parametrize("key", [None, LOCAL, WorkspaceKey("discord", "dm")])
async def test_what_is_nobodys_workspace_is_told_to_those_who_run_it(place: Place, key: WorkspaceKey | None) -> None:
    async with office(place, admins=("slack:U1", "discord:5")) as at:
        await at.put(key=key)
        await at.round()
        assert at.said() == [("5", NEWS.name, True), ("U1", NEWS.name, True)]
    async with office(place) as at:
        await at.put("without admins", key=key)
        await at.round()
        assert at.said() == [(OWNER, NEWS.name, True)]


@pytest.mark.parametrize("error", [PlaceGone("gone", code="is_archived"), PlaceForbidden("no"), PlatformError("odd")])
async def test_a_place_that_takes_nothing_is_left_for_the_next_and_not_asked_again(
    place: Place, error: PlatformError
) -> None:
    async with office(place, report_channel=("slack:C9",)) as at:
        at.slack.closed["C7"] = error
        await at.put()
        at.choose("C7")
        await at.round()
        del at.slack.closed["C7"]
        await at.round(3600)
        told = [to for to, name, _ in at.said() if name == NEWS.name]
        assert told == ["C9"]
        assert ("slack:C7", error.code or error.reason) in at.ended()
        lost = [(to, privately) for to, name, privately in at.said() if name == "report_place_lost"]
        assert lost == ([] if type(error) is PlatformError else [("U8", True), ("U9", True)])


async def test_that_a_channel_is_lost_is_told_once_however_much_is_announced(place: Place) -> None:
    async with office(place) as at:
        at.slack.closed["C7"] = PlaceGone("gone")
        await at.put()
        at.choose("C7")
        for number in range(3):
            await at.put(f"more {number}")
            await at.round(5)
        await at.round(5)
        assert [to for to, name, _ in at.said() if name == "report_place_lost"] == ["U8", "U9"]
        assert len([to for to, name, _ in at.said() if name == NEWS.name]) == 8


async def test_where_nobody_can_be_told_it_ends_there(place: Place) -> None:
    async with office(place) as at:
        at.slack.closed = {"U8": PlaceGone("gone"), "U9": PlaceForbidden("closed")}
        await at.put()
        await at.round()
        assert at.said() == []
        assert at.ended()[0] == (None, "nobody_told")
        await at.round(3600)
        assert at.said() == []


async def test_a_platform_that_is_away_is_tried_later_and_given_up_after_a_day(place: Place) -> None:
    async with office(place) as at:
        at.slack.closed["U8"] = PlatformUnavailable("limited", code="ratelimited")
        await at.put()
        await at.round()
        await at.round(1)
        assert at.said() == [("U9", NEWS.name, True)], "the others have theirs"
        del at.slack.closed["U8"]
        await at.round(60)
        assert at.said() == [("U8", NEWS.name, True), ("U9", NEWS.name, True)]
        at.slack.closed["U8"] = at.slack.closed["U9"] = PlatformUnavailable("away")
        await at.put("two")
        await at.round()
        await at.round(timedelta(days=1).total_seconds())
        assert at.ended()[-1] == (None, "given_up")


async def test_a_post_that_arrived_though_its_call_failed_is_not_made_again(place: Place) -> None:
    async with office(place, report_channel=("slack:C9",)) as at:
        at.slack.unsure = [PlatformUnavailable("502")]
        await at.put()
        await at.round()
        await at.round(60, at.another())
        assert at.said() == [("C9", NEWS.name, False)]
        assert at.ended() == [(None, None), ("slack:C9", None)]


class Slow(FakePlatform):
    """Takes its time: a post stands there a little after it was asked for."""

    async def announce(self, to: str, announcement: Announcement, *, privately: bool = False) -> str:
        await asyncio.sleep(0.05)
        return await super().announce(to, announcement, privately=privately)


async def test_many_processes_post_it_once(place: Place) -> None:
    async with office(place, report_channel=("slack:C9",)) as at:
        at.platforms["slack"] = slow = Slow("slack")
        for number in range(5):
            await at.put(str(number))
        processes = [at.another() for _ in range(6)]
        await asyncio.gather(*(process.deliver() for process in processes))
        assert sorted(one.name for _, one, _ in slow.announced) == [str(number) for number in range(5)]


@pytest.mark.parametrize("posted", [False, True])
async def test_whoever_dies_around_the_post_another_makes_it_once(place: Place, *, posted: bool) -> None:
    async with office(place, report_channel=("slack:C9",)) as at:
        await at.put()
        now = at.clock.now()

        def as_far_as_the_dead_came(connection: Any) -> announcements.Claimed:
            [number] = announcements.waiting(connection, ("slack",), now, 8)
            claimed = announcements.claim(connection, number, now)
            assert claimed is not None
            announcements.begin_copy(connection, claimed, "slack:C9", now)
            return claimed

        claimed = await at.database.write(as_far_as_the_dead_came)
        if posted:
            await at.slack.announce("C9", claimed.announcement)
        await at.round(30)
        assert len(at.said()) == posted, "whoever claimed it may be at it still"
        await at.round(31)
        await at.round(60)
        assert at.said() == [("C9", NEWS.name, False)]


async def test_a_process_that_stops_breaks_off_and_another_goes_on(place: Place) -> None:
    async with office(place, report_channel=("slack:C9",)) as at:
        await at.put()
        begun, process = asyncio.Event(), at.another()

        class Hanging(FakePlatform):
            async def announce(self, *_: Any, **__: Any) -> str:
                begun.set()
                await asyncio.Event().wait()
                raise AssertionError

        at.platforms["slack"] = Hanging("slack")
        delivering = asyncio.create_task(process.deliver())
        await asyncio.wait_for(begun.wait(), 5)
        await process.stop()
        await asyncio.wait([delivering])
        assert delivering.cancelled() or delivering.exception() is None
        at.platforms["slack"] = at.slack
        await process.deliver()
        assert at.said() == [], "it has stopped"
        await at.round(10)
        assert at.said() == [("C9", NEWS.name, False)]


async def test_without_a_database_the_chore_says_so(place: Place) -> None:
    async with office(place) as at:
        await at.put()
        place.change("ALTER TABLE announcement RENAME TO gone")
        with pytest.raises(StoreUnavailable):
            await at.round()
