"""Where those are told who run the installation, and the admins of a workspace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.messages import DISCORD_DM, LOCAL, WorkspaceKey
from core.ports import OWNER
from core.settings import Settings

ADMINS_TOLD = 5  # of a workspace, at most
DISCORD = "discord"


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a platform by its id; `privately`: a person."""

    platform: str
    to: str
    privately: bool = False

    def __str__(self) -> str:
        return f"{self.platform}:{'@' if self.privately else ''}{self.to}"


Round = tuple[Place, ...]  # places that are all told; the next ones where none of them took it


def is_run_here(workspace: WorkspaceKey | None) -> bool:
    """Whether nobody has a say there but those who run the installation."""
    return workspace in (None, LOCAL, DISCORD_DM)


def of_installation(settings: Settings) -> tuple[Round, ...]:
    """BISE_REPORT_CHANNEL; each of BISE_ADMINS; the owner of the Discord application."""
    owner = (Place(DISCORD, OWNER, privately=True),)
    return (_read(settings.report_channel), _read(settings.admins, privately=True), owner)


def of_reports(settings: Settings, workspace: WorkspaceKey, channel: str | None) -> tuple[Round, ...]:
    """The channel that the workspace chose, then those of BISE_REPORT_CHANNEL on its platform."""
    chosen = (Place(workspace.platform, channel),) if channel else ()
    given = tuple(place for place in _read(settings.report_channel) if place.platform == workspace.platform)
    return (chosen, given)


def of_admins(settings: Settings, workspace: WorkspaceKey, admins: Iterable[str]) -> Round:
    """The workspace's own `admins`, some of them, and those of BISE_ADMINS on its platform, privately."""
    theirs = [Place(workspace.platform, person, privately=True) for person in admins][:ADMINS_TOLD]
    ours = [place for place in _read(settings.admins, privately=True) if place.platform == workspace.platform]
    return tuple(dict.fromkeys((*theirs, *ours)))


def _read(names: Iterable[str], *, privately: bool = False) -> Round:
    split = (name.partition(":") for name in names)
    return tuple(Place(platform, to, privately) for platform, _, to in split)
