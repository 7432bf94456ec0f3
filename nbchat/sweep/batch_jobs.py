"""The batches of a sweep at its provider: what is there, and what comes of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbchat.client.presets import LOCAL
from nbchat.errors import (
    CheckError,
    NotAvailableError,
    SweepStoppedError,
)
from nbchat.session.budget import Budget
from nbchat.session.notebook import current_notebook
from nbchat.session.state import STATE
from nbchat.session.watchers import PrintingWatcher
from nbchat.session.worst_case import worst_case
from nbchat.sweep.bar import Bar
from nbchat.sweep.batch_parts import PartsThere, refuse_without_batches
from nbchat.sweep.batch_requests import Limits, RequestFile, write_requests
from nbchat.sweep.batch_results import Results, Taken
from nbchat.sweep.batch_state import BatchState, Part
from nbchat.sweep.batch_status import counts_of, frame_of, words_of
from nbchat.sweep.request_size import order_of

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.request.prepare import Prepared
    from nbchat.sweep.batched import Batched


class BatchJobs:
    """A sweep's batches at its provider (``sweep.batch``).

    What is known of them stands in the sweep's folder before anything is made at the server, so
    that the same call goes on after whatever ended it, and no part becomes two batches.

    - `submit()`: upload what is missing, and create batches of it
    - `poll()`: ask how far they are; with ``wait=True`` until they have ended
    - `collect()`: take what they answered into the sweep, also of those that expired
    - `cancel()`: end them; what they have answered can be collected
    - `status`: a frame with a row for each part
    """

    def __init__(self, sweep: Batched):
        self._sweep = sweep
        self._state = BatchState(sweep.folder)
        self._there = PartsThere(sweep, self._state)

    def submit(self, *, queue_tokens: int | None = None) -> BatchJobs:
        """Make batches of the rows that have no answer and are in no batch.

        A part has at most 50,000 requests, 200 MB and `queue_tokens` tokens of prompts; what
        does not fit into the server's queue of so many tokens waits here, and is sent by `poll`
        with ``wait=True``, or by the next `submit`. Where an earlier call was cut off, what it
        created is looked up, and not created again.

        Raise CheckError for a row that no batch can answer, `NotAvailableError` where the
        server has no batches, `BudgetError`: then nothing was sent. What else the server
        answers is raised as it is; the same call goes on from there.
        """
        limits = Limits(queue_tokens=queue_tokens)
        sweep = self._sweep
        if not sweep.is_kept:
            raise CheckError(
                "A batch may take a day, and the rows of this sweep are forgotten with it: give "
                "nbchat.sweep(…, folder=…).",
                field="folder",
            )
        with self._writing():
            self._state.tidy()
            self._there.look_up(part for part in self._state.parts() if _is_unknown(part))
            new = self._new_files(limits)
            try:
                for profile in {file.profile.base_url: file.profile for file in new}.values():
                    refuse_without_batches(profile)
                reservation = self._reserve(new)
                for file in new:
                    self._state.add(file, queue_tokens)
            except BaseException:
                self._state.tidy()
                raise
            try:
                self._send_what_fits()
            finally:
                # what a batch costs is known when it is collected, perhaps in another process
                STATE.budget.settle(reservation, None if reservation.most_usd else 0.0)
        return self

    def poll(self, *, wait: bool = False, every_s: float = 30.0) -> pd.DataFrame:
        """Ask the server how far the batches are, and give `status`.

        With `wait` it is asked every `every_s` seconds until all have ended, with a line that
        says how far they are, and parts that wait for the queue are sent. An interrupt ends the
        waiting, and no batch.
        """
        if not every_s > 0:
            rule = "must be a number of seconds above 0"
            raise CheckError(f"every_s is {every_s!r}, but it {rule}.", field="every_s", rule=rule)
        self._poll()
        if wait and not self._is_over():
            with Bar(counts_of(self._state.parts())) as bar:
                while not self._is_over():
                    time.sleep(every_s)
                    self._poll()
                    with self._writing():
                        self._send_what_fits()
                    bar.show(counts_of(self._state.parts()))
        return self.status

    def collect(self) -> Taken:
        """Take what batches that have ended answered into the sweep, and say what came.

        Of those that expired or were cancelled this is what they had answered by then. Rows
        without an answer are missing again: `run` asks them directly, `submit` in a batch.
        Batches that go on are left; a second call takes nothing twice.
        """
        self._poll()
        with self._writing():
            taken = Taken()
            for part in self._state.parts():
                if part.foreign or (part.may_answer and part.has_ended):
                    results = Results(self._there.downloaded(part))
                    taken += self._sweep.take_results(results)
                    part.is_collected, part.foreign = True, sorted(results.foreign)
                    self._state.save(part)
        return taken

    def cancel(self) -> pd.DataFrame:
        """End the batches that go on, and give `status`. What they have answered stays.

        Parts that were not sent are forgotten. A server takes a while to end a batch: `poll`
        until it is "cancelled", then `collect`.
        """
        with self._writing():
            parts = self._state.parts()
            self._there.look_up(part for part in parts if _is_unknown(part))
            for part in parts:
                if not part.is_sent:
                    self._state.remove(part)
                elif part.batch_id is not None and not part.has_ended:
                    self._there.cancel(part)
        return self.status

    @property
    def status(self) -> pd.DataFrame:
        """A row for each part, as it was when the server was asked last.

        ``part``, ``profile``, ``model``, ``status`` ("waiting": not sent, "unknown": it may have
        been created, the server's own words, "gone"), ``requests``, ``completed``, ``failed``,
        ``is_collected``, ``created_at``, ``expires_at`` (UTC), ``prompt_tokens``, ``batch_id``,
        ``error``.
        """
        return frame_of(self._state.parts())

    def rows_at_servers(self) -> set[str]:
        """Give the ids of rows whose answers may be at a server, and are not here."""
        parts = self._state.parts()
        going = {key for part in parts if part.may_answer for key in self._state.row_ids(part)}
        return going.union(*(part.foreign for part in parts))

    def refuse_to_ask(self, rows: set[str]) -> None:
        """Raise SweepStoppedError where some of these rows are in a batch."""
        n = len(rows & self.rows_at_servers())
        if n:
            raise SweepStoppedError(
                f"{n:,} {'row is' if n == 1 else 'rows are'} in a batch, and would be paid for "
                "twice. sweep.batch.collect() takes what it has answered when it has ended, "
                "sweep.batch.cancel() ends it; run() then asks the rest."
            )

    def __repr__(self) -> str:
        return f"<batches of {self._sweep.name}: {words_of(self._state.parts())}>"

    # what is missing

    def _new_files(self, limits: Limits) -> list[RequestFile]:
        """Write the requests of the rows that are in no part; parts that are stale are dropped."""
        standings = self._sweep.standings()
        for part in self._state.parts():
            if not part.is_sent and not self._is_missing(part, standings.keys()):
                self._state.remove(part)
        there = standings.keys() | self.rows_at_servers()
        for part in self._state.parts():
            if not part.is_collected:
                there.update(self._state.row_ids(part))
        has_limit = self._budgets_hold()
        return write_requests(
            self._sweep.design.cells(is_wanted=lambda key: key not in there),
            lambda row: row.id not in there,
            limits=limits,
            new_path=lambda _number, _model: self._state.new_file(),
            most_usd=_most_usd if has_limit else lambda _: 0.0,
        )

    def _is_missing(self, part: Part, ended: Any) -> bool:
        return not any(key in ended for key in self._state.row_ids(part))

    def _budgets_hold(self) -> bool:
        return self._sweep.limit_usd is not None or STATE.budget.limit_usd is not None

    def _reserve(self, files: list[RequestFile]) -> Any:
        """Set aside what these files cost at most. Raise BudgetError where it does not fit."""
        amounts = [file.most_usd for file in files]
        most = None if None in amounts else sum(filter(None, amounts))
        what = f"{sum(file.requests for file in files):,} requests in a batch"
        limit = self._sweep.limit_usd
        if limit is not None and files:
            budget = Budget(limit)
            budget.settle(budget.reserve(0.0), self._sweep.used_usd())
            budget.reserve(most, what)
        return STATE.budget.reserve(most if files else 0.0, what)

    # at the server

    def _send_what_fits(self) -> None:
        """Send the parts that wait, as far as the server's queue has room for them."""
        parts = self._state.parts()
        ended = self._sweep.standings().keys() if any(not p.is_sent for p in parts) else set()
        for part in parts:
            if part.is_sent:
                continue
            if not self._is_missing(part, ended):
                self._state.remove(part)  # its rows were asked directly meanwhile
            elif _has_room(part, parts):
                self._there.send(part)

    def _poll(self) -> None:
        with self._writing():
            for part in self._state.parts():
                if part.may_answer and not part.has_ended:
                    self._there.poll(part)

    def _is_over(self) -> bool:
        return all(part.has_ended or part.is_collected for part in self._state.parts())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the one who writes the folder, keys at hand.

        Raise FolderInUseError where another one is, `NotAvailableError` for a server without
        batches.
        """
        design = self._sweep.design
        if any(profile.name == LOCAL for profile in design.profiles()):
            raise NotAvailableError(
                "The embedded model has no batches: run() asks it directly, and to_batch() writes "
                "files for servers that have."
            )
        design.make_ready(PrintingWatcher().status)
        if self._sweep.is_running:
            raise SweepStoppedError("The sweep runs: wait() for it, then go on with its batches.")
        with self._sweep.held(current_notebook()):
            yield


def _is_unknown(part: Part) -> bool:
    return part.is_sent and part.batch_id is None and not part.is_collected


def _has_room(part: Part, parts: list[Part]) -> bool:
    """Tell whether the queue of a part's model takes it, beside those that are in it."""
    going = sum(
        other.prompt_tokens
        for other in parts
        if (other.base_url, other.model) == (part.base_url, part.model)
        and other.is_sent
        and not other.has_ended
        and not other.is_collected
    )
    limit = part.queue_tokens
    return limit is None or not going or going + part.prompt_tokens <= limit


def _most_usd(prepared: Prepared) -> float | None:
    return worst_case(order_of(prepared)).usd
