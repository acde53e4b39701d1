"""Who is next: in turn between accounts, first come, first served within one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.mistral.throttle.fair_queue import FairQueue


def test_a_busy_account_does_not_stand_before_a_quiet_one() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.push("busy", f"busy{number}", 1.0)
    queue.push("quiet", "quiet0", 1.0)
    assert "quiet0" in [queue.pop(), queue.pop()]


def test_two_accounts_share_by_cost_and_not_by_count() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.push("long", f"long{number}", 10.0)
        queue.push("short", f"short{number}", 1.0)
    served = [queue.pop() for _ in range(44)]
    assert sum(item.startswith("long") for item in served) == 4


def test_an_account_that_asks_one_by_one_gets_no_more_than_its_half() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.push("busy", f"busy{number}", 1.0)
    queue.push("single", "single", 1.0)
    served = []
    for _ in range(40):
        served.append(queue.pop())
        if served[-1] == "single":
            queue.push("single", "single", 1.0)
    assert served.count("single") == 20


def test_who_comes_later_has_saved_nothing_up() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.push("early", f"early{number}", 1.0)
    for _ in range(50):
        queue.pop()
    for number in range(100):
        queue.push("late", f"late{number}", 1.0)
    assert sum(queue.pop().startswith("late") for _ in range(20)) == 10


def test_accounts_that_wait_for_nothing_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(1000):
        queue.push(f"account{number}", "question", 1.0)
    queue.push("last", "a", 1.0)
    queue.push("last", "b", 1.0)
    for number in range(1000):
        queue.remove(f"account{number}", "question") if number % 2 else queue.pop()
    while len(queue):
        queue.pop()
    assert queue.accounts == 0
    assert queue.peek() is None


commands = st.lists(st.tuples(st.sampled_from(["push", "pop", "remove"]), st.integers(0, 4), st.integers(1, 9)))


@given(commands)
def test_nothing_is_lost_doubled_or_out_of_order(commands: list[tuple[str, int, int]]) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue()
    waiting: list[tuple[int, int]] = []
    for serial, (what, account, cost) in enumerate(commands):
        if what == "push":
            queue.push(str(account), (account, serial), float(cost))
            waiting.append((account, serial))
        elif what == "pop" and waiting:
            item = queue.peek()
            assert item == queue.pop()
            assert item == min(other for other in waiting if other[0] == item[0]), "the oldest of its account"
            waiting.remove(item)
        elif what == "remove" and waiting:
            item = waiting.pop(cost % len(waiting))
            queue.remove(str(item[0]), item)
        assert len(queue) == len(waiting)
        assert (queue.peek() is None) == (not waiting)
    assert sorted(queue.pop() for _ in range(len(waiting))) == sorted(waiting)
    assert queue.accounts == 0


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(2, 30))
def test_nobody_starves_whatever_the_others_weigh(costs: list[int], rounds: int) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue()
    for account, cost in enumerate(costs):
        for number in range(rounds * 10):
            queue.push(str(account), (account, number), float(cost))
    paid = [0] * len(costs)
    for _ in range(rounds):
        account, _ = queue.pop()
        paid[account] += costs[account]
        assert max(paid) - min(paid) <= max(costs)
