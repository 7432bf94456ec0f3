"""Which of several servers is asked, with a clock of the test's own."""

from __future__ import annotations

import heapq
import random

import pytest

from nbchat.client.balance import Balance


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_server_with_the_least_to_do_is_asked() -> None:
    balance = Balance(3)
    assert [balance.take() for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    balance.ended(1, has_failed=False)
    assert balance.take() == 1


def test_what_was_tried_is_not_asked_again() -> None:
    balance = Balance(3)
    assert balance.take({0, 1}) == 2
    assert balance.take({0, 2}) == 1


def test_a_server_that_failed_is_left_alone_and_tried_by_one_request() -> None:
    clock = Clock()
    balance = Balance(2, clock)
    balance.ended(balance.take(), has_failed=True)
    assert [balance.take() for _ in range(4)] == [1, 1, 1, 1]
    clock.now = 1.0  # its while is over: one request tries it
    assert [balance.take() for _ in range(3)] == [0, 1, 1]
    balance.ended(0, has_failed=True)
    clock.now = 2.9  # and again, for twice as long
    assert balance.take() == 1
    clock.now = 3.0
    assert balance.take() == 0
    balance.ended(0, has_failed=False)
    assert [balance.take() for _ in range(3)] == [0, 0, 0]  # it is well, and has least to do


def test_no_pause_is_longer_than_a_minute() -> None:
    clock = Clock()
    balance = Balance(2, clock)
    for _ in range(50):
        balance.take({1})
        balance.ended(0, has_failed=True)
    assert balance.loads[0].alone_until - clock.now == 60.0


def test_where_all_are_left_alone_the_first_to_come_back_is_tried() -> None:
    clock = Clock()
    balance = Balance(2, clock)
    for number, at in ((1, 0.0), (0, 0.5)):
        clock.now = at
        balance.take({1 - number})
        balance.ended(number, has_failed=True)
    assert balance.take() == 1


def test_an_end_that_tells_nothing_changes_nothing() -> None:
    balance = Balance(2)
    balance.ended(balance.take(), has_failed=True)
    before = balance.loads[0].alone_until
    balance.take({1})
    balance.ended(0, has_failed=None)
    assert balance.loads[0].alone_until == before


def test_what_stays_on_one_stays_there_until_that_fails() -> None:
    balance = Balance(3)
    assert [balance.steady() for _ in range(3)] == [0, 0, 0]
    balance.ended(balance.take(), has_failed=True)
    assert balance.steady() == 1
    for number in (1, 2):
        balance.take({0, 3 - number})
        balance.ended(number, has_failed=True)
    assert balance.steady() == 0


@pytest.mark.parametrize("speeds", [(1.0, 1.0, 4.0), (1.0, 2.0, 3.0)])
def test_a_slow_server_gets_fewer(speeds: tuple[float, ...]) -> None:
    clock, chance = Clock(), random.Random(1)
    balance = Balance(len(speeds), clock)
    going: list[tuple[float, int]] = []
    for _ in range(3_000):
        if len(going) == 12:
            clock.now, number = heapq.heappop(going)
            balance.ended(number, has_failed=False)
        number = balance.take()
        heapq.heappush(going, (clock.now + speeds[number] * chance.uniform(0.5, 1.5), number))
    shares = [load.taken / 3_000 for load in balance.loads]
    whole = sum(1 / speed for speed in speeds)
    assert shares == pytest.approx([1 / speed / whole for speed in speeds], abs=0.03)
