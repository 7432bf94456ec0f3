"""A budget in US dollars: what a request may cost is set aside before it is sent."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec

from nbchat.errors import BudgetError, CheckError

State = Literal["reserved", "settled", "unknown", "released"]


class Reservation(msgspec.Struct, eq=False):
    """What is set aside for one request, in US dollars, and what became of it."""

    most_usd: float
    what: str = ""
    state: State = "reserved"
    spent_usd: float = 0.0


class Budget:
    """So many US dollars, and what of them is spent, reserved, left. Safe from any thread.

    - `limit_usd`: all there is; None: no limit, but all is counted
    - `spent_usd`: what requests cost whose cost is known
    - `unknown_usd`: what requests may have cost whose outcome or price is not known: their
      worst case stays set aside, since it may have been paid
    - `reserved_usd`: what is set aside for requests that go on
    - `left_usd`: the rest, None without a limit
    - `may_grow`: whether it is a part of a larger one, and more may come
    """

    may_grow = False

    def __init__(self, limit_usd: float | None = None):
        self._lock = threading.Lock()
        self._limit_usd = _checked(limit_usd)
        self._sums: dict[State, float] = dict.fromkeys(
            ("reserved", "settled", "unknown", "released"), 0.0
        )
        self._n_unknown = self._n_reserved = self._n_settled = 0

    @property
    def limit_usd(self) -> float | None:
        return self._limit_usd

    @limit_usd.setter
    def limit_usd(self, limit_usd: float | None) -> None:
        self._limit_usd = _checked(limit_usd)

    @property
    def spent_usd(self) -> float:
        return self._sums["settled"]

    @property
    def unknown_usd(self) -> float:
        return self._sums["unknown"]

    @property
    def reserved_usd(self) -> float:
        return self._sums["reserved"]

    @property
    def left_usd(self) -> float | None:
        with self._lock:
            return self._left()

    def _left(self) -> float | None:
        if self._limit_usd is None:
            return None
        used = self._sums["settled"] + self._sums["unknown"] + self._sums["reserved"]
        return max(self._limit_usd - used, 0.0)

    def reserve(self, most_usd: float | None, what: str = "") -> Reservation:
        """Set aside what a request may cost at most; `what` says in words how that came about.

        Raise `BudgetError` where it does not fit, or where there is a limit and its price is
        not known (None).
        """
        with self._lock:
            left = self._left()
            if left is not None and most_usd is None:
                raise BudgetError(
                    f"There is a budget ({dollars(self._limit_usd or 0.0)}), and the price of this "
                    f"request is not known{_in_brackets(what)}: nothing was sent. "
                    "nbchat.configure(prices=...) takes a price table of yours."
                )
            if left is not None and most_usd is not None and most_usd > left + 1e-12:
                raise BudgetError(
                    f"This request may cost {dollars(most_usd)}{_in_brackets(what)}, and of the "
                    f"budget of {dollars(self._limit_usd or 0.0)} {dollars(left)} are left: "
                    "nothing was sent. max_completion_tokens lowers what it may cost, "
                    "nbchat.configure(budget_usd=...) raises the budget."
                )
            self._sums["reserved"] += most_usd or 0.0
            self._n_reserved += 1
        return Reservation(most_usd or 0.0, what)

    def settle(self, reservation: Reservation, cost_usd: float | None) -> None:
        """Take the cost of a request that has ended in the place of what was set aside.

        None, for an outcome or a price that is not known, leaves that set aside.
        """
        state: State = "unknown" if cost_usd is None else "settled"
        self._end(reservation, state, reservation.most_usd if cost_usd is None else cost_usd)

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for a request that was never sent."""
        self._end(reservation, "released", 0.0)

    def _end(self, reservation: Reservation, state: State, usd: float) -> None:
        with self._lock:
            if reservation.state != "reserved":
                return  # whoever ends it twice, ends it once
            self._sums["reserved"] -= reservation.most_usd
            self._n_reserved -= 1
            if self._n_reserved == 0:
                self._sums["reserved"] = 0.0  # what rounding left
            self._sums[state] += usd
            self._n_unknown += state == "unknown"
            self._n_settled += state == "settled"
            reservation.state, reservation.spent_usd = state, usd

    def __repr__(self) -> str:
        limit = "no limit" if self._limit_usd is None else dollars(self._limit_usd)
        facts = [
            f"spent {dollars(self.spent_usd)} in {_counted(self._n_settled)}",
            f"reserved {dollars(self.reserved_usd)}" if self._n_reserved else "",
            f"{_counted(self._n_unknown)} of unknown outcome, up to {dollars(self.unknown_usd)}"
            if self._n_unknown
            else "",
            "" if self.left_usd is None else f"left {dollars(self.left_usd)}",
        ]
        return f"<Budget {limit}: {' · '.join(fact for fact in facts if fact)}>"


def dollars(usd: float) -> str:
    """Say an amount with at least two digits that count."""
    if usd >= 0.995 or usd == 0:
        return f"${usd:,.2f}"
    text = f"{usd:.2g}"
    return f"${float(text):.10f}".rstrip("0") if "e" in text else f"${text}"


def _counted(n: int) -> str:
    return f"{n:,} request{'' if n == 1 else 's'}"


def _in_brackets(what: str) -> str:
    return f" ({what})" if what else ""


def _checked(limit_usd: float | None) -> float | None:
    is_number = isinstance(limit_usd, (int, float)) and not isinstance(limit_usd, bool)
    if limit_usd is None or (is_number and limit_usd >= 0):
        return None if limit_usd is None else float(limit_usd)
    rule = "must be a number of US dollars, 0 or more, or None for no limit"
    raise CheckError(
        f"budget_usd is {limit_usd!r}, but it {rule}.",
        field="budget_usd",
        value=limit_usd,
        rule=rule,
    )
