"""Rows that have ended, appended to files, and safe before they are counted.

A process writes files of its own, and never into one that was there. A line goes to the system
with one write, so that a process that is killed loses none; a thread then waits for the disk, for
many lines at a time, so that a machine that loses its power loses none that was counted. At an
object store they are put in segments (`nbchat.sweep.segments`), and counted when these are there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from nbchat.errors import HistoryError
from nbchat.sweep.object_path import ObjectPath
from nbchat.sweep.records import Record
from nbchat.sweep.segments import ROWS_S, PutAttempts, PutRows

JOURNALS, ATTEMPTS, PARTS = "journals", "attempts", "parts"
#: bytes after which a journal is closed and another one begun
MOST_BYTES = 64_000_000
#: seconds between two waits for the disk
_PAUSE_S = 0.02


class Attempt(msgspec.Struct, omit_defaults=True, gc=False):
    """A request that is sent (`event` is "sent"), or what became of one that gave no row.

    `event` is then "limited", "failed", "unknown" (it was sent, and nobody knows whether it was
    answered and paid) or "not_sent". `n` counts the requests of the row in this process, from 1.
    """

    event: str
    row_id: str
    at: float
    n: int = 0
    error: str | None = None
    elapsed_s: float | None = None


class Lines:
    """A file that lines are appended to. Each is whole on its way to the disk, or not there."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.n_bytes = 0
        self._is_closed = False
        self._lock = threading.Lock()
        flags = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY
        self._handle = os.open(path, flags, 0o644)

    def append(self, data: bytes) -> None:
        """Write lines at the end. Raise OSError, and then nothing of them is there."""
        with self._lock:
            try:
                n_written = os.write(self._handle, data)
                while n_written < len(data):
                    n_written += os.write(self._handle, data[n_written:])
            except OSError:
                os.ftruncate(self._handle, self.n_bytes)  # no half a line
                raise
            self.n_bytes += len(data)

    def sync(self) -> None:
        """Wait until what was written is on disk. Raise OSError."""
        with self._lock:
            if self._is_closed:
                return  # it was waited for
            handle = os.dup(self._handle)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def close(self) -> None:
        """Close the file, when all of it is on disk. Raise OSError."""
        self.sync()
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self._handle)


def journal_name(stem: str, number: int) -> str:
    """Name the file of a journal, the first one by 1."""
    return f"rows-{stem}-{number:04d}.jsonl"


def new_stem() -> str:
    """Give what no other files are called by: a time, a process, and chance."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return f"{stamp}-{os.getpid()}-{os.urandom(3).hex()}"


class Journal:
    """The files that one process writes of a sweep.

    `on_safe` is told of records that are on disk, from a thread. `on_full` is told of a journal
    that is closed. `stem` is what its files are called by; None: as no others are.
    """

    def __init__(
        self,
        folder: Path | ObjectPath,
        *,
        on_safe: Callable[[list[Record]], object],
        on_full: Callable[[Any], object] = lambda _: None,
        most_bytes: int | None = None,
        stem: str | None = None,
    ):
        self._folder = folder
        self._pause_s = ROWS_S if isinstance(folder, ObjectPath) else _PAUSE_S
        self._on_safe, self._on_full = on_safe, on_full
        self._most_bytes = MOST_BYTES if most_bytes is None else most_bytes
        self._stem = new_stem() if stem is None else stem
        self._number = 0
        self._lock = threading.Lock()
        self._waiting: list[Record] = []
        self._rows: Lines | PutRows | None = None
        self._attempts: Lines | PutAttempts | None = None
        self._fault: HistoryError | None = None
        self._has_more = threading.Event()
        self._over = threading.Event()
        self._writer = threading.Thread(target=self._sync, name="nbchat-journal", daemon=True)
        self._writer.start()

    @property
    def fault(self) -> HistoryError | None:
        """What the disk refused, None where it takes all."""
        return self._fault

    def sent(self, attempt: Attempt) -> None:
        """Note a request before it is sent. Raise HistoryError where it cannot be."""
        data = msgspec.json.encode(attempt) + b"\n"
        try:
            lines = self._attempt_lines()
            if isinstance(lines, PutAttempts):
                lines.append(data, is_to_be_safe=attempt.event == "sent")
            else:
                lines.append(data)
        except OSError as error:
            raise self._refused(error) from error

    def append(self, record: Record, line: bytes) -> None:
        """Write a row. Raise HistoryError where it cannot be."""
        with self._lock:
            try:
                rows = self._row_lines()
                rows.append(line)
                self._waiting.append(record)
                if isinstance(rows, Lines) and rows.n_bytes >= self._most_bytes:
                    self._turn_over()
            except OSError as error:
                raise self._refused(error) from error
        if not self._has_more.is_set():
            self._has_more.set()

    def close(self) -> None:
        """Wait until all is on disk."""
        self._over.set()
        self._has_more.set()
        self._writer.join()
        for lines in (self._rows, self._attempts):
            if lines is not None:
                lines.close()
        self._rows = self._attempts = None

    def _refused(self, error: OSError) -> HistoryError:
        refused = HistoryError(
            f"The folder {self._folder} cannot be written: {error}. What is in it is safe."
        )
        refused.__cause__ = error
        self._fault = self._fault or refused
        return refused

    def _row_lines(self) -> Lines | PutRows:
        if self._rows is None:
            self._number += 1
            path = self._folder / JOURNALS / journal_name(self._stem, self._number)
            self._rows = Lines(path) if isinstance(path, Path) else PutRows(path)
        return self._rows

    def _attempt_lines(self) -> Lines | PutAttempts:
        if self._attempts is not None:
            return self._attempts
        with self._lock:
            if self._attempts is None:
                folder = self._folder / ATTEMPTS
                if isinstance(folder, Path):
                    self._attempts = Lines(folder / f"attempts-{self._stem}.jsonl")
                else:
                    self._attempts = PutAttempts(folder, self._stem)
            return self._attempts

    def _turn_over(self) -> None:
        full, self._rows = self._rows, None
        if full is not None:
            full.close()
            self._on_full(full.path)

    def _sync(self) -> None:
        while True:
            self._has_more.wait()
            self._has_more.clear()
            is_last = self._over.is_set()
            with self._lock:
                safe, self._waiting = self._waiting, []
                rows = self._rows
                if isinstance(rows, PutRows):
                    self._rows = None
            try:
                if isinstance(rows, PutRows):
                    rows.close()
                    self._on_full(rows.path)
                elif rows is not None:
                    rows.sync()
            except OSError as error:
                self._refused(error)
            if safe and self._fault is None:
                self._on_safe(safe)
            if is_last:
                return
            self._over.wait(self._pause_s)
