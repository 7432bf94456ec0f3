"""Who of many workers gets how much of one limit: a pure state machine, without a clock.

What a worker was given is held for it until it has said that it has less, or until its lease is
over. Only what is held by nobody is given away, so that all together never have more than there
is, whoever is slow, dead or cut off.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import msgspec

from nbchat.sweep.bucket import Bucket
from nbchat.sweep.leases import Lease, Spent, Use

#: requests at once to begin with, and at most for each worker, where nobody says a number
FIRST, MOST = 8, 256
#: what a worker that lacks nothing keeps above what it uses
_SPARE = 1.25
#: seconds for which a worker that lacked slots is taken to lack them: between two tasks it has none
_LINGER_S = 3.0
#: seconds in which one that lacked slots cannot have used what it got, and for which one that is
#: new is taken to have rows, where all get some
_JUST_S, _NEW_S = 0.5, 3.0
#: a limit that is so small beside the number of workers leaves room for one request of each
_ROOM = 0.03
#: of the slots that were in use when a server refused one, and by how much they grow in a second
_KEPT, _GROWTH = 0.9, 0.02


class _Worker(msgspec.Struct):
    """What one worker has, what it was told, and what it does with it."""

    acknowledged: Lease | None = None
    told: list[Lease] = []
    use: Use = Use()
    since: float = -math.inf
    at: float = -math.inf
    lacked_slots_at: float = -math.inf
    requests_per_s: float = 0.0
    tokens_per_s: float = 0.0
    is_lost: bool = False
    over_at: float = math.inf

    @property
    def leases(self) -> list[Lease]:
        return [*self.told] if self.acknowledged is None else [self.acknowledged, *self.told]


class Shares:
    """Shares of one server's limits. Times are seconds on any one clock.

    - `at_once`, `requests_per_minute`, `tokens_per_minute`: limits that are known. Where none is,
      slots begin with 8 and double; limits of a minute are taken from the server's headers
    - `each`: so many slots for each worker, whatever the others have: who asks a server of its own
    - `all_get_rows`: whether there are rows for each worker that joins, so that it has a share
      before they come
    """

    def __init__(
        self,
        *,
        at_once: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        each: int | None = None,
        all_get_rows: bool = False,
    ):
        self._at_once, self._each, self._all_get_rows = at_once, each, all_get_rows
        self._requests = Bucket.of(requests_per_minute)
        self._tokens = Bucket.of(tokens_per_minute)
        self._workers: dict[Hashable, _Worker] = {}
        self._slots = float(FIRST)
        self._is_first = True
        self._grown_at: float | None = None
        self._paused_until = -math.inf

    def join(self, now: float, worker: Hashable) -> None:
        """Note a worker that may have rows of this server soon."""
        self._worker(now, worker)

    def lease(self, now: float, worker: Hashable) -> Lease:
        """Give a worker its next lease. It holds until `told` or `over` says otherwise."""
        self._drop(now)
        here = self._worker(now, worker)
        pause_s = max(self._paused_until - now, 0.0)
        if self._each is not None:
            return Lease(slots=self._each, pause_s=pause_s)
        lease = Lease(
            slots=self._slots_of(now, worker),
            requests_per_s=self._rate_of(now, worker, self._requests, "requests_per_s"),
            tokens_per_s=self._rate_of(now, worker, self._tokens, "tokens_per_s"),
            pause_s=pause_s,
        )
        here.told.append(lease)
        return lease

    def told(self, now: float, worker: Hashable, use: Use) -> None:
        """Note what a worker says: the lease that it was told last is in force there."""
        here = self._worker(now, worker)
        before, span = here.use, now - here.at
        if here.told:
            here.acknowledged, here.told = here.told[-1], []
        here.is_lost, here.over_at = False, math.inf
        if 0 < span < math.inf:
            here.requests_per_s = (use.n_requests - before.n_requests) / span
            here.tokens_per_s = (use.n_tokens - before.n_tokens) / span
        here.use, here.at = use, now
        if use.lacks_slots:
            here.lacked_slots_at = now
        self._requests.learn(use.headers, "requests")
        self._tokens.learn(use.headers, "tokens")
        self._paused_until = max(self._paused_until, now + use.pause_s)
        self._learn_slots(now, use.n_limited > before.n_limited)

    def unused(self, worker: Hashable) -> None:
        """Note that a worker has nothing of this server: what it was told, it does not use."""
        here = self._workers.get(worker)
        if here is not None and here.told and here.use == Use():
            here.acknowledged, here.told = here.told[-1], []

    def over(self, worker: Hashable, at: float) -> None:
        """Note that a worker is lost, and that its lease is over then at the latest."""
        here = self._workers.get(worker)
        if here is not None:
            here.is_lost, here.over_at = True, at

    def held(self, now: float, name: str) -> float:
        """Give what all workers have together of a limit, lost ones included."""
        self._drop(now)
        return sum(_held(here, name) for here in self._workers.values())

    @property
    def per_minute(self) -> tuple[float, float]:
        """Requests and tokens of a minute, inf where no limit is known."""
        return self._requests.per_minute, self._tokens.per_minute

    def _drop(self, now: float) -> None:
        self._workers = {
            name: here
            for name, here in self._workers.items()
            if not (here.is_lost and here.over_at <= now)
        }

    def _worker(self, now: float, worker: Hashable) -> _Worker:
        return self._workers.setdefault(worker, _Worker(since=now))

    def _active(self, now: float) -> dict[Hashable, _Worker]:
        """Give the workers that have something to send, or had a moment ago."""
        return {
            name: here
            for name, here in self._workers.items()
            if not here.is_lost
            and (
                here.use.most_going > 0
                or here.use.lacks_slots
                or here.use.lacks_rate
                or here.requests_per_s > 0
                or now - here.lacked_slots_at < _JUST_S
                or self._is_new(now, here)
            )
        }

    def _is_new(self, now: float, here: _Worker) -> bool:
        return self._all_get_rows and not here.use.n_requests and now - here.since < _NEW_S

    def _rate_of(self, now: float, worker: Hashable, bucket: Bucket, name: str) -> float | None:
        if math.isinf(bucket.per_minute):
            return None
        active = self._active(now)
        if worker not in active:
            return 0.0
        total = bucket.per_minute / 60
        if name == "requests_per_s":
            # each saves up one request at least, which it may send beside its rate
            too_much = len(active) > _ROOM * bucket.per_minute
            total = max(total - len(active) / 60, total / 2) if too_much else total
        wants = [
            math.inf
            if here.use.lacks_rate
            else max(_SPARE * getattr(here, name), 0.05 * total / len(active))
            for here in active.values()
        ]
        share = dict(zip(active, fair(total, wants), strict=True))[worker]
        return max(min(share, total - self._held_by_others(worker, name)), 0.0)

    def _slots_of(self, now: float, worker: Hashable) -> int:
        total = self._at_once if self._at_once is not None else max(int(self._slots), 1)
        active = self._active(now)
        if worker not in active:
            return 0
        wants = [
            float(total)
            if now - here.lacked_slots_at < _LINGER_S or self._is_new(now, here)
            else here.use.most_going + 1.0
            for here in active.values()
        ]
        shares = dict(zip(active, whole(total, fair(total, wants)), strict=True))
        return int(max(min(shares[worker], total - self._held_by_others(worker, "slots")), 0))

    def _held_by_others(self, worker: Hashable, name: str) -> float:
        return sum(_held(here, name) for key, here in self._workers.items() if key != worker)

    def _learn_slots(self, now: float, is_limited: bool) -> None:  # noqa: FBT001 - one caller
        active = self._active(now)
        passed = 0.0 if self._grown_at is None else now - self._grown_at
        self._grown_at = now
        if is_limited:
            in_use = sum(here.use.going for here in self._workers.values())
            self._slots = max(_KEPT * min(self._slots, in_use + 1.0), 1.0)
            self._is_first = False
        elif any(here.use.lacks_slots for here in active.values()):
            growth = passed if self._is_first else _GROWTH * passed
            most = float(MOST * max(len(active), 1))
            self._slots = min(self._slots * (1 + growth), most)


class BudgetShares:
    """Parts of one budget, in US dollars. A part is all that a worker may spend, ever."""

    def __init__(self, total_usd: float | None):
        self.total_usd = total_usd
        self._spent: dict[Hashable, Spent] = {}
        self._told: dict[Hashable, float] = {}

    def part(self, worker: Hashable) -> tuple[float | None, bool]:
        """Give what a worker may spend in all, and whether it will not be more."""
        if self.total_usd is None:
            return None, True
        here = self._spent.get(worker, Spent())
        limit, used = self._held(worker), here.used_usd + here.reserved_usd
        is_all = False
        if here.lacks_usd > 0:
            left = limit - used
            free = self.total_usd - sum(self._held(name) for name in self._spent if name != worker)
            more = free - limit
            wanted = max(4 * here.lacks_usd - left, more / (2 * max(len(self._spent), 1)))
            limit += max(min(wanted, more), 0.0)
            is_all = limit - used < here.lacks_usd and self._is_used_up(worker)
        elif any(name != worker and one.lacks_usd > 0 for name, one in self._spent.items()):
            limit = used  # others need it: what is not used goes back
        self._told[worker] = max(limit, self._told.get(worker, 0.0)) if here.lacks_usd else limit
        return self._told[worker], is_all

    def told(self, worker: Hashable, spent: Spent) -> None:
        """Note what a worker says: this limit is in force there."""
        self._spent[worker] = spent
        self._told.pop(worker, None)

    def over(self, worker: Hashable) -> None:
        """Note that a worker's lease is over: what it had set aside may have been spent."""
        here = self._spent.get(worker)
        if here is not None:
            used = here.used_usd + here.reserved_usd
            self._spent[worker] = Spent(limit_usd=used, used_usd=used)
            self._told.pop(worker, None)

    @property
    def used_usd(self) -> float:
        return sum(one.used_usd for one in self._spent.values())

    def _held(self, worker: Hashable) -> float:
        here = self._spent.get(worker, Spent())
        return max(here.limit_usd, self._told.get(worker, 0.0))

    def _is_used_up(self, worker: Hashable) -> bool:
        """Tell whether no other has anything that could come back."""
        return all(
            self._held(name) - one.used_usd <= 1e-12
            for name, one in self._spent.items()
            if name != worker
        )


def fair(total: float, wants: Sequence[float]) -> list[float]:
    """Share a total: who wants less than an even share gets that, the others share the rest.

    What nobody wants is shared evenly by all.
    """
    shares = [0.0] * len(wants)
    left, open_ = total, sorted(range(len(wants)), key=lambda at: wants[at])
    for place, at in enumerate(open_):
        shares[at] = min(wants[at], left / (len(open_) - place))
        left -= shares[at]
    if left > 0:
        shares = [share + left / len(shares) for share in shares]
    return shares


def whole(total: int, shares: Sequence[float]) -> list[int]:
    """Round shares down, and give what is left to those that lost most."""
    rounded = [int(share + 1e-9) for share in shares]
    by_loss = sorted(range(len(shares)), key=lambda at: rounded[at] - shares[at])
    for at in by_loss[: max(total - sum(rounded), 0)]:
        rounded[at] += 1
    return rounded


def _held(here: _Worker, name: str) -> float:
    if name == "slots":
        return max([here.use.going, *(lease.slots for lease in here.leases)])
    return max((getattr(lease, name) or 0.0 for lease in here.leases), default=0.0)
