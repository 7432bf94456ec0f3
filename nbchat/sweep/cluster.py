"""A sweep on other processes: rows go out in parcels, a few for each worker at a time."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from typing import Any

import msgspec

from nbchat.errors import BudgetError, SweepStoppedError
from nbchat.session.budget import dollars
from nbchat.session.worst_case import worst_case
from nbchat.stored_error import error_of
from nbchat.sweep.done import Done
from nbchat.sweep.executors import Work
from nbchat.sweep.folder import Folder
from nbchat.sweep.journal import new_stem
from nbchat.sweep.leases import Ended, Order, Totals
from nbchat.sweep.link import Link
from nbchat.sweep.mark import remove_mark
from nbchat.sweep.parcel import Parcel
from nbchat.sweep.parcels import WINDOW, Parcels
from nbchat.sweep.records import Record
from nbchat.sweep.request_size import order_of
from nbchat.sweep.sendable import refuse_what_cannot_be_sent

#: a task is given out anew when it was lost, so often
_MOST_LOST = 5


class _Out(msgspec.Struct, eq=False):
    """A parcel that is out, and how often it was lost."""

    parcel: Parcel
    n_lost: int = 0


class Cluster:
    """Work that goes on in other processes; see `nbchat.sweep.executors.Going`."""

    def __init__(self, work: Work, link: Link):
        self.work = work
        self.run = new_stem()
        self._link = link
        self._parcels = Parcels(work, self.run, link)
        self._out: dict[Any, _Out] = {}
        self._again: list[_Out] = []
        self._short: list[_Out] = []
        self._unknown_before: dict[str, int] = {}
        self._final: Totals | None = None
        self._counted: set[str] = set()
        self._has_gaps = False
        self._changed = threading.Event()
        self._is_over = threading.Event()
        self._order: Order = "go"
        self._has_begun = False
        self.fault: BaseException | None = None
        refuse_what_cannot_be_sent(work, self._parcels.wrapping, is_here=link.is_here)

    # from outside

    @property
    def n_rows(self) -> int:
        return self._parcels.n_rows

    def start(self) -> None:
        """Begin, in a thread."""
        self._unknown_before = Folder(self.work.folder).unknown()
        self._link.open(self)
        self._has_begun = True
        threading.Thread(target=self._work, name="nbchat-cluster", daemon=True).start()

    def stop(self, *, now: bool = False) -> None:
        """Begin no more; with `now` cut off what goes on. Returns at once."""
        self._order = "cut" if now else "stop"
        self._link.tell(self._order)
        self._changed.set()

    @property
    def is_running(self) -> bool:
        return self._has_begun and not self._is_over.is_set()

    def wait(self) -> None:
        """Wait until all is over and on disk. Raise what stopped it."""
        try:
            while not self._is_over.wait(0.2):
                pass
        except BaseException:
            self.stop(now=True)
            raise
        if self.fault is not None:
            raise self.fault

    @property
    def n_going(self) -> int:
        return self._totals.n_going

    @property
    def n_sent(self) -> int:
        return self._totals.n_sent

    @property
    def n_retries(self) -> int:
        return self._totals.n_retries

    @property
    def n_limited(self) -> int:
        return self._totals.n_limited

    @property
    def n_unknown(self) -> int:
        return self._totals.n_unknown

    @property
    def unknown_usd(self) -> float | None:
        return self._totals.unknown_usd

    @property
    def _totals(self) -> Totals:
        return self._link.totals() if self._final is None else self._final

    def count(self, rows: list[Ended]) -> None:
        """Note rows that are written, each once."""
        rows = [row for row in rows if row.row_id not in self._counted]
        if rows:
            self._counted.update(row.row_id for row in rows)
            self.work.on_rows([_record_of(row) for row in rows])

    def fail(self, error: BaseException) -> None:
        """End all because of this, once what goes on has ended."""
        self.fault = self.fault or error
        if self._order == "go":
            self.stop()

    def wake(self) -> None:
        """Look at what has changed."""
        self._changed.set()

    # the driver's thread

    def _work(self) -> None:
        try:
            while True:
                self._hand_out()
                self._take_in()
                is_all_out = self._parcels.are_all_made and not (self._again or self._short)
                if not self._out and (is_all_out or self._order != "go"):
                    break
                self._changed.wait(0.5)
                self._changed.clear()
                self.count(self._link.news([out.parcel for out in self._out.values()]))
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self.fail(error)
            self._wait_for_what_is_out()
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self._link.close()
            self._final = self._link.totals()
            self._final.n_going = 0
            if self._has_gaps or self._order != "go" or len(self._counted) < self.n_rows:
                self._read_what_nobody_told()
            remove_mark(self.work.folder)
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self.fault = self.fault or error
        self._is_over.set()

    def _wait_for_what_is_out(self) -> None:
        concurrent_futures = [future for future in self._out if not future.done()]
        while concurrent_futures and not all(future.done() for future in concurrent_futures):
            time.sleep(0.1)

    def _hand_out(self) -> None:
        if self._parcels.are_all_made and not self._out and not self._again:
            # one alone has all that the others left: where that is not enough, nothing is
            self._again = [self._short.pop()] if self._short else []
        while self._order == "go" and len(self._out) < WINDOW * max(self._link.n_threads(), 1):
            if self._again:
                self._submit(self._again.pop())
                continue
            parcels = self._parcels.next(max(self._link.n_threads(), 1))
            if not parcels:
                return
            for parcel in parcels:
                self._submit(_Out(parcel))

    def _submit(self, out: _Out) -> None:
        future = self._link.submit(out.parcel)
        self._out[future] = out
        future.add_done_callback(lambda _: self.wake())

    def _take_in(self) -> None:
        for future in [future for future in self._out if future.done()]:
            out = self._out.pop(future)
            try:
                done: Done = future.result()
            except (concurrent.futures.CancelledError, concurrent.futures.BrokenExecutor) as error:
                self._has_gaps = True
                if self._order == "go":
                    self.fail(_stopped("its workers are gone", error))
                continue
            except Exception as error:  # noqa: BLE001 - a worker was lost, whatever it is called
                out.n_lost += 1
                self._has_gaps = True
                if out.n_lost > _MOST_LOST:
                    self.fail(_stopped(f"a task of it was lost {out.n_lost} times", error))
                else:
                    self._again.append(out)
                continue
            self._ended(out, done)

    def _ended(self, out: _Out, done: Done) -> None:
        self.count(done.rows)
        out.parcel.n_ended = done.n_attempts
        self._has_gaps = self._has_gaps or not done.is_whole or done.n_attempts > 1
        is_to_go_out_anew = self._link.settled(out.parcel, done)
        if done.is_whole:
            return
        if done.fault is None:
            self._again.append(out)
        elif is_to_go_out_anew:
            self._short.append(out)
        else:
            error = error_of(done.fault)
            self.fail(self._of_all(error) if isinstance(error, BudgetError) else error)

    def _of_all(self, error: BudgetError) -> BudgetError:
        """Say of the whole budget what a worker says of its part."""
        limit = self.work.budget.limit_usd if self.work.budget is not None else None
        whole = "" if limit is None else f" of {dollars(limit)}"
        raised = BudgetError(
            f"The next row may cost more than is left of the budget{whole} that all workers share. "
            "What was answered is in the folder: a larger budget_usd goes on, and "
            "max_completion_tokens lowers what a row may cost."
        )
        raised.__cause__ = error
        return raised

    def _read_what_nobody_told(self) -> None:
        """Count what is in the folder, and what a worker that was lost had no time to tell of."""
        self._final = self._counted_at_the_end()
        ended = Folder(self.work.folder).standings()
        missing = [key for key in ended if key not in self._counted and self.work.is_wanted(key)]
        rows = [Ended(key, ended[key].status, None, 0.0) for key in missing
                if self._has_come(key, ended[key].attempt)]  # fmt: skip
        self.count(rows)

    def _has_come(self, row_id: str, attempt: int) -> bool:
        before = self.work.standings.get(row_id)
        return before is None or attempt > before.attempt

    def _counted_at_the_end(self) -> Totals:
        """Give the totals, with the requests of workers that were killed, whom nobody tells of."""
        totals = self._link.totals()
        totals.n_going = 0
        unknown = Folder(self.work.folder).unknown()
        more = {key: n - self._unknown_before.get(key, 0) for key, n in unknown.items()}
        totals.n_unknown = sum(n for n in more.values() if n > 0)
        totals.unknown_usd = self._most_usd(more)
        return totals

    def _most_usd(self, unknown: dict[str, int]) -> float | None:
        total = 0.0
        for row in self.work.design.rows() if unknown else ():
            if unknown.get(row.id, 0) > 0:
                most = worst_case(order_of(self.work.design.cell_of(row))).usd
                if most is None:
                    return None
                total += unknown[row.id] * most
        return total


def _record_of(row: Ended) -> Record:
    status: Any = row.status
    return Record(
        row_id=row.row_id,
        status=status,
        item=0,
        sample=0,
        completion_tokens=row.completion_tokens,
        cost_usd=row.cost_usd,
    )


def _stopped(what: str, error: BaseException) -> SweepStoppedError:
    stopped = SweepStoppedError(
        f"The sweep was stopped: {what} ({type(error).__name__}: {error}). What was answered is in "
        "its folder; run() goes on."
    )
    stopped.__cause__ = error
    return stopped
