"""Reports and what became of them: opened once by their key, made by one process, posted as announcements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import and_, bindparam, insert, or_, select, tuple_, update

from core.messages import WorkspaceKey
from core.reports.report import Kind
from core.store import report_tables, tables
from core.store.database import Connection

CLAIM = timedelta(minutes=2)  # longer than a report takes to be made
_run = report_tables.ReportRun.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_KEY = (_run.c.workspace_id, _run.c.kind, _run.c.local_date)
_ONE = and_(*(column == bindparam(f"its_{column.name}") for column in _KEY))
_SET = update(_run).where(_ONE)
_FIND = select(_run.c.outcome, _run.c.failure, _run.c.tries, _run.c.missed, _run.c.figures, _run.c.platform_id).where(
    _ONE
)

Outcome = Literal["made", "posted", "silent", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class RunKey:
    """Which report: of a workspace, by our own number, about what ends with a local date."""

    workspace: int
    kind: Kind
    date: date

    def __str__(self) -> str:
        return f"{self.workspace}:{self.kind}:{self.date}"

    @classmethod
    def parse(cls, text: str) -> RunKey:
        """What `str` gave."""
        workspace, kind, day = text.split(":")
        return cls(int(workspace), cast("Kind", kind), date.fromisoformat(day))


@dataclass(frozen=True, slots=True)
class Opened:
    """A report to be made. `missed`: reports before it that never were. `skipped`: nobody wants it, as it is muted."""

    key: RunKey
    missed: int = 0
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A report that this process makes. `tries`: this one included."""

    key: RunKey
    workspace: WorkspaceKey
    missed: int
    tries: int


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a report. `outcome` None: it is to be made, or being made. `figures`: frozen.

    `unclear`: it counts as posted, but nobody can tell whether it arrived.
    """

    outcome: Outcome | None
    failure: str | None
    tries: int
    missed: int
    figures: dict[str, Any] | None
    unclear: bool = False


def open_all(connection: Connection, opened: Sequence[Opened], now: datetime) -> list[RunKey]:
    """Opens those that were not opened before, and gives them; whoever loses a race for one is run anew."""
    if not opened:
        return []
    keys = [(one.key.workspace, one.key.kind, one.key.date) for one in opened]
    there = {tuple(row) for row in connection.execute(select(*_KEY).where(tuple_(*_KEY).in_(keys)))}
    fresh = [one for one, key in zip(opened, keys, strict=True) if key not in there]
    if fresh:
        values = [
            _named(one.key)
            | {"claimed_at": now, "tries": 0, "missed": one.missed}
            | {"outcome": "skipped" if one.skipped else None, "ended_at": now if one.skipped else None}
            for one in fresh
        ]
        connection.execute(insert(_run), values)
    return [one.key for one in fresh]


def take(connection: Connection, platforms: Sequence[str], now: datetime, most: int) -> list[Run]:
    """Some that are to be made and that nobody is at, the oldest first; they are this process's for a while."""
    free = or_(_run.c.claimed_until.is_(None), _run.c.claimed_until <= now)
    query = (
        select(*_KEY, _run.c.missed, _run.c.tries, _workspace.c.platform, _workspace.c.external_id)
        .join_from(_run, _workspace, _workspace.c.id == _run.c.workspace_id)
        .where(_run.c.ended_at.is_(None), _run.c.outcome.is_(None), free, _workspace.c.platform.in_(platforms))
        .order_by(_run.c.claimed_at, _run.c.workspace_id)
        .limit(most)
        .with_for_update(of=_run, skip_locked=True)
    )
    taken = [
        Run(
            RunKey(row.workspace_id, cast("Kind", row.kind), row.local_date),
            WorkspaceKey(row.platform, row.external_id),
            row.missed,
            row.tries + 1,
        )
        for row in connection.execute(query)
    ]
    if taken:
        values = [_its(run.key) | {"claimed_until": now + CLAIM, "tries": run.tries} for run in taken]
        connection.execute(_SET, values)
    return taken


def freeze(connection: Connection, key: RunKey, figures: dict[str, Any], *, again: bool = False) -> int | None:
    """Keeps the figures of a report that is now announced, and gives its tries; None: somebody else was quicker.

    `again`: also one that was silent, skipped or could not be posted.
    """
    over = _run.c.outcome.in_(("silent", "skipped", "failed"))
    mine = or_(_run.c.outcome.is_(None), over) if again else _run.c.outcome.is_(None)
    values = {"figures": figures, "outcome": "made", "claimed_until": None, "ended_at": None, "failure": None}
    if again:
        values["tries"] = _run.c.tries + 1
    made = update(_run).where(_of(key), mine).values(values).returning(_run.c.tries)
    tries = connection.execute(made).scalar()
    return None if tries is None else int(tries)


def end(
    connection: Connection,
    key: RunKey,
    outcome: Outcome,
    now: datetime,
    *,
    failure: str | None = None,
    place: str | None = None,
    platform_id: str | None = None,
) -> None:
    """A report is over. `place` and `platform_id`: where it stands first, if it does anywhere."""
    posted = now if outcome == "posted" else None
    values = {"outcome": outcome, "failure": failure, "place": place, "platform_id": platform_id}
    connection.execute(update(_run).where(_of(key)).values(**values, posted_at=posted, ended_at=now))


def find(connection: Connection, key: RunKey) -> Found | None:
    """What became of a report; None: it was never opened."""
    row = connection.execute(_FIND, _its(key)).first()
    if row is None:
        return None
    unclear = row.outcome == "posted" and row.platform_id is None
    return Found(row.outcome, row.failure, row.tries, row.missed, row.figures, unclear)


def unclear(connection: Connection, workspace: int, since: datetime) -> RunKey | None:
    """The newest report that was over after an instant and of which nobody can tell whether it arrived."""
    query = (
        select(*_KEY)
        .where(_run.c.workspace_id == workspace, _run.c.ended_at > since)
        .where(_run.c.outcome == "posted", _run.c.platform_id.is_(None))
        .order_by(_run.c.ended_at.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else RunKey(row.workspace_id, cast("Kind", row.kind), row.local_date)


def _of(key: RunKey) -> Any:
    return and_(*(column == value for column, value in zip(_KEY, (key.workspace, key.kind, key.date), strict=True)))


def _its(key: RunKey) -> dict[str, Any]:
    return {f"its_{name}": value for name, value in _named(key).items()}


def _named(key: RunKey) -> dict[str, Any]:
    return {"workspace_id": key.workspace, "kind": key.kind, "local_date": key.date}
