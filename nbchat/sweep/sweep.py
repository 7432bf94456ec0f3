"""`Sweep`: what is asked, how far it is, and what came of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbchat.client import retry
from nbchat.display.publisher import notebook_publisher
from nbchat.errors import SweepStoppedError
from nbchat.history.store import path_now as history_file
from nbchat.history.sweeps import note_sweep
from nbchat.session.budget import Budget
from nbchat.session.interrupts import shorten
from nbchat.session.notebook import current_execution, current_notebook
from nbchat.session.state import STATE
from nbchat.session.watchers import PrintingWatcher
from nbchat.session.worst_case import worst_case
from nbchat.sweep.answered import Answered
from nbchat.sweep.bar import Bar, Display, markup_of
from nbchat.sweep.design import Design
from nbchat.sweep.executors import Going, Work, checked_executor
from nbchat.sweep.folder import Folder
from nbchat.sweep.limits import Limits
from nbchat.sweep.mark import wait_for_workers
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.opened import make_known
from nbchat.sweep.packing import pack_segments
from nbchat.sweep.place import place_of
from nbchat.sweep.progress import Counts, Tally
from nbchat.sweep.request_size import order_of
from nbchat.sweep.scores import checked_evaluators
from nbchat.sweep.store_lock import StoreLock
from nbchat.sweep.writer_lock import Writer, WriterLock

if TYPE_CHECKING:
    from nbchat.sweep.plan import Plan
    from nbchat.sweep.records import Record


#: seconds between two lines that say how far it is
_SHOW_EVERY_S = 0.5
#: seconds that an interrupt leaves to what is cut off
_LEAVE_WITHIN_S = 3.0


class Sweep(Answered):
    """Prompts and data over a grid of params; see `nbchat.sweep`, which makes it.

    - `plan`: what would be sent, and what it costs; nothing is sent before `run` or `start`
    - `run()`, `start()`, `stop()`, `wait()`, ``await sweep``, `retry_errors()`
    - `status`: how far it is; `writer`: who writes its folder now
    - `rows(temperature=1)`: the rows of a cell of a figure; `run_of(row_id)`: the run of one
    - `runs()`, `tokens()`, `scores()`, `table()`, `compare()`, `agreement()`: frames, also while it
      runs; `evaluate()` scores later, `judges` are the models that judge
    - `to_batch()`, `from_batch()`: files of requests for a batch, and the files that it gave;
      `batch` does both at a provider
    """

    def __init__(
        self,
        prompt: Any,
        *,
        data: Any = None,
        grid: Any = None,
        repeats: int = 1,
        folder: str | os.PathLike[str] | ObjectPath | None = None,
        evaluate: Mapping[str, Any] | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        budget_usd: float | None = None,
        at_once: int | None = None,
        executor: Any = None,
        **fields: Any,
    ):
        tries = fields.pop("max_retries", None)
        self._tries = retry.checked(STATE.settings.max_retries if tries is None else tries)
        self._limits = Limits.checked(at_once, requests_per_minute, tokens_per_minute)
        self._executor = checked_executor(executor)
        self._limit_usd = None if budget_usd is None else Budget(budget_usd).limit_usd
        self.design = Design(prompt, data=data, grid=grid, repeats=repeats, fields=fields)
        self.evaluators: dict[str, Any] = {**checked_evaluators(self.design, evaluate or {})}
        self._is_kept = folder is not None
        self.folder = _temporary_folder(self) if folder is None else place_of(folder)
        self.is_kept = folder is not None
        self.name = self.folder.name
        self._folder = Folder(self.folder)
        self._lock: WriterLock | StoreLock = (
            StoreLock(self.folder, self._lose)
            if isinstance(self.folder, ObjectPath)
            else WriterLock(self.folder)
        )
        self._going: Going | None = None
        self._tally: Tally | None = None
        self._is_over = threading.Event()
        self._shown_in: str | None = None
        self._fault: BaseException | None = None
        self._n_unknown_before = 0
        self._unknown_usd_before: float | None = 0.0
        make_known(self._folder)

    @property
    def plan(self) -> Plan:
        """What `run` would send now, and what that costs. Nothing is sent."""
        from nbchat.sweep.plan import plan_of

        self._folder.check_there()
        return plan_of(
            self.design, self._folder.standings(), self._limits, self.evaluators, self.judges
        )

    def __repr__(self) -> str:
        return f"<Sweep {self.name}: {self.status}>"

    def _repr_html_(self) -> str:
        course = self._tally.course if self._tally is not None else [(0.0, self.status.done)]
        return markup_of(self.name, self.status, course)

    def _ipython_display_(self) -> None:
        if self._shown_in is not None and self._shown_in == current_execution():
            return  # the display that start() made stands in this very cell
        publisher = notebook_publisher()
        if publisher is None:
            print(repr(self))
        else:
            publisher.show({"text/plain": repr(self), "text/html": self._repr_html_()})

    # running

    def run(self) -> Sweep:
        """Ask all that is missing, and wait, with a line that says how far it is.

        An interrupt cuts off what goes on; what was answered is kept. Raise what stopped it:
        `SweepStoppedError`, `BudgetError`, `FolderInUseError`, or `CheckError` before anything
        is sent.
        """
        if not self.is_running:
            self._begin(frozenset())
        with Bar(self.status) as bar:
            self._wait(bar.show)
        return self

    def start(self) -> Sweep:
        """Begin to ask what is missing, in the background. What stops it, `wait` raises."""
        if self.is_running:
            return self
        self._begin(frozenset())
        display = Display.of_this_cell(self._repr_html_, self.__repr__)
        if display is not None:
            self._shown_in = current_execution()
            display.follow(self._is_over)
        return self

    def retry_errors(self) -> Sweep:
        """Ask the rows again that failed, and wait. What is kept of the earlier attempts stays."""
        if self.is_running:
            raise SweepStoppedError("The sweep runs: wait() for it, then retry its errors.")
        failed = {key for key, at in self._folder.standings().items() if at.status == "error"}
        self._begin(frozenset(failed))
        self.wait()
        return self

    def stop(self, *, now: bool = False) -> None:
        """Begin no more rows, and let those that go on end; with `now` cut them off, too."""
        if self._going is not None:
            self._going.stop(now=now)

    def wait(self) -> Sweep:
        """Wait until it ends, and raise what stopped it. An interrupt cuts it off."""
        self._wait(lambda _: None)
        return self

    def _wait(self, show: Callable[[Counts], object]) -> None:
        if self._going is None:
            return
        try:
            # with a limit, so that an interrupt comes through; a line costs as much as some rows do
            while not self._is_over.wait(_SHOW_EVERY_S):
                show(self.status)
        except KeyboardInterrupt as interrupt:
            shorten(interrupt)
            self._going.stop(now=True)
            self._is_over.wait(_LEAVE_WITHIN_S)
            raise
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault
        counts = self.status
        show(counts)
        if not counts.not_sent:  # who stopped it wants no more requests, not those of judges either
            self.ask_judges()

    def __await__(self) -> Generator[Any, None, Sweep]:
        import asyncio

        return self._awaited(asyncio.get_running_loop()).__await__()

    async def _awaited(self, loop: Any) -> Sweep:
        self.start()
        try:
            await loop.run_in_executor(None, self.wait)
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def status(self) -> Counts:
        """How far it is: rows by what became of them, requests, tokens, cost, time to go."""
        going, tally = self._going, self._tally
        if tally is None:
            standings = self._folder.standings()
            known = {row.id for row in self.design.rows()} & standings.keys()
            tally = Tally(self.design.n_rows, {key: standings[key].status for key in known})
            tally.end()
        if going is None:
            unknown = self._folder.unknown()
            return tally.counts(unknown=sum(unknown.values()), unknown_usd=self._most_usd(unknown))
        return tally.counts(
            going=going.n_going,
            sent=going.n_sent,
            retries=going.n_retries,
            limited=going.n_limited,
            unknown=self._n_unknown_before + going.n_unknown,
            unknown_usd=_sum(self._unknown_usd_before, going.unknown_usd),
        )

    @property
    def writer(self) -> Writer | None:
        """Who writes the folder now; None where nobody does."""
        return self._lock.writer()

    def _begin(self, again: frozenset[str]) -> None:
        say = PrintingWatcher().status
        self._folder.check_there()
        self.design.make_ready(say)
        self._lock.take(current_notebook())
        if self._is_kept:
            with contextlib.suppress(OSError):  # it is found by its folder all the same
                note_sweep(history_file(), self.name, self.folder)
        try:
            wait_for_workers(self.folder, say)
            self._folder.has_rows = True
            standings = self._folder.standings()
            rows = {row.id for row in self.design.rows()}
            self.batch.refuse_to_ask(rows - standings.keys())
            unknown = self._folder.unknown()
            self._n_unknown_before = sum(unknown.values())
            self._unknown_usd_before = self._most_usd(unknown)
            before = {key: at.status for key, at in standings.items() if key in rows}
            self._tally = Tally(self.design.n_rows, before)
            self._going = self._executor.going(
                Work(
                    design=self.design,
                    folder=self.folder,
                    name=self.name,
                    limits=self._limits,
                    grants_of=self._limits.grants_of,
                    standings=standings,
                    again=again,
                    tries=self._tries,
                    budget=self._budget_left(),
                    on_rows=self._on_rows,
                )
            )
            self._going.start()
        except BaseException:  # an interrupt too must leave the folder to whoever comes next
            self._going = None
            self._lock.free()
            raise
        self._is_over.clear()
        threading.Thread(
            target=self._see_to_end, args=(self._going,), name="nbchat-sweep-end", daemon=True
        ).start()

    def _see_to_end(self, going: Going) -> None:
        try:
            going.wait()
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self._fault = error
        finally:
            if self._tally is not None:
                self._tally.end()
            # a part is only quicker to read: what a store or pyarrow refuses here stays in its
            # segments, which are read one by one, and the next run packs it
            with contextlib.suppress(Exception):
                pack_segments(self.folder)
            self._lock.free()
            self._is_over.set()

    def _lose(self) -> None:
        """Stop: another process took this one for dead, and may write."""
        self._fault = SweepStoppedError(
            f"The sweep was stopped: the heartbeat of this process was missed at {self.folder}, "
            "and another one may write there. What was answered is there; run() goes on."
        )
        self.stop(now=True)

    def _on_rows(self, records: list[Record]) -> None:
        if self._tally is not None:
            self._tally.add(records)

    def _most_usd(self, unknown: Mapping[str, int]) -> float | None:
        """Give what requests of unknown outcome cost at most, None where a price is not known.

        Those of rows that are no longer in the plan are not counted.
        """
        total = 0.0
        for row in self.design.rows() if unknown else ():
            if row.id in unknown:
                most = worst_case(order_of(self.design.cell_of(row))).usd
                if most is None:
                    return None
                total += unknown[row.id] * most
        return total

    def _budget_left(self) -> Budget | None:
        """Give the sweep's budget, what was used of it before taken out of it."""
        if self._limit_usd is None:
            return None
        budget = Budget(self._limit_usd)
        budget.settle(budget.reserve(0.0), self.used_usd())
        return budget


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


def _temporary_folder(sweep: Sweep) -> Path:
    """Make a folder that is there for as long as the sweep is."""
    made = tempfile.TemporaryDirectory(prefix="nbchat-sweep-", ignore_cleanup_errors=True)
    weakref.finalize(sweep, made.cleanup)
    return Path(made.name)
