"""Who is who in one workspace: `users.info`, remembered for an hour."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from bots.slack.api import Json, SlackApi
from bots.slack.errors import METHOD_REFUSED
from bots.slack.inbound import Profile
from bots.writer import RateLimited
from core.errors import PlatformError, PlatformUnavailable

KEPT_SECONDS = 3600.0
FAILURE_KEPT_SECONDS = 60.0
UNAVAILABLE_KEPT_SECONDS = 2.0
PEOPLE_MAX = 5000
PATIENCE_SECONDS = 0.7
SETTLED_SECONDS = 1.5  # a command must be answered within three

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Entry:
    """`settled`: Slack has said what it will say about this person, if only that it says nothing."""

    profile: Profile | None
    until: float
    settled: bool = True


@dataclass(frozen=True, slots=True)
class _Question:
    task: asyncio.Task[None]
    asked_at: float


class People:
    """Profiles by user id. A look-up that is slow goes on behind the caller's back and serves the next one."""

    def __init__(self, api: SlackApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._asked: dict[str, _Question] = {}
        self._refusals: set[str] = set()

    async def profiles(self, users: Iterable[str], patience: float = PATIENCE_SECONDS) -> dict[str, Profile]:
        """Those of `users` who are known `patience` seconds after they were first asked for; never raises."""
        wanted = tuple(users)
        waiting = [self._ask(user) for user in wanted if not self._is_known(user)]
        if waiting:
            newest = max(question.asked_at for question in waiting)
            left = max(0.0, newest + patience - self._clock())
            await asyncio.wait({question.task for question in waiting}, timeout=left)
        found = {user: entry.profile for user in wanted if (entry := self._known.get(user))}
        return {user: profile for user, profile in found.items() if profile is not None}

    async def is_settled(self, user: str, patience: float = SETTLED_SECONDS) -> bool:
        """Whether Slack has said who this is, or that it never will, asked again and again for `patience` seconds.

        False: it is worth asking again later.
        """
        until = self._clock() + patience
        while not self._is_known(user) or not self._is_told(user):
            left = until - self._clock()
            if left <= 0:
                return self._is_told(user)
            if self._is_known(user):  # Slack asked to wait
                await asyncio.sleep(min(left, self._known[user].until - self._clock()))
            else:
                await asyncio.wait({self._ask(user).task}, timeout=left)
        return True

    async def close(self) -> None:
        tasks = [question.task for question in self._asked.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_known(self, user: str) -> bool:
        entry = self._known.get(user)
        return entry is not None and entry.until > self._clock()

    def _is_told(self, user: str) -> bool:
        entry = self._known.get(user)
        return entry is not None and (entry.profile is not None or entry.settled)

    def _ask(self, user: str) -> _Question:
        question = self._asked.get(user)
        if question is None:
            question = self._asked[user] = _Question(asyncio.create_task(self._look_up(user)), self._clock())
            question.task.add_done_callback(lambda _: self._asked.pop(user, None))
        return question

    async def _look_up(self, user: str) -> None:
        try:
            answer = await self._api.read("users.info", {"user": user})
        except RateLimited as error:
            self._keep(user, None, error.retry_after, settled=False)
        except PlatformUnavailable as error:
            log.info("slack.person_not_told", user=user, code=error.code)
            self._keep(user, None, UNAVAILABLE_KEPT_SECONDS, settled=False)
        except PlatformError as error:
            self._tell_refusal(user, str(error.code))
            self._keep(user, None, FAILURE_KEPT_SECONDS)
        else:
            self._keep(user, _profile(answer.get("user") or {}, user), KEPT_SECONDS)

    def _tell_refusal(self, user: str, code: str) -> None:
        """What holds for everybody is said once: with `users:read` missing, each look-up fails alike."""
        if code not in METHOD_REFUSED:
            log.warning("slack.person_unknown", user=user, code=code)
        elif code not in self._refusals:
            self._refusals.add(code)
            log.warning("slack.people_unknown", code=code, effect="guests cannot be told from members")

    def _keep(self, user: str, profile: Profile | None, seconds: float, *, settled: bool = True) -> None:
        if profile is None and (old := self._known.get(user)):
            profile = old.profile  # what was true an hour ago is better than nothing
        self._known[user] = _Entry(profile, self._clock() + seconds, settled)
        self._known.move_to_end(user)
        while len(self._known) > PEOPLE_MAX:
            self._known.popitem(last=False)


def _profile(user: Json, user_id: str) -> Profile:
    shown: Json = user.get("profile") or {}
    enterprise: Json = user.get("enterprise_user") or {}
    names = (shown.get("display_name"), shown.get("real_name"), user.get("real_name"), user.get("name"), user_id)
    return Profile(
        name=next(str(name) for name in names if name),
        team=str(user.get("team_id") or ""),
        enterprise=enterprise.get("enterprise_id"),
        guest=any(user.get(flag) for flag in ("is_restricted", "is_ultra_restricted", "is_stranger")),
        admin=any(user.get(flag) for flag in ("is_admin", "is_owner", "is_primary_owner")),
    )
