from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.errors import BudgetError, CheckError
from nbchat.session.budget import Budget, Reservation, dollars

AMOUNTS = st.floats(0, 1).map(lambda usd: round(usd, 6))


def test_what_is_spent_reserved_and_left() -> None:
    budget = Budget(1.0)
    first, second, third = (budget.reserve(0.25) for _ in range(3))
    assert (budget.spent_usd, budget.reserved_usd, budget.left_usd) == (0.0, 0.75, 0.25)
    budget.settle(first, 0.1)
    budget.settle(second, None)
    budget.release(third)
    assert budget.spent_usd == pytest.approx(0.1)
    assert budget.unknown_usd == pytest.approx(0.25)
    assert budget.reserved_usd == 0.0
    assert budget.left_usd == pytest.approx(0.65)
    assert repr(budget) == (
        "<Budget $1.00: spent $0.1 in 1 request · 1 request of unknown outcome, up to $0.25"
        " · left $0.65>"
    )


def test_what_does_not_fit_is_refused_with_what_would_help() -> None:
    budget = Budget(0.05)
    budget.settle(budget.reserve(0.04), 0.04)
    with pytest.raises(BudgetError) as caught:
        budget.reserve(0.031, "gpt-4o, at most 3,000 tokens")
    assert str(caught.value) == (
        "This request may cost $0.031 (gpt-4o, at most 3,000 tokens), and of the budget of $0.05 "
        "$0.01 are left: nothing was sent. max_completion_tokens lowers what it may cost, "
        "nbchat.configure(budget_usd=...) raises the budget."
    )
    assert budget.reserved_usd == 0.0


def test_a_request_without_a_known_price_is_refused_where_there_is_a_limit() -> None:
    with pytest.raises(BudgetError, match=r"price of this request is not known \(mine\).*prices="):
        Budget(1.0).reserve(None, "mine")
    unlimited = Budget()
    unlimited.settle(unlimited.reserve(None), 0.5)
    assert (unlimited.spent_usd, unlimited.left_usd) == (0.5, None)


def test_what_is_ended_twice_counts_once() -> None:
    budget = Budget(1.0)
    reservation = budget.reserve(0.5)
    budget.settle(reservation, 0.2)
    budget.settle(reservation, 0.2)
    budget.settle(reservation, None)
    budget.release(reservation)
    assert (budget.spent_usd, budget.unknown_usd, budget.reserved_usd) == (0.2, 0.0, 0.0)


@given(st.floats(0, 3), st.lists(st.tuples(AMOUNTS, st.sampled_from("suro"), st.floats(0, 1))))
def test_never_more_is_set_aside_than_there_is(limit: float, steps: list[tuple[Any, ...]]) -> None:
    budget = Budget(limit)
    for most, end, share in steps:
        try:
            reservation = budget.reserve(most)
        except BudgetError:
            assert budget.left_usd is not None
            assert most > budget.left_usd
            continue
        if end == "s":
            budget.settle(reservation, share * most)
        elif end == "u":
            budget.settle(reservation, None)
        elif end == "r":
            budget.release(reservation)
        used = budget.spent_usd + budget.unknown_usd + budget.reserved_usd
        assert used <= limit + 1e-9
        assert budget.left_usd == pytest.approx(limit - used, abs=1e-9)


def test_threads_never_reserve_more_than_there_is() -> None:
    budget, got = Budget(1.0), []

    def work() -> None:
        for _ in range(50):
            try:
                got.append(budget.reserve(0.01))
            except BudgetError:
                return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 100
    assert all(isinstance(reservation, Reservation) for reservation in got)


@pytest.mark.parametrize("limit", [-1, "1", True, float("nan")])
def test_a_budget_that_is_no_amount_is_refused(limit: Any) -> None:
    with pytest.raises(CheckError, match="budget_usd"):
        Budget(limit)


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0, "$0.00"),
        (0.5, "$0.5"),
        (0.031, "$0.031"),
        (1234.5, "$1,234.50"),
        (0.0000012, "$0.0000012"),
    ],
)
def test_amounts_are_legible(usd: float, shown: str) -> None:
    assert dollars(usd) == shown
