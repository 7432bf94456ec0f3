"""A cassette: the runs of a notebook in one file beside it, which a replay reads.

Lines of JSON, one run each, in the order of their ids (which is that of time), so that a new
run is a new line and a diff is legible; ``.gz`` where the name says so. What is in it is data:
nothing of it is run, and sizes are bounded.
"""

from __future__ import annotations

import gzip
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from nbchat.client.presets import LOCAL
from nbchat.errors import HistoryError, RunNotFoundError, UnreadableRunError
from nbchat.history.places import PROCESS, Recorded
from nbchat.history.redaction import Redaction, known_secrets
from nbchat.history.saved_file import line_of, whole_file
from nbchat.run import Run

MOST_BYTES_OF_A_LINE = 256 << 20
MOST_BYTES = 4 << 30


class _Head(msgspec.Struct):
    """What is read of a line before its run is wanted."""

    object: Literal["nbchat.run"]
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


_read_head = msgspec.json.Decoder(_Head).decode


class Cassette:
    """The runs in a file at `path`, which need not be there yet. Safe from any thread.

    Raise ValueError where the name ends in neither ``.jsonl`` nor ``.jsonl.gz``.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path).expanduser().absolute()
        if not self.path.name.endswith((".jsonl", ".jsonl.gz")):
            raise ValueError(f"A cassette ends in .jsonl or .jsonl.gz, not as {self.path.name}.")
        self._lock = threading.RLock()
        self._lines: dict[str, bytes] = {}
        self._heads: dict[str, _Head] = {}
        self._seen: tuple[int, int] | None = None

    def __len__(self) -> int:
        with self._lock:
            self._read()
            return len(self._lines)

    def of_request(self, sha256: str) -> list[Recorded]:
        """Give the whole runs of requests that are equal to this one."""
        with self._lock:
            self._read()
            return [
                head.recorded
                for head in self._heads.values()
                if head.request_sha256 == sha256 and head.status == "complete"
            ]

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
        with self._lock:
            self._read()
            line = self._lines.get(run_id)
        if line is None:
            raise RunNotFoundError(f"{self.path.name} has no run {run_id!r}.")
        try:
            return Run.from_dict(msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError, UnreadableRunError) as error:
            raise HistoryError(f"{self.path.name}: run {run_id} cannot be read: {error}") from None

    def add(self, run: Run) -> None:
        """Write a run; one of the same id, or an earlier one of the same place, gives way to it.

        A run that was replayed itself is left out. Raise OSError where it cannot be written.
        """
        if run.is_replayed:
            return
        line = line_of(run, Redaction(known_secrets()))
        head = _read_head(line)
        with self._lock:
            self._read()
            given_way = [known.id for known in self._heads.values() if _same_place(known, head)]
            is_last = all(known < head.id for known in self._lines)
            for run_id in given_way:
                self._forget(run_id)
            self._lines[head.id], self._heads[head.id] = line, head
            if is_last and not given_way and self.path.suffix != ".gz":
                self._append(line)
            else:
                self._write()
            self._seen = _stamp(self.path)

    def _forget(self, run_id: str) -> None:
        self._lines.pop(run_id, None)
        self._heads.pop(run_id, None)

    def _append(self, line: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _write(self) -> None:
        data = b"".join(self._lines[run_id] + b"\n" for run_id in sorted(self._lines))
        with whole_file(self.path) as file:
            if self.path.suffix == ".gz":
                # no time and no name in it: the same runs are the same bytes
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
                    zipped.write(data)
            else:
                file.write(data)

    def _read(self) -> None:
        """Read the file where it has changed."""
        stamp = _stamp(self.path)
        if stamp == self._seen:
            return
        self._lines, self._heads, self._seen = {}, {}, stamp
        if stamp is None:
            return
        for number, line in enumerate(self._read_lines(), 1):
            try:
                head = _read_head(line)
            except (msgspec.DecodeError, RecursionError) as error:
                self._seen = None
                raise HistoryError(
                    f"{self.path.name}, line {number} is no run of nbchat: {error}."
                ) from None
            self._lines[head.id], self._heads[head.id] = line, head

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
        if line.strip():
            yield line.rstrip(b"\r\n")


def _same_place(known: _Head, head: _Head) -> bool:
    if known.id == head.id:
        return True
    is_placed = head.request_sha256 is not None and head.number_in_cell is not None
    return is_placed and known.request_sha256 == head.request_sha256 and (
        (known.cell, known.number_in_cell) == (head.cell, head.number_in_cell)
    )  # fmt: skip


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
