"""Rows on any Executor of concurrent.futures, each of its workers with a fixed share of limits."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.client.presets import LOCAL
from nbchat.errors import BudgetError, CheckError
from nbchat.session.budget import dollars
from nbchat.session.pool import AT_ONCE
from nbchat.session.watchers import PrintingWatcher
from nbchat.stored_error import error_of
from nbchat.sweep.cluster import Cluster
from nbchat.sweep.done import Done, ended_of
from nbchat.sweep.growth import Growth
from nbchat.sweep.leases import Ended, Lease, Order, Totals
from nbchat.sweep.limits import Limits
from nbchat.sweep.mark import Mark, write_mark
from nbchat.sweep.packing import Packing
from nbchat.sweep.parcel import FixedShare, Parcel
from nbchat.sweep.sendable import budget_left
from nbchat.sweep.shares import MOST
from nbchat.sweep.task import run_parcel

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.sweep.executors import Work

#: seconds between two looks at what workers have written
_LOOK_S = 1.0
#: seconds in which workers see that their driver is gone
_SEEN_WITHIN_S = 1.0


class FixedShares:
    """Runs rows on an Executor of concurrent.futures, in threads or in processes."""

    def __init__(self, executor: concurrent.futures.Executor):
        self._executor = executor

    def going(self, work: Work) -> Cluster:
        return Cluster(work, _Link(self._executor, work))


class _Link:
    """See `nbchat.sweep.link.Link`. Of a task that runs, only its journal tells."""

    def __init__(self, executor: concurrent.futures.Executor, work: Work):
        self._executor, self._work = executor, work
        self.is_here = isinstance(executor, concurrent.futures.ThreadPoolExecutor)
        self._n = _n_workers(executor)
        self._share = _share_of(work.limits, self._n)
        self._left_usd = budget_left(work)
        self._packing = Packing(work.folder)
        self._growth, self._looked_at = Growth(work.folder), -_LOOK_S
        self._rows_left = 0
        self._has_local = False
        self._lock = threading.Lock()
        self._totals = Totals()
        self._futures: list[concurrent.futures.Future[Done]] = []
        self._run = ""

    def open(self, cluster: Cluster) -> None:
        self._run, self._rows_left = cluster.run, cluster.n_rows
        write_mark(self._work.folder, Mark(self._run, _SEEN_WITHIN_S))
        line = _share_line(
            type(self._executor).__name__, self._n, self._work.limits, self._left_usd
        )
        PrintingWatcher().status(line)

    def n_threads(self) -> int:
        return self._n

    def add_server(self, number: int, profile: Profile) -> None:  # noqa: ARG002 - as every link
        self._has_local = self._has_local or profile.name == LOCAL

    def submit(self, parcel: Parcel) -> Any:
        parcel.lease_s = _SEEN_WITHIN_S
        parcel.share = FixedShare(lease=self._share, limit_usd=self._part(parcel))
        if self._has_local and self._work.limits.at_once is None:
            local = msgspec.structs.replace(self._share, slots=AT_ONCE)
            parcel.share = msgspec.structs.replace(parcel.share, lease=local)
        future = self._executor.submit(run_parcel, parcel)
        self._futures = [one for one in self._futures if not one.done()]
        self._futures.append(future)
        return future

    def settled(self, parcel: Parcel, done: Done) -> bool:
        if done.is_whole:
            self._packing.add_all(parcel.stems(done.n_attempts))
        with self._lock:
            self._totals.add(done.totals)
            if self._left_usd is None or parcel.share is None:
                return False
            part = parcel.share.limit_usd or 0.0
            self._left_usd += part - done.used_usd
            is_short = done.fault is not None and isinstance(error_of(done.fault), BudgetError)
            # others may leave some, and with more than it had it may do
            has_more = self._left_usd > part - done.used_usd + 1e-12
            return is_short and (self._are_others_out() or has_more)

    def _are_others_out(self) -> bool:
        return any(not future.done() for future in self._futures)

    def news(self, parcels: list[Parcel]) -> list[Ended]:
        if time.monotonic() < self._looked_at + _LOOK_S:
            return []
        self._looked_at = time.monotonic()
        stems = [f"{parcel.stem}-{parcel.n_ended}" for parcel in parcels]
        return [ended_of(record) for record in self._growth.records(stems)]

    def tell(self, order: Order) -> None:
        write_mark(self._work.folder, Mark(self._run, _SEEN_WITHIN_S, order))
        for future in self._futures:
            future.cancel()

    def totals(self) -> Totals:
        with self._lock:
            totals = Totals()
            totals.add(self._totals)
            return totals

    def close(self) -> None:
        """Wait for what becomes a part."""
        self._packing.close()

    def _part(self, parcel: Parcel) -> float | None:
        """Take a part out of the budget, as large as the parcel's part of the rows."""
        with self._lock:
            if self._left_usd is None:
                return None
            part = self._left_usd
            if self._are_others_out() or not parcel.n_ended:
                part *= parcel.n_rows / max(self._rows_left, parcel.n_rows)
            self._left_usd -= part
            if not parcel.n_ended:
                self._rows_left -= parcel.n_rows
            return part


def _n_workers(executor: concurrent.futures.Executor) -> int:
    n_workers = getattr(executor, "_max_workers", None)
    return n_workers if isinstance(n_workers, int) and n_workers > 0 else os.cpu_count() or 1


def _share_of(limits: Limits, n: int) -> Lease:
    if limits.at_once is not None and limits.at_once < n:
        rule = (
            f"must be {n} or more: each of the executor's {n} workers asks one at a time at least"
        )
        raise CheckError(
            f"at_once is {limits.at_once}, but it {rule}.",
            field="at_once",
            value=limits.at_once,
            rule=rule,
        )
    return Lease(
        slots=MOST if limits.at_once is None else limits.at_once // n,
        requests_per_s=_per_s(limits.requests_per_minute, n),
        tokens_per_s=_per_s(limits.tokens_per_minute, n),
    )


def _per_s(per_minute: float | None, n: int) -> float | None:
    return None if per_minute is None else per_minute / 60 / n


def _share_line(name: str, n: int, limits: Limits, left_usd: float | None) -> str:
    """Say in a line what each worker may send."""
    words = [
        f"{limits.at_once // n:,} requests at once" if limits.at_once is not None else "",
        f"{limits.requests_per_minute / n:,.4g} requests a minute"
        if limits.requests_per_minute is not None
        else "",
        f"{limits.tokens_per_minute / n:,.4g} tokens a minute"
        if limits.tokens_per_minute is not None
        else "",
        f"a part of {dollars(left_usd)} with each task" if left_usd is not None else "",
    ]
    known = ", ".join(word for word in words if word)
    share = (
        f"a fixed share: {known}"
        if known
        else "limits of its own, which it learns: none was given to share"
    )
    return f"{n} workers of {name}, each with {share}"
