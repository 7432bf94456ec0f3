"""Rows on the workers of a Dask cluster, which share the limits of the sweep by leases."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from nbchat.client.presets import LOCAL
from nbchat.errors import CheckError
from nbchat.session.pool import AT_ONCE
from nbchat.session.state import STATE
from nbchat.session.watchers import PrintingWatcher
from nbchat.sweep.board import Board
from nbchat.sweep.cluster import Cluster
from nbchat.sweep.done import Done
from nbchat.sweep.leases import Ended, Order, Report, Totals
from nbchat.sweep.mark import Mark, write_mark
from nbchat.sweep.parcel import Parcel
from nbchat.sweep.parcels import WINDOW
from nbchat.sweep.sendable import budget_left
from nbchat.sweep.shares import Shares
from nbchat.sweep.station import closed, renewed
from nbchat.sweep.task import run_parcel_apart

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.sweep.executors import Work

#: seconds that a lease lasts
LEASE_S = 15.0
#: seconds between two renewals of a worker: at first, at least, and for so many workers in a second
_FIRST_S, _PAUSE_S, _WORKERS_PER_S = 0.05, 1.0, 100.0
#: seconds between two renewals of a worker that has rows and has sent none yet, and for how long
_EARLY_S, _EARLY_FOR_S = 0.05, 30.0
#: seconds between two looks at which workers there are
_LOOK_S = 1.0
#: seconds in which the first workers are to be there; a cluster that grows has none at first
_THERE_WITHIN_S = 10.0


class Dask:
    """Runs rows on the workers of a cluster; `lease_s` is how long each may send unheard."""

    def __init__(self, client: Any, *, lease_s: float = LEASE_S):
        self._client, self._lease_s = client, lease_s

    def going(self, work: Work) -> Cluster:
        return Cluster(work, _Link(self._client, work, self._lease_s))


def client_of(executor: Any) -> Any:
    """Give the client of a cluster. Raise CheckError for what is none, or cannot be asked."""
    kind = type(executor).__name__
    rule = "must be a dask.distributed.Client that is connected, and not asynchronous"
    what = f"is a {kind} of Dask"
    if hasattr(executor, "submit") and hasattr(executor, "nthreads"):
        if executor.status == "running" and not executor.asynchronous:
            return executor
        what = (
            "is an asynchronous Client" if executor.asynchronous else "is a Client that is closed"
        )
    hint = ": Client(cluster) is one" if "Cluster" in kind else ""
    raise CheckError(
        f"executor {what}, but it {rule}{hint}.", field="executor", value=executor, rule=rule
    )


class _Link:
    """See `nbchat.sweep.link.Link`: renewals go to and fro on the client's own loop.

    The driver calls each worker, so that it takes no more than a driver that is lost for all of
    them to stop. Nothing of it is kept at the scheduler.
    """

    is_here = False

    def __init__(self, client: Any, work: Work, lease_s: float):
        self._client, self._work, self._lease_s = client, work, lease_s
        self._lock = threading.Lock()
        self._board = Board(lease_s=lease_s, budget_usd=budget_left(work))
        self._threads: dict[str, int] = {}
        self._talks: dict[str, asyncio.Task[None]] = {}
        self._cluster: Cluster | None = None
        self._mark = Mark("", lease_s)
        self._is_closed = False
        self._hurry: asyncio.Event | None = None
        self._talking: Any = None
        self._begun_at: float | None = None
        self._all_get_rows = False

    def open(self, cluster: Cluster) -> None:
        self._cluster, self._mark = cluster, Mark(cluster.run, self._lease_s)
        write_mark(self._work.folder, self._mark)
        self._threads = dict(self._client.nthreads())
        n, n_threads = len(self._threads), sum(self._threads.values())
        there = f"{n} workers with {n_threads} threads" if n else "no worker yet: waiting for one"
        PrintingWatcher().status(f"{there}; one limit for all, in leases of {self._lease_s:g} s")
        # each thread's first task is a small one
        self._all_get_rows = 0 < n_threads <= cluster.n_rows // WINDOW
        loop = self._client.loop.asyncio_loop
        self._talking = asyncio.run_coroutine_threadsafe(self._talk_to_all(), loop)
        self._wait_for_the_first()

    def n_threads(self) -> int:
        return sum(self._threads.values())

    def add_server(self, number: int, profile: Profile) -> None:
        limits = self._work.limits
        with self._lock:
            if number in self._board.servers:
                return
            is_each = profile.name == LOCAL  # each worker serves its own
            at_once = limits.at_once
            shares = Shares(
                at_once=at_once,
                requests_per_minute=limits.requests_per_minute,
                tokens_per_minute=limits.tokens_per_minute,
                each=min(AT_ONCE if at_once is None else at_once, AT_ONCE) if is_each else None,
                all_get_rows=self._all_get_rows,
            )
            self._board.add_server(time.monotonic(), number, shares)

    def submit(self, parcel: Parcel) -> Any:
        parcel.lease_s = self._lease_s
        if self._begun_at is None:
            self._begun_at = time.monotonic()
            self._run_on_loop(self._hurry_up)
        key = f"nbchat-{parcel.stem}-{parcel.n_ended}-{time.monotonic_ns():x}"
        return self._client.submit(run_parcel_apart, parcel, key=key, pure=False)

    def settled(self, parcel: Parcel, done: Done) -> bool:
        if done.is_whole:
            with self._lock:
                self._board.gathered(done.station, parcel.stems(done.n_attempts))
        return False

    def news(self, parcels: list[Parcel]) -> list[Ended]:  # noqa: ARG002 - renewals tell of them
        return []

    def tell(self, order: Order) -> None:
        with self._lock:
            self._board.order = order
        self._run_on_loop(self._hurry_up)

    def totals(self) -> Totals:
        with self._lock:
            return self._board.totals()

    def close(self) -> None:
        """Take the last rows that workers tell of, and forget the run there."""
        self._is_closed = True
        self._run_on_loop(self._hurry_up)
        with contextlib.suppress(Exception):  # what is missing of it, the folder has
            self._talking.result(self._lease_s)
        with self._lock:
            spent = self._board.budget.used_usd
        if self._board.budget.total_usd is not None and STATE.budget.limit_usd is not None:
            STATE.budget.settle(STATE.budget.reserve(0.0), spent)

    # on the client's loop

    async def _talk_to_all(self) -> None:
        self._hurry = asyncio.Event()
        is_last = False
        while not is_last:
            is_last = self._is_closed
            with contextlib.suppress(OSError):
                self._threads = dict(await self._client.nthreads())
            await asyncio.to_thread(self._write_mark)  # a store takes its time
            for address in self._threads:
                if address not in self._talks:
                    self._talks[address] = asyncio.create_task(self._talk(address))
            for address in [*self._talks]:
                if address not in self._threads:
                    self._talks.pop(address).cancel()
                    with self._lock:
                        self._board.forget(address)
            if not is_last:
                await self._pause(_LOOK_S)
        for talk in self._talks.values():
            talk.cancel()
        await asyncio.gather(*self._talks.values(), return_exceptions=True)
        await asyncio.gather(*(self._farewell(address) for address in self._threads))

    async def _talk(self, address: str) -> None:
        pause_s = _FIRST_S
        # asked, too, since wait_for may swallow a cancellation (Python before 3.12)
        while not self._is_closed and address in self._threads:
            await self._renew(address)
            least_s = len(self._threads) / _WORKERS_PER_S
            if self._is_early(address):
                pause_s = _FIRST_S
                await self._pause(max(_EARLY_S, least_s))
            else:
                await self._pause(min(pause_s, max(_PAUSE_S, least_s), self._lease_s / 3))
                pause_s *= 1.5

    def _is_early(self, address: str) -> bool:
        """Tell whether a worker has rows and no lease to send them by: it is to wait for none."""
        begun_at = self._begun_at
        if begun_at is None or time.monotonic() - begun_at > _EARLY_FOR_S:
            return False
        with self._lock:
            return not self._board.has_sent(address)

    async def _renew(self, address: str) -> None:
        with self._lock:
            renewal = self._board.renewal(time.monotonic(), address)
        try:
            reports = await asyncio.wait_for(
                self._client.run(
                    renewed, self._mark.run, renewal, workers=[address], on_error="return"
                ),
                self._lease_s,
            )
        except OSError:
            reports = {}
        report = reports.get(address)
        cluster = self._cluster
        rows: list[Ended] = []
        with self._lock:
            if isinstance(report, Report):
                rows = self._board.told(time.monotonic(), address, report)
            else:
                self._board.missed(time.monotonic(), address)
        if isinstance(report, BaseException) and not isinstance(report, OSError) and cluster:
            cluster.fail(_cannot(address, report))
        if cluster is not None:
            cluster.count(rows)

    async def _farewell(self, address: str) -> None:
        await self._renew(address)
        with contextlib.suppress(OSError):
            run = self._client.run(closed, self._mark.run, workers=[address], on_error="ignore")
            await asyncio.wait_for(run, self._lease_s / 3)

    async def _pause(self, seconds: float) -> None:
        hurry = self._hurry
        if hurry is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hurry.wait(), seconds)

    def _hurry_up(self) -> None:
        hurry = self._hurry
        if hurry is not None:
            hurry.set()
            self._hurry = asyncio.Event()

    # in any thread

    def _run_on_loop(self, what: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: so is the client
            self._client.loop.asyncio_loop.call_soon_threadsafe(what)

    def _write_mark(self) -> None:
        with self._lock:
            self._mark = mark = Mark(self._mark.run, self._lease_s, self._board.order)
        with contextlib.suppress(OSError):
            write_mark(self._work.folder, mark)

    def _wait_for_the_first(self) -> None:
        """Wait until the workers have said who they are: their leases count from then on."""
        until = time.monotonic() + _THERE_WITHIN_S
        while time.monotonic() < until:
            with self._lock:
                if any(self._board.has_said(address) for address in self._threads):
                    return
            time.sleep(0.01)


def _cannot(address: str, error: BaseException) -> CheckError:
    return CheckError(
        f"The worker {address} cannot run nbchat: {type(error).__name__}: {error}. The same "
        "version of nbchat must be installed where the workers run.",
        field="executor",
    )
