"""The one thread of a process that writes into the history, and what it does when it cannot."""

from __future__ import annotations

import atexit
import contextlib
import copy
import os
import sqlite3
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from nbchat.errors import HistoryError
from nbchat.history.connection import PATIENCE_S, begin, commit, connect
from nbchat.history.record import Record, record_of, write
from nbchat.history.redaction import Redaction, known_secrets
from nbchat.history.salvage import is_damage, runs_of_damaged, set_aside
from nbchat.history.schema import migrate
from nbchat.history.waiting_file import WaitingFile, taken
from nbchat.run import Run

#: runs of one commit: a lock that is held for longer keeps other processes waiting
_MOST_IN_A_GROUP = 200
#: seconds that a writer waits for others after it was refused once
_SHORT_PATIENCE_S = 0.2
_AT_EXIT_S = 10.0


class HistoryWarning(UserWarning):
    """The history cannot be written: where its runs are instead. Given once for a process."""


class Writer:
    """Writes runs into the file at `path`, from any thread: `record` returns at once.

    What cannot be written goes into a file beside it or, where that fails too, stays in
    memory, and is taken in later.
    """

    def __init__(self, path: Path):
        self.path = path
        self._waiting_file = WaitingFile(path)
        self._changed = threading.Condition()
        self._queue: deque[Run] = deque()
        self._kept: list[Run] = []
        self._unwritable: list[Run] = []
        self._n_recorded = self._n_done = 0
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._trouble = ""
        self._has_warned = self._has_looked = False
        self._damaged: tuple[int, int] | None = None
        self._news: list[str] = []
        self._salvage: Iterator[object] | None = None
        self._is_closed = False

    def record(self, run: Run) -> None:
        """Take a run to be written: as it is now, whatever becomes of it."""
        kept = copy.copy(run)
        kept.messages, kept.rounds, kept.notes = list(run.messages), list(run.rounds), [*run.notes]
        with self._changed:
            self._queue.append(kept)
            self._n_recorded += 1
            self._changed.notify_all()
            if self._thread is None:
                self._start()
        self._warn()

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was recorded so far is safe; tell whether it is.

        Where the history could not be written, a warning says once where the runs are.
        """
        with self._changed:
            goal = self._n_recorded
            is_done = self._changed.wait_for(lambda: self._n_done >= goal, timeout_s)
        self._warn()
        return is_done

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait, too, until all that can be read of a damaged file is taken over."""
        if not self.flush(timeout_s):
            return False
        with self._changed:
            is_done = self._changed.wait_for(lambda: self._salvage is None, timeout_s)
        self._warn()
        return is_done

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        self.flush(_AT_EXIT_S)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_AT_EXIT_S)

    @property
    def n_kept(self) -> int:
        """How many runs are in memory alone."""
        return len(self._kept) + len(self._unwritable)

    @property
    def trouble(self) -> str:
        """Why the history could not be written the last time; "" where it could."""
        return self._trouble

    @property
    def connection(self) -> sqlite3.Connection | None:
        """The connection that the thread has open."""
        return self._connection

    def note_damage(self, inode: tuple[int, int] | None) -> None:
        """Have the file of this inode set aside before the next run is written: it is damaged."""
        self._damaged = inode

    def _warn(self) -> None:
        while self._news:
            warnings.warn(self._news.pop(0), HistoryWarning, stacklevel=3)
        if not self._trouble or self._has_warned:
            return
        self._has_warned = True
        where = (
            "in memory alone, until this process ends"
            if self.n_kept
            else f"in {self._waiting_file.path}"
        )
        warnings.warn(
            f"The history {self.path} cannot be written ({self._trouble}). Its runs are kept "
            f"{where}, and are taken in as soon as it can be.",
            HistoryWarning,
            stacklevel=3,
        )

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True, name="nbchat-history")
        try:
            self._thread.start()
        except RuntimeError:  # Python is ending: this is the last thread
            self._thread = None
            self._write_all(list(self._queue))
            self._queue.clear()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._is_closed or self._salvage)
                if not self._queue and not self._salvage:
                    break
                n = min(len(self._queue), _MOST_IN_A_GROUP)
                group = [self._queue.popleft() for _ in range(n)]
            if group:
                self._write_all(group)
            else:
                self._take_over()
        self._disconnect()

    def _write_all(self, group: list[Run]) -> None:
        try:
            self._write(group)
        except BaseException as error:  # noqa: BLE001 - the thread goes on, and no run is lost
            self._unwritable += group
            self._trouble = f"{type(error).__name__}: {error}"
        with self._changed:
            self._n_done += len(group)
            self._changed.notify_all()

    def _records(self, group: list[Run], redaction: Redaction) -> list[Record]:
        """Give the rows of each run; one that cannot be written as data stays in memory."""
        records = []
        for run in group:
            try:
                records.append(record_of(run, redaction))
            except Exception as error:  # noqa: BLE001 - one run must not stop the others
                self._unwritable.append(run)
                self._trouble = f"run {run.id} holds what is no data: {error}"
        return records

    def _write(self, group: list[Run]) -> None:
        redaction = Redaction(known_secrets())
        trouble_before, self._trouble = self._trouble, ""
        records = self._records(group, redaction)
        group = [run for run in group if run not in self._unwritable]
        patience_s = _SHORT_PATIENCE_S if trouble_before else PATIENCE_S
        try:
            self._commit_or_begin_anew(records, patience_s)
        except (sqlite3.Error, HistoryError, OSError) as error:
            self._disconnect()
            self._trouble = _reason(error)
            try:
                self._waiting_file.append([*self._kept, *group], redaction)
                self._kept = []
            except OSError:
                self._kept += group
            return
        if trouble_before or not self._has_looked:
            self._has_looked = True
            self._take_in(redaction)

    def _commit_or_begin_anew(self, records: list[Record], patience_s: float) -> None:
        """Write records; where the file is damaged, into a new one in its place."""
        if self._damaged is None:
            try:
                self._commit(records, replaces=True, patience_s=patience_s)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._damaged = self._inode
            else:
                return
        self._disconnect()
        # another process may have begun a new one meanwhile, which is another file
        aside = None if self._damaged is None else set_aside(self.path, self._damaged)
        self._damaged = None
        if aside is not None:
            self._news.append(
                f"The history {self.path} was damaged. It is kept as {aside}, and a new one has "
                "begun, which takes over what can be read of it; nbchat.history.load does so again."
            )
            self._salvage = self._taking_over(aside)
        self._commit(records, replaces=True, patience_s=patience_s)

    def _take_over(self) -> None:
        """Write some more of what can be read of a file that was set aside."""
        try:
            left = next(self._salvage or iter(()), None)
        except (sqlite3.Error, HistoryError, OSError) as error:
            self._news.append(f"Not all of the damaged history could be taken over: {error}")
            left = None
        if left is None:
            with self._changed:
                self._salvage = None
                self._changed.notify_all()

    def _taking_over(self, aside: Path) -> Iterator[object]:
        redaction = Redaction(known_secrets())
        runs = runs_of_damaged(aside)
        while group := list(islice(runs, _MOST_IN_A_GROUP)):
            self._commit(self._records(group, redaction), replaces=False, patience_s=PATIENCE_S)
            yield group

    def _commit(self, records: list[Record], *, replaces: bool, patience_s: float) -> None:
        connection = self._connected()
        begin(connection, patience_s)
        try:
            for record in records:
                write(connection, record, replaces=replaces)
            commit(connection, patience_s)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _take_in(self, redaction: Redaction) -> None:
        """Write what had to wait: in memory, in this process's file, in those of dead ones."""
        kept, self._kept = self._kept, []
        try:
            self._commit_in_groups(kept, redaction)
        except (sqlite3.Error, OSError):
            self._kept = kept + self._kept
            return
        for path in list(self._waiting_file.to_take()):
            taken_in = taken(path)
            if taken_in is None:
                continue
            moved, runs = taken_in
            with contextlib.suppress(sqlite3.Error, OSError):
                self._commit_in_groups(runs, redaction)
                moved.unlink()

    def _commit_in_groups(self, runs: list[Run], redaction: Redaction) -> None:
        for start in range(0, len(runs), _MOST_IN_A_GROUP):
            group = runs[start : start + _MOST_IN_A_GROUP]
            records = self._records(group, redaction)
            self._commit(records, replaces=False, patience_s=PATIENCE_S)

    def _connected(self) -> sqlite3.Connection:
        """Give the connection, to the file that is there now: it may have been moved away."""
        if self._connection is not None and self._inode != inode_of(self.path):
            self._disconnect()
        if self._connection is None:
            self._inode = inode_of(self.path)
            connection = connect(self.path)
            try:
                migrate(connection, str(self.path))
            except BaseException:
                connection.close()
                raise
            self._connection, self._inode = connection, inode_of(self.path)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


#: connections of a parent process, which a child must not close
_left_alone: list[sqlite3.Connection] = []
_writers: dict[Path, Writer] = {}
_lock = threading.Lock()


def writer_of(path: Path) -> Writer:
    """Give this process's writer of a file."""
    with _lock:
        writer = _writers.get(path)
        if writer is None:
            writer = _writers[path] = Writer(path)
        return writer


def _flush_all() -> None:
    deadline = time.monotonic() + _AT_EXIT_S
    for writer in list(_writers.values()):
        writer.settle(max(deadline - time.monotonic(), 0.0))


def _begin_anew_after_fork() -> None:
    """Leave the parent's connections and runs to the parent."""
    global _lock  # noqa: PLW0603 - the old one may be held for ever
    _lock = threading.Lock()
    # closing one here would let go of the parent's locks
    _left_alone.extend(w.connection for w in _writers.values() if w.connection is not None)
    _writers.clear()


atexit.register(_flush_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)


def inode_of(path: Path) -> tuple[int, int] | None:
    """Tell one file from another that has its name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_dev


def _reason(error: Any) -> str:
    return str(error).rstrip(".") or type(error).__name__
