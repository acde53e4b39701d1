"""Everything that can happen to money, in any order, beside a plain account of what must come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Engine, bindparam, text

from core.budgets.terms import Terms
from core.messages import Tokens
from core.store import corrections, limits, reservations, tables
from core.store.budgets import Room, Settled, Spender
from core.store.columns import UtcDateTime
from core.store.database import Connection
from core.store.ledger import Call
from core.store.reservations import Hold, NoRoom, Order
from tests import books

BEGAN = datetime(2026, 12, 30, 20, 0, tzinfo=UTC)
HOME, MODELS = "mistral", ("m-1", "m-2")
ZONES = ("Pacific/Kiritimati", "Asia/Kathmandu", "Europe/Paris", "UTC", "America/New_York", "Pacific/Pago_Pago")
WORKSPACES, PEOPLE, TURNS = (1, 2), 2, 3  # of each workspace, of each conversation
_CHANNELS = ("C1", "C2")
_EMPTIED = ("usage", "reservation", "budget", "budget_limit", "budget_change", "model_margin", "announcement")
Result = TypeVar("Result")

workspaces, numbers = st.sampled_from(WORKSPACES), st.integers(0, 1)
kinds, scopes = st.sampled_from(("day", "month")), st.integers(0, 3)
permilles = st.one_of(st.integers(0, 1000), st.just(1000), st.integers(1000, 2500))


@dataclass(slots=True)
class Known:
    """A hold as it must be: `cost` is what all rows of its call must come to."""

    hold: Hold
    order: Order
    at: datetime
    state: str = "held"
    cost: int = 0
    estimated: bool = False

    @property
    def places(self) -> list[books.Place]:
        spender, periods = self.hold.spender, self.hold.periods
        own = books.places_of(spender.workspace, spender.channel, spender.person)
        return [
            *((place, "day", periods.day) for place in own),
            *((place, "month", periods.month) for place in own),
            ("installation", "day", periods.installation_day),
            ("installation", "month", periods.installation_month),
        ]


def furnish(engine: Engine) -> None:
    """Two workspaces with two people and two conversations each, with turns; calls have been held since ever."""
    made: Callable[..., dict[str, Any]] = dict
    with engine.begin() as connection:

        def put(table: Any, **values: Any) -> None:
            connection.execute(table.__table__.insert().values(**values))

        connection.execute(text("UPDATE budget_epoch SET at = '2000-01-01'"))
        for number in WORKSPACES:
            put(tables.Workspace, id=number, platform="slack", external_id=f"T{number}", created_at=BEGAN)
            for person in range(PEOPLE):
                put(tables.Person, id=10 * number + person, workspace_id=number, external_id=f"U{person}")
            for place, channel in enumerate(_CHANNELS):
                conversation = 10 * number + place
                common = made(workspace_id=number, created_at=BEGAN)
                put(
                    tables.Conversation,
                    **common,
                    id=conversation,
                    kind="thread",
                    channel=channel,
                    root="1",
                    begun_with_bot=True,
                    last_at=BEGAN,
                )
                for turn in range(TURNS):
                    number_ = 10 * conversation + turn
                    at = made(workspace_id=number, conversation_id=conversation)
                    said = made(role="person", source="message", text="?", addressed=True, sent_at=BEGAN)
                    put(tables.Message, **at, **said, id=number_, seq=turn + 1, source_id=str(number_))
                    put(tables.Turn, **at, id=number_, message_id=number_, cause="asked", created_at=BEGAN)


class BudgetMachine(RuleBasedStateMachine):
    """`engine`: of a furnished database; every example begins it anew."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._now = BEGAN
        self._zones: dict[int, str | None] = dict.fromkeys(WORKSPACES)
        self._terms = Terms(20_000, 8_000, 5_000, 3_000, 2_500, "UTC")
        self._limits: dict[tuple[str, str], int | None] = {}
        self._extra: Counter[books.Place] = Counter()
        self._known: list[Known] = []

    @initialize(turn=st.sampled_from((None, 2_500)), zone=st.sampled_from(ZONES), whose=st.sampled_from((None, *ZONES)))
    def begin(self, turn: int | None, zone: str, whose: str | None) -> None:
        with self._engine.begin() as connection:
            for table in _EMPTIED:
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names
        self._terms = replace(self._terms, turn=turn, timezone=zone)
        self._zones[WORKSPACES[0]] = whose

    @rule(hours=st.sampled_from((0.01, 0.2, 0.3, 1, 5, 11, 24, 26)))
    def time_passes(self, hours: float) -> None:
        self._now += timedelta(hours=hours)

    @rule(kind=kinds)
    def a_period_ends(self, kind: str) -> None:
        """The first one that has not ended yet."""
        query = "SELECT min(resets_at) AS resets_at FROM budget WHERE kind = :kind AND resets_at > :now"
        typed = text(query).bindparams(bindparam("now", self._now, UtcDateTime), kind=kind)
        with self._engine.connect() as connection:
            self._now = connection.execute(typed.columns(resets_at=UtcDateTime)).scalar() or self._now

    @rule(workspace=workspaces, zone=st.sampled_from((None, *ZONES)))
    def a_workspace_moves(self, workspace: int, zone: str | None) -> None:
        self._zones[workspace] = zone

    @rule(zone=st.sampled_from(ZONES))
    def the_installation_moves(self, zone: str) -> None:
        self._terms = replace(self._terms, timezone=zone)

    @rule(workspace=workspaces, channel=numbers, person=numbers, turn=st.integers(0, TURNS - 1), model=numbers)
    def hold_nothing(self, workspace: int, channel: int, person: int, turn: int, model: int) -> None:
        self.hold(workspace, channel, person, turn, model, 0, 0)

    @rule(
        workspace=workspaces,
        channel=numbers,
        person=numbers,
        turn=st.integers(0, TURNS - 1),
        model=numbers,
        bound=st.integers(1, 1500),
        ahead=st.sampled_from((0, 0, 0, 90, -90)),
    )
    def hold(self, workspace: int, channel: int, person: int, turn: int, model: int, bound: int, ahead: int) -> None:
        """`ahead`: seconds of this process's clock."""
        spender = Spender(workspace, _CHANNELS[channel], 10 * workspace + person, self._zones[workspace])
        conversation = 10 * workspace + channel
        number = 10 * conversation + turn
        order = Order(spender, conversation, number, 1, HOME, MODELS[model], None, 10, 20, bound)
        now, used = self._now + timedelta(seconds=ahead), self._used(number)
        margin = self._do(lambda connection: reservations.margin(connection, HOME, order.model))
        wide = -(-bound * margin // 1000)
        try:
            held = self._do(lambda connection: reservations.hold(connection, order, self._terms, now))
        except NoRoom as none:
            rooms = none.rooms
        else:
            rooms = ()
        if rooms:
            assert any(room.left < wide for room in rooms)
            for room in rooms:
                self._is_true(room, used, now)
            return
        assert held.bound == wide
        known = Known(held, order, now)
        assert held.periods.local_date.isoformat() == held.periods.day
        self._known.append(known)
        self._counts_in_what_has_not_ended(known)
        if wide:
            assert self._terms.turn is None or used + wide <= self._terms.turn
            for place in known.places:
                limit = self._limit(place)
                assert limit is None or sum(self._counted(place)) <= limit, f"{place} is overdrawn"

    @precondition(lambda self: self._of("held"))
    @rule(data=st.data(), permille=permilles)
    def settle(self, data: st.DataObject, permille: int) -> None:
        known = data.draw(st.sampled_from(self._of("held")))
        cost, bound = known.hold.bound * permille // 1000, known.hold.bound
        ended = self._end(known, self._call(known, cost), "settled")
        assert ended is not None
        assert (ended.cost, ended.above) == (cost, max(cost - bound, 0))
        known.state, known.cost = "settled", cost
        if cost > bound:
            margin = self._do(lambda connection: reservations.margin(connection, HOME, known.order.model))
            assert known.order.bound * margin // 1000 >= cost, "the next bound would not have covered it either"

    @precondition(lambda self: self._of("held"))
    @rule(data=st.data(), sent=st.booleans())
    def void(self, data: st.DataObject, sent: bool) -> None:
        known = data.draw(st.sampled_from(self._of("held")))
        assert self._end(known, self._call(known, 0) if sent else None, "voided") is not None
        known.state = "voided"

    @precondition(lambda self: self._of("held"))
    @rule(data=st.data())
    def charge(self, data: st.DataObject) -> None:
        """By its owner, for want of a usage."""
        known = data.draw(st.sampled_from(self._of("held")))
        call = replace(self._call(known, known.hold.bound, known.hold.bound), estimated=True)
        assert self._end(known, call, "charged") is not None
        known.state, known.cost, known.estimated = "charged", known.hold.bound, known.hold.bound > 0

    @rule()
    def sweep(self) -> None:
        """Charges what has expired, twice over."""
        due = [one for one in self._of("held") if one.at + reservations.LEASE < self._now]
        found = self._do(lambda connection: reservations.expired(connection, self._now))
        assert sorted(found) == sorted(one.hold.number for one in due)
        for known in due:
            number = known.hold.number
            charged = self._do(lambda c, n=number: reservations.charge(c, n, self._terms, self._now))  # type: ignore[misc]
            again = self._do(lambda c, n=number: reservations.charge(c, n, self._terms, self._now))  # type: ignore[misc]
            assert (charged.cost, again) == (known.hold.bound, None)
            known.state, known.cost, known.estimated = "charged", known.hold.bound, known.hold.bound > 0

    @precondition(lambda self: self._of("settled", "voided", "charged"))
    @rule(data=st.data(), permille=permilles, how=st.sampled_from(("settled", "charged", "voided")))
    def end_again(self, data: st.DataObject, permille: int, how: reservations.End) -> None:
        """A second end changes nothing, but that a usage that comes late puts an estimate right, once."""
        known = data.draw(st.sampled_from(self._of("settled", "voided", "charged")))
        cost = known.hold.bound * permille // 1000
        ended = self._end(known, self._call(known, cost), how)
        if known.state == "charged" and how == "settled":
            known.state = "settled"
            if known.estimated:
                assert ended is not None
                assert ended.cost == cost - known.cost
                known.cost, known.estimated = cost, False
                return
        assert ended is None

    @precondition(lambda self: self._of("settled", "charged"))
    @rule(data=st.data(), cost=st.integers(0, 4000))
    def correct(self, data: st.DataObject, cost: int) -> None:
        known = data.draw(st.sampled_from(self._of("settled", "charged")))
        query = f"SELECT id FROM usage WHERE corrects IS NULL AND reservation_id = {known.hold.number}"  # noqa: S608
        ((usage,),) = self._rows(query)
        done = self._do(lambda connection: corrections.correct(connection, None, usage, cost, self._terms, self._now))
        assert done is not None
        assert (done[0], done[1].cost) == (known.cost, cost - known.cost)
        known.cost, known.estimated = cost, False

    @rule(scope=scopes, workspace=workspaces, number=numbers, kind=kinds, extra=st.integers(1, 3000))
    def top_up(self, scope: int, workspace: int, number: int, kind: str, extra: int) -> None:
        place = self._place(scope, workspace, number)
        query = f"SELECT period FROM budget WHERE place = '{place}' AND kind = '{kind}' ORDER BY starts_at DESC"  # noqa: S608
        if not (found := self._rows(query)):
            return
        period = found[0][0]
        self._do(
            lambda connection: limits.top_up(
                connection,
                workspace=workspace if scope else None,
                place=place,
                kind=kind,
                period=period,
                extra=extra,
                by=None,
                now=self._now,
                local_date=self._now.date(),
            )
        )
        self._extra[place, kind, period] += extra

    @rule(
        scope=scopes,
        workspace=workspaces,
        number=numbers,
        kind=kinds,
        limit=st.one_of(st.none(), st.just(limits.DEFAULT), st.integers(0, 12_000)),
    )
    def set_limit(self, scope: int, workspace: int, number: int, kind: Any, limit: Any) -> None:
        place = self._place(scope, workspace, number)
        self._do(
            lambda connection: limits.set_limit(
                connection,
                workspace=workspace if scope else None,
                place=place,
                kind=kind,
                limit=limit,
                by=None,
                terms=self._terms,
                now=self._now,
                local_date=self._now.date(),
            )
        )
        self._limits.pop((place, kind), None)
        if limit != limits.DEFAULT:
            self._limits[place, kind] = limit

    @invariant()
    def counters_are_the_sums_over_their_rows(self) -> None:
        assert books.wrong(self._rows) == []

    @invariant()
    def each_hold_comes_to_what_it_must(self) -> None:
        query = """SELECT reservation.id, reservation.state, coalesce(sum(cost_microusd), 0),
            coalesce(sum(estimated_microusd), 0) FROM reservation LEFT JOIN usage ON reservation_id = reservation.id
            GROUP BY reservation.id, reservation.state ORDER BY reservation.id"""
        told = [(number, state, int(cost), int(estimated) > 0) for number, state, cost, estimated in self._rows(query)]
        assert told == [(one.hold.number, one.state, one.cost, one.estimated) for one in self._known]

    @invariant()
    def no_date_has_two_periods(self) -> None:
        """And no place has another calendar than its workspace."""
        query = "SELECT place, kind, period, starts_at, resets_at FROM budget ORDER BY place, kind, starts_at, period"
        spans: dict[tuple[int, str, str], set[tuple[Any, Any]]] = {}
        names: dict[tuple[str, str], list[str]] = {}
        for place, kind, period, starts_at, resets_at in self._rows(query):
            workspace = int([*place.split(":"), "0"][1])
            spans.setdefault((workspace, kind, period), set()).add((starts_at, resets_at))
            names.setdefault((place, kind), []).append(period)
        assert [where for where, found in spans.items() if len(found) > 1] == []
        assert [periods for periods in names.values() if periods != sorted(set(periods))] == []

    def _is_true(self, room: Room, used: int, now: datetime) -> None:
        """What a refusal says of a limit."""
        if room.scope == "turn":
            assert (room.limit, room.spent, room.reserved) == (self._terms.turn, used, 0)
            return
        place = (room.place, room.kind, room.period)
        assert (room.spent, room.reserved) == self._counted(place)
        assert room.limit == self._limit(place)
        assert now < room.resets_at

    def _counts_in_what_has_not_ended(self, known: Known) -> None:
        """It has begun, by the clock of whoever made it; of two that have not ended the one that ends first."""
        mine = {(place, kind): period for place, kind, period in known.places}
        query = text("SELECT place, kind, period FROM budget WHERE resets_at > :now ORDER BY resets_at DESC")
        typed = query.bindparams(bindparam("now", known.at, UtcDateTime))
        with self._engine.connect() as connection:
            first = {(row.place, row.kind): row.period for row in connection.execute(typed)}
        assert mine == {where: first[where] for where in mine}

    def _counted(self, place: books.Place) -> tuple[int, int]:
        mine = [one for one in self._known if place in one.places]
        return sum(one.cost for one in mine), sum(one.hold.bound for one in mine if one.state == "held")

    def _limit(self, place: books.Place) -> int | None:
        where, kind, _ = place
        scope = where.partition(":")[0]
        default = self._terms.default(scope, kind)  # type: ignore[arg-type]
        limit = self._limits.get((where, kind), default)
        return None if limit is None else limit + self._extra[place]

    def _used(self, turn: int) -> int:
        mine = [one for one in self._known if one.order.turn == turn]
        return sum(one.cost + (one.hold.bound if one.state == "held" else 0) for one in mine)

    def _of(self, *states: str) -> list[Known]:
        return [one for one in self._known if one.state in states]

    def _place(self, scope: int, workspace: int, number: int) -> str:
        return (*books.places_of(workspace, _CHANNELS[number], 10 * workspace + number), "installation")[scope]

    def _call(self, known: Known, cost: int, estimated: int = 0) -> Call:
        order, spender = known.order, known.hold.spender
        return Call(
            workspace=spender.workspace,
            conversation=order.conversation,
            turn=order.turn,
            person=spender.person,
            channel=spender.channel,
            attempt=1,
            home=order.home,
            model=order.model,
            price_from=None,
            tokens=Tokens(1, 1, 1, 0, cost, estimated),
            estimated=False,
            periods=known.hold.periods,
            first_text_ms=None,
            total_ms=0,
            outcome="ok",
            correlation_id=None,
            at=self._now,
            reservation=known.hold.number,
        )

    def _end(self, known: Known, call: Call | None, how: reservations.End) -> Settled | None:
        return self._do(lambda connection: reservations.end(connection, known.hold, call, how, self._terms, self._now))

    def _do(self, transaction: Callable[[Connection], Result]) -> Result:
        with self._engine.begin() as connection:
            return transaction(connection)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
