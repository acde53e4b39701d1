"""Where money is counted: a place's name in the store, what people call it, and whose days it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from core.budgets.terms import Terms
from core.messages import LOCAL, WorkspaceKey
from core.store import budgets, limits, workspace_settings, workspaces
from core.store.budgets import INSTALLATION
from core.store.database import Connection
from core.store.limits import Owner


@dataclass(frozen=True, slots=True)
class Place:
    """`name` as the store has it, `scope` as INTERFACE.md does. `private`: its figures are a person's own business."""

    name: str
    scope: str
    workspace: WorkspaceKey | None
    owner: Owner
    private: bool = False


def installation(terms: Terms) -> Place:
    """Everything together."""
    return Place(INSTALLATION, "installation", None, Owner(None, ZoneInfo(terms.timezone)))


def workspace(connection: Connection, terms: Terms, key: WorkspaceKey, number: int | None) -> Place:
    """A workspace; one that is not stored yet has the number 0, which none has."""
    found = number or 0
    return _whole(terms, found, key, workspace_settings.chosen(connection, found).zone)


def every(connection: Connection, terms: Terms) -> list[Place]:
    """The installation and all workspaces."""
    found = [_whole(terms, number, key, zone) for number, key, zone in workspace_settings.every(connection)]
    return [installation(terms), *found]


def channel(whole: Place, id_: str) -> Place:
    """A channel of a workspace by the platform's id, whether anything is known of it or not."""
    return Place(budgets.channel_place(whole.owner.workspace or 0, id_), f"channel:{id_}", whole.workspace, whole.owner)


def person(connection: Connection, whole: Place, id_: str) -> Place:
    """A person of a workspace by the platform's id; one who is not stored yet has the number 0."""
    number = workspaces.find_person(connection, whole.owner.workspace or 0, id_) or 0
    return _person(connection, whole, number, id_)


def limited(connection: Connection, wholes: Iterable[Place]) -> list[Place]:
    """The channels and people of these workspaces for whom somebody set a limit."""
    by_number = {whole.owner.workspace: whole for whole in wholes if whole.scope == "workspace"}
    found = []
    for number, name in limits.places_set(connection, [number for number in by_number if number]):
        scope, _, rest = name.partition(":")
        id_ = rest.partition(":")[2]
        if scope == "channel":
            found.append(channel(by_number[number], id_))
        else:
            external = workspace_settings.external_id(connection, number, int(id_))
            found.append(_person(connection, by_number[number], int(id_), external))
    return found


def _whole(terms: Terms, number: int, key: WorkspaceKey, zone: str | None) -> Place:
    return Place(budgets.workspace_place(number), "workspace", key, Owner(number, ZoneInfo(zone or terms.timezone)))


def _person(connection: Connection, whole: Place, number: int, id_: str) -> Place:
    """What people spend is theirs to know, unless their workspace shows it, or is this machine's terminal."""
    shown = whole.workspace == LOCAL or workspace_settings.chosen(connection, whole.owner.workspace).show_people
    name = budgets.person_place(whole.owner.workspace or 0, number)
    return Place(name, f"user:{id_}", whole.workspace, whole.owner, private=not shown)
