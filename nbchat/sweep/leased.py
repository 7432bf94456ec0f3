"""What a worker may send: the shares that it was leased, and what it learns of the server itself.

`LeasedGrants` are the `Grants` of a worker. They stop by themselves when the lease is over. Times
are seconds on one clock, which is told: nothing here has one.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

from nbchat.errors import BudgetError
from nbchat.session.budget import Budget, Reservation
from nbchat.sweep.leases import Lease, Spent, Use
from nbchat.sweep.limiter import Grants, Outcome, Permit

#: seconds of a rate that may be saved up, and sent in one go
_SAVED_S = 0.5
#: seconds after which a thread asks again that waits for a slot which another task may free
_ASK_AGAIN_S = 0.1
_NONE = Lease(slots=0, requests_per_s=0.0, tokens_per_s=0.0)


class Allowance:
    """A share of a rate. It begins empty, so that many who begin together send no burst."""

    def __init__(self) -> None:
        self._per_s: float | None = 0.0
        self._level = 0.0
        self._filled_at: float | None = None

    def set(self, now: float, per_s: float | None) -> None:
        """Let another rate hold from now on; None is no limit."""
        self._fill(now)
        self._per_s = per_s
        self._level = min(self._level, self._size)

    def wait_s(self, now: float, amount: float) -> float:
        """Give the seconds until so much may be sent, inf where it may not at this rate."""
        if self._per_s is None:
            return 0.0
        self._fill(now)
        lacks = min(amount, self._size) - self._level
        if lacks <= 1e-9:
            return 0.0
        return lacks / self._per_s if self._per_s > 0 else math.inf

    def take(self, now: float, amount: float) -> None:
        """Take so much out, or put it back where it is negative."""
        if self._per_s is not None:
            self._fill(now)
            self._level = min(self._level - amount, self._size)

    @property
    def _size(self) -> float:
        return max(1.0, _SAVED_S * (self._per_s or 0.0))

    def _fill(self, now: float) -> None:
        before = now if self._filled_at is None else self._filled_at
        self._filled_at = max(now, before)
        self._level = min(self._level + max(now - before, 0.0) * (self._per_s or 0.0), self._size)


class LeasedGrants:
    """Grants of one server: no more than the lease says, and no more than the server takes.

    `grants` learn of the server's 429s here, beside the lease, which says what all workers
    together may do. Safe from any thread.
    """

    def __init__(self, grants: Grants):
        self._grants = grants
        self._lock = threading.Lock()
        self._lease, self._until = _NONE, -math.inf
        self._requests, self._tokens = Allowance(), Allowance()
        self._not_before = self._pause_until = -math.inf
        self._n_going = self._most_going = self._n_requests = self._n_limited = 0
        self._n_tokens = 0.0
        self._lacks_slots = self._lacks_rate = False
        self._headers: dict[str, str] = {}

    def renew(self, now: float, lease: Lease, until: float) -> None:
        """Take the next lease in the place of the one before it."""
        with self._lock:
            self._lease, self._until = lease, until
            self._requests.set(now, lease.requests_per_s)
            self._tokens.set(now, lease.tokens_per_s)
            self._not_before = max(self._not_before, now + lease.pause_s)

    def use(self, now: float) -> Use:
        """Say what was made of the lease since the last time."""
        with self._lock:
            use = Use(
                going=self._n_going,
                most_going=self._most_going,
                n_requests=self._n_requests,
                n_tokens=self._n_tokens,
                n_limited=self._n_limited,
                lacks_slots=self._lacks_slots,
                lacks_rate=self._lacks_rate,
                pause_s=max(self._pause_until - now, 0.0),
                headers=self._headers,
            )
            self._lacks_slots = self._lacks_rate = False
            self._most_going = self._n_going
            return use

    def take(self, now: float, tokens: int) -> Permit | float:
        with self._lock:
            if now >= self._until:
                self._lacks_slots = True
                return _ASK_AGAIN_S
            if now < self._not_before:
                return self._not_before - now
            if self._n_going >= self._lease.slots:
                self._lacks_slots = True
                return _ASK_AGAIN_S
            wait_s = max(self._requests.wait_s(now, 1), self._tokens.wait_s(now, tokens))
            if wait_s > 0:
                self._lacks_rate = True
                return min(wait_s, 1.0)
            granted = self._grants.take(now, tokens)
            if not isinstance(granted, Permit):
                return min(granted, 1.0)
            self._requests.take(now, 1)
            self._tokens.take(now, tokens)
            self._n_going += 1
            self._most_going = max(self._most_going, self._n_going)
            self._n_requests += 1
            self._n_tokens += tokens
            return granted

    def ended(
        self,
        permit: Permit,
        now: float,
        outcome: Outcome,
        *,
        tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        with self._lock:
            if not permit.is_over:
                self._n_going -= 1
                self._n_limited += outcome == "limited"
                if tokens is not None:
                    self._tokens.take(now, tokens - permit.tokens)
                if retry_after_s is not None:
                    self._pause_until = max(self._pause_until, now + retry_after_s)
            self._grants.ended(permit, now, outcome, tokens=tokens, retry_after_s=retry_after_s)

    def learn(self, headers: Mapping[str, str]) -> None:
        # the limits that a server names are those of all workers together: who leases shares them
        with self._lock:
            self._headers = {name: text for name, text in headers.items() if "ratelimit" in name}

    @property
    def slots(self) -> int:
        return min(self._lease.slots, self._grants.slots)


class LeasedBudget(Budget):
    """A part of a budget that may grow: where a request does not fit, more is waited for."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self._lacks_usd = 0.0
        self.may_grow = True

    def renew(self, limit_usd: float, *, is_all: bool) -> None:
        """Take another limit, never one below what is used."""
        self.limit_usd = max(limit_usd, self.spent_usd + self.unknown_usd + self.reserved_usd)
        self.may_grow = not is_all

    def reserve(self, most_usd: float | None, what: str = "") -> Reservation:
        try:
            reservation = super().reserve(most_usd, what)
        except BudgetError:
            self._lacks_usd = max(self._lacks_usd, most_usd or 0.0)
            raise
        self._lacks_usd = 0.0
        return reservation

    def spent(self) -> Spent:
        """Say what was made of it."""
        return Spent(
            limit_usd=self.limit_usd or 0.0,
            used_usd=self.spent_usd + self.unknown_usd,
            reserved_usd=self.reserved_usd,
            lacks_usd=self._lacks_usd,
        )


def endless(now: float, lease: Lease, grants: Grants) -> LeasedGrants:
    """Give grants of a share that is fixed, and never over."""
    leased = LeasedGrants(grants)
    leased.renew(now, lease, math.inf)
    return leased
