"""Asking an admin for money: who was refused asks once, and an admin adds some for this month, once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.announcing.authority import Authority
from core.announcing.places import is_run_here
from core.budgets.terms import Terms
from core.messages import DISCORD_DM, LOCAL, Action, Answer, Notice, Press, Pressed
from core.ports import ChatPlatform, Clock
from core.settings import Settings
from core.store import admin_controls, announcements, budgets, limits, posts, workspaces
from core.store.admin_controls import AdminControl, Refused
from core.store.budgets import INSTALLATION, Room, Spender, workspace_place
from core.store.database import Connection, Database
from core.store.turns import Turn

ASK = "ask_admin"
TOP_UP = "top_up"
AMOUNT = 5_000_000  # micro-dollars that a press adds
_PREFIX = "ask."  # of the control that asks
_REFUSED = "budget_refused"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a button adds to: the limit that refused, and for whom. `left`: how much it left then, in micro-dollars."""

    place: str
    kind: str
    left: int
    spender: Spender


class Requests:
    """The doors of both buttons. `platforms` by name."""

    def __init__(
        self, settings: Settings, database: Database, platforms: Mapping[str, ChatPlatform], clock: Clock
    ) -> None:
        self._settings = settings
        self._terms = Terms.of(settings)
        self._database = database
        self._authority = Authority(settings, platforms)
        self._clock = clock

    def ensure_ask(self, connection: Connection, turn: Turn, answer: Answer) -> str:
        """The id of the turn's "Ask an admin" button, if its answer was refused for a limit that one can raise."""
        told = next((notice for notice in answer.notices if notice.name == _REFUSED), None)
        if told is None or told.values.get("scope") == "turn" or turn.platform == LOCAL.platform:
            return ""
        if known := self.ask_of(connection, turn):
            return known
        new_id = f"{_PREFIX}{secrets.token_urlsafe(12)}"
        return posts.add_control(connection, turn.workspace, turn.id, ASK, turn.asker_number, new_id, self._clock.now())

    def ask_of(self, connection: Connection, turn: Turn) -> str:
        """The id of the turn's "Ask an admin" button; empty where it has none."""
        return posts.control_of(connection, turn.workspace, turn.id, ASK) or ""

    def owns(self, control: str) -> bool:
        """Whether a control is one of these."""
        return control.startswith((_PREFIX, f"{TOP_UP}."))

    async def press(self, press: Press) -> Pressed:
        """What a press does. Raises StoreUnavailable, PlatformError."""
        if press.control.startswith(_PREFIX):
            return await self._database.write(lambda connection: self._ask(connection, press))
        control = await self._database.read(lambda connection: admin_controls.find(connection, press.control))
        if control is None or control.kind != TOP_UP:
            return Pressed(False, Notice("control_gone"))
        if not await self._may(press, control):
            return Pressed(False, Notice("top_up_not_yours", {"operators": int(bool(control.values["operators"]))}))
        return await self._database.write(lambda connection: self._top_up(connection, press))

    def _ask(self, connection: Connection, press: Press) -> Pressed:
        refused = admin_controls.refused(connection, press.control, _REFUSED)
        if refused is None:
            return Pressed(False, Notice("control_gone"))
        # What only the asker may see stands in a direct message where a server has no better place for it.
        if press.workspace not in (refused.key, DISCORD_DM) or press.person.id != refused.asker:
            return Pressed(False, Notice("ask_admin_not_yours"))
        now = self._clock.now()
        spender = Spender(refused.workspace, refused.channel, refused.person, refused.zone)
        rooms = budgets.rooms(connection, spender, self._terms, now)
        room = _refusing(rooms, refused.told)
        if room is None:
            return Pressed(False, Notice("control_gone"))
        operators = is_run_here(refused.key) or _is_for_operators(_short(rooms, room.left))
        if operators and not self._settings.admins:
            return Pressed(False, Notice("no_admin_to_ask"))
        if not self._announce(connection, refused, room, operators=operators, now=now):
            return Pressed(False, Notice("asked_admin_before"))
        posts.use_control(connection, press.control, now)
        return Pressed(True, Notice("asked_admin"))

    def _announce(
        self, connection: Connection, refused: Refused, room: Room, *, operators: bool, now: datetime
    ) -> bool:
        """Makes the request, once for a person and a limit as it stands."""
        zone = (None if room.place == INSTALLATION else refused.zone) or self._terms.timezone
        values: dict[str, str | int] = {
            "who": refused.name,
            "workspace": str(refused.key),
            "scope": room.scope,
            "period": room.kind,
            "left": max(room.left, 0),
            "resets": room.resets_at.astimezone(ZoneInfo(zone)).isoformat(),
            "zone": zone,
            "amount": AMOUNT,
        }
        wanted: dict[str, str | int] = {
            "place": room.place,
            "kind": room.kind,
            "left": room.left,
            "workspace": refused.workspace,
            "channel": refused.channel,
            "person": refused.person,
            "operators": int(operators),
        }
        name = f"request:{room.number}:{room.limit}:{refused.person}"
        if announcements.exists(connection, name):
            return False
        control = admin_controls.add(connection, refused.workspace, TOP_UP, wanted, now)
        return announcements.put(
            connection,
            None if operators else refused.workspace,
            name,
            "request",
            Notice("budget_request", values),
            [Action(TOP_UP, control)],
            now=now,
        )

    async def _may(self, press: Press, control: AdminControl) -> bool:
        """Whether somebody may add money."""
        if control.values["operators"] or control.key is None:
            return self._authority.operates(press)
        return await self._authority.administrates(press, control.key)

    def _top_up(self, connection: Connection, press: Press) -> Pressed:
        control = admin_controls.find(connection, press.control, lock=True)
        if control is None:
            return Pressed(False, Notice("control_gone"))
        if control.used:
            return Pressed(False, Notice("top_up_before"))
        now, wanted = self._clock.now(), _wanted(control)
        rooms = budgets.rooms(connection, wanted.spender, self._terms, now)
        short = _short(rooms, wanted.left)
        for_operators = is_run_here(control.key) or _is_for_operators(short)
        if for_operators and not self._authority.operates(press):
            return Pressed(False, Notice("top_up_not_yours", {"operators": 1}))
        person = workspaces.ensure_person(connection, workspaces.ensure(connection, press.workspace, now), press.person)
        admin_controls.use(connection, control.id, person, now)
        raised = {(wanted.place, wanted.kind), (workspace_place(wanted.spender.workspace), "month")}
        for one in rooms:  # in the order in which all take them, so that nobody waits in a circle
            if one.limit is not None and (one in short or (one.place, one.kind) in raised):
                zone = None if one.place == INSTALLATION else wanted.spender.zone
                limits.top_up(
                    connection,
                    workspace=None if one.place == INSTALLATION else wanted.spender.workspace,
                    place=one.place,
                    kind=one.kind,
                    period=one.period,
                    extra=AMOUNT,
                    by=person,
                    now=now,
                    local_date=now.astimezone(ZoneInfo(zone or self._terms.timezone)).date(),
                )
        values: dict[str, str | int] = {"amount": AMOUNT, "by": press.person.name, "scope": wanted.place.split(":")[0]}
        done = Notice("top_up_done", values)
        return Pressed(True, done, shown=done)


def _refusing(rooms: Sequence[Room], told: Notice) -> Room | None:
    """The limit that a refusal named."""
    named = (told.values.get("scope"), told.values.get("period"))
    return next((room for room in rooms if (room.scope, room.kind) == named), None)


def _wanted(control: AdminControl) -> _Wanted:
    values = control.values
    spender = Spender(int(values["workspace"]), str(values["channel"]), int(values["person"]), control.zone)
    return _Wanted(str(values["place"]), str(values["kind"]), int(values["left"]), spender)


def _short(rooms: Sequence[Room], left: int) -> tuple[Room, ...]:
    """The limits that leave no more than the one that refused: they would refuse as well."""
    return tuple(room for room in rooms if room.left <= left)


def _is_for_operators(short: Sequence[Room]) -> bool:
    """Whether a workspace's admins could not help, as the installation's limit is among them."""
    return any(room.place == INSTALLATION for room in short)
