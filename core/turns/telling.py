"""Telling those who run this what they must know: in the channel for reports, else privately, else in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from core.announcing.places import Place, of_installation
from core.errors import PlatformError, PlatformUnavailable
from core.messages import Notice
from core.mistral.providers.home import Home
from core.mistral.providers.provider import Provider
from core.mistral.throttle.circuit import Trouble
from core.ports import OWNER, ChatPlatform, Clock
from core.settings import Settings

_WAITS = (1.0, 5.0, 30.0)  # seconds between the tries at one place
_log = structlog.get_logger()


class Telling:
    """`platforms` by name; whoever is told on one that is not connected is told when it is, within half a minute."""

    def __init__(self, settings: Settings, platforms: Mapping[str, ChatPlatform], clock: Clock) -> None:
        self._settings = settings
        self._platforms = platforms
        self._clock = clock

    async def tell_admins(self, notice: Notice) -> None:
        """Says it in BISE_REPORT_CHANNEL; where that takes it nowhere, to each of BISE_ADMINS; then to the owner.

        Never raises: what nobody could be told is in the log.
        """
        for places in of_installation(self._settings):
            # That there is no Discord at all is no news: nobody has named that place.
            named = [place for place in places if place.to != OWNER or place.platform in self._platforms]
            told = await asyncio.gather(*(self._tell(place, notice) for place in named))
            if any(told):
                return
        _log.warning("admins.not_told", notice=notice.name)

    async def _tell(self, place: Place, notice: Notice) -> bool:
        """Whether it took it."""
        name, to = place.platform, place.to
        why: str | None = None
        for wait in (0.0, *_WAITS):
            if wait:
                await self._clock.sleep(wait)
            platform = self._platforms.get(name)
            if platform is None:
                why = "not_connected"
                continue
            try:
                await platform.tell(to, notice, privately=place.privately)
            except PlatformUnavailable as error:
                why = error.code or error.reason
            except PlatformError as error:  # more tries would meet the same
                why = error.code or error.reason
                break
            except Exception:  # noqa: BLE001 - a fault of ours with one place must not keep the others from knowing
                _log.exception("admin.not_told", platform=name, to=to, notice=notice.name)
                return False
            else:
                _log.info("admin.told", platform=name, to=to, notice=notice.name)
                return True
        _log.warning("admin.not_told", platform=name, to=to, notice=notice.name, why=why)
        return False


class TroubleNews:
    """Tells the admins once of each trouble with a key or an account, and of its end.

    A home that is down is no news of that kind: nobody here can mend it, and it is in `/readyz` and the log.
    """

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._told: set[Provider] = set()
        self._news: set[asyncio.Task[None]] = set()

    def changed(self, home: Provider, trouble: Trouble | None) -> None:
        """A home is given up, or works again. Never waits."""
        values = {"home": home.name}
        if trouble is None:
            _log.info("model.trouble_over", home=home.name)
            if home in self._told:
                self._told.discard(home)
                self._tell(Notice("admin_trouble_over", values))
            return
        _log.error("model.trouble", home=home.name, kind=trouble.kind)
        match trouble.kind:
            case "unauthorized":
                ours = isinstance(home, Home)  # by MISTRAL_API_KEY, as none of the clouds
                notice = Notice("admin_key_refused", values) if ours else Notice("admin_home_refused", values)
            case "out_of_credit":
                notice = Notice("admin_out_of_credit", values)
            case "unavailable":
                return
        self._told.add(home)
        self._tell(notice)

    async def aclose(self) -> None:
        """Tells no more; what is being told is broken off."""
        news = tuple(self._news)
        for task in news:
            task.cancel()
        await asyncio.gather(*news, return_exceptions=True)

    def _tell(self, notice: Notice) -> None:
        task = asyncio.create_task(self._in_order(notice, tuple(self._news)))
        self._news.add(task)
        task.add_done_callback(self._news.discard)

    async def _in_order(self, notice: Notice, earlier: tuple[asyncio.Task[None], ...]) -> None:
        if earlier:  # that it works again is not told before that it does not
            await asyncio.wait(earlier)
        await self._telling.tell_admins(notice)
