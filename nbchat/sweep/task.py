"""What runs in a worker: a parcel's task, by leases or by a share that is fixed."""

from __future__ import annotations

import multiprocessing
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
