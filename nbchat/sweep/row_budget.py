"""What the rows of a sweep may cost together: set aside before one is sent, settled after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.errors import BudgetError
from nbchat.session.worst_case import worst_case
from nbchat.sweep.asked_row import Task
from nbchat.sweep.outcomes import Ending
from nbchat.sweep.request_size import order_of

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.session.budget import Budget


def most_usd(task: Task) -> float | None:
    """Give what a row costs at most, in US dollars, None where its price is not known."""
    return worst_case(order_of(task.prepared)).usd


def affords(budget: Budget | None, task: Task, *, n_going: int) -> bool:
    """Set aside what a row may cost, and tell whether it fits.

    It may fit later, while `n_going` others go on, which may turn out cheaper. Raise `BudgetError`
    where it never will.
    """
    if budget is None or task.reservation is not None:
        return True
    case = worst_case(order_of(task.prepared))
    try:
        task.reservation = budget.reserve(case.usd, case.what)
    except BudgetError:
        if case.usd is None or not (n_going or budget.may_grow):
            raise
        return False
    return True


def settle(budget: Budget | None, task: Task, run: Run, ending: Ending, n_requests: int) -> None:
    """Count what a row's `n_requests` cost in the place of what was set aside for it."""
    reservation = task.reservation
    if budget is None or reservation is None:
        return
    task.reservation = None
    if not n_requests:
        budget.release(reservation)
    elif ending.is_unknown:
        budget.settle(reservation, None if reservation.most_usd else 0.0)
    elif run.status == "complete":
        budget.settle(reservation, run.cost_usd if reservation.most_usd else 0.0)
    else:
        budget.settle(reservation, 0.0)
