"""What was spent, asked of the ledger: by a place in a period, by the answer in a post, by calls still estimated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import BigInteger, and_, cast, func, or_, select

from core.budgets.periods import Period
from core.messages import Tokens
from core.store import ledger, tables
from core.store.budgets import INSTALLATION
from core.store.database import Connection

_usage = tables.Usage.__table__  # type: ignore[attr-defined]
_post = tables.Post.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class EstimatedCall:
    """A call whose cost the provider has not told; `number` is what `bise budget correct` takes. Micro-dollars."""

    number: int
    at: datetime
    local_date: date
    model: str
    outcome: str
    cost_microusd: int
    estimated_microusd: int


@dataclass(frozen=True, slots=True)
class PostCost:
    """What an answer took, and the models that were asked for it, the first one first."""

    tokens: Tokens
    models: tuple[str, ...] = ()


def of_period(connection: Connection, place: str, workspace: int | None, period: Period) -> int:
    """What a place spent in a period, in micro-dollars; `workspace`: its own number, None for the installation."""
    query = select(cast(func.coalesce(func.sum(_usage.c.cost_microusd), 0), BigInteger))
    if place == INSTALLATION:
        column = _usage.c.installation_day if period.kind == "day" else _usage.c.installation_month
        older = and_(column.is_(None), _usage.c.at >= period.starts_at, _usage.c.at < period.resets_at)
        return int(connection.execute(query.where(or_(column == period.name, older))).scalar_one())
    column = _usage.c.day_period if period.kind == "day" else _usage.c.month_period
    query = query.where(_usage.c.workspace_id == workspace, column == period.name)
    scope, _, rest = place.partition(":")
    if scope == "channel":
        query = query.where(_usage.c.channel == rest.partition(":")[2])
    if scope == "person":
        query = query.where(_usage.c.person_id == int(rest.partition(":")[2]))
    return int(connection.execute(query).scalar_one())


def of_post(connection: Connection, workspace: int, platform_id: str) -> PostCost | None:
    """What the turn has used whose answer stands in a post; None for a post that is not ours.

    Where several turns went on in one post, the newest is what can be read there.
    """
    query = select(func.max(_post.c.turn_id)).where(
        _post.c.workspace_id == workspace, _post.c.platform_id == platform_id
    )
    turn = connection.execute(query).scalar()
    if turn is None:
        return None
    calls = (_usage.c.workspace_id == workspace, _usage.c.turn_id == turn)
    models = select(_usage.c.model).where(*calls).group_by(_usage.c.model).order_by(func.min(_usage.c.id))
    return PostCost(ledger.of_turn(connection, workspace, turn), tuple(connection.execute(models).scalars()))


def estimated_calls(
    connection: Connection, workspace: int, *, since: date | None = None, until: date | None = None
) -> list[EstimatedCall]:
    """The calls of which something is still estimated, the oldest first, with what corrected them so far."""
    fix = _usage.alias("correction")
    estimated = _usage.c.estimated_microusd + func.coalesce(func.sum(fix.c.estimated_microusd), 0)
    cost = _usage.c.cost_microusd + func.coalesce(func.sum(fix.c.cost_microusd), 0)
    query = (
        select(_usage, cast(cost, BigInteger).label("now_cost"), cast(estimated, BigInteger).label("now_estimated"))
        # A correction is of the same turn, by which it is found.
        .outerjoin_from(_usage, fix, and_(fix.c.turn_id == _usage.c.turn_id, fix.c.corrects == _usage.c.id))
        .where(_usage.c.workspace_id == workspace, _usage.c.corrects.is_(None), _usage.c.estimated_microusd > 0)
        .group_by(_usage.c.id)
        .having(estimated > 0)
        .order_by(_usage.c.id)
    )
    if since is not None:
        query = query.where(_usage.c.local_date >= since)
    if until is not None:
        query = query.where(_usage.c.local_date <= until)
    return [
        EstimatedCall(row.id, row.at, row.local_date, row.model, row.outcome, row.now_cost, row.now_estimated)
        for row in connection.execute(query)
    ]
