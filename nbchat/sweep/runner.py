"""Asks the rows of a design until none is missing: who is asked when, and what comes of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nbchat.client.retry import backoff_s
from nbchat.session.execution import Execution
from nbchat.session.pool import Pool
from nbchat.sweep import row_budget
from nbchat.sweep.asked_row import UNWATCHED, Metered, Task
from nbchat.sweep.failures import Failures, Suspect, end_of_all
from nbchat.sweep.limiter import Grants
from nbchat.sweep.outcomes import Ending, ending_of
from nbchat.sweep.row_log import RowLog
from nbchat.sweep.waiting_rows import WaitingRows

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.run import Run
    from nbchat.session.budget import Budget
    from nbchat.sweep.design import Design
    from nbchat.sweep.folder import Standing
    from nbchat.sweep.records import Record

#: threads at once, at most
_MOST_LANES = 512


class Runner:
    """Asks what is missing of a design, and keeps what comes.

    - `grants_of`: who says when a server may be asked, one for each server and key
    - `standings`: row id -> where it stands; those in `again` are asked although they ended
    - `tries`: how often a row is asked again where its server fails
    - `on_rows`: told of records that are on disk, from a thread
    - `journal`: what its files are called by; None: as no others are
    """

    def __init__(
        self,
        design: Design,
        folder: Path,
        *,
        name: str,
        grants_of: Callable[[Profile], Grants],
        standings: dict[str, Standing],
        again: frozenset[str] = frozenset(),
        tries: int = 4,
        budget: Budget | None = None,
        on_rows: Callable[[list[Record]], object] = lambda _: None,
        journal: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._name, self._tries, self._budget, self._clock = name, tries, budget, clock
        self._log = RowLog(design, folder, on_rows, journal)
        self._changed = threading.Condition()
        self._waiting = WaitingRows(design, grants_of, standings, again, self._affords)
        self._failures = Failures(tries)
        self._timer_at = math.inf
        self._n_lanes = self.n_going = 0
        self.n_sent = self.n_retries = self.n_limited = self.n_unknown = 0
        self.unknown_usd: float | None = 0.0
        self._is_over = False
        self.fault: BaseException | None = None
        self._pool: Pool[_Lane] = Pool(at_once=_MOST_LANES, name="nbchat-sweep")

    # from outside

    def take_over(self) -> None:
        """Pack what earlier processes left in the folder, which nobody else writes."""
        self._log.take_over()

    def start(self) -> None:
        """Begin, in threads."""
        self._add_lane()

    def stop(self, *, now: bool = False) -> None:
        """Begin no more; with `now` cut off what goes on. Returns at once."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if now:
            self._pool.stop()

    @property
    def is_running(self) -> bool:
        return self._pool.is_running

    def wait(self) -> None:
        """Wait until all is over and on disk. Raise what stopped it; an interrupt cuts it off."""
        try:
            self._pool.wait()
        except BaseException:
            self.stop(now=True)
            self._pool.leave()
            raise
        finally:
            self.close()
        if self.fault is not None:
            raise self.fault

    def close(self) -> None:
        """Bring all onto the disk."""
        self._log.close()

    def slots(self) -> int:
        """Give how many requests may go on at once now."""
        return self._waiting.slots()

    # from the lanes

    def take(self) -> Task | None:
        """Give the next row that may be asked, as soon as there is one; None where none is left."""
        with self._changed:
            while not self._is_over:
                try:
                    next_one = self._waiting.next(self._clock())
                except BaseException as error:  # noqa: BLE001 - no budget, or a prompt's function
                    self._end_all(error)
                    break
                if isinstance(next_one, Task):
                    self.n_going += 1
                    self._changed.notify()
                    if not self._waiting.is_empty and self._n_lanes < self.slots():
                        self._add_lane()  # which adds the next one
                    return next_one
                if not (self._waiting.n_known or self.n_going):
                    self._settle_failures()
                    self._is_over = True
                    self._changed.notify_all()
                    break
                self._wait(next_one)
            self._n_lanes -= 1
        return None

    def play(self, task: Task, lane: _Lane) -> None:
        """Ask a row once, and see to what comes of it."""
        source = Metered()
        execution = Execution(task.prepared, watcher=UNWATCHED, source=source, sweep=self._name)
        run = execution.run
        lane.execution = execution
        error: BaseException | None = None
        task.n_sent += 1
        try:
            self._log.sent(task)
            if lane.is_cancelled:
                execution.cancel()
            for _ in execution:
                pass
        except BaseException as raised:  # noqa: BLE001 - it is looked at below, and never lost
            error = raised
        finally:
            lane.execution = None
        try:
            self._ended(task, run, error, source)
        except BaseException as raised:  # noqa: BLE001 - what nobody foresaw ends all
            self._end_all(raised)

    def _affords(self, task: Task) -> bool:
        return row_budget.affords(self._budget, task, n_going=self.n_going)

    def _wait(self, wait_s: float) -> None:
        """Wait for a change. One lane looks at the clock, and the others are woken by it."""
        at = self._clock() + wait_s
        if at >= self._timer_at:
            self._changed.wait(1.0)
            return
        self._timer_at = at
        self._changed.wait(min(wait_s, 1.0))
        self._timer_at = math.inf

    def _add_lane(self) -> None:
        with self._changed:
            if self._n_lanes >= _MOST_LANES or self._is_over:
                return
            self._n_lanes += 1
        self._pool.add([_Lane(self)])

    # what has ended

    def _ended(self, task: Task, run: Run, error: BaseException | None, source: Metered) -> None:
        ending = ending_of(run, error)
        n_requests = run.tries
        try:
            if ending.verdict == "row":
                self._log.row(task, run)
            else:
                self._log.gave_no_row(task, run, error, ending, n_requests)
        except BaseException as raised:  # noqa: BLE001 - a full disk, say: all ends, with this
            self._end_all(raised)
        with self._changed:  # not before it is written: the last one that ends ends all
            self._count(task, ending, n_requests)
            self._tell_limits(task, run, error, ending, source)
            row_budget.settle(self._budget, task, run, ending, n_requests)
            self._decide(task, run, error, ending)
            self.n_going -= 1
            self._changed.notify()
        if self._log.fault is not None:
            self._end_all(self._log.fault)

    def _count(self, task: Task, ending: Ending, n_requests: int) -> None:
        self.n_sent += n_requests
        self.n_retries += max(n_requests - 1, 0) + (task.n_sent > 1)
        self.n_limited += ending.outcome == "limited"
        self.n_unknown += ending.is_unknown
        if ending.is_unknown and self.unknown_usd is not None:
            most = row_budget.most_usd(task)
            self.unknown_usd = None if most is None else self.unknown_usd + most

    def _tell_limits(
        self, task: Task, run: Run, error: BaseException | None, ending: Ending, source: Metered
    ) -> None:
        grants, permit = self._waiting.grants_at(task.server), task.permit
        headers = getattr(error, "headers", None) or getattr(source.answer, "limit_headers", {})
        if headers:
            grants.learn(headers)
        if permit is not None:
            grants.ended(
                permit,
                self._clock(),
                ending.outcome,
                tokens=run.usage.total_tokens,
                retry_after_s=ending.retry_after_s,
            )
            task.permit = None

    def _decide(self, task: Task, run: Run, error: BaseException | None, ending: Ending) -> None:
        now = self._clock()
        if ending.verdict == "row":
            if error is None:
                self._write(self._failures.answered())
            else:
                self._end_all(self._failures.refused(error))
        elif ending.verdict == "stop":
            self._end_all(end_of_all(error))
        elif ending.verdict == "wait":
            # the limiter says when; jitter is its, too
            self._put_back(task, now)
        elif ending.verdict == "again":
            task.n_failed += 1
            if task.n_failed > self._tries:
                self._end_all(self._failures.failed(task, run, error))
            else:
                self._put_back(task, now + (ending.retry_after_s or backoff_s(task.n_failed - 1)))

    def _put_back(self, task: Task, at: float) -> None:
        if not self._is_over:
            self._waiting.put_back(task, at)

    def _settle_failures(self) -> None:
        held_back = self._failures.at_the_end()
        if isinstance(held_back, list):
            self._write(held_back)
        else:
            self._end_all(held_back)

    def _write(self, failed: list[Suspect]) -> None:
        """Write rows that failed for themselves: the server answers others."""
        for task, run in failed:
            self._log.row(task, run)

    def _end_all(self, fault: BaseException | None) -> None:
        """Begin no more, and end with this; None is no fault."""
        if fault is None:
            return
        with self._changed:
            self.fault = self.fault or fault
            self._is_over = True
            self._changed.notify_all()


class _Lane:
    """A job of the pool: asks one row after the other until none is left."""

    def __init__(self, runner: Runner):
        self._runner = runner
        self.execution: Execution | None = None
        self.is_cancelled = False

    def __iter__(self) -> Iterator[Task]:
        while (task := self._runner.take()) is not None:
            self._runner.play(task, self)
            yield task

    def cancel(self) -> None:
        """Cut off the row that is asked just now."""
        self.is_cancelled = True
        execution = self.execution
        if execution is not None:
            execution.cancel()
