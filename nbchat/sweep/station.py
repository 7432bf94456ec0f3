"""A worker's side of a sweep: runs the rows of parcels, as far as its leases go.

There is one station for each sweep in a worker's process, whatever number of tasks it runs there:
they share its leases. When these are over, because the driver was lost or the link to it, nothing
more is sent; tasks then end by themselves, and what they have is in the folder.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from nbchat.errors import HistoryError
from nbchat.history.redaction import Redaction, known_secrets
from nbchat.session.budget import Budget
from nbchat.session.pool import AT_ONCE
from nbchat.session.state import STATE
from nbchat.stored_error import error_as_dict
from nbchat.sweep.done import Done, ended_of, totals_of
from nbchat.sweep.ends import has_end, note_end
from nbchat.sweep.folder import Folder, Standing
from nbchat.sweep.leased import LeasedBudget, LeasedGrants
from nbchat.sweep.leases import Ended, Order, Renewal, Report, Spent, Totals
from nbchat.sweep.limiter import Limiter
from nbchat.sweep.mark import is_marked
from nbchat.sweep.packing import Packing
from nbchat.sweep.parcel import Parcel, Unwrapped
from nbchat.sweep.place import Place, place_of
from nbchat.sweep.records import Record
from nbchat.sweep.runner import Runner

#: seconds between two looks at the lease, at the parent, at the folder
_LOOK_S = 0.25
#: a task ends by itself when its lease has been over for so many times as long as it lasts
_PATIENCE = 1.0
#: seconds by which a lease may be over later than reckoned, on its way and in a thread that waits
_LATE_S = 2.0


def renewed(run: str, renewal: Renewal) -> Report:
    """Take the next leases of a sweep's run, and say what was made of the last ones."""
    return station_of(run).renew(renewal)


def closed(run: str) -> None:
    """Forget a run that is over."""
    with _LOCK:
        STATE.stations.pop(run, None)


class Station:
    """What one process does for one run of a sweep. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.id = os.urandom(8).hex()
        self._clock = clock
        self._lock = threading.Lock()
        self._number = self._last_row = 0
        self._replied_at: dict[int, float] = {}
        self._until = -float("inf")
        self._renewal: Renewal | None = None
        self._grants: dict[int, LeasedGrants] = {}
        self._budget: LeasedBudget | None = None
        self._rows: list[tuple[int, Ended]] = []
        self._runners: set[Runner] = set()
        self._ended = Totals()
        self._order: Order = "go"
        self._is_left = False
        self._packing: Packing | None = None
        self._packed: set[str] = set()

    def renew(self, renewal: Renewal) -> Report:
        """Take leases, which count from the last report on, and give the next report."""
        with self._lock:
            now = self._clock()
            if renewal.number > self._number:
                self._take(now, renewal)
            self._rows = [row for row in self._rows if row[0] > renewal.received]
            self._replied_at[self._number] = now
            return Report(
                station=self.id,
                number=self._number,
                uses={number: grants.use(now) for number, grants in self._grants.items()},
                spent=Spent() if self._budget is None else self._budget.spent(),
                totals=self._totals(),
                rows=[row for _, row in self._rows],
                last_row=self._last_row,
            )

    def run(self, parcel: Parcel) -> Done:
        """Ask the rows of a parcel that have not ended yet."""
        attempt = 0
        try:
            folder = place_of(parcel.folder)
            _check_folder(folder, parcel.run)
            with self._lock:
                self._packing = self._packing or Packing(folder)
            attempt = _attempt_of(folder, parcel.stem)
            rows = Unwrapped(parcel.contents, where=where())
            ended = _ended_before(folder, parcel.stem, attempt)
            if rows.ids - ended and not _are_over(folder, parcel, attempt):
                self._wait_for_the_one_before(parcel)
                ended = _ended_before(folder, parcel.stem, attempt)
            is_whole, fault = self._play(parcel, rows, folder, attempt, ended)
            if self._is_left and not is_whole:
                note_end(folder, f"{parcel.stem}-{attempt}")
        except Exception as error:  # noqa: BLE001 - it is told to the driver, which raises it
            is_whole, fault = False, error
        told = None if fault is None else error_as_dict(fault)
        return Done(
            is_whole=is_whole,
            n_attempts=attempt + 1,
            station=self.id,
            fault=None if told is None else _without_keys(told),
            **self._told_at_the_end(),
        )

    def stop(self, order: Order) -> None:
        """Begin no more rows; with "cut" cut off those that go on."""
        with self._lock:
            self._order = order
            runners = [*self._runners]
        for runner in runners:
            runner.stop(now=order == "cut")

    def leave(self) -> None:
        """Begin no more rows, since this process ends: its tasks go on elsewhere, and at once."""
        self._is_left = True
        self.stop("stop")

    def grants_of(self, number: int, *, is_here: bool) -> LeasedGrants:
        """Give who says when a server may be asked, one for all tasks of this process."""
        with self._lock:
            grants = self._grants.get(number)
            if grants is None:
                limiter = Limiter(at_once=AT_ONCE if is_here else None)
                grants = self._grants[number] = LeasedGrants(limiter)
                if self._renewal is not None and number in self._renewal.leases:
                    grants.renew(self._clock(), self._renewal.leases[number], self._until)
            return grants

    def budget(self) -> Budget | None:
        with self._lock:
            return self._budget

    def _take(self, now: float, renewal: Renewal) -> None:
        self._number, self._renewal = renewal.number, renewal
        replied_at = self._replied_at.get(renewal.answers, -float("inf"))
        self._until = max(self._until, replied_at + renewal.lasts_s)
        self._replied_at = {
            number: at for number, at in self._replied_at.items() if number >= renewal.answers
        }
        for number, lease in renewal.leases.items():
            if number not in self._grants:
                continue
            self._grants[number].renew(now, lease, self._until)
        if renewal.limit_usd is not None:
            self._budget = self._budget or LeasedBudget()
            self._budget.renew(renewal.limit_usd, is_all=renewal.is_all)
        stems = [stem for stem in renewal.gathered if stem not in self._packed]
        if stems and self._packing is not None:
            self._packed.update(stems)
            threading.Thread(target=self._packing.add_all, args=(stems,), daemon=True).start()
        is_left = self._is_left and renewal.order == "go"
        if renewal.order != self._order and not is_left:
            # it takes locks of runners, which may wait for one of this station
            self._order = renewal.order
            threading.Thread(target=self.stop, args=(renewal.order,), daemon=True).start()

    def _play(
        self, parcel: Parcel, rows: Unwrapped, folder: Place, attempt: int, ended: set[str]
    ) -> tuple[bool, BaseException | None]:
        wanted = rows.ids - ended
        if not wanted:
            return True, None
        safe: set[str] = set()

        def on_rows(records: list[Record]) -> None:
            safe.update(record.row_id for record in records)
            self._keep(records)

        design: Any = rows
        place: Any = folder
        # what ended before and is design again stands in both
        standings = {key: at for key, at in rows.before.items() if key in wanted}
        standings |= {key: Standing("answered", 0) for key in ended}
        runner = Runner(
            design,
            place,
            name=parcel.name,
            grants_of=lambda profile: self.grants_of(
                rows.numbers[profile.identity], is_here=profile.name == "local"
            ),
            standings=standings,
            again=frozenset(rows.before.keys() & wanted),
            tries=parcel.tries,
            budget=self.budget(),
            on_rows=on_rows,
            journal=f"{parcel.stem}-{attempt}",
        )
        with self._running(runner, parcel):
            runner.start()
            try:
                runner.wait()
            except Exception as error:  # noqa: BLE001 - it is told to the driver
                return False, error
        return wanted <= safe, None

    @contextlib.contextmanager
    def _running(self, runner: Runner, parcel: Parcel) -> Any:
        is_over = threading.Event()
        with self._lock:
            self._runners.add(runner)
            order = self._order
        order = order if order != "go" else self._order_of_the_place(parcel)
        if order != "go":
            runner.stop(now=order == "cut")
        threading.Thread(
            target=self._look_after, args=(parcel, is_over), name="nbchat-station", daemon=True
        ).start()
        try:
            yield
        finally:
            is_over.set()
            with self._lock:
                self._runners.discard(runner)
                self._ended.add(totals_of(runner))

    def _look_after(self, parcel: Parcel, is_over: threading.Event) -> None:
        while not is_over.wait(_LOOK_S):
            order = self._order_of_the_place(parcel)
            if order != "go":
                self.stop(order)

    def _order_of_the_place(self, parcel: Parcel) -> Order:
        """Say what to do where nobody tells."""
        with self._lock:
            lost_s = self._clock() - self._until
            is_known = self._until > -float("inf")
        is_lost = is_known and lost_s > _PATIENCE * parcel.lease_s
        return "stop" if is_lost else "go"

    def _wait_for_the_one_before(self, parcel: Parcel) -> None:
        """Wait until a worker that was lost with this very task sends no more of it."""
        until = self._clock() + parcel.lease_s + _LATE_S
        while self._clock() < until and self._order == "go":
            time.sleep(min(_LOOK_S, max(until - self._clock(), 0.0)))

    def _keep(self, records: list[Record]) -> None:
        with self._lock:
            for record in records:
                self._last_row += 1
                self._rows.append((self._last_row, ended_of(record)))

    def _told_at_the_end(self) -> dict[str, Any]:
        """Give what a task tells itself: nothing here, since renewals do."""
        return {}

    def _totals(self) -> Totals:
        totals = Totals()
        totals.add(self._ended)
        for runner in self._runners:
            totals.add(totals_of(runner))
        return totals


def where() -> str:
    """Name this process, as a sentence begins."""
    name = f"The worker (process {os.getpid()} on {socket.gethostname()})"
    with contextlib.suppress(Exception):  # there is none, or no Dask
        from distributed import get_worker

        name = f"The worker {get_worker().address} ({socket.gethostname()})"
    return name


_LOCK = threading.Lock()


def station_of(run: str) -> Station:
    """Give the station of a run, made where there is none."""
    with _LOCK:
        station: Station | None = STATE.stations.get(run)
        if station is None:
            station = STATE.stations[run] = Station()
        return station


def _check_folder(folder: Place, run: str) -> None:
    if not is_marked(folder, run):
        raise HistoryError(
            f"{where()} does not see what the sweep writes in {folder}: give a folder on a file "
            "system that all workers share, or an address of an object store."
        )


def _attempt_of(folder: Place, stem: str) -> int:
    """Count the earlier attempts at a task: each left a file of what it sent."""
    files = Folder(folder)
    attempt = 0
    while files.has_files_of(f"{stem}-{attempt}"):
        attempt += 1
    return attempt


def _are_over(folder: Place, parcel: Parcel, attempt: int) -> bool:
    """Tell whether all earlier attempts at a task are known to send no more."""
    return all(
        has_end(folder, f"{parcel.stem}-{number}") for number in range(parcel.n_ended, attempt)
    )


def _ended_before(folder: Place, stem: str, attempt: int) -> set[str]:
    row_ids: set[str] = set()
    for number in range(attempt):
        row_ids |= Folder(folder).ended_in(f"{stem}-{number}")
    return row_ids


def _without_keys(told: dict[str, Any]) -> dict[str, Any]:
    text = Redaction(known_secrets()).text(msgspec.json.encode(told).decode())
    readable: dict[str, Any] = msgspec.json.decode(text)
    return readable
