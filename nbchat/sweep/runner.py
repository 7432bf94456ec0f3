"""Asks the rows of a design until none is missing: who is asked when, and what comes of it."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.client.retry import backoff_s
from nbchat.errors import BudgetError, ConnectError, NbchatError, SweepStoppedError
from nbchat.history.redaction import Redaction, keep_out, known_secrets
from nbchat.session.budget import Budget, Reservation
from nbchat.session.execution import FROM_SERVER, Execution
from nbchat.session.pool import Pool
from nbchat.session.sources import Order
from nbchat.session.worst_case import worst_case
from nbchat.sweep.design import Cell, Design, Row
from nbchat.sweep.folder import Standing
from nbchat.sweep.journal import Attempt, Journal
from nbchat.sweep.limiter import Grants, Permit
from nbchat.sweep.outcomes import LONGEST_PAUSE_S, Ending, ending_of
from nbchat.sweep.packing import Packing
from nbchat.sweep.records import Record, line_of
from nbchat.sweep.request_size import order_of, prompt_size, reply_limit

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run
    from nbchat.session.sources import Answer

#: rows that wait in memory for a server that is not asked just now, at most
_LOOK_AHEAD = 512
#: threads at once, at most
_MOST_LANES = 512
#: rows that failed one after the other, and nothing was answered: the server is dead
_DEAD_AFTER = 8
#: rows that were refused one after the other before any was answered: all will be
_REFUSED_AFTER = 25


class Task(msgspec.Struct, eq=False):
    """A row that is to be asked: what is sent, to whom, and what it has been through."""

    row: Row
    prepared: Prepared
    server: Any
    tokens: int
    attempt: int
    n_sent: int = 0
    n_failed: int = 0
    permit: Permit | None = None
    reservation: Reservation | None = None


class Metered:
    """The server of the profile; keeps the answer, whose headers tell of limits."""

    needs_server = True

    def __init__(self) -> None:
        self.answer: Any = None

    def open(self, order: Order) -> Answer:
        self.answer = FROM_SERVER.open(order)
        answer: Answer = self.answer
        return answer


class _Quiet:
    """The watcher of a row: the sweep shows how far all of them are."""

    def status(self, line: str) -> None: ...

    def update(self, run: Run) -> None: ...

    def finish(self, run: Run) -> None: ...


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
        self._design, self._name = design, name
        self._grants_of, self._tries, self._budget = grants_of, tries, budget
        self._standings, self._again = standings, again
        self._clock = clock
        self._packing = Packing(folder)
        self._journal = Journal(folder, on_safe=on_rows, on_full=self._packing.add, stem=journal)
        self._redaction = Redaction(known_secrets())
        self._keys: set[str] = set()
        self._changed = threading.Condition()
        self._cells: Iterator[Cell] | None = design.cells(is_wanted=self._is_wanted)
        self._servers: dict[Any, Grants] = {}
        self._identities: dict[int, tuple[Profile, Any]] = {}  # with the profile, whose id it is
        self._waiting: dict[Any, deque[Task]] = {}
        self._n_waiting = 0
        self._later: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._timer_at = math.inf
        self._n_lanes = self.n_going = 0
        self.n_sent = self.n_retries = self.n_limited = self.n_unknown = 0
        self.unknown_usd: float | None = 0.0
        self._answered_at = -math.inf
        self._n_refused_in_a_row = 0
        self._suspects: list[tuple[Task, Run]] = []
        self._is_over = self._is_stopped = False
        self.fault: BaseException | None = None
        self._pool: Pool[_Lane] = Pool(at_once=_MOST_LANES, name="nbchat-sweep")

    # from outside

    def take_over(self) -> None:
        """Pack what earlier processes left in the folder, which nobody else writes."""
        self._packing.take_over()

    def start(self) -> None:
        """Begin, in threads."""
        self._add_lanes(1)

    def stop(self, *, now: bool = False) -> None:
        """Begin no more; with `now` cut off what goes on. Returns at once."""
        with self._changed:
            self._is_over = self._is_stopped = True
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
        self._journal.close()
        self._packing.close()

    def slots(self) -> int:
        """Give how many requests may go on at once now."""
        return sum(grants.slots for grants in self._servers.values())

    # from the lanes

    def take(self) -> Task | None:
        """Give the next row that may be asked, as soon as there is one; None where none is left."""
        with self._changed:
            while not self._is_over:
                task, wait_s = self._ready()
                if task is not None:
                    self.n_going += 1
                    self._changed.notify()
                    is_left = self._cells is not None or self._n_waiting or self._later
                    if is_left and self._n_lanes < self.slots():
                        self._add_lanes(1)  # which adds the next one
                    return task
                if wait_s is None:
                    self._settle_suspects()
                    self._is_over = True
                    self._changed.notify_all()
                    break
                self._wait(wait_s)
            self._n_lanes -= 1
        return None

    def play(self, task: Task, lane: _Lane) -> None:
        """Ask a row once, and see to what comes of it."""
        source = Metered()
        execution = Execution(task.prepared, watcher=_Quiet(), source=source, sweep=self._name)
        run = execution.run
        lane.execution = execution
        error: BaseException | None = None
        task.n_sent += 1
        try:
            self._journal.sent(Attempt("sent", task.row.id, time.time(), task.n_sent))
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
        except BaseException as raised:  # noqa: BLE001 - a full disk, say: all ends, with this
            self._end_all(raised)

    # what is next

    def _ready(self) -> tuple[Task | None, float | None]:
        """Give a task that may be sent, or the seconds to wait, None where nothing is left."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            task = heapq.heappop(self._later)[2]
            self._queue(task, first=True)
        wait_s = math.inf
        while True:
            for server, queue in self._waiting.items():
                if not queue:
                    continue
                if not self._affords(queue[0]):
                    continue
                granted = self._servers[server].take(now, queue[0].tokens)
                if isinstance(granted, Permit):
                    task = queue.popleft()
                    self._n_waiting -= 1
                    task.permit = granted
                    return task, 0.0
                wait_s = min(wait_s, granted)
            if self._is_over or self._cells is None or self._n_waiting >= _LOOK_AHEAD:
                break
            if not self._pull():
                break
        if self._later:
            wait_s = min(wait_s, self._later[0][0] - now)
        is_left = bool(self._n_waiting or self._later or self.n_going)
        return None, wait_s if is_left else None

    def _pull(self) -> bool:
        """Take the rows of the next cell; tell whether there was one."""
        try:
            cell = next(self._cells) if self._cells is not None else None
        except StopIteration:
            cell = None
        except BaseException as error:  # noqa: BLE001 - a prompt's function may raise anything
            self._cells = None
            self._end_all(error)
            return False
        if cell is None:
            self._cells = None
            return False
        for row, prepared in zip(cell.rows, cell.prepared, strict=True):
            if not self._is_wanted(row.id):
                continue
            standing = self._standings.get(row.id)
            attempt = 0 if standing is None else standing.attempt + 1
            server = self._identity(prepared.profile)
            if server not in self._servers:
                self._servers[server] = self._grants_of(prepared.profile)
                self._waiting[server] = deque()
            n_tokens = prompt_size(prepared) + (reply_limit(prepared) or 0)
            self._queue(Task(row, prepared, server, n_tokens, attempt))
        return True

    def _identity(self, profile: Profile) -> Any:
        """Give what a profile's server is known by; the rows of a point share one profile."""
        known = self._identities.get(id(profile))
        if known is None:
            known = self._identities[id(profile)] = (profile, profile.identity)
        return known[1]

    def _queue(self, task: Task, *, first: bool = False) -> None:
        queue = self._waiting[task.server]
        (queue.appendleft if first else queue.append)(task)
        self._n_waiting += 1

    def _is_wanted(self, row_id: str) -> bool:
        return row_id not in self._standings or row_id in self._again

    def _affords(self, task: Task) -> bool:
        """Set aside what a task may cost. Where it does not fit, wait for others, or end all."""
        if self._budget is None or task.reservation is not None:
            return True
        case = worst_case(order_of(task.prepared))
        try:
            task.reservation = self._budget.reserve(case.usd, case.what)
        except BudgetError as error:
            if case.usd is None or not (self.n_going or self._budget.may_grow):
                self._end_all(error)
            return False
        return True

    def _wait(self, wait_s: float) -> None:
        """Wait for a change. One lane looks at the clock, and the others are woken by it."""
        at = self._clock() + wait_s
        if at >= self._timer_at:
            self._changed.wait(1.0)
            return
        self._timer_at = at
        self._changed.wait(min(wait_s, 1.0))
        self._timer_at = math.inf

    # what has ended

    def _ended(self, task: Task, run: Run, error: BaseException | None, source: Metered) -> None:
        ending = ending_of(run, error)
        n_requests = run.tries
        self._note_attempt(task, run, error, ending, n_requests)
        record: tuple[Record, bytes] | None = None
        if ending.verdict == "row":
            record = self._line(task, run)
        with self._changed:
            self.n_sent += n_requests
            self.n_retries += max(n_requests - 1, 0) + (task.n_sent > 1)
            self.n_limited += ending.outcome == "limited"
            self.n_unknown += ending.is_unknown
            if ending.is_unknown and self.unknown_usd is not None:
                most = worst_case(order_of(task.prepared)).usd
                self.unknown_usd = None if most is None else self.unknown_usd + most
            self._tell_limits(task, run, error, ending, source)
            self._settle(task, run, ending, n_requests)
            self._decide(task, run, error, ending)
        if record is not None:
            self._journal.append(*record)
        with self._changed:  # not before it is written: the last one that ends ends all
            self.n_going -= 1
            self._changed.notify()
            missing = min(self.slots(), self._n_waiting + len(self._later) + 1) - self._n_lanes
        if self._journal.fault is not None:
            self._end_all(self._journal.fault)
        if not self._is_over:
            self._add_lanes(missing)

    def _decide(self, task: Task, run: Run, error: BaseException | None, ending: Ending) -> None:
        now = self._clock()
        if ending.verdict == "row":
            self._n_refused_in_a_row = 0 if error is None else self._n_refused_in_a_row + 1
            if error is None:
                self._answered_at = now
                self._write_suspects()
            elif self._n_refused_in_a_row >= _REFUSED_AFTER and math.isinf(self._answered_at):
                self._end_all(self._stopped(f"{_REFUSED_AFTER} rows in a row were refused", error))
        elif ending.verdict == "stop":
            self._end_all(self._told(error))
        elif ending.verdict == "wait":
            # the limiter says when; jitter is its, too
            self._put_back(task, now)
        elif ending.verdict == "again":
            task.n_failed += 1
            if task.n_failed > self._tries:
                self._suspect(task, run, error)
            else:
                self._put_back(task, now + (ending.retry_after_s or backoff_s(task.n_failed - 1)))

    def _put_back(self, task: Task, at: float) -> None:
        if not self._is_over:
            heapq.heappush(self._later, (at, next(self._order), task))

    def _suspect(self, task: Task, run: Run, error: BaseException | None) -> None:
        """Hold a row back that failed as often as it may: is it the row, or the server?"""
        run.error = run.error or error
        self._suspects.append((task, run))
        if len(self._suspects) >= _DEAD_AFTER:
            self._end_all(self._dead())

    def _write_suspects(self) -> None:
        """The server answers others: these failed for themselves."""
        for task, run in self._suspects:
            run.status = "error"
            self._journal.append(*self._line(task, run))
        self._suspects.clear()

    def _settle_suspects(self) -> None:
        if not self._suspects:
            return
        is_dead = math.isinf(self._answered_at) or isinstance(
            self._suspects[0][1].error, ConnectError
        )
        if is_dead:
            self._end_all(self._dead())
        else:
            self._write_suspects()

    def _dead(self) -> NbchatError:
        error = self._suspects[-1][1].error
        n = len(self._suspects)
        rows = "a row was" if n == 1 else f"{n} rows were"
        return self._stopped(f"{rows} asked {self._tries + 1} times without an answer", error)

    def _told(self, error: BaseException | None) -> BaseException:
        if isinstance(error, NbchatError) and not isinstance(error, BudgetError):
            return self._stopped("no row can be answered", error)
        return error or SweepStoppedError("The sweep was stopped.")

    def _stopped(self, what: str, error: BaseException | None) -> SweepStoppedError:
        pause = f" (pauses of more than {LONGEST_PAUSE_S:.0f} s are not waited for)"
        is_pause = getattr(error, "status", None) == 429
        stopped = SweepStoppedError(
            f"The sweep was stopped: {what}. {type(error).__name__}: {error}"
            f"{pause if is_pause else ''} What was answered is in its folder; run() goes on."
        )
        stopped.__cause__ = error
        return stopped

    def _end_all(self, fault: BaseException) -> None:
        with self._changed:
            self.fault = self.fault or fault
            self._is_over = True
            self._changed.notify_all()

    def _tell_limits(
        self, task: Task, run: Run, error: BaseException | None, ending: Ending, source: Metered
    ) -> None:
        grants, permit = self._servers[task.server], task.permit
        now = self._clock()
        usage: Any = run.usage
        headers = getattr(error, "headers", None) or getattr(source.answer, "limit_headers", {})
        if headers:
            grants.learn(headers)
        if permit is not None:
            grants.ended(
                permit,
                now,
                ending.outcome,
                tokens=usage.total_tokens,
                retry_after_s=ending.retry_after_s,
            )
            task.permit = None

    def _settle(self, task: Task, run: Run, ending: Ending, n_requests: int) -> None:
        budget, reservation = self._budget, task.reservation
        if budget is None or reservation is None:
            return
        task.reservation = None
        if not n_requests:
            budget.release(reservation)
        elif ending.is_unknown:
            budget.settle(reservation, None if reservation.most_usd else 0.0)
        elif run.status == "complete":
            budget.settle(reservation, run.cost_usd if reservation.most_usd else 0.0)
        else:
            budget.settle(reservation, 0.0)

    def _note_attempt(
        self,
        task: Task,
        run: Run,
        error: BaseException | None,
        ending: Ending,
        n_requests: int,
    ) -> None:
        if ending.verdict == "row":
            return
        event: str = "unknown" if ending.is_unknown else ending.outcome
        if not n_requests:
            event = "not_sent"
        elif event == "cut":
            event = "failed"
        sentence = None if error is None else f"{type(error).__name__}: {error}"
        self._journal.sent(
            Attempt(
                event,
                task.row.id,
                time.time(),
                task.n_sent,
                None if sentence is None else self._redaction.text(sentence),
                run.elapsed_s,
            )
        )

    def _line(self, task: Task, run: Run) -> tuple[Record, bytes]:
        key = task.prepared.profile.key
        if key is not None and key.reveal() not in self._keys:
            self._keys.add(key.reveal())
            keep_out([key.reveal()])
            self._redaction = Redaction(known_secrets())
        labels = self._design.labels(task.row.point)
        return line_of(task.row, labels, run, task.attempt, task.n_sent, self._redaction)

    def _add_lanes(self, n: int) -> None:
        with self._changed:
            n = min(n, _MOST_LANES - self._n_lanes)
            if n <= 0 or self._is_over:
                return
            self._n_lanes += n
        self._pool.add([_Lane(self) for _ in range(n)])


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
