"""One exchange within the budget: set aside before it is sent, settled after its answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nbchat.errors import ApiError
from nbchat.session.cost import cost_of_answer
from nbchat.session.state import STATE
from nbchat.session.worst_case import worst_case

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.session.exchange import Exchange
    from nbchat.session.sources import Order


@contextlib.contextmanager
def within_budget(run: Run, order: Order, exchange: Exchange) -> Iterator[None]:
    """Set aside what this exchange may cost, while it goes on. Raise `BudgetError` before it.

    Without a budget nothing is counted. What a server refused cost nothing; an answer that
    was cut off may have been paid.
    """
    budget = STATE.budget
    if budget.limit_usd is None:
        yield
        return
    case = worst_case(order)
    reservation = budget.reserve(case.usd, case.what)
    is_refused = False
    try:
        yield
    except ApiError as error:
        is_refused = error.status is not None and 400 <= error.status < 500
        raise
    finally:
        if not exchange.tries:
            budget.release(reservation)
        else:
            is_free = is_refused or not reservation.most_usd
            budget.settle(reservation, 0.0 if is_free else _cost_usd(run, exchange))


def _cost_usd(run: Run, exchange: Exchange) -> float | None:
    answer = exchange.answer
    if answer is None:
        return None
    cost = cost_of_answer(run, answer.completion, STATE.settings.prices)
    return None if cost is None else cost.usd
