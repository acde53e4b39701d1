"""Random ledgers, and what is to be said of them, added up by hand: row after row, without a query."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import sqlalchemy
from hypothesis import strategies as st

from core.messages import WorkspaceKey
from core.store import tables
from tests.databases import Place

ON = date(2026, 11, 22)  # a Sunday
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TEAM = WorkspaceKey("slack", "T1")
OURS, OTHERS = 1, 2  # numbers of workspaces
TENTHS = {"mistral-global": 10, "mistral-eu": 11}  # and nothing is known of "custom"
# Input and cached micro-dollars per million tokens, as the catalogue has them on that day.
MODELS = ("mistral-large-2512", "mistral-small-2603", "pixtral-large-2411", "a-model-nobody-knows")
CHANNELS = ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "D1", "D2")
PRICED = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Call:
    """A row of the ledger; `workspace` and `turn` by our own numbers. `at`: when it was written."""

    workspace: int
    day: date
    model: str
    home: str
    price_from: date | None
    channel: str
    person: int
    turn: int
    prompt: int
    completion: int
    cached: int
    cost: int
    estimated: int
    first_text_ms: int | None
    corrects: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    day: date
    state: str
    refused_by: str | None
    saved_by: str | None


@dataclass(frozen=True, slots=True)
class TopUp:
    day: date
    extra: int
    press: int
    place: str


@dataclass(frozen=True, slots=True)
class World:
    calls: tuple[Call, ...]
    turns: tuple[Turn, ...]
    top_ups: tuple[TopUp, ...]
    held: int
    extra: int

    @property
    def ours(self) -> tuple[Call, ...]:
        return tuple(call for call in self.calls if call.workspace == OURS)


def world_of(seed: int) -> World:
    """A world by chance, always the same for a seed; from nothing at all to many rows on the days that count."""
    random = Random(seed)
    size = random.choice([0, 1, 8, 60, 150])
    return World(
        tuple(_call(random) for _ in range(size)),
        tuple(_turn(random) for _ in range(size // 2)),
        tuple(
            TopUp(_day(random), 5_000_000, random.randrange(2), random.choice(["workspace:1", "person:1:2"]))
            for _ in range(size // 10)
        ),
        random.randrange(900_000),
        random.choice([0, 5_000_000]),
    )


def _day(random: Random) -> date:
    if random.random() < 0.5:
        return ON - timedelta(days=random.choice([-1, 0, 0, 0, 1, 7, 14, 21, 28]))
    return ON - timedelta(days=random.randrange(70))


def _call(random: Random) -> Call:
    corrects = random.random() < 0.2
    day, cached = _day(random), random.choice([0, random.randrange(30_000)])
    made = max(day, ON + timedelta(days=random.choice([-1, 0, 1]))) if corrects else day
    return Call(
        workspace=random.choice([OURS, OURS, OURS, OTHERS]),
        day=day,
        model=random.choice(MODELS),
        home=random.choice(["mistral-global", "mistral-eu", "custom"]),
        price_from=random.choice([None, PRICED, PRICED]),
        channel=random.choice(CHANNELS),
        person=random.randrange(1, 4),
        turn=random.randrange(1, 9),
        prompt=cached + random.randrange(3_000),
        completion=random.randrange(3_000),
        cached=cached,
        cost=random.randrange(-500_000 if corrects else 0, 1_000_000),
        estimated=random.choice([0, 0, 1_234]) * (-1 if corrects else 1),
        first_text_ms=None if corrects else random.choice([None, random.randrange(9_000)]),
        corrects=corrects,
        at=datetime.combine(made, time(random.choice([0, 0, 11])), UTC),
    )


def _turn(random: Random) -> Turn:
    return Turn(
        _day(random),
        random.choice(["done", "failed", "cancelled"]),
        random.choice([None, None, "person", "workspace"]),
        random.choice([None, "history", "history,economy", "length"]),
    )


worlds = st.integers(0, 2**32).map(world_of)


def lay_down(place: Place, world: World) -> None:
    """Makes a database hold that world and nothing else."""
    made = {name: table for name, table in tables.Usage.metadata.tables.items() if name != "schema_floor"}
    with place.connected() as connection:
        if place.postgres:  # the rows that these would point to are of no meaning here
            connection.exec_driver_sql("SET session_replication_role = replica")
        for name in ("usage", "turn", "budget", "budget_change", "conversation", "person", "workspace"):
            connection.execute(sqlalchemy.delete(made[name]))
        for name, rows in _rows(world).items():
            if rows:
                connection.execute(sqlalchemy.insert(made[name]), rows)
        connection.commit()


def _rows(world: World) -> dict[str, list[dict[str, Any]]]:
    workspace = {"platform": "slack", "created_at": NOW}
    kinds = {channel: "dm" if channel.startswith("D") else "thread" for channel in CHANNELS}
    month = sum(call.cost for call in world.ours if call.day.strftime("%Y-%m") == "2026-11")
    return {
        "workspace": [
            {"id": OURS, "external_id": "T1", **workspace},
            {"id": OTHERS, "external_id": "T2", **workspace},
        ],
        "person": [
            {"id": number, "workspace_id": OURS, "external_id": f"U{number}", "name": name}
            for number, name in ((1, "Ada"), (2, "Ben"), (3, None))
        ],
        "conversation": [
            {
                "id": number,
                "workspace_id": OURS,
                "kind": kinds[channel],
                "channel": channel,
                "root": channel,
                "begun_with_bot": True,
                "created_at": NOW,
                "last_at": NOW,
            }
            for number, channel in enumerate(CHANNELS, 1)
        ],
        "usage": [_usage(call) for call in world.calls],
        "turn": [
            {
                "workspace_id": OURS,
                "conversation_id": 1,
                "message_id": number,
                "cause": "asked",
                "ordinal": 1,
                "attempt": 1,
                "address": {},
                "local_date": turn.day,
                "created_at": NOW,
                **{name: value for name, value in asdict(turn).items() if name != "day"},
            }
            for number, turn in enumerate(world.turns)
        ],
        "budget": [
            {
                "workspace_id": OURS,
                "place": "workspace:1",
                "kind": "month",
                "period": "2026-11",
                "starts_at": NOW,
                "resets_at": NOW,
                "extra_microusd": world.extra,
                "reserved_microusd": world.held,
                "spent_microusd": month,
            }
        ],
        "budget_change": [
            {
                "workspace_id": OURS,
                "place": top_up.place,
                "kind": "month",
                "what": "top_up",
                "changed_by": 1,
                "before_microusd": 0,
                "after_microusd": top_up.extra,
                "local_date": top_up.day,
                "at": datetime.combine(top_up.day, time(top_up.press), UTC),
            }
            for top_up in world.top_ups
        ],
    }


def _usage(call: Call) -> dict[str, Any]:
    return {
        "workspace_id": call.workspace,
        "conversation_id": 1 + CHANNELS.index(call.channel),
        "turn_id": call.turn,
        "person_id": call.person,
        "channel": call.channel,
        "attempt": 1,
        "home": call.home,
        "model": call.model,
        "price_from": call.price_from,
        "prompt_tokens": call.prompt,
        "completion_tokens": call.completion,
        "cached_tokens": call.cached,
        "cost_microusd": call.cost,
        "estimated": call.estimated > 0,
        "estimated_microusd": call.estimated,
        "local_date": call.day,
        "day_period": call.day.isoformat(),
        "month_period": call.day.strftime("%Y-%m"),
        "first_text_ms": call.first_text_ms,
        "total_ms": 1,
        "outcome": "ok",
        "corrects": 1 if call.corrects else None,
        "at": call.at,
    }
