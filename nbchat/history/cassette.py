"""A cassette: the runs of a notebook in one file beside it, which a replay reads.

Lines of JSON, one run each, in the order of their ids (which is that of time), so that a new
run is a new line and a diff is legible; ``.gz`` where the name says so. Between them stand the
steps of analyses (`nbchat.history.step_answer`). What is in it is data: nothing of it is run, and
sizes are bounded.
"""

from __future__ import annotations

import atexit
import contextlib
import gzip
import os
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from nbchat.client.presets import LOCAL
from nbchat.errors import HistoryError, RunNotFoundError, UnreadableRunError
from nbchat.history.file_lock import locked
from nbchat.history.places import PROCESS, Recorded
from nbchat.history.redaction import Redaction, known_secrets
from nbchat.history.saved_file import line_of, whole_file
from nbchat.history.step_answer import StepAnswer, read_step
from nbchat.run import Run
from nbchat.stored_run import OBJECT

MOST_BYTES_OF_A_LINE = 256 << 20
MOST_BYTES = 4 << 30
#: bytes of steps that wait for the next run, so that not each of them is a write
_MOST_WAITING = 8 << 20


#: kind of line, SHA-256 of the request, cell, number among equal ones in it
_Place = tuple[str, str, str | None, int]


class _Head(msgspec.Struct):
    """What is read of a line before its run is wanted."""

    object: Literal["nbchat.run", "nbchat.step"]
    id: str
    status: str = "complete"
    request_sha256: str | None = None
    cell: str | None = None
    number_in_cell: int | None = None
    is_replayed: bool = False
    profile: str = ""
    base_url: str = ""
    vocab_size: int | None = None

    @property
    def recorded(self) -> Recorded:
        return Recorded(self.id, self.cell or PROCESS, self.number_in_cell)

    @property
    def place(self) -> _Place | None:
        """What a later line shares that takes this one's place; None where it has none."""
        if self.request_sha256 is None or self.number_in_cell is None:
            return None
        return self.object, self.request_sha256, self.cell, self.number_in_cell


_read_head = msgspec.json.Decoder(_Head).decode


class Cassette:
    """The runs in a file at `path`, which need not be there yet. Safe from any thread.

    Raise ValueError where the name ends in neither ``.jsonl`` nor ``.jsonl.gz``, or its folder is
    not there.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path).expanduser().absolute()
        if not self.path.name.endswith((".jsonl", ".jsonl.gz")):
            raise ValueError(f"A cassette ends in .jsonl or .jsonl.gz, not as {self.path.name}.")
        if not self.path.parent.is_dir():
            raise ValueError(f"There is no folder {self.path.parent} for the cassette.")
        self._lock = threading.RLock()
        self._lines: dict[str, bytes] = {}
        self._heads: dict[str, _Head] = {}
        self._by_place: dict[_Place, str] = {}
        self._by_request: dict[str, set[str]] = {}
        self._last_id = ""
        self._seen: tuple[int, int, int] | None = None
        self._ends_whole = True
        self._waiting: list[bytes] = []
        self._n_waiting = 0
        self._warned: set[str] = set()
        self._is_written_at_exit = False

    def __len__(self) -> int:
        with self._lock:
            self._read()
            return sum(head.object == OBJECT for head in self._heads.values())

    def of_request(self, sha256: str) -> list[Recorded]:
        """Give the whole runs of requests, or the steps, that are equal to this one."""
        with self._lock:
            self.write()
            self._read()
            heads = (self._heads[run_id] for run_id in self._by_request.get(sha256, ()))
            return [head.recorded for head in heads if head.status == "complete"]

    def vocabulary_size(self, profile: str, base_url: str) -> int | None:
        """Give the size of the vocabulary that a run of a server had; None if unknown.

        The embedded server, whose address changes, is known by its profile.
        """
        with self._lock:
            self._read()
            return next(
                (
                    head.vocab_size
                    for head in self._heads.values()
                    if head.vocab_size is not None
                    and head.profile == profile
                    and (profile == LOCAL or head.base_url == base_url)
                ),
                None,
            )

    def run(self, run_id: str) -> Run:
        """Give a run. Raise `RunNotFoundError` where it is not in it."""
        line = self._line(run_id)
        try:
            return Run.from_dict(msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError, UnreadableRunError) as error:
            raise HistoryError(f"{self.path.name}: run {run_id} cannot be read: {error}") from None

    def step(self, step_id: str) -> StepAnswer:
        """Give the answer to a step. Raise `RunNotFoundError` where it is not in it."""
        return read_step(self._line(step_id))

    def _line(self, line_id: str) -> bytes:
        with self._lock:
            self._read()
            line = self._lines.get(line_id)
        if line is None:
            raise RunNotFoundError(f"{self.path.name} has no run {line_id!r}.")
        return line

    def add(self, run: Run, *, is_first: bool = False) -> None:
        """Write a run; one of the same id, or an earlier one of the same place, gives way to it.

        With `is_first` a whole one of the same place stays, and this one is left out. A run that
        was replayed itself is left out. Several processes may write one cassette. Raise OSError
        where it cannot be written: then it goes in with the next one.
        """
        if run.is_replayed:
            return
        line = line_of(run, Redaction(known_secrets()))
        with self._lock:
            if is_first and self._has_place_of(line):
                return
            self._waiting.append(line)
            self.write()

    def add_step(self, step: StepAnswer, *, is_first: bool = False) -> None:
        """Take in the answer to a step, as `add` a run; `write` writes it."""
        line = step.line(Redaction(known_secrets()))
        with self._lock:
            if not self._is_written_at_exit:
                self._is_written_at_exit = True
                atexit.register(self._write_at_exit)
            if is_first and self._has_place_of(line):
                return
            self._waiting.append(line)
            self._n_waiting += len(line)
            if self._n_waiting > _MOST_WAITING:
                self.write()

    def write(self) -> None:
        """Write what waits. Raise OSError where that cannot be: then it goes on waiting."""
        with self._lock:
            if not self._waiting:
                return
            with locked(self.path) as is_locked:
                self._read()
                self._write_waiting()
            if not is_locked:
                self._warn(
                    f"The cassette {self.path} cannot be locked on this file system: write it from "
                    "one process at a time."
                )

    def _write_at_exit(self) -> None:
        try:
            self.write()
        except (OSError, HistoryError) as error:
            sys.stderr.write(f"The cassette {self.path} lacks steps of analyses: {error}\n")

    def _write_waiting(self) -> None:
        fresh: list[bytes] = []
        is_appended = self._ends_whole and self.path.suffix != ".gz"
        for line in self._waiting:
            head = _read_head(line)
            replaced = self._replaced_by(head)
            is_appended = is_appended and self._last_id < head.id and not replaced
            for line_id in replaced:
                self._drop(line_id)
            self._take(head, line)
            fresh.append(line + b"\n")
        self._seen = None  # until it is written
        written = _append(self.path, b"".join(fresh)) if is_appended else self._write()
        self._waiting.clear()
        self._n_waiting = 0
        self._seen, self._ends_whole = written, True

    def _has_place_of(self, line: bytes) -> bool:
        self._read()
        place = _read_head(line).place
        known = None if place is None else self._by_place.get(place)
        return known is not None and self._heads[known].status == "complete"

    def _replaced_by(self, head: _Head) -> set[str]:
        """Give the ids of the lines in whose place this one comes."""
        same = {head.id} & self._lines.keys()
        place = head.place
        if place is not None and place in self._by_place:
            same.add(self._by_place[place])
        return same

    def _take(self, head: _Head, line: bytes) -> None:
        self._lines[head.id], self._heads[head.id] = line, head
        self._last_id = max(self._last_id, head.id)
        if head.place is not None:
            self._by_place[head.place] = head.id
        if head.request_sha256 is not None:
            self._by_request.setdefault(head.request_sha256, set()).add(head.id)

    def _drop(self, line_id: str) -> None:
        head = self._heads.pop(line_id)
        del self._lines[line_id]
        if head.place is not None and self._by_place.get(head.place) == line_id:
            del self._by_place[head.place]
        if head.request_sha256 is not None:
            self._by_request[head.request_sha256].discard(line_id)

    def _write(self) -> tuple[int, int, int]:
        data = b"".join(self._lines[run_id] + b"\n" for run_id in sorted(self._lines))
        with whole_file(self.path) as file:
            if self.path.suffix == ".gz":
                # no time and no name in it: the same runs are the same bytes
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
                    zipped.write(data)
            else:
                file.write(data)
            file.flush()
            # once it is in its place, another process may change it
            return _stamp_of(os.fstat(file.fileno()))

    def _read(self) -> None:
        """Read the file where it has changed."""
        stamp = _stamp(self.path)
        if stamp == self._seen:
            return
        self._lines, self._heads, self._seen, self._ends_whole = {}, {}, stamp, True
        self._by_place, self._by_request, self._last_id = {}, {}, ""
        if stamp is None:
            return
        for number, line in enumerate(self._read_lines(), 1):
            self._ends_whole = line.endswith(b"\n")
            if not line.strip():
                continue
            try:
                head = _read_head(line)
            except (msgspec.DecodeError, RecursionError) as error:
                if not self._ends_whole and line.startswith(b'{"'):
                    self._warn(
                        f"{self.path.name} ends in half a line, of a process that ended while it "
                        f"wrote or that writes now: line {number} is left out."
                    )
                    break
                self._seen = None
                raise HistoryError(
                    f"{self.path.name}, line {number} is no run of nbchat: {error}."
                ) from None
            self._take(head, line.rstrip(b"\r\n"))

    def _warn(self, sentence: str) -> None:
        """Warn of a thing once."""
        if sentence not in self._warned:
            self._warned.add(sentence)
            warnings.warn(sentence, UserWarning, stacklevel=2)

    def _read_lines(self) -> Iterator[bytes]:
        is_zipped = self.path.suffix == ".gz"
        try:
            file: Any
            with gzip.open(self.path) if is_zipped else self.path.open("rb") as file:
                yield from _bounded_lines(file, self.path.name)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise HistoryError(f"{self.path.name} is no whole gzip file: {error}.") from None


def _bounded_lines(file: IO[bytes], name: str) -> Iterator[bytes]:
    n_bytes = 0
    while line := file.readline(MOST_BYTES_OF_A_LINE + 1):
        n_bytes += len(line)
        if len(line) > MOST_BYTES_OF_A_LINE or n_bytes > MOST_BYTES:
            raise HistoryError(f"{name} is larger than a cassette may be.")
        yield line


def _append(path: Path, data: bytes) -> tuple[int, int, int]:
    """Write at the end, all of it or nothing."""
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(before)
            raise
        return _stamp_of(os.fstat(file.fileno()))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None


def _stamp_of(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_mtime_ns, facts.st_size, facts.st_ino
