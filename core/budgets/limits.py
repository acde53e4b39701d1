"""Limits and how they stand: looked at, set, and put right. Who may do that is the caller's to check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.budgets import alerts, places
from core.budgets.periods import KINDS, Kind
from core.budgets.places import Place
from core.budgets.terms import Terms
from core.errors import WrongUse
from core.messages import DISCORD_DM, LOCAL, Person, WorkspaceKey
from core.ports import Clock
from core.store import corrections, limits, workspaces
from core.store.budgets import Room
from core.store.database import Connection, Database
from core.store.limits import Default

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EXAMPLES = {
    "slack": ("U0123", "C0123"),
    "discord": ("100000000000000001", "100000000000000002"),
    "local": ("ada", "terminal"),
}
_OURS = (LOCAL, DISCORD_DM)  # there before anybody has asked anything in them


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One limit in its present period, in micro-dollars; `limit` None: none, else with what was added to the period.

    `scope`: installation, workspace, channel:C… or user:U…. `resets_at`: in the workspace's zone. `private`: whether
    `spent` and `reserved` are a person's own business, and not to be shown to others.
    """

    workspace: WorkspaceKey | None
    scope: str
    period: Kind
    limit: int | None
    spent: int
    reserved: int
    resets_at: datetime
    private: bool = False

    @property
    def left(self) -> int | None:
        """What can still be held, 0 at least; None: there is no limit."""
        return None if self.limit is None else max(self.limit - self.spent - self.reserved, 0)


@dataclass(frozen=True, slots=True)
class BudgetView:
    """Some limits, from the widest to the nearest."""

    lines: tuple[BudgetLine, ...]


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A limit that was changed, with how it stands now. `before` and `after` are without what was added to the period.

    `left` 0: what is spent and held already leaves nothing, so that questions are refused until `resets_at`.
    """

    scope: str
    period: Kind
    before: int | None
    after: int | None
    spent: int
    reserved: int
    left: int | None
    resets_at: datetime
    private: bool = False


@dataclass(frozen=True, slots=True)
class Correction:
    """What a call was thought to cost, with earlier corrections, and what it costs now."""

    call: int
    before: int
    after: int


class Budgets:
    """Shows and sets limits. All of it is asked from the database each time, as other processes spend as well."""

    def __init__(self, terms: Terms, database: Database, clock: Clock) -> None:
        self._terms = terms
        self._database = database
        self._clock = clock

    async def show(
        self,
        key: WorkspaceKey | None,
        *,
        person: str | None = None,
        channel: str | None = None,
        operator: bool = False,
    ) -> BudgetView:
        """Day and month of a workspace, and of a person and a channel of it; None: the installation, all workspaces.

        `operator`: with every channel and person somebody set a limit for, and a workspace of which nothing is known
        is a WrongUse; else it has its limits and nothing spent. Raises StoreUnavailable.
        """
        _check_ids(key, person, channel)
        now = self._clock.now()

        def look(connection: Connection) -> BudgetView:
            found = places.every(connection, self._terms) if key is None else [whole(connection, key)]
            if key is not None and channel is not None:
                found.append(places.channel(found[0], channel))
            if key is not None and person is not None:
                found.append(places.person(connection, found[0], person))
            if operator:
                found += places.limited(connection, found)
            return BudgetView(
                lines(connection, list({place.name: place for place in found}.values()), self._terms, now)
            )

        def whole(connection: Connection, key: WorkspaceKey) -> Place:
            number = workspaces.find(connection, key)
            if number is None and operator and key not in _OURS:
                raise unknown(key)
            return places.workspace(connection, self._terms, key, number)

        return await self._database.read(look)

    async def set_limit(
        self,
        key: WorkspaceKey | None,
        per: Kind,
        limit: int | Default | None,
        *,
        by: Person | None,
        person: str | None = None,
        channel: str | None = None,
    ) -> LimitChange:
        """Sets a workspace's limit, or that of a person or channel in it; a `key` of None: the installation's.

        A limit of None is none, "default" what the settings say. `by`: who does it there; None: somebody on the
        command line, to whom a workspace must be known. A person who is new is made known. Raises WrongUse,
        StoreUnavailable.
        """
        if person is not None and channel is not None:
            raise WrongUse("A limit is for a person or for a channel: name one of them.")
        _check_ids(key, person, channel)
        now = self._clock.now()

        def change(connection: Connection) -> LimitChange:
            place, changed_by = self._changed(connection, key, person, channel, by, now)
            before, after = limits.set_limit(
                connection,
                workspace=place.owner.workspace,
                place=place.name,
                kind=per,
                limit=limit,
                by=changed_by,
                terms=self._terms,
                now=now,
                local_date=now.astimezone(place.owner.zone).date(),
            )
            line = next(one for one in lines(connection, [place], self._terms, now) if one.period == per)
            return LimitChange(
                place.scope, per, before, after, line.spent, line.reserved, line.left, line.resets_at, line.private
            )

        return await self._database.write(change)

    async def correct(self, call: int, cost: int) -> Correction:
        """Puts the cost of a call right, in micro-dollars, by one more entry. Raises WrongUse, StoreUnavailable."""
        now = self._clock.now()

        def correct(connection: Connection) -> int | None:
            done = corrections.correct(connection, None, call, cost, self._terms, now)
            if done is None:
                return None
            before, settled = done
            alerts.note(connection, settled.rows, settled.cost, self._terms, now)
            return before

        before = await self._database.write(correct)
        if before is None:
            raise WrongUse(
                f"There is no call {call}. `bise usage --workspace W --estimated` lists the calls that are estimated."
            )
        return Correction(call, before, cost)

    def _changed(
        self,
        connection: Connection,
        key: WorkspaceKey | None,
        person: str | None,
        channel: str | None,
        by: Person | None,
        now: datetime,
    ) -> tuple[Place, int | None]:
        """The place whose limit is to be set, and the number of who does it."""
        if key is None:
            return places.installation(self._terms), None
        number = workspaces.find(connection, key)
        if number is None and by is None and key not in _OURS:
            raise unknown(key)
        number = workspaces.ensure(connection, key, now) if number is None else number
        whole = places.workspace(connection, self._terms, key, number)
        changed_by = workspaces.ensure_person(connection, number, by) if by is not None else None
        if channel is not None:
            return places.channel(whole, channel), changed_by
        if person is not None:
            workspaces.ensure_person(connection, number, Person(person, person))
            return places.person(connection, whole, person), changed_by
        return whole, changed_by


def lines(connection: Connection, found: Sequence[Place], terms: Terms, now: datetime) -> tuple[BudgetLine, ...]:
    """Day and month of each place."""
    standing = limits.standing(connection, [(place.name, place.owner) for place in found], terms, now)
    return tuple(
        _line(place, kind, room)
        for place, rooms in zip(found, standing, strict=True)
        for kind, room in zip(KINDS, rooms, strict=True)
    )


def unknown(key: WorkspaceKey) -> WrongUse:
    """What is said of a workspace that is not stored."""
    return WrongUse(f"Nothing is known of the workspace {key}: nobody has asked Bise anything there yet.")


def _line(place: Place, kind: Kind, room: Room) -> BudgetLine:
    resets_at = room.resets_at.astimezone(place.owner.zone)
    return BudgetLine(
        place.workspace, place.scope, kind, room.limit, room.spent, room.reserved, resets_at, place.private
    )


def _check_ids(key: WorkspaceKey | None, person: str | None, channel: str | None) -> None:
    """Raises WrongUse where there is a name in place of the platform's own id."""
    if key is None:
        if person is not None or channel is not None:
            raise WrongUse("People and channels are part of a workspace: name it, too.")
        return
    user_like, channel_like = _EXAMPLES[key.platform]
    for what, written, like in (("person", person, user_like), ("channel", channel, channel_like)):
        if written is not None and not _ID.fullmatch(written):
            raise WrongUse(f"A {what} is named by its id: write it as the platform shows it, such as {like}.")
