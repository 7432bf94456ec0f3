"""What runs in a worker: a parcel's task, by leases or by a share that is fixed."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

from nbchat.session.budget import Budget
from nbchat.sweep.done import Done
from nbchat.sweep.leased import LeasedGrants
from nbchat.sweep.leases import Order
from nbchat.sweep.mark import order_in
from nbchat.sweep.parcel import FixedShare, Parcel
from nbchat.sweep.place import place_of
from nbchat.sweep.station import Station, station_of


def run_parcel(parcel: Parcel) -> Done:
    """Ask the rows of a parcel that have not ended yet. Faults are told, and not raised."""
    station = FixedStation(parcel.share) if parcel.share is not None else station_of(parcel.run)
    return station.run(parcel)


async def run_parcel_apart(parcel: Parcel) -> Done:
    """Ask the rows of a parcel as `run_parcel` does, in a thread that no executor knows of.

    A worker of Dask reads the stack of each thread of its executor a hundred times a second, to
    say what it does: a task that only waits for its rows need not have one. Where it is cancelled,
    since the worker is closed, no more rows are begun, and those that go on end.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Done] = loop.create_future()
    context = contextvars.copy_context()  # which names the worker

    def work() -> None:
        try:
            done = context.run(run_parcel, parcel)
        except BaseException as error:  # noqa: BLE001 - the task raises it
            _call(loop, ended.set_exception, error)
        else:
            _call(loop, ended.set_result, done)

    threading.Thread(target=work, name="nbchat-parcel", daemon=True).start()
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        await asyncio.to_thread(station_of(parcel.run).leave)
        return await ended


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[Any], object], value: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: so is the worker
        loop.call_soon_threadsafe(what, value)


class FixedStation(Station):
    """A station of one task, whose share is fixed; its orders stand in the folder."""

    def __init__(self, share: FixedShare):
        super().__init__()
        self._share = share
        self._fixed_budget = None if share.limit_usd is None else Budget(share.limit_usd)
        self._parent = multiprocessing.parent_process()

    def grants_of(self, number: int, *, is_here: bool) -> LeasedGrants:
        grants = super().grants_of(number, is_here=is_here)
        grants.renew(self._clock(), self._share.lease, float("inf"))
        return grants

    def budget(self) -> Budget | None:
        return self._fixed_budget

    def _order_of_the_place(self, parcel: Parcel) -> Order:
        if self._parent is not None and not self._parent.is_alive():
            return "stop"
        return order_in(place_of(parcel.folder), parcel.run)

    def _told_at_the_end(self) -> dict[str, Any]:
        budget = self._fixed_budget
        return {
            "rows": [row for _, row in self._rows],
            "totals": self._totals(),
            "used_usd": 0.0 if budget is None else budget.spent_usd + budget.unknown_usd,
        }
