"""What is said between a driver and its workers of limits: leases there, reports back.

A lease is a share of a server's limits that ends by itself. Nothing here has a clock: a worker
counts the seconds of a lease from the time of that report of its own which the lease answers. So
whoever made it knows when it is over at the latest, however long the way takes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

#: what a worker is told to do with rows that wait: go on, begin no more, cut off what goes on
Order = Literal["go", "stop", "cut"]


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A share of one server's limits.

    - `slots`: requests at once; `requests_per_s`, `tokens_per_s`: None where no limit is known
    - `pause_s`: seconds, from now on, in which nothing is sent
    """

    slots: int
    requests_per_s: float | None = None
    tokens_per_s: float | None = None
    pause_s: float = 0.0


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver tells a worker, every second or so.

    - `number`: counts the renewals of a worker, from 1; `answers`: that of the last report that has
      come, 0 where none has
    - `lasts_s`: how long its leases are good, from the time of that report on
    - `leases`: number of a server -> the share of its limits
    - `limit_usd`: what the worker's rows may cost in all, from its first one on; None: no budget.
      Where `is_all`, it will not be more
    - `received`: rows up to this one need not be told of again
    - `gathered`: files by these names are of tasks that are over: they may become parts
    """

    number: int
    answers: int
    lasts_s: float
    leases: dict[int, Lease] = {}
    limit_usd: float | None = None
    is_all: bool = False
    received: int = 0
    gathered: list[str] = []
    order: Order = "go"


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker makes of the lease of one server.

    - `going`: requests that go on; `most_going`: the most at once since the last report
    - `n_requests`, `n_tokens`, `n_limited`: how many were sent, what was set aside for them, and
      how many met a 429, from the first one on
    - `lacks_slots`, `lacks_rate`: whether rows had to wait for these since the last report
    - `pause_s`: seconds that the server asked it to wait, and that are left
    - `headers`: what the server said of its limits of late
    """

    going: int = 0
    most_going: int = 0
    n_requests: int = 0
    n_tokens: float = 0.0
    n_limited: int = 0
    lacks_slots: bool = False
    lacks_rate: bool = False
    pause_s: float = 0.0
    headers: dict[str, str] = {}


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker did with its part of a budget, in US dollars; `lacks_usd` did not fit."""

    limit_usd: float = 0.0
    used_usd: float = 0.0
    reserved_usd: float = 0.0
    lacks_usd: float = 0.0


class Ended(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A row that is on disk: what is counted of it."""

    row_id: str
    status: str
    completion_tokens: int | None
    cost_usd: float | None


class Totals(msgspec.Struct, kw_only=True):
    """What a worker has sent, from its first row on; as `nbchat.sweep.executors.Going` has it."""

    n_going: int = 0
    n_sent: int = 0
    n_retries: int = 0
    n_limited: int = 0
    n_unknown: int = 0
    unknown_usd: float | None = 0.0

    def add(self, other: Totals) -> None:
        """Add another worker's, or another task's."""
        self.n_going += other.n_going
        self.n_sent += other.n_sent
        self.n_retries += other.n_retries
        self.n_limited += other.n_limited
        self.n_unknown += other.n_unknown
        both = (self.unknown_usd, other.unknown_usd)
        self.unknown_usd = None if None in both else sum(usd or 0.0 for usd in both)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says to a renewal.

    - `station`: who says it: another one where the worker was begun anew
    - `number`: the renewal that this answers, whose leases are in force now
    - `rows`: those that are on disk, and were not told of yet; `last_row`: the number of the last
    """

    station: str
    number: int
    uses: dict[int, Use] = {}
    spent: Spent = Spent()
    totals: Totals = msgspec.field(default_factory=Totals)
    rows: list[Ended] = []
    last_row: int = 0
